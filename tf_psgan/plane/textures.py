"""The textures of a generator: their global vectors and their waves, by number, name or vector."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_psgan.errors import SettingError
from tf_psgan.latents import noise, texture_fields, torus
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import FoldedGenerator


class Textures:
    """The textures of a generator.

    Args:
      folded: the generator.
      names: stored textures: global vectors, each of [global channels] numbers in [-1, 1], by name.
    """

    def __init__(self, folded: FoldedGenerator, names: Mapping[str, Sequence[float]] | None = None) -> None:
        self.names = dict(names or {})
        self._folded, self._channels = folded, folded.config.global_channels
        self._turns: dict[tuple[texture_fields.Texture, int, int], tuple[np.ndarray, np.ndarray]] = {}

    def vector(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """The global vector of a texture, float32 [global channels].

        Raises:
          InputError: an unknown name, or a number or a vector out of range.
          TypeError: a value of another type.
        """
        found = texture_fields.texture(texture)
        channels = self._channels
        if isinstance(found, str):
            if found not in self.names:
                stored = ", ".join(sorted(self.names)) or "none"
                problem = f"{found!r} is neither a number nor the name of a stored texture (stored: {stored})"
                raise SettingError("texture", problem, "choose one of them", value=found, settings=("texture",))
            found = tuple(self.names[found])
        if isinstance(found, int):
            return noise.global_vector(found, channels).numpy()
        if len(found) != channels or not all(-1.0 <= value <= 1.0 for value in found):
            problem, allowed = f"a vector of {len(found)} numbers", f"give {channels} numbers from -1 to 1"
            raise SettingError("texture", problem, allowed, value=found, settings=("texture",))
        return np.asarray(found, np.float32)

    def vectors(self, textures: Sequence[texture_fields.Texture]) -> np.ndarray:
        """`vector` of several textures at once, float32 [textures, global channels]."""
        found = np.empty((len(textures), self._channels), np.float32)
        numbers = [i for i, texture in enumerate(textures) if isinstance(texture, int)]
        if numbers:
            seeds = tf.constant([textures[i] for i in numbers], tf.int64)
            found[numbers] = noise.global_vector(seeds, self._channels).numpy()
        for i in set(range(len(textures))) - set(numbers):
            found[i] = self.vector(textures[i])
        return found

    def wave_steps(self, texture: texture_fields.AnyTexture) -> np.ndarray:
        """The wave numbers of a texture on their grid, int64 [waves, 2], steps of 2**-32 turns per cell."""
        return self._folded.wave_steps(self.vector(texture))

    def on_torus(self, texture: texture_fields.Texture, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
        """The global vector [channels] of a texture and its waves, int64 turns per cell [waves, 2]; kept for reuse.

        Args:
          texture: number, name or vector.
          rows, cols: extent of the torus in cells; 0 for an endless axis.
        """
        key = (texture if self._channels else 0, rows, cols)
        if key not in self._turns:
            vector = self.vector(texture)
            self._turns[key] = vector, torus.turns(self._folded.wave_steps(vector), rows, cols).numpy()
        return self._turns[key]

    def check(self, scene: Scene) -> None:
        """Raises SettingError for a name or a vector that is no texture. Numbers always are; there may be many."""
        for texture in scene.field.textures:
            if not isinstance(texture, int):
                self.vector(texture)
