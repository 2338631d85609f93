"""How a model is used to be given an image."""

from __future__ import annotations

from mmengine.config import Config


def reading_of(cfg: Config, count: int) -> tuple[list[int] | None, float | str]:
    """Bands and filling of an image, from the reader of a config's test pipeline.

    Args:
        cfg: Config of the model.
        count: Bands of the image.

    Returns:
        Numbers of the bands in order, None for all; and what fills pixels without data.
    """
    loader = cfg.get('test_dataloader') or {}
    reader = ((loader.get('dataset') or {}).get('pipeline') or [{}])[0]
    name = str(reader.get('type')).split('.')[-1]
    if name in ('PackRasterScene', 'PackRasterSlide'):
        return reader.get('bands'), reader.get('fill', 'mean')
    if name not in ('LoadImageFromFile', 'LoadPatchImage'):
        return None, 'mean'
    if reader.get('color_type') == 'unchanged':
        return {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(count), 'mean'
    return {1: [0, 0, 0], 3: [2, 1, 0], 4: [2, 1, 0]}.get(count), 'mean'  # blue first, no alpha
