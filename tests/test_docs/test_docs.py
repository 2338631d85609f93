"""README and documentation say what is true: their commands parse, their code runs, their links lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmpatch.comparison import SUITES
from mmpatch.registry import MODELS
from mmpatch.testing import load_tool, tiny_classifier, tiny_detector, tiny_segmentor
from mmpatch.testing.tiny_detector import image

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
#: Commands of other programs. They install packages, or need data that are not here.
OTHER_PROGRAMS = {
    'pip': 'installs packages',
    'gdal_translate': 'GDAL is not part of the environment',
    'source': 'the shell',
    'bash': 'CI runs it',
    'torchrun': 'starts processes of a tool that is tested by itself',
}


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """All code blocks of a language, with their pages."""
    for page in PAGES:
        for found in re.finditer(rf'^```{language}\n(.*?)^```', page.read_text(), re.M | re.S):
            yield page, found[1]


def commands() -> Iterator[Any]:
    """All command lines of the ``bash`` blocks."""
    for page, text in blocks('bash'):
        for line in text.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield pytest.param(words, id=f'{page.stem}: {" ".join(words)[:60]}')


class ParsedError(Exception):
    """A tool has accepted its command line."""


@pytest.mark.parametrize('words', list(commands()))
def test_commands_are_understood(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tool accepts its command line; other tests run the tools."""
    program, *arguments = words
    if program == 'make':
        targets = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.M)
        assert all(a in targets for a in arguments if '=' not in a and not a.startswith('-'))
    elif program == 'python':
        script, *arguments = arguments
        for word in arguments:
            if word.startswith('configs/'):
                assert (ROOT / word).is_file(), word
        parse = argparse.ArgumentParser.parse_args

        def parse_and_stop(parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
            parse(parser, *args, **kwargs)
            raise ParsedError

        tool = load_tool(script.removeprefix('tools/').removesuffix('.py'))
        monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', parse_and_stop)
        monkeypatch.setattr(sys, 'argv', [script, *arguments])
        with pytest.raises(ParsedError):
            tool.main()
    elif program.startswith('tools/'):
        assert (ROOT / program).is_file()
    else:
        assert program in OTHER_PROGRAMS


def test_configs_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = [(page, text) for page, text in blocks('python') if text.startswith('_base_')]
    assert len(found) >= 3
    for page, text in found:
        path = tmp_path / 'my_config.py'
        path.write_text(text.replace("'configs/", f"'{ROOT}/configs/"))
        cfg = Config.fromfile(path)
        cfg.model.backbone.init_cfg = None  # weights may be missing
        with DefaultScope.overwrite_default_scope('mmdet'):
            assert MODELS.build(cfg.model).bbox_head.num_classes in (2, 80), page


@pytest.mark.slow
@pytest.mark.parametrize(
    'text', [t for _, t in blocks('python') if 'import' in t and not t.startswith('_base_')]
)
def test_code_runs(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    scope = 'mmpretrain' if 'mmpretrain' in text else 'mmseg' if 'mmseg' in text else 'mmdet'
    with DefaultScope.overwrite_default_scope(scope):
        exec(compile(text.replace("'cuda'", "'cpu'"), 'block', 'exec'), {})


def make_files(folder: Path, text: str) -> None:
    """Write what a code block names: a small model's config and checkpoint, and images."""
    if 'mmpretrain' in text:
        name, cfg = 'patch_mobilenetv2_digits', tiny_classifier.classifier_cfg()
        model, classes = tiny_classifier.build_classifier(double=False), tuple('abcde')
    elif 'mmseg' in text:
        name, cfg = 'patch_unet_drive', tiny_segmentor.segmentor_cfg()
        model, classes = tiny_segmentor.build_segmentor(double=False), ('background', 'vessel')
    else:
        name, cfg = 'patch_fcos_yellowstone', tiny_detector.detector_cfg(head=dict(num_classes=1))
        model = tiny_detector.build_detector(double=False, head=dict(num_classes=1))
        classes = ('tree',)
    config = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    config.model = cfg
    meta = dict(dataset_meta=dict(classes=classes, palette=[[0, 0, 0], [6, 230, 230]]))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / 'my_checkpoint.pth')
    for path in ('my_config.py', 'my_segmentor.py'):
        config.dump(folder / path)
    pixels = image(97, 210).numpy()
    for path in ('scene.png', 'image.png'):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / path)
    size = dict(height=97, width=210, count=3, dtype='uint8')
    with rasterio.open(folder / 'scene.tif', 'w', driver='GTiff', **size) as scene:
        scene.write(pixels)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r'\]\(([^)#\s]*)', page.read_text()):
            if target and not target.startswith('http'):
                assert (page.parent / target).exists(), f'{page.name}: {target}'


def sentences() -> list[str]:
    """All sentences of the prose, without code, tables, lists of links and titles."""
    found = []
    for page in PAGES:
        text = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.M | re.S)
        lines = [line for line in text.splitlines() if not re.match(r'[|#!]|    | ?\|', line)]
        text = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', '\n'.join(lines))
        text = re.sub(r'\n(?=\s*([-*]|\d+\.) )', '\n\n', text)
        for paragraph in re.split(r'\n\s*\n', text):
            flat = ' '.join(paragraph.split())
            found += [s for s in re.split(r'(?<=[.!?:])\s+(?=[A-Z`"*(]|mm)', flat) if s]
    return found


def test_sentences_are_short() -> None:
    lengths = {sentence: len(sentence.split()) for sentence in sentences()}
    longest = max(lengths, key=lambda sentence: lengths[sentence])
    assert lengths[longest] <= 35, longest
    assert statistics.median(lengths.values()) < 18


def test_rows_of_the_paper_are_rows_of_suites() -> None:
    """Each row that the page on the paper names is there, and each table of the paper is."""
    text = (ROOT / 'docs/paper.md').read_text()
    for number, part in enumerate(re.split(r'^## Table ', text, flags=re.M)[1:], 1):
        lines = [line for line in part.split('\n## ')[0].splitlines() if line.startswith('| ')]
        assert lines[0].endswith('| rows |')
        named = [name for line in lines[1:] for name in re.findall('`(.*?)`', line.split('|')[-2])]
        assert named and set(named) <= {row.name for row in SUITES[f'table{number}']}
