"""Images are whole and 8-bit BGR, or the file is named."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmpatch.datasets import LoadPatchImage

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the transform logs."""
    logged: list[str] = []
    monkeypatch.setattr(
        'mmpatch.datasets.transforms.load_patch_image.print_log',
        lambda message, **_: logged.append(message),
    )
    return logged


def _load(path: Path, **arguments: object) -> np.ndarray:
    results = LoadPatchImage(**arguments)({'img_path': str(path)})
    assert results is not None
    assert results['img_shape'] == results['ori_shape'] == results['img'].shape[:2]
    assert results['scale_factor'] == (1.0, 1.0)
    image: np.ndarray = results['img']
    return image


def test_colour_is_bgr_as_of_opencv(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    Image.fromarray(RGB).save(path)
    image = _load(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, RGB[..., ::-1])
    assert np.array_equal(image, cv2.imread(str(path)))
    assert image.flags.c_contiguous
    assert _load(path, to_float32=True).dtype == np.float32


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'LA', '1', 'CMYK'])
def test_other_modes_become_three_channels(tmp_path: Path, mode: str) -> None:
    source = Image.fromarray(RGB).convert(mode)
    path = tmp_path / ('a.tif' if mode == 'CMYK' else 'a.png')
    source.save(path)
    image = _load(path)
    assert image.shape == (20, 30, 3)
    assert np.array_equal(image[..., ::-1], np.asarray(source.convert('RGB')))


@pytest.mark.parametrize('colour', [True, False])
def test_16_bit_png_keeps_its_upper_byte_and_warns(
    tmp_path: Path, colour: bool, messages: list[str]
) -> None:
    values = RNG.integers(0, 65536, (20, 30, 3) if colour else (20, 30), dtype=np.uint16)
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), values)
    transform = LoadPatchImage()
    for _ in range(2):
        results = transform({'img_path': str(path)})
    assert results is not None
    expected = values >> 8 if colour else np.repeat((values >> 8)[..., None], 3, axis=2)
    assert np.array_equal(results['img'], expected)
    assert results['img'].dtype == np.uint8
    assert len(messages) == 1
    assert 'a.png has 16 bits a channel: the upper byte is taken' in messages[0]


@pytest.mark.parametrize('dtype', [np.float32, np.int32])
def test_32_bit_is_an_error(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / 'a.tif'
    Image.fromarray(np.zeros((4, 4), dtype=dtype)).save(path)
    with pytest.raises(
        ValueError, match=r'a\.tif holds 32-bit values .* convert it to 8 or 16 bits'
    ):
        _load(path)


def test_exif_orientation_is_applied_as_of_opencv(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(path, exif=exif, quality=95)
    image = _load(path)
    assert image.shape == (30, 20, 3)
    assert np.abs(image.astype(int) - cv2.imread(str(path)).astype(int)).max() <= 4


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.tif'])
def test_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'cut{suffix}'
    Image.fromarray(np.tile(RGB, (8, 8, 1))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        ValueError, match=rf"cannot decode .*cut\{suffix} .*bytes\): .*on_error='skip'"
    ):
        _load(path)


def test_no_image_at_all_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'page.png'
    path.write_bytes(b'<html>not found</html>')
    with pytest.raises(ValueError, match=r'cannot decode .*page\.png'):
        _load(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no image at .*a\.png: check data_root'):
        _load(tmp_path / 'a.png')


def test_images_over_pillows_limit_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'a.png'
    Image.fromarray(RGB).save(path)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    assert _load(path).shape == (20, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_skip_warns_once_a_file_and_counts(tmp_path: Path, messages: list[str]) -> None:
    transform = LoadPatchImage(on_error='skip')
    for name in ('a.png', 'b.png', 'a.png'):
        (tmp_path / name).write_bytes(b'')
        assert transform({'img_path': str(tmp_path / name)}) is None
    assert len(messages) == 2
    assert 'skipped (1 so far)' in messages[0]
    assert 'a.png' in messages[0]
    assert 'skipped (2 so far)' in messages[1]
    assert 'b.png' in messages[1]


def test_skip_raises_in_test_mode(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'cannot decode .*a\.png'):
        LoadPatchImage(on_error='skip')({'img_path': str(path), 'test_mode': True})


def test_unknown_on_error() -> None:
    with pytest.raises(ValueError, match="on_error='ignore': expected one of 'raise', 'skip'"):
        LoadPatchImage(on_error='ignore')


def test_repr_names_the_settings() -> None:
    assert (
        repr(LoadPatchImage(on_error='skip')) == "LoadPatchImage(to_float32=False, on_error='skip')"
    )
