"""Child registries of mmengine's, scope ``mmpatch``.

A config names our modules with their scope (``type='mmpatch.PatchDetector'``), so that they mix with any other
OpenMMLab package. ``locations`` lets mmengine import the module of a class when a config first asks for it.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope='mmpatch', locations=['mmpatch.engine'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='mmpatch', locations=['mmpatch.engine'])
OPTIM_WRAPPERS = Registry(
    'optim_wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope='mmpatch',
    locations=['mmpatch.engine'],
)
FUNCTIONS = Registry(
    'function', parent=MMENGINE_FUNCTIONS, scope='mmpatch', locations=['mmpatch.engine']
)
#: Gradient strategies, chosen by ``train_cfg.gradient``.
GRADIENTS = Registry('gradient', scope='mmpatch', locations=['mmpatch.engine'])
MODELS = Registry('model', parent=MMENGINE_MODELS, scope='mmpatch', locations=['mmpatch.models'])
DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope='mmpatch', locations=['mmpatch.datasets']
)
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope='mmpatch', locations=['mmpatch.datasets']
)
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope='mmpatch', locations=['mmpatch.evaluation']
)
VISUALIZERS = Registry(
    'visualizer',
    parent=MMENGINE_VISUALIZERS,
    scope='mmpatch',
    locations=['mmpatch.visualization'],
)
