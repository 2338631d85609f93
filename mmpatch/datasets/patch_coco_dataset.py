"""Detection data in COCO format, checked before training starts."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmengine.logging import print_log

from mmpatch.datasets.box_check import BoxCheck
from mmpatch.datasets.coco_check import check_ids
from mmpatch.datasets.metainfo import check_metainfo
from mmpatch.datasets.missing_data import require_file, require_folder
from mmpatch.registry import DATASETS


@DATASETS.register_module()
class PatchCocoDataset(CocoDataset):
    """mmdet's ``CocoDataset``, which loses nothing in silence.

    mmdet drops boxes outside the image, boxes marked ``ignore``, and every annotation if category names
    do not match, all without a message. Images without objects stay here unless ``filter_cfg`` removes
    them. Missing files, invalid boxes and category
    names or ids that do not fit are errors when the annotations are loaded, and annotations marked
    ``ignore`` become ignore regions, as ``iscrowd`` ones do. Annotations may lack ``segmentation``,
    ``iscrowd`` and ``area``.

    Args:
        *args: Of :class:`mmdet.datasets.CocoDataset`.
        invalid_boxes: What to do with a box that sticks out of its image by more than 1 px or has
            no area: ``'error'`` raises one ValueError that names the first, ``'clip'`` cuts it at
            the border, ``'drop'`` leaves it out; the last two log one line with counts.
        ignore_categories: Names of categories that mark regions to ignore in training. Their boxes
            get ``ignore_flag=1`` and, as mmdet wants a label for every box, label 0.
        how_to_get: Sentence on how to get the data, part of the error if the data is missing. Defaults
            to the class's own.
        **kwargs: Of :class:`mmdet.datasets.CocoDataset`.

    Raises:
        FileNotFoundError: If the annotation file or the image folder is missing.
        ValueError: If the annotation file is no COCO JSON, its ids are not unique or refer to nothing,
            its categories do not fit the classes, the palette does not, or it has invalid boxes and
            ``invalid_boxes='error'``.
    """

    #: Said when the data is missing.
    HOW_TO_GET = (
        'Check data_root, ann_file and data_prefix of the config; docs/datasets.md shows the layout'
    )
    #: Category names that mark regions to ignore.
    IGNORE_CATEGORIES: tuple[str, ...] = ()
    #: Category ids that mark them, whether or not the file names them among its categories.
    IGNORE_IDS: frozenset[int] = frozenset()

    def __init__(
        self,
        *args: Any,
        invalid_boxes: str = 'error',
        ignore_categories: Sequence[str] | None = None,
        how_to_get: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.box_check = BoxCheck(invalid_boxes)
        names = self.IGNORE_CATEGORIES if ignore_categories is None else ignore_categories
        self.ignore_categories = tuple(names)
        self.how_to_get = self.HOW_TO_GET if how_to_get is None else how_to_get
        self.ignore_ids: set[int] = set()
        self._left_out: Counter[int] = Counter()
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Check that the files exist, load the annotations, and report their faults.

        Returns:
            One dict per image, with the keys of mmdet.
        """
        if 'img' not in self.data_prefix:
            raise ValueError(
                f'data_prefix={dict(self.data_prefix)}: expected data_prefix=dict(img=FOLDER) '
                'with the image folder'
            )
        check_metainfo(self.metainfo, type(self).__name__)
        require_file('annotation file', self.ann_file, self.how_to_get)
        require_folder('image folder', self.data_prefix['img'] or '.', self.how_to_get)
        self.box_check = BoxCheck(self.box_check.mode)
        self._left_out.clear()
        try:
            data_list: list[dict[str, Any]] = super().load_data_list()
        except json.JSONDecodeError as error:
            raise ValueError(
                f'{self.ann_file} is not valid JSON ({error}): fetch or write it again'
            ) from error
        self.box_check.report(self.ann_file)
        if self._left_out:
            print_log(
                f'{self.ann_file}: {sum(self._left_out.values())} annotations are left out, their '
                f'categories (ids {sorted(self._left_out)}) are not among the classes',
                logger='current',
            )
        return data_list

    def COCOAPI(self, annotation_file: str) -> COCO:  # noqa: N802 (the name by which mmdet calls it)
        """Open the annotation file and check its categories; mmdet calls this to read the file.

        Args:
            annotation_file: Local path of the COCO JSON.

        Raises:
            ValueError: If a class is not among the categories, or the two have another order.
        """
        try:
            coco = COCO(annotation_file)
        except (KeyError, TypeError, AssertionError) as error:
            raise ValueError(
                f'{self.ann_file} is no COCO JSON ({error!r}): expected an object with the lists '
                'images, annotations and categories, whose entries have ids'
            ) from error
        check_ids(coco.dataset, self.ann_file, self.IGNORE_IDS)
        classes = self.metainfo.get('classes', ())
        categories = coco.dataset.get('categories', [])
        names = [category['name'] for category in categories]
        ignored = {c['id'] for c in categories if c['name'] in self.ignore_categories}
        self.ignore_ids = ignored | self.IGNORE_IDS
        advice = "set metainfo=dict(classes=(...)) of the dataset to the file's names in the file's order"
        if missing := [name for name in classes if name not in names]:
            raise ValueError(
                f'{self.ann_file} has no category {missing}: its categories are {names}, the '
                f'classes are {list(classes)}; {advice}'
            )
        ordered = [name for name in names if name in classes]
        if ordered != list(classes):
            raise ValueError(
                f'{self.ann_file} lists its categories as {ordered}, the classes are '
                f'{list(classes)}. mmdet numbers labels in the order of the file, so that every '
                f'label would get a wrong name; {advice}'
            )
        if not coco.imgs:
            raise ValueError(f'{self.ann_file} lists no images: nothing to train or test on')
        return coco

    def parse_data_info(self, raw_data_info: dict[str, Any]) -> dict[str, Any]:
        """Turn one image and its annotations into mmdet's dict.

        Args:
            raw_data_info: ``raw_img_info`` and ``raw_ann_info`` of one image, as in the COCO JSON.

        Returns:
            The image's path, id and size, and ``instances`` with a box (x1, y1, x2, y2) [px] each.
        """
        image = raw_data_info['raw_img_info']
        if absent := [key for key in ('file_name', 'width', 'height') if key not in image]:
            raise ValueError(
                f'image {image.get("id")} of {self.ann_file} has no {absent}: COCO JSON needs them'
            )
        data_info: dict[str, Any] = super().parse_data_info(
            {'raw_img_info': image, 'raw_ann_info': []}
        )
        instances = (
            self.parse_instance(annotation, image) for annotation in raw_data_info['raw_ann_info']
        )
        data_info['instances'] = [instance for instance in instances if instance is not None]
        return data_info

    def parse_instance(
        self, annotation: dict[str, Any], image: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Turn one annotation into mmdet's dict of an instance, None if it is left out.

        Args:
            annotation: The COCO annotation.
            image: The COCO image that it belongs to.
        """
        category = annotation['category_id']
        is_ignore_category = category in self.ignore_ids
        if category not in self.cat2label and not is_ignore_category:
            self._left_out[category] += 1
            return None
        box = self.box_check.check(annotation, image)
        if box is None:
            return None
        ignored = is_ignore_category or annotation.get('iscrowd') or annotation.get('ignore')
        instance = {
            'bbox': box,
            'bbox_label': self.cat2label.get(category, 0),
            'ignore_flag': 1 if ignored else 0,
        }
        if annotation.get('segmentation'):
            instance['mask'] = annotation['segmentation']
        return instance

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return one image's dict; ``test_mode`` tells the pipeline whether another image may stand in for it."""
        data_info: dict[str, Any] = super().get_data_info(idx)
        data_info['test_mode'] = self.test_mode
        return data_info

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one image; a file that cannot be read is named.

        Raises:
            OSError: If the image is missing, no image or truncated.
        """
        try:
            return super().prepare_data(idx)
        except OSError as error:
            path = str(self.get_data_info(idx)['img_path'])
            if path in str(error):
                raise
            raise OSError(f'cannot read the image {path}: {error}') from error
