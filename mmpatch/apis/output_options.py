"""Which files a prediction writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .patch_predictor import CLASSIFICATION, DETECTION, SEGMENTATION

#: Endings of vector files, and of COCO's results.
FORMATS = {'geojson': '.geojson', 'gpkg': '.gpkg', 'coco': '.coco.json'}


@dataclass(frozen=True)
class OutputOptions:
    """What to write for each scene.

    Args:
        formats: Files of detections and polygons: ``'geojson'``, ``'gpkg'`` and, of detections,
            ``'coco'``.
        png: Write labels as PNG and not as GeoTIFF.
        polygons: Write labels as polygons, too.
        overlay: Draw labels over the scene.
        explain: Write the relevance of patches for the predicted class.
    """

    formats: tuple[str, ...] = tuple(FORMATS)
    png: bool = False
    polygons: bool = False
    overlay: bool = False
    explain: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown or not self.formats:
            raise ValueError(f'formats={self.formats}: expected some of {tuple(FORMATS)}')

    def check(self, task: str) -> None:
        """Check that a model of a task can give what is asked for.

        Raises:
            ValueError: If it cannot.
        """
        needs = dict.fromkeys(('png', 'polygons', 'overlay'), SEGMENTATION)
        for name, needed in (needs | {'explain': CLASSIFICATION}).items():
            if getattr(self, name) and task != needed:
                raise ValueError(
                    f'{name} is for {needed}, but the model of this config does {task}: leave it '
                    'out, or give another config'
                )

    def files(self, task: str, folder: Path, name: str) -> list[Path]:
        """The files of a scene.

        Args:
            task: What the model does.
            folder: Where they go.
            name: Name of the scene.
        """
        if task == CLASSIFICATION:
            return [folder / f'{name}.relevance.tif'] if self.explain else []
        if task == DETECTION:
            return [folder / f'{name}{FORMATS[one]}' for one in self.formats]
        files = [folder / f'{name}.labels.{"png" if self.png else "tif"}']
        if self.polygons:
            vectors = [FORMATS[one] for one in self.formats if one != 'coco']
            files += [folder / f'{name}.polygons{ending}' for ending in vectors]
        return [*files, folder / f'{name}.overlay.png'] if self.overlay else files
