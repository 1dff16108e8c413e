from ._version import __version__
from .assessment import Evaluation, evaluate
from .config import Config, DataConfig, ModelConfig, RenderingConfig, TrainingConfig
from .errors import ExportError, InputError, PictureError, RunError, SettingError
from .exporting.export import export
from .latents.scene import Scene
from .latents.texture_fields import Mix, Morph, Painting, Uniform
from .loading import Plane, from_pretrained, list_pretrained, load_generator, load_plane, push_to_hub
from .networks.discriminator import PatchDiscriminator
from .networks.generator import SpatialGenerator
from .training.advice import advise
from .training.training_loop import train

__all__ = [
    "Config",
    "DataConfig",
    "Evaluation",
    "ExportError",
    "InputError",
    "Mix",
    "ModelConfig",
    "Morph",
    "Painting",
    "PatchDiscriminator",
    "PictureError",
    "Plane",
    "RenderingConfig",
    "RunError",
    "Scene",
    "SettingError",
    "SpatialGenerator",
    "TrainingConfig",
    "Uniform",
    "__version__",
    "advise",
    "evaluate",
    "export",
    "from_pretrained",
    "list_pretrained",
    "load_generator",
    "load_plane",
    "push_to_hub",
    "train",
]
