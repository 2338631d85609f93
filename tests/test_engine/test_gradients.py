"""Equalities of the gradients, in float64, for all tasks: the proof that training is right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmpatch.engine.gradients import ExactGradient, SampledGradient, Workload, workload
from mmpatch.engine.gradients.encoding import Encoding
from mmpatch.models.norms import without_statistics
from mmpatch.patching import ChunkOrder, Latent, PatchStore
from mmpatch.testing.tasks import TASKS, Task, passes_of, with_sizes
from mmpatch.testing.tiny_detector import gradients
from mmpatch.utils.memory import is_out_of_memory

VARIANTS = [
    pytest.param(task, variant, id=f'{task}-{i}')
    for task in TASKS
    for i, variant in enumerate(task.variants)
]


@pytest.fixture(autouse=True)
def float64_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock code casts labels to float32, which would hide differences below 1e-7."""
    monkeypatch.setattr(torch.Tensor, 'float', lambda x: x if x.is_floating_point() else x.double())


Gradients = dict[str, Tensor]


def run(
    strategy: Any, task: Task, model: nn.Module, draws: list[Tensor] | None = None
) -> tuple[dict[str, Tensor], Gradients]:
    """The logged losses and the gradients that a strategy leaves."""
    model.zero_grad()
    passes = passes_of(task, model, every=1_000)
    logged = strategy(passes, draws or [passes.batch.all_patches])
    found = {name: grad * 1_000 for name, grad in gradients(model).items()}
    model.zero_grad()
    return logged, found


def autograd(task: Task, model: Any) -> tuple[dict[str, Tensor], Gradients]:
    """Losses and gradients of the composite held in memory at once."""
    model.zero_grad()
    losses = model.loss(task.images(), task.samples())
    sum(losses.values()).backward()
    found = gradients(model)
    model.zero_grad()
    return {name: value.detach() for name, value in losses.items()}, found


def assert_equal(found: Gradients, expected: Gradients, tolerance: float = 1e-9) -> None:
    assert set(found) == set(expected)
    for name, grad in expected.items():
        error = (found[name] - grad).norm() / grad.norm().clamp(min=1e-12)
        assert error < tolerance, f'{name}: {error}'


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
@pytest.mark.parametrize('chunk', [1, 3, 100])
def test_exact_is_plain_autograd(task: Task, variant: dict[str, Any], chunk: int) -> None:
    model = task.build(**variant)
    expected_losses, expected = autograd(task, model)
    logged, found = run(ExactGradient(chunk), task, model)
    assert_equal(found, expected)
    for name, value in expected_losses.items():
        torch.testing.assert_close(logged[name], value, rtol=1e-10, atol=0)


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
@pytest.mark.parametrize(('chunk', 'graphs'), [(1, 1), (1, 5), (2, 3), (1, 100)])
def test_kept_graphs_change_nothing(
    task: Task, variant: dict[str, Any], chunk: int, graphs: int
) -> None:
    model = task.build(**variant)
    expected_losses, expected = autograd(task, model)
    logged, found = run(ExactGradient(chunk, graphs), task, model)
    assert_equal(found, expected)
    for name, value in expected_losses.items():
        torch.testing.assert_close(logged[name], value, rtol=1e-10, atol=0)


