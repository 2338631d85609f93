from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmpatch.engine.crop_sample import crop_sample
from mmpatch.engine.gradients import ExactGradient, SampledGradient
from mmpatch.engine.verification import verify_gradient
from mmpatch.patching import PatchSchedule
from mmpatch.testing import load_tool, tiny_segmentor
from mmpatch.testing.tasks import TASKS, Task
from mmpatch.testing.tiny_detector import image, sample

ROOT = Path(__file__).parents[2]


def verify(task: Task, model: Any, strategy: Any, **kwargs: Any) -> Any:
    return verify_gradient(model, strategy, task.images()[:1], task.samples()[:1], **kwargs)


@pytest.mark.parametrize('strategy', [ExactGradient(2), SampledGradient(), SampledGradient(2)])
@pytest.mark.parametrize('task', TASKS, ids=str)
def test_a_right_gradient(task: Task, strategy: Any) -> None:
    result = verify(task, task.build(), strategy, schedule=PatchSchedule(0.34))
    assert not result.problems, result.problems
    assert all(error < 1e-9 for _, error, _, _ in result.modules)
    names = [row[0] for row in result.modules]
    assert any(n.startswith('backbone.') for n in names) and len(names) > 2
    assert 'WRONG' not in result.table()
    if strategy.samples:
        error, cosine = result.approximation
        if task.name == 'segmentation':  # losses of drawn patches, with the whole image's sums,
            # add up to the exact gradient when all have been drawn; a third of a loss is rounded
            assert error < 1e-7  # to float32 by mmseg's cross entropy
        else:
            assert 0.5 < cosine < 1 and error > 1e-3  # an approximation, and not a bad one
    else:
        assert result.approximation is None


def test_a_detach_is_found() -> None:
    task = TASKS[0]
    model: Any = task.build()
    model.extract_feat = lambda x, host=model.extract_feat: tuple(f.detach() for f in host(x))
    original = model.loss
    model.loss = lambda *args: undetached(model, original, args)
    result = verify(task, model, ExactGradient())
    assert any('backbone' in problem for problem in result.problems)
    assert any('get a gradient from autograd but none from the loop' in p for p in result.problems)


def undetached(model: Any, original: Any, args: Any) -> Any:
    detached = model.__dict__.pop('extract_feat')
    try:
        return original(*args)
    finally:
        model.extract_feat = detached


def test_moving_statistics_are_found() -> None:
    model: Any = TASKS[0].build()
    model.backbone.norm_eval = False
    result = verify(TASKS[0], model, SampledGradient())
    assert any('running statistics moved (first: backbone.' in p for p in result.problems)


class Noise(nn.Module):
    """Multiplies by numbers from 1 to 1 + size that no random state can repeat."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size, self.generator = size, torch.Generator()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (1 + self.size * torch.rand(x.shape, generator=self.generator).to(x))


def test_a_random_module_is_named() -> None:
    model: Any = TASKS[0].build()
    model.backbone.layer2[0].relu = Noise(0.01)
    result = verify(TASKS[0], model, ExactGradient())
    assert result.random == 'backbone.layer2.0.relu'
    assert any('a replay cannot repeat' in problem for problem in result.problems)


def test_rounding_is_not_random() -> None:
    """On a GPU the order of a sum is not fixed."""
    model: Any = TASKS[0].build()
    model.backbone.layer2[0].relu = Noise(4 * torch.finfo(torch.float64).eps)
    assert not verify(TASKS[0], model, ExactGradient()).problems


@pytest.mark.parametrize('chunk', [1, 100])
def test_dropout_is_no_problem(chunk: int) -> None:
    model: Any = TASKS[0].build()
    model.backbone.layer2[0].relu = nn.Dropout(0.5)
    assert not verify(TASKS[0], model, ExactGradient(chunk)).problems


def test_the_crop_with_the_most_objects() -> None:
    data = sample(400, 300, objects=0)
    boxes = torch.tensor([[10, 10, 20, 20], [200, 300, 220, 330], [230, 330, 260, 350.0]])
    data.gt_instances.bboxes = boxes
    data.gt_instances.labels = torch.zeros(3, dtype=torch.long)
    crop, cut = crop_sample(image(400, 300), data, 128)
    assert crop.shape == (3, 128, 128) and len(cut.gt_instances) == 2
    assert cut.img_shape == (128, 128)
    x, y = (boxes[1] - cut.gt_instances.bboxes[0])[:2].int().tolist()
    assert torch.equal(crop, image(400, 300)[:, y : y + 128, x : x + 128])
    assert len(data.gt_instances) == 3


def test_a_crop_of_masks() -> None:
    data = tiny_segmentor.sample(130, 100)
    crop, cut = crop_sample(image(130, 100), data, 64)
    assert crop.shape == (3, 64, 64)
    assert torch.equal(cut.gt_sem_seg.data, data.gt_sem_seg.data[:, :64, :64])


@pytest.mark.parametrize(
    ('config', 'module'),
    [
        ('configs/patch_fcos_yellowstone.py', 'backbone.timm_model'),
        ('configs/patch_unet_nuclei.py', 'decode_head.conv_seg'),
        ('configs/patch_mobilenetv2_digits.py', 'aggregator.layers'),
    ],
)
@pytest.mark.parametrize('gradient', ['exact', 'sampled'])
def test_the_tool_on_the_bundled_configs(
    config: str,
    module: str,
    gradient: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    tool = load_tool('analysis_tools/verify_gradient')
    arguments = ['--gradient', gradient, '--synthetic', '--patches', '2']
    code = tool.main([config, *arguments, '--cfg-options', 'model.patch_size=64'])
    said = capsys.readouterr().out
    assert code == 0 and 'The gradient is right.' in said
    assert module in said and 'Running statistics that moved: none' in said


def test_a_head_that_knows_float32_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    tool = load_tool('analysis_tools/verify_gradient')
    arguments = ['configs/patch_yolox_yellowstone.py', '--synthetic', '--patches', '2']
    options = ['--cfg-options', 'model.patch_size=64']
    with pytest.raises(SystemExit, match='add --dtype float32'):
        tool.main([*arguments, *options])
    assert tool.main([*arguments, '--dtype', 'float32', *options]) == 0
    assert 'The gradient is right.' in capsys.readouterr().out
