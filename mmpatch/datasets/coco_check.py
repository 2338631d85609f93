"""Ids of a COCO file that occur twice or refer to nothing: found before training."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

#: Ids that a message lists.
SHOWN = 5


def check_ids(coco: Mapping[str, Any], source: str, known_categories: Collection[int] = ()) -> None:
    """Check the ids of a COCO file.

    pycocotools looks up annotations by their id. Two annotations with the same id become two copies of
    one of them. Annotations of an unknown image or category are lost in silence.

    Args:
        coco: The loaded JSON.
        source: Its name, for messages.
        known_categories: Category ids that annotations may have beside those of the file.

    Raises:
        ValueError: If an id occurs twice, or an annotation refers to no image or category of the file.
    """
    images, categories = coco.get('images', []), coco.get('categories', [])
    annotations = coco.get('annotations', [])
    for kind, entries in (
        ('images', images),
        ('categories', categories),
        ('annotations', annotations),
    ):
        twice = _repeated(entry['id'] for entry in entries)
        if twice:
            raise ValueError(
                f'{source}: {len(twice)} id(s) of {kind} occur more than once, such as '
                f'{twice[:SHOWN]}: number the {kind} anew, each with an id of its own'
            )
    for key, entries, others in (
        ('image_id', images, ()),
        ('category_id', categories, known_categories),
    ):
        known = {entry['id'] for entry in entries} | set(others)
        lost = [annotation for annotation in annotations if annotation.get(key) not in known]
        if lost:
            wrong = sorted({str(annotation.get(key)) for annotation in lost})
            raise ValueError(
                f'{source}: {len(lost)} of {len(annotations)} annotations, the first with id '
                f'{lost[0]["id"]}, have a {key} that is not in the file: {", ".join(wrong[:SHOWN])}. '
                f'Its ids are {sorted(known, key=str)[:SHOWN]}, ... ({len(known)} of them): check whether '
                'counting starts at 0 or 1'
            )


def _repeated(ids: Iterable[Any]) -> list[Any]:
    """Ids that occur more than once, in the order of their second occurrence."""
    seen: set[Any] = set()
    twice: dict[Any, None] = {}
    for number in ids:
        if number in seen:
            twice[number] = None
        seen.add(number)
    return list(twice)