class Watch:
    """Counts calls of theta1, and the graphs that exist at a time."""

    def __init__(self, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.most, self.model = 0, 0, model
        self.encodings: list[Encoding] = []
        init, extract = Encoding.__init__, model.extract_patches

        def noted(encoding: Encoding, *args: Any) -> None:
            init(encoding, *args)
            self.encodings.append(encoding)

        def counted(patches: Tensor) -> Any:
            self.calls += len(patches)
            alive = sum(e._graph is not None for e in self.encodings)
            self.most = max(self.most, alive + torch.is_grad_enabled())
            return extract(patches)

        monkeypatch.setattr(Encoding, '__init__', noted)
        monkeypatch.setattr(model, 'extract_patches', counted)


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('graphs', [0, 1, 3, 100])
def test_patches_with_kept_graphs_are_encoded_once(
    task: Task, graphs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = task.build()
    passes = passes_of(task, model, every=1_000)
    strategy = ExactGradient(1, graphs)
    watch = Watch(model, monkeypatch)
    strategy(passes)
    patches, images = passes.batch.num_patches, passes.batch.num_images
    if graphs == 0:
        assert watch.calls == 2 * (patches + images) and watch.most == 1
    elif graphs == 100:
        assert watch.calls == patches + images
        assert watch.most <= strategy.waiting(passes, [], 1) + 1  # and one of both global patches
    else:
        assert 2 * images + patches < watch.calls <= 2 * (patches + images) - graphs
        assert watch.most <= graphs + 1


def test_more_graphs_than_there_is_use_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(workload, 'print_log', lambda text, **_: said.append(text))
    for _ in range(2):
        run(ExactGradient(1, 1234), TASKS[0], TASKS[0].build())
    assert len(said) == 1 and said[0].startswith('graphs=1234 is more than there is use for')


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(('graphs', 'twice'), [(0, 3), (2, 1), (3, 0)])
def test_sampled_in_chunks_keeps_graphs_too(
    task: Task, graphs: int, twice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = task.build(global_patch=False)
    draws = [torch.tensor([1, 4, 5])]
    _, expected = run(SampledGradient(), task, model, draws)
    watch = Watch(model, monkeypatch)
    _, found = run(SampledGradient(1, graphs), task, model, draws)
    assert_equal(found, expected)
    filled = passes_of(task, model).batch.num_patches
    assert watch.calls == filled + 3 + twice and watch.most <= graphs + 1


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(('chunk', 'twice'), [(1, 2), (2, 2), (3, 0)])
def test_the_global_patches_ride_along_where_a_chunk_has_room(
    task: Task, chunk: int, twice: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise their graph is made once that of the patch is gone."""
    model: Any = task.build()
    draws = [torch.tensor([4])]
    _, expected = run(SampledGradient(), task, model, draws)
    watch = Watch(model, monkeypatch)
    _, found = run(SampledGradient(chunk), task, model, draws)
    assert_equal(found, expected)
    batch = passes_of(task, model).batch
    assert watch.calls == batch.num_patches + 1 + batch.num_images + twice and watch.most == 1


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
def test_sampled_with_rate_one_is_exact(task: Task, variant: dict[str, Any]) -> None:
    model = task.build(**variant)
    logged, found = run(SampledGradient(), task, model)
    expected_losses, expected = run(ExactGradient(2), task, model)
    assert_equal(found, expected)
    torch.testing.assert_close(logged['loss'], expected_losses['loss'], rtol=1e-10, atol=0)


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('halo', [0, 32])
def test_images_that_end_next_to_a_border_of_patches(task: Task, halo: int) -> None:
    model, task = task.build(halo=halo), with_sizes(task)
    _, expected = autograd(task, model)
    assert_equal(run(ExactGradient(3), task, model)[1], expected)
    assert_equal(run(SampledGradient(), task, model)[1], expected)


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
@pytest.mark.parametrize('chunk', [1, 2, 4])
def test_sampled_in_chunks_is_sampled_at_once(
    task: Task, variant: dict[str, Any], chunk: int
) -> None:
    model = task.build(**variant)
    draws = [torch.tensor([1, 4, 5]), torch.tensor([0, 7])]
    expected_losses, expected = run(SampledGradient(), task, model, draws)
    logged, found = run(SampledGradient(chunk), task, model, draws)
    assert_equal(found, expected)
    torch.testing.assert_close(logged['loss'], expected_losses['loss'], rtol=1e-10, atol=0)


def test_without_a_fill_all_patches_at_once_are_still_exact() -> None:
    task = TASKS[0]
    model = task.build()
    _, found = run(SampledGradient(fill=False), task, model)
    assert_equal(found, autograd(task, model)[1])


def test_without_a_fill_missing_neighbours_are_a_border() -> None:
    """The only patch of a draw is trained as if its image ended where it does."""
    task = TASKS[0]
    model: Any = task.build(global_patch=False, head=dict(normalise_by='batch'))
    alone, sample = task.images()[0][:, :64, :64], task.samples()[0]
    _, found = run(SampledGradient(fill=False), task, model, [torch.tensor([0])])
    batch = model.cut(task.images(), task.samples())
    single = model.cut([alone], [sample]).with_targets(batch.targets)
    latent = Latent.of_live(single, model.encode(single, torch.tensor([0])))
    share = sum(model.patch_losses(single, latent, None, torch.tensor([0])).values())
    (share * batch.num_patches).backward()  # one patch stands for all of the batch
    assert_equal(found, gradients(model))


@pytest.mark.parametrize(
    ('task', 'variant'), [(TASKS[0], dict(head=dict(loss_region='full'))), (TASKS[2], {})]
)
def test_a_loss_that_reads_all_patches_needs_the_fill(task: Task, variant: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='reads all patches of an image: set fill=True'):
        SampledGradient(fill=False).check(task.build(**variant))


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
def test_the_global_patch_rides_along(task: Task, variant: dict[str, Any]) -> None:
    """One call of theta1 gives what two calls give."""
    model: Any = task.build(**variant)
    batch, chosen = model.cut(task.images(), task.samples()), torch.tensor([1, 4])
    found = model.encode_with_global(batch, chosen)
    expected = model.encode(batch, chosen), model.encode_global(batch)
    for mine, reference in zip(found, expected, strict=True):
        for a, b in zip(mine or (), reference or (), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(('task', 'variant'), VARIANTS)
def test_inner_iterations_have_the_loss_of_the_batch_together(
    task: Task, variant: dict[str, Any]
) -> None:
    """A global patch that serves its own losses alone is encoded once, another in each of them."""
    model: Any = task.build(**variant)
    _normalise_by_batch(model)
    draws = [torch.tensor([3, 5, 7]), torch.tensor([0, 1, 2]), torch.tensor([4, 6])]
    seen: list[int] = []
    host = model.encode_with_global

    def encode(batch: Any, indices: Tensor) -> Any:
        seen.append(len(indices))
        return host(batch, indices)

    model.encode_with_global = encode
    logged, _ = run(SampledGradient(), task, model, draws)
    if model.global_patch:
        assert len(seen) == (len(draws) if model.reads_global else 1)
    expected, _ = autograd(task, model)
    torch.testing.assert_close(
        logged['loss'], sum(v for n, v in expected.items() if 'loss' in n), rtol=1e-9, atol=0
    )


def test_a_draw_of_one_patch_is_a_step_on_a_tile() -> None:
    """Without fill and global patch, with FCOS's own normalisers."""
    task = TASKS[0]
    model: Any = task.build(global_patch=False)
    tile, sample = task.images()[0][:, :64, :64], task.samples()[0]
    logged, found = run(SampledGradient(fill=False), task, model, [torch.tensor([0])])
    alone = Task('tile', lambda: model, lambda: [copy.deepcopy(sample)], images=lambda: [tile])
    losses, expected = autograd(alone, model)
    assert_equal(found, expected, 1e-6)  # weights times normalisers are rounded to float32
    for name, value in losses.items():
        assert value > 0
        torch.testing.assert_close(logged[name], value, rtol=1e-6, atol=0)


@pytest.mark.parametrize('chunk_size', [None, 1])
@pytest.mark.parametrize('width', [64, 100])
@pytest.mark.parametrize('variant', [{}, dict(latent_stride=1), dict(latent_stride=4)])
def test_a_draw_of_a_segmentor_is_a_step_on_a_tile(
    variant: dict[str, Any], width: int, chunk_size: int | None
) -> None:
    """Without fill and global patch, with sums over what an iteration scores."""
    task = TASKS[1]
    model: Any = task.build(global_patch=False, normalise_by='iteration', **variant)
    tile, sample = task.images()[0][:, :64, :width], task.samples()[0]
    sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, :64, :width])
    gradient = SampledGradient(fill=False, chunk_size=chunk_size)
    gradient.check(model)
    draw = torch.arange(1 + (width > 64))
    logged, found = run(gradient, task, model, [draw])
    alone = Task('tile', lambda: model, lambda: [copy.deepcopy(sample)], images=lambda: [tile])
    losses, expected = autograd(alone, model)
    assert_equal(found, expected)
    for name, value in losses.items():
        torch.testing.assert_close(logged[name].squeeze(), value.squeeze(), rtol=1e-9, atol=0)


@pytest.mark.parametrize('normalise_by', ['iteration', 'batch'])
def test_an_inner_iteration_of_the_global_patch(normalise_by: str) -> None:
    """Its loss is that of a downsampled image, or with the others that of the batch."""
    task = TASKS[0]
    model: Any = task.build(head=dict(normalise_by=normalise_by))
    nothing = torch.arange(0)
    logged, found = run(SampledGradient(), task, model, [nothing])
    assert all(name == 'loss' or 'global' in name for name in logged)
    batch = model.cut(task.images(), task.samples())
    losses = model.global_losses(batch, model.encode_global(batch))
    boxes = batch.targets.boxes
    share = sum(map(len, boxes[batch.num_patches :])) / sum(map(len, boxes))
    assert 0 < share < 1
    factor = 1 if normalise_by == 'batch' else 1 / share
    expected = losses['loss_global_cls'].detach() * factor
    torch.testing.assert_close(logged['loss_global_cls'], expected, rtol=1e-6, atol=0)
    if normalise_by == 'batch':
        sum(losses.values()).backward()
        assert_equal(found, gradients(model))
        model.zero_grad()
        draws = [nothing, torch.tensor([3, 5, 7]), torch.tensor([0, 1, 2, 4, 6])]
        logged, _ = run(SampledGradient(), task, model, draws)
        whole = sum(autograd(task, model)[0].values())
        torch.testing.assert_close(logged['loss'], whole, rtol=1e-9, atol=0)


def _normalise_by_batch(model: Any) -> None:
    head = getattr(model, 'bbox_head', None)
    if hasattr(head, 'normalise_by'):
        head.normalise_by = 'batch'


def test_sampled_holds_the_other_patches_fixed() -> None:
    """Two patches carry gradient, the rest of Z is a constant; compared with autograd on a Z
    that is put together by hand."""
    task = TASKS[0]
    model: Any = task.build(head=dict(loss_region='full'))
    chosen = torch.tensor([1, 4])
    _, found = run(SampledGradient(), task, model, [chosen])
    batch = model.cut(task.images(), task.samples())
    everything = torch.arange(batch.num_patches)
    mixed = []
    for level in model.encode(batch, everything):
        live = torch.zeros(len(level), 1, 1, 1, dtype=torch.bool)
        live[chosen] = True
        mixed.append(torch.where(live, level, level.detach()))
    latent = Latent.of_live(batch, tuple(mixed))
    global_features = model.encode_global(batch)
    losses = model.patch_losses(batch, latent, global_features, everything)
    losses |= model.global_losses(batch, global_features)
    sum(losses.values()).backward()
    assert_equal(found, gradients(model))


@pytest.mark.parametrize('task', TASKS, ids=str)
def test_z_remembers_what_the_inner_iterations_encoded(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one round over the grid and no step, Z ends as it was filled: nothing is misplaced."""
    model: Any = task.build()
    draws = [torch.tensor([3, 5, 7]), torch.tensor([0, 1, 2]), torch.tensor([4, 6])]
    passes = passes_of(task, model, every=1_000)
    written: list[Latent] = []
    original = Latent.write

    def write(latent: Latent, *args: Any) -> None:
        original(latent, *args)
        written.append(latent)

    monkeypatch.setattr(Latent, 'write', write)
    SampledGradient()(passes, draws)
    for level, expected in zip(
        written[-1].levels, Latent.fill(passes.batch, model.encode, 4).levels
    ):
        torch.testing.assert_close(level, expected)


@pytest.mark.parametrize(('strategy', 'calls'), [(SampledGradient(), 1), (SampledGradient(1), 2)])
def test_running_statistics_move_once_a_call_with_gradient(
    strategy: SampledGradient, calls: int
) -> None:
    """One call of theta1 has the patch and the global patch, where a chunk has room for both."""
    task = TASKS[0]
    model: Any = task.build()
    model.backbone.norm_eval = False
    model.train()
    passes = passes_of(task, model)
    before = copy.deepcopy(model.state_dict())
    with without_statistics(model):
        Latent.fill(passes.batch, model.encode, 4)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    strategy(passes, [torch.tensor([0])])
    counts = {v.item() for n, v in model.state_dict().items() if 'num_batches_tracked' in n}
    assert counts == {calls}


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(
    'make', [lambda: ExactGradient(2), lambda: SampledGradient(2)], ids=['exact', 'sampled']
)
def test_dropout_is_the_same_in_both_passes(make: Callable[[], Any], task: Task) -> None:
    model: Any = task.build()
    model.extract_patches = lambda x, host=model.extract_patches: tuple(
        nn.functional.dropout(f, 0.5) for f in host(x)
    )
    seen: dict[tuple[int, ...], list[Tensor]] = {}
    original = model.encode

    def encode(batch: Any, indices: Tensor) -> Any:
        features = original(batch, indices)
        seen.setdefault(tuple(indices.tolist()), []).append(features[0].detach())
        return features

    model.encode = encode
    run(make(), task, model, [torch.tensor([1, 4, 5])])
    replayed = [v[-2:] for v in seen.values() if len(v) > 1]
    assert replayed
    for first, second in replayed:
        assert torch.equal(first, second)


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize(('dtype', 'tolerance'), [('bfloat16', 0.05), ('float32', 1e-6)])
def test_a_coarser_latent_has_a_bounded_error(dtype: str, tolerance: float, task: Task) -> None:
    model = task.build()
    _, expected = run(ExactGradient(2), task, model)
    _, found = run(ExactGradient(2, latent=dict(device='cpu', dtype=dtype)), task, model)
    whole, other = (torch.cat([g.flatten() for g in grads.values()]) for grads in (expected, found))
    assert 0 < (other - whole).norm() / whole.norm() < tolerance


def test_with_enough_halo_exact_is_the_untiled_stock_model() -> None:
    """A shallow theta1 without GroupNorm, whose receptive field the halo covers."""
    from mmpatch.testing.shallow_detector import shallow_pair

    ours, stock = shallow_pair(patch_size=64, halo=32)
    picture = nn.functional.pad(TASKS[0].images()[0], (0, 28, 0, 62))
    samples = TASKS[0].samples
    task = Task('shallow', lambda: ours, lambda: samples()[:1], images=lambda: [picture])
    logged, found = run(ExactGradient(2), task, ours)
    data = stock.data_preprocessor(dict(inputs=[picture], data_samples=task.samples()), True)
    losses = stock.loss(data['inputs'].double(), data['data_samples'])
    sum(losses.values()).backward()
    for name, value in losses.items():
        torch.testing.assert_close(logged[name], value.detach(), rtol=1e-10, atol=0)
    assert_equal(found, gradients(stock))


def test_memory_of_exact_is_two_rows_of_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS[0]
    model: Any = task.build()
    made: list[int] = []
    original = PatchStore.__init__

    def init(store: PatchStore, *args: Any) -> None:
        original(store, *args)
        made.append(len(store.levels[0]))

    monkeypatch.setattr(PatchStore, '__init__', init)
    picture = nn.functional.pad(task.images()[0], (0, 0, 0, 64 * 9))
    passes = passes_of(task, model)
    passes.batch = model.cut([picture], task.samples()[:1])
    assert passes.batch.num_patches == 24
    ExactGradient()(passes)
    assert made == [6, 6]  # features and their gradients: two rows of two, and the next two


class OutOfMemoryOnce:
    """theta1 with gradient fails once for more than ``room`` patches, half way through."""

    def __init__(self, model: Any, room: int) -> None:
        self.model, self.room, self.failures, self.calls = model, room, 0, 0
        for name in ('encode', 'encode_with_global'):
            setattr(model, name, partial(self.limited, getattr(model, name)))

    def limited(self, original: Any, batch: Any, indices: Tensor) -> Any:
        features = original(batch, indices)
        if torch.is_grad_enabled():
            self.calls += 1
            if len(indices) > self.room and self.calls > 1:
                self.failures += 1
                first = features[0] if isinstance(features[0], Tensor) else features[0][0]
                first.sum().backward()  # a part of the gradient has arrived already
                raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate')
        return features


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_out_of_memory_repeats_the_step_with_half_the_chunk(kind: Any, task: Task) -> None:
    model: Any = task.build()
    draws = [torch.tensor([0]), torch.tensor([1, 4, 5, 6])]
    if kind is ExactGradient:
        draws = []
    waiting = {p: torch.rand_like(p) for p in model.parameters() if p.requires_grad}
    results = []
    for fails in (False, True):
        strategy = kind(4)
        passes = passes_of(task, model, every=1_000)
        for parameter, grad in waiting.items():
            parameter.grad = grad.clone()
        if fails:
            limited = OutOfMemoryOnce(model, 2)
        strategy(passes, draws)
        results.append(gradients(model))
    assert limited.failures == 1 and strategy.work == Workload(2)
    assert_equal(results[1], results[0], tolerance=1e-9)


def test_out_of_memory_lets_go_of_graphs_first() -> None:
    task = TASKS[0]
    model: Any = task.build()
    _, expected = run(ExactGradient(), task, model)
    strategy, encode = ExactGradient(1, 5), model.encode
    calls = iter(range(1_000))

    def limited(batch: Any, indices: Tensor) -> Any:
        if torch.is_grad_enabled() and next(calls) == 3:
            raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate')
        return encode(batch, indices)

    model.encode = limited
    _, found = run(strategy, task, model)
    assert strategy.work == Workload(1, 2)
    assert_equal(found, expected)
    assert Workload(4, 1).smaller() == Workload(4)
    assert Workload(4).smaller() == Workload(2)
    assert Workload(1).smaller() is None


@pytest.mark.parametrize('task', TASKS, ids=str)
def test_out_of_memory_with_one_patch_says_what_to_do(task: Task) -> None:
    model: Any = task.build()
    OutOfMemoryOnce(model, 0)
    with pytest.raises(RuntimeError, match=r'one patch at a time: use a smaller model.patch_size'):
        run(ExactGradient(4), task, model)


@pytest.mark.parametrize('task', TASKS, ids=str)
def test_other_errors_are_not_swallowed(task: Task) -> None:
    model: Any = task.build()

    def encode(*_: Any) -> None:
        raise RuntimeError('shape mismatch')

    model.encode = encode
    with pytest.raises(RuntimeError, match=r'^shape mismatch$'):
        run(ExactGradient(4), task, model)


def test_exact_refuses_batchnorm_in_training() -> None:
    model: Any = TASKS[0].build()
    ExactGradient().check(model)
    model.backbone.norm_eval = False
    model.train()
    with pytest.raises(ValueError, match=r'20 BatchNorm layers .*norm_eval=True, or use norm_cfg'):
        ExactGradient().check(model)


@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_bad_settings(kind: Any) -> None:
    with pytest.raises(ValueError, match='chunk_size must be at least 1'):
        kind(chunk_size=0)
    with pytest.raises(ValueError, match=r'graphs must be 0 .* got -1'):
        kind(chunk_size=1, graphs=-1)
    with pytest.raises(ValueError, match='dtype must be a floating point type'):
        kind(latent=dict(dtype='int8'))


def test_an_aggregator_that_breaks_the_contract() -> None:
    task = TASKS[0]
    model: Any = task.build(fuse=True)
    for half in ('conv_local', 'conv_global'):
        setattr(model.bbox_head.aggregators[0], half, nn.Conv2d(16, 8, 3, padding=1).double())
    with pytest.raises(ValueError, match=r'ConvAggregator must return .*\(1, 16, 12, 12\).*\(1, 8'):
        run(ExactGradient(), task, model)


def test_towers_that_break_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS[0]
    model: Any = task.build()
    towers = model.bbox_head.towers
    monkeypatch.setattr(model.bbox_head, 'towers', lambda feats: towers(feats)[:-1])
    with pytest.raises(ValueError, match=r'towers must return 6 maps .*it returned \[\(2, 8, 8\)'):
        run(ExactGradient(), task, model)


@pytest.mark.parametrize('task', TASKS, ids=str)
def test_what_theta1_keeps_is_counted(task: Task) -> None:
    """One patch and then three, and two global patches that ride along with both."""
    kept = []
    for chosen in ([1], [1, 4, 5]):
        passes = passes_of(task, task.build())
        SampledGradient()(passes, [torch.tensor(chosen)])
        kept.append(passes.monitor.memory['theta1'])
    assert 1.4 * kept[0] < kept[1] < 2 * kept[0]


@pytest.mark.parametrize('task', TASKS, ids=str)
@pytest.mark.parametrize('kind', [ExactGradient, SampledGradient])
def test_a_rehearsal_makes_no_step(kind: Any, task: Task) -> None:
    model: Any = task.build()
    passes = passes_of(task, model)
    kind().rehearse(passes, [torch.tensor([0]), torch.tensor([1, 4, 5])], Workload(2))
    assert passes.stepper.accumulation.done == 0
    assert {'theta1', 'theta2', 'latent'} <= set(passes.monitor.memory)


def test_a_rehearsal_of_exact_fills_the_ring_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS[0]
    model: Any = task.build()
    passes = passes_of(task, model)
    picture = nn.functional.pad(task.images()[0], (0, 0, 0, 64 * 9))
    passes.batch = model.cut([picture], task.samples()[:1])
    encoded: list[int] = []
    original = model.encode
    model.encode = lambda batch, patches: (
        encoded.extend(patches.tolist()) or original(batch, patches)
    )
    ExactGradient().rehearse(passes, [], Workload(1))
    assert max(encoded) + 1 == ChunkOrder(passes.batch, 1).capacity < passes.batch.num_patches
    assert encoded.count(0) == 2  # the first patch was replayed


@pytest.mark.parametrize(
    ('message', 'expected'),
    [
        ('CUDA out of memory. Tried to allocate 2.00 GiB', True),
        ('CUDA error: out of memory', True),
        ('cuDNN error: CUDNN_STATUS_ALLOC_FAILED', True),
        ('CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`', True),
        ("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", True),
        ('CUDA error: an illegal memory access was encountered', False),
        ('cuDNN error: CUDNN_STATUS_NOT_SUPPORTED', False),
    ],
)
def test_how_devices_say_that_memory_has_run_out(message: str, expected: bool) -> None:
    assert is_out_of_memory(RuntimeError(message)) == expected
