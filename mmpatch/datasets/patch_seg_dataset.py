"""Segmentation data, checked before training starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine import fileio
from mmseg.datasets import BaseSegDataset

from mmpatch.datasets.masks import require_labels
from mmpatch.datasets.metainfo import check_metainfo, palette_error
from mmpatch.datasets.missing_data import require_folder
from mmpatch.registry import DATASETS


@DATASETS.register_module()
class PatchSegDataset(BaseSegDataset):
    """mmseg's ``BaseSegDataset``, which fails at once if files are missing or masks hold no labels.

    Args:
        *args: Of :class:`mmseg.datasets.BaseSegDataset`.
        foreground: Value of the foreground in binary masks if it is not 1, such as 255 in black and
            white masks.
        how_to_get: Sentence on how to get the data, part of the error if the data is missing.
        **kwargs: Of :class:`mmseg.datasets.BaseSegDataset`.

    Raises:
        FileNotFoundError: If a folder is missing, or an image has no mask.
        ValueError: If there is no image with the suffix, the palette does not fit the classes, or the
            masks hold no labels: colours, or 0 and 255 where 255 is ignored.
    """

    #: Said when the data is missing.
    HOW_TO_GET = (
        'Check data_root, data_prefix, img_suffix and seg_map_suffix of the config; '
        'docs/datasets.md shows the layout'
    )

    def __init__(
        self,
        *args: Any,
        foreground: int | None = None,
        how_to_get: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.foreground = foreground
        self.how_to_get = self.HOW_TO_GET if how_to_get is None else how_to_get
        super().__init__(*args, **kwargs)

    def _update_palette(self) -> list[Any]:
        """Check classes and palette before the host fits them together; its own message lacks advice.

        Raises:
            ValueError: If the palette has another number of colours than there are classes.
        """
        if self._metainfo.get('palette') is None:
            self._metainfo['palette'] = []  # for the host: colours are chosen
        check_metainfo(self._metainfo, type(self).__name__)
        try:
            palette: list[Any] = super()._update_palette()
        except ValueError as error:
            raise palette_error(self._metainfo, type(self).__name__) from error
        return palette

    def load_data_list(self) -> list[dict[str, Any]]:
        """List images and masks, and check that each image has one.

        Returns:
            One dict per image, with the keys of mmseg.
        """
        images, masks = (self.data_prefix.get(key) for key in ('img_path', 'seg_map_path'))
        require_folder('image folder', images or '.', self.how_to_get)
        if masks is not None:
            require_folder('mask folder', masks, self.how_to_get)
        data_list: list[dict[str, Any]] = super().load_data_list()
        if not data_list:
            raise ValueError(
                f'no image in {images} ends in {self.img_suffix!r}: set img_suffix of the dataset'
            )
        missing = [
            info
            for info in data_list
            if 'seg_map_path' in info
            and not fileio.exists(info['seg_map_path'], backend_args=self.backend_args)
        ]
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(data_list)} images have no mask: the first is '
                f'{missing[0]["img_path"]}, looked for {missing[0]["seg_map_path"]}. '
                f'{self.how_to_get}'
            )
        if self.foreground is not None:
            for info in data_list:
                info['label_map'] = {self.foreground: 1}
        files = [p for x in data_list if Path(p := x.get('seg_map_path', '')).is_file()]
        binary = len(self.metainfo.get('classes') or ()) == 2 and not self.reduce_zero_label
        require_labels(files, self.ignore_index if binary and self.foreground is None else None)
        return data_list
