"""Memory and time of a training step: methods x resolutions x models.

    python tools/analysis_tools/benchmark.py --sides 1024 2048 4096 --out work_dirs/benchmark

Each cell runs in a process of its own: batch 1, AdamW, 500 objects, random weights. What has been
measured is kept in OUT/results.json; an interrupted run goes on there. Nothing else should run on
the machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dist import get_rank

from mmpatch.benchmark import METHODS, Cell, Result, plot, run_cell, scaling_table, table, to_csv
from mmpatch.benchmark.models import BASES, LABELS, analytic_need
from mmpatch.utils.memory import available_memory, format_size, parse_size

#: Methods that go patch by patch.
PATCH_WISE = ('sampled', 'exact')
CONFIGS = Path(__file__).resolve().parents[2] / 'configs/_base_/models'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    gpu = torch.cuda.is_available()
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=list(METHODS))
    parser.add_argument('--sides', nargs='+', type=int, default=[1024, 2048, 4096, 8192, 16384])
    parser.add_argument('--models', nargs='+', choices=BASES, default=['fcos-r50'])
    parser.add_argument('--patch-size', type=int, default=512)
    parser.add_argument(
        '--chunk-size',
        type=int,
        default=0,
        help='patches with gradient at once; default: one in exact, all in sampled',
    )
    parser.add_argument(
        '--graphs', type=int, default=0, help='patches whose graphs are kept (exact, sampled)'
    )
    parser.add_argument(
        '--memory-budget',
        type=parse_size,
        default=0,
        help='plan chunk size and graphs for it, as in training (exact, sampled)',
    )
    parser.add_argument('--sampling-rate', type=float, default=0.125)
    parser.add_argument('--inner-iterations', type=int, default=2)
    parser.add_argument('--small-side', type=int, default=1024, help='side for downsampled [px]')
    parser.add_argument('--steps', type=int, default=2)
    parser.add_argument(
        '--rows', type=int, default=0, help='height of the images in patches; default: square'
    )
    parser.add_argument(
        '--ranks',
        nargs='+',
        type=int,
        default=[1],
        help='processes that share the patches (exact, sampled); with "1 2 3" a second table sets the '
        'times beside the expected ones',
    )
    parser.add_argument(
        '--bandwidth',
        type=parse_size,
        default=2**30,
        help='between processes, bytes a second, for the expected times; default: 1GiB',
    )
    parser.add_argument('--compile', action='store_true', help='compile theta1 (exact, sampled)')
    parser.add_argument(
        '--count', action='store_true', help='count the floating point operations of one more step'
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cuda' if gpu else 'cpu')
    parser.add_argument('--amp', choices=['bfloat16', 'float16'], default='')
    parser.add_argument('--latent-device', choices=['cpu', 'cuda'], default='')
    parser.add_argument('--latent-stride', type=int, default=0, help="of a segmentor's Z [px]")
    parser.add_argument(
        '--memory-limit', type=parse_size, help='do not start what needs more; default: all memory'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'))
    parser.add_argument('--cell', help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run all cells that have no result yet; write table, CSV and plot after each."""
    args = parse_args(argv)
    register_all_modules(init_default_scope=True)
    import mmpatch.models  # noqa: F401

    if args.cell:
        cell = Cell(**json.loads(args.cell))
        if cell.ranks > 1:
            torch.distributed.init_process_group('nccl' if cell.device == 'cuda' else 'gloo')
            if cell.device == 'cuda':
                torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        result = run_cell(cell, base_of(cell))
        if get_rank() == 0:
            print('RESULT ' + json.dumps(result.to_json()))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    store = args.out / 'results.json'
    results = [Result.from_json(r) for r in json.loads(store.read_text())] if store.exists() else []
    cells = [
        Cell(
            method,
            model,
            side,
            args.patch_size,
            sampling_rate=args.sampling_rate,
            inner_iterations=args.inner_iterations,
            small_side=args.small_side,
            chunk_size=args.chunk_size,
            graphs=args.graphs if method in PATCH_WISE else 0,
            memory_budget=args.memory_budget if method in PATCH_WISE else 0,
            device=args.device,
            amp=args.amp,
            latent_device=args.latent_device,
            latent_stride=args.latent_stride,
            steps=args.steps,
            rows=args.rows,
            ranks=ranks,
            compile=args.compile and method in PATCH_WISE,
            count=args.count,
        )
        for model, side, method, ranks in itertools.product(
            args.models, args.sides, args.methods, args.ranks
        )
        if (method != 'downsampled' or side >= args.small_side)
        and (ranks == 1 or method in PATCH_WISE)
    ]
    limit = args.memory_limit or total_memory(args.device)
    todo = [cell for cell in cells if cell not in [r.cell for r in results]]
    start = time.time()
    for i, cell in enumerate(todo):
        spent = time.time() - start
        left = f', {spent:.0f} s so far' if i else ''
        print(
            f'[{i + 1}/{len(todo)}] {LABELS[cell.model]}, {METHODS[cell.method]}, {cell.side} px{left}',
            flush=True,
        )
        result = measure(cell, limit)
        results.append(result)
        store.write_text(json.dumps([r.to_json() for r in results], indent=1))
        said = 'out of memory' if result.seconds is None else f'{result.seconds:.2f} s a step'
        print(f'    {said}, {format_size(result.peak or result.need)}', flush=True)
        (args.out / 'table.md').write_text(table(results) + '\n')
        (args.out / 'table.csv').write_text(to_csv(results))
        plot(results, args.out / 'benchmark.png')
    print(f'\n{table(results)}\n\nwrote {args.out}/table.md, table.csv, benchmark.png')
    for alone in (r for r in results if r.cell.ranks == 1 and r.cell.method == 'exact'):
        alike = [r for r in results if r.seconds and replace(r.cell, ranks=1) == alone.cell]
        if len(alike) > 1:
            title = f'{LABELS[alone.cell.model]}, {alone.cell.side} px, exact, shared by processes:'
            print(f'\n{title}\n{scaling_table(alike, base_of(alone.cell), args.bandwidth)}')


def measure(cell: Cell, limit: int) -> Result:
    """Run a cell in a process of its own, unless it would not fit."""
    need = 0
    if cell.method in ('full', 'checkpointed', 'in_memory'):  # the last one takes more than full
        method = 'full' if cell.method == 'in_memory' else cell.method
        need = analytic_need(replace(cell, method=method).cfg(base_of(cell)), cell.side)
        if need > limit:
            return Result(cell, need=need)
    launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={cell.ranks}']
    command = [
        sys.executable,
        *(launcher if cell.ranks > 1 else ()),
        __file__,
        '--cell',
        json.dumps(asdict(cell)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith('RESULT ')]
    if done.returncode == 0 and lines:
        return Result.from_json(json.loads(lines[-1].removeprefix('RESULT ')))
    if done.returncode in (-9, 137) or 'OutOfMemory' in done.stderr:
        return Result(cell, need=need)
    raise RuntimeError(f'{cell} failed (exit {done.returncode}):\n{done.stderr[-3000:]}')


def base_of(cell: Cell) -> dict[str, Any]:
    """The base config of a cell's model."""
    cfg: dict[str, Any] = Config.fromfile(CONFIGS / BASES[cell.model]).model.to_dict()
    return cfg


def total_memory(device: str) -> int:
    """All memory that a cell may take [bytes]."""
    if device == 'cuda':
        return int(torch.cuda.get_device_properties(0).total_memory)
    return available_memory()


if __name__ == '__main__':
    main()
