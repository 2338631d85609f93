"""Prediction of scenes with a trained model of any task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from numpy.typing import NDArray

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.models.classifiers import PatchClassifier
from mmpatch.models.detectors import PatchDetector, PatchStitchedDetector
from mmpatch.models.segmentors import PatchSegmentor
from mmpatch.utils import load_checkpoint, load_config

from .boxes import Boxes
from .classify_raster import classify, save_entries
from .detect_raster import detections, save_candidates
from .identity import Identity, model_identity
from .parts import Parts
from .parts_in_memory import PartsInMemory
from .reading import reading_of
from .segment_raster import label_rows, rows_of, save_labels
from .watch import Watch, unseen

SEGMENTATION, DETECTION, CLASSIFICATION = 'segmentation', 'detection', 'classification'
#: Which model solves which task.
TASKS: dict[str, tuple[type, ...]] = {
    SEGMENTATION: (PatchSegmentor,),
    DETECTION: (PatchDetector, PatchStitchedDetector),
    CLASSIFICATION: (PatchClassifier,),
}


class PatchPredictor:
    """Predicts images of any size, row of patches by row of patches.

    Files are read window by window and are never whole in memory.
    :func:`mmpatch.apis.predict_scenes` writes results as files; a call gives them back.

    Args:
        config: The config, or its file.
        checkpoint: The trained weights.
        device: Where the model runs; None: the first GPU if there is one.
        bands: Numbers of the bands of files to use, from 0; None: as the config's test pipeline reads
            them.
        fill: Value of pixels without data in files; None: as in the config's test pipeline.
        options: Dotted keys and values that override the config.

    Raises:
        TypeError: If the model is none of mmpatch's.
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If a key of the config is misspelt, or the checkpoint is of another model.

    Attributes:
        model: The model.
        task: ``'segmentation'``, ``'detection'`` or ``'classification'``.
        classes: Names of the classes, as far as the checkpoint knows them.
        palette: Colours of the classes, or None.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | None = None,
        bands: Sequence[int] | None = None,
        fill: float | str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(config, Config):
            config = load_config(str(config), work_dir=None, launcher='none', options=options or {})
        elif options:
            config = Config(config.to_dict())
            config.merge_from_dict(options)
        self.cfg: Config = config
        self.bands = bands
        self.fill = fill
        init_default_scope(config.get('default_scope', 'mmengine'))
        self.model: Any = MODELS.build(config.model)
        self.task = _task_of(self.model)
        meta = _load_weights(self.model, checkpoint)
        self.model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()
        self.meta: dict[str, Any] = meta.get('dataset_meta') or {}
        self.classes: Sequence[str] = self.meta.get('classes') or ()
        self.palette: Sequence[Sequence[int]] | None = self.meta.get('palette')
        #: What results depend on, besides the image.
        self.identity: Identity = model_identity(self.model)

    def __call__(self, scene: str | Path | NDArray[Any]) -> Any:
        """Predict a scene; the result is in memory.

        Args:
            scene: A file, or an array (H, W, C) with the channels that the test pipeline gives:
                blue, green, red after ``LoadImageFromFile``.

        Returns:
            A data sample of the task's library. Segmentation: ``pred_sem_seg.data`` (1, H, W) uint8,
            255 without data. Detection: ``pred_instances`` with ``bboxes`` (N, 4) [px], ``scores`` and
            ``labels``, best first. Classification: ``pred_label`` and ``pred_score``.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file cannot be read, or the array has another shape.
        """
        image = _pixels(scene) if isinstance(scene, np.ndarray) else self.open(scene)
        parts = PartsInMemory(rows_of(self.model, image))
        self.save_parts(image, parts)
        height, width = image.shape[-2:]
        if self.task == CLASSIFICATION:
            return classify(self.model, (height, width), parts)
        meta = dict(ori_shape=(height, width), img_shape=(height, width))
        if self.task == SEGMENTATION:
            labels = torch.from_numpy(np.concatenate(list(label_rows(parts))))
            return SegDataSample(metainfo=meta, pred_sem_seg=PixelData(data=labels[None]))
        found = Boxes.cat([Boxes.none(), *detections(self.model, parts)])
        found = found[np.argsort(-found.scores, kind='stable')]
        instances = InstanceData(
            **{key: torch.from_numpy(value) for key, value in vars(found).items()}
        )
        return DetDataSample(metainfo=meta, pred_instances=instances)

    def open(self, path: str | Path) -> RasterImage:
        """Open a file with the bands and the filling that the model is used to.

        Args:
            path: The file, or a name that GDAL understands.
        """
        bands, fill = reading_of(self.cfg, RasterImage(path).shape[0])
        return RasterImage(
            path,
            bands if self.bands is None else self.bands,
            fill=fill if self.fill is None else self.fill,
        )

    def save_parts(
        self,
        image: Any,
        parts: Parts | PartsInMemory,
        watch: Watch = unseen,
        rows: range | None = None,
    ) -> None:
        """Predict the rows of patches of an image that are missing, up to what needs all rows.

        Args:
            image: A file, or a tensor (C, H, W).
            parts: Where the rows are kept.
            watch: Shows progress.
            rows: The rows that this process computes; None: all.
        """
        save = {
            SEGMENTATION: save_labels,
            DETECTION: save_candidates,
            CLASSIFICATION: save_entries,
        }[self.task]
        save(self.model, image, parts, watch, rows)


def _task_of(model: Any) -> str:
    for task, types in TASKS.items():
        if isinstance(model, types):
            return task
    names = ', '.join(one.__name__ for types in TASKS.values() for one in types)
    raise TypeError(
        f'the model of the config is a {type(model).__name__}, which does not predict patch by '
        f'patch: expected one of {names}. Stock models are tested with tools/test.py'
    )


def _load_weights(model: Any, path: str | Path) -> dict[str, Any]:
    """Load a checkpoint into a model; gives its meta information.

    mmengine would only warn of weights that are missing, and the results would be noise.
    """
    checkpoint = load_checkpoint(path)
    weights = checkpoint.get('state_dict', checkpoint)
    weights = {name.removeprefix('module.'): value for name, value in weights.items()}
    parameters = dict(model.named_parameters())
    lacking = [
        name
        for name, value in parameters.items()
        if name not in weights or weights[name].shape != value.shape
    ]
    if lacking:
        raise ValueError(
            f'{path} is the checkpoint of another model: {len(lacking)} of {len(parameters)} '
            f'parameters of this {type(model).__name__} are missing there or of another shape, such '
            f'as {lacking[0]}. Give the config that the checkpoint was trained with'
        )
    model.load_state_dict(weights, strict=False)
    return dict(checkpoint.get('meta') or {})


def _pixels(array: NDArray[Any]) -> torch.Tensor:
    """An array (H, W, C) as an image (C, H, W) in a type that torch computes with."""
    if array.ndim != 3:
        raise ValueError(
            f'an array of shape {array.shape} is no image: expected (height, width, channels)'
        )
    larger = {'uint16': np.int32, 'uint32': np.int64, 'uint64': np.float64}
    array = array.astype(larger.get(array.dtype.name, array.dtype), copy=False)
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
