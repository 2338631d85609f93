"""Classification sets that list their images in a CSV file."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine import fileio
from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmpatch.datasets.missing_data import require_folder
from mmpatch.registry import DATASETS


@DATASETS.register_module()
class PatchCsvDataset(BaseDataset):
    """Images of a folder, with labels in a CSV file with a header.

    Args:
        ann_file: The CSV file.
        id_columns: Names that the column of image names may have.
        label_columns: Names that the column of labels (numbers from 0) may have.
        suffix: Added to an image's name to give its file.
        split_file: Text file with the names of the images to take, one a line; None: all.
        missing: What to do about images that the folder lacks: ``'error'``, or ``'skip'`` them and
            log how many.
        how_to_get: Sentence on how to get the data, said when it is missing.
        metainfo, data_root, data_prefix, filter_cfg, indices: As in mmpretrain's ``BaseDataset``.
        serialize_data, pipeline, test_mode, lazy_init, classes: As in mmpretrain's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the CSV file, the folder, or images are missing.
        ValueError: If the CSV file lacks a column, or labels are no classes.
    """

    ID_COLUMNS: Sequence[str] = ('id', 'Id', 'image_id')
    LABEL_COLUMNS: Sequence[str] = ('label',)
    SUFFIX = '.png'
    HOW_TO_GET = 'Check data_root, data_prefix and ann_file of the config'

    def __init__(
        self,
        ann_file: str,
        *args: Any,
        id_columns: Sequence[str] | None = None,
        label_columns: Sequence[str] | None = None,
        suffix: str | None = None,
        split_file: str | None = None,
        missing: str = 'error',
        how_to_get: str | None = None,
        **kwargs: Any,
    ) -> None:
        if missing not in ('error', 'skip'):
            raise ValueError(f"missing must be 'error' or 'skip', got {missing!r}")
        self.id_columns = id_columns or self.ID_COLUMNS
        self.label_columns = label_columns or self.LABEL_COLUMNS
        self.suffix = self.SUFFIX if suffix is None else suffix
        self.split_file = split_file
        self.missing = missing
        self.how_to_get = how_to_get or self.HOW_TO_GET
        super().__init__(ann_file, *args, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List images and labels.

        Returns:
            ``img_path`` and ``gt_label`` of each image.
        """
        folder = self.data_prefix.get('img_path', '')
        require_folder('image folder', folder or '.', self.how_to_get)
        if not fileio.exists(self.ann_file):
            raise FileNotFoundError(f'no CSV file at {self.ann_file}. {self.how_to_get}')
        rows = csv.DictReader(io.StringIO(fileio.get_text(self.ann_file)))
        name = self._column(rows.fieldnames, self.id_columns)
        label = self._column(rows.fieldnames, self.label_columns)
        labels = {row[name]: row[label] for row in rows}
        listed = self._listed(list(labels))
        found = [
            dict(img_path=str(Path(folder, x + self.suffix)), gt_label=self._label(x, labels[x]))
            for x in listed
        ]
        there = [info for info in found if fileio.exists(info['img_path'])]
        gone = len(found) - len(there)
        if gone and (self.missing == 'error' or not there):
            first = next(info['img_path'] for info in found if info not in there)
            raise FileNotFoundError(
                f'{gone} of the {len(found)} images of {self.ann_file} are missing, the first is '
                f"{first}. {self.how_to_get}. missing='skip' trains without them"
            )
        if gone:
            print_log(
                f'{gone} of the {len(found)} images of {self.ann_file} are missing and left out',
                logger='current',
                level=logging.WARNING,
            )
        return there

    def _column(self, header: Sequence[str] | None, names: Sequence[str]) -> str:
        for name in names:
            if name in (header or ()):
                return name
        raise ValueError(
            f'{self.ann_file} has the columns {list(header or ())}, expected one of {list(names)}'
        )

    def _listed(self, names: list[str]) -> list[str]:
        """The names to take, in the order of the CSV file."""
        if self.split_file is None:
            return names
        path = str(Path(self.data_root, self.split_file))
        if not fileio.exists(path):
            raise FileNotFoundError(f'no split file at {path}. {self.how_to_get}')
        wanted = set(fileio.get_text(path).split())
        unknown = sorted(wanted - set(names))
        if unknown:
            raise ValueError(
                f'{len(unknown)} names of {path} are not in {self.ann_file}, the first is '
                f'{unknown[0]}'
            )
        return [name for name in names if name in wanted]

    def _label(self, name: str, text: str) -> int:
        classes = self.CLASSES
        try:
            label = int(text)
        except ValueError:
            label = -1
        if label < 0 or (classes is not None and label >= len(classes)):
            count = '' if classes is None else f' to {len(classes) - 1}'
            raise ValueError(
                f'{name} in {self.ann_file} has the label {text!r}, expected a class from 0{count}'
            )
        return label


@DATASETS.register_module()
class UltraMNISTDataset(PatchCsvDataset):
    """Digits of very different size on a large canvas; the class is their sum.

    Kaggle's set has 28 classes (sums 0 to 27) and ``digit_sum`` for a label; a generated one has as
    many as were asked for. Source: Gupta et al., UltraMNIST Classification (arXiv:2206.12681).
    """

    LABEL_COLUMNS: Sequence[str] = ('digit_sum',)
    SUFFIX = '.jpeg'
    METAINFO = {'classes': tuple(str(total) for total in range(28))}
    HOW_TO_GET = (
        "Get Kaggle's ultra-mnist, or generate a set with `python "
        'tools/dataset_converters/ultramnist.py`'
    )


@DATASETS.register_module()
class PandaDataset(PatchCsvDataset):
    """PANDA: slides of prostate biopsies with their ISUP grade, 0 to 5.

    Source: Bulten et al., Nature Medicine 28 (2022); Kaggle's prostate-cancer-grade-assessment.
    """

    LABEL_COLUMNS: Sequence[str] = ('isup_grade',)
    SUFFIX = '.tiff'
    METAINFO = {'classes': tuple(str(grade) for grade in range(6))}
    HOW_TO_GET = (
        "Get Kaggle's prostate-cancer-grade-assessment and write the splits with `python "
        'tools/dataset_converters/panda.py`'
    )
