"""Images of one batch are predicted together, and each as if it were alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mmpatch.testing.tasks import TASKS, Task

CASES = [(task, settings) for task in TASKS for settings in task.variants]


def _values(sample: Any) -> dict[str, torch.Tensor]:
    """All tensors of a predicted data sample; rounding may swap detections of nearly one score."""
    if 'pred_instances' in sample:
        return {name: x.sort(dim=0).values for name, x in sample.pred_instances.items()}
    if 'seg_logits' in sample:
        return {'logits': sample.seg_logits.data, 'labels': sample.pred_sem_seg.data}
    return {'label': sample.pred_label, 'score': sample.pred_score}


@pytest.mark.parametrize(('task', 'settings'), CASES, ids=str)
def test_a_batch_is_predicted_as_its_images_alone(task: Task, settings: dict[str, Any]) -> None:
    model: Any = task.build(double=False, **settings).eval()
    model.chunk_size = 5  # of 6 and 2 patches, so that the second chunk holds both images
    calls = []
    model.backbone.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    images, samples = task.images(), task.samples()
    together = model.predict(images, samples)
    assert sorted(calls)[-2:] == [3, 5]
    for image, sample, found in zip(images, task.samples(), together):
        (alone,) = model.predict([image], [sample])
        expected, got = _values(alone), _values(found)
        assert got.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(got[name], value)
