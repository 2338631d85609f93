"""What people call from their own code."""

from .list_scenes import list_scenes
from .output_options import OutputOptions
from .overlay import draw_overlay
from .patch_predictor import PatchPredictor
from .predict_scenes import predict_scenes
from .scene_result import SceneResult
from .segment_raster import segment_raster

__all__ = [
    'OutputOptions',
    'PatchPredictor',
    'SceneResult',
    'draw_overlay',
    'list_scenes',
    'predict_scenes',
    'segment_raster',
]
