"""The plane inside a graph: what a SavedModel can be asked, with every value checked in the graph.

The same tiles as `Plane` (tiles.py): within one export any window shows the same pixels, and
memory does not grow with the variety of sizes. A wrong value ends a request with
INVALID_ARGUMENT and a message that names it, before anything is computed.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.geometry import MAX_PIXEL
from tf_psgan.latents import noise, torus
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import STEP, FoldedGenerator

JPEG_QUALITY = 92
NEAR = 64
"""Cells around a refused tile's extent among which the nearest good one is looked for."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    side: pixels of a picture's height and of its width.
    pixels: of a picture; of all pictures of `serving_default` together.
    """

    side: int = 8192
    pixels: int = 4096 * 4096


class Signatures(tf.Module):
    """A folded generator's weights as variables, and the signatures over them.

    Args:
      description: JSON that `describe` returns.
    """

    def __init__(self, folded: FoldedGenerator, description: str, limits: Limits) -> None:
        super().__init__()
        self._config, self._dtype, self._limits = folded.config, folded.dtype, limits
        self._description, self._cell = description, folded.pixels_per_cell
        self._channels = folded.blocks[0][0].shape[2]
        self.blocks = [[tf.Variable(part, trainable=False) for part in block] for block in folded.blocks]
        extent = chunks.cells(self._cell) + 2 * geometry.HALO
        # Constants here, once for all signatures: variables would be cast and laid out anew for each picture.
        self._pixels = tf.function(
            lambda field: chunks.pixels(chunks.cast(folded.blocks, folded.dtype), field, folded.dtype),
            input_signature=[tf.TensorSpec((1, extent, extent, self._channels), tf.float32)],
        )
        self.waves = [tf.Variable(part, trainable=False) for part in folded.waves]

    def signatures(self) -> dict[str, Any]:
        """The signatures as concrete functions, by name."""
        whole = {name: tf.TensorSpec((), tf.int64, name) for name in ("seed", "texture", "top", "left")}
        extent = {name: tf.TensorSpec((), tf.int32, name) for name in ("height", "width")}
        over = {name: tf.TensorSpec((), tf.int64, name) for name in ("extent_height", "extent_width")}
        morph = {"seed": whole["seed"], "textures": tf.TensorSpec((4,), tf.int64, "textures"), **over}
        pictures: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
            "window": (self._window, whole | extent),
            "torus": (self._torus, {name: whole[name] for name in ("seed", "texture")} | extent),
            "morph": (self._morph, morph | {name: whole[name] for name in ("top", "left")} | extent),
        }
        latents = tf.TensorSpec((None, None, None, self._channels), tf.float32, "latents")
        made = {
            "serving_default": tf.function(self._paint).get_concrete_function(latents),
            "describe": tf.function(self._describe).get_concrete_function(),
        }
        for name, (picture, inputs) in pictures.items():
            raw = tf.function(picture).get_concrete_function(**inputs)  # traced once for its three forms
            for suffix, encode in (("", None), ("_png", _png), ("_jpeg", _jpeg)):
                made[name + suffix] = _signature(raw, encode).get_concrete_function(**inputs)
        return made

    def _describe(self) -> dict[str, Any]:
        return {"description": tf.constant(self._description)}

    def _paint(self, latents: Any) -> dict[str, Any]:
        """The bare network: latents [batch, rows, cols, channels] -> images in [-1, 1], two spare pixels an edge."""
        halo = 2 * geometry.HALO
        batch, rows, cols = (tf.cast(tf.shape(latents)[i], tf.int64) for i in range(3))
        most = self._limits.pixels
        sides = [
            _inside(name, value, halo + 1, halo + self._limits.side // self._cell)
            for name, value in (("latents rows", rows), ("latents cols", cols))
        ]
        asked = _inside("latents in pixels", batch * (rows - halo) * (cols - halo) * self._cell**2, 1, most)
        finite = tf.reduce_all(tf.math.is_finite(latents))
        good = _demand(finite, ["latents: some are no finite numbers; give numbers, best from -1 to 1."])
        with tf.control_dependencies([*sides, asked, good]):
            latents = tf.identity(latents)
        return {"images": inference.generate_strips(chunks.cast(self.blocks, self._dtype), latents, self._dtype)}

    def _window(self, seed: Any, texture: Any, top: Any, left: Any, height: Any, width: Any) -> Any:
        height, width = self._extent(height, width)
        top, left = _inside("top", top, -MAX_PIXEL, MAX_PIXEL), _inside("left", left, -MAX_PIXEL, MAX_PIXEL)
        vectors = noise.global_vector(texture[tf.newaxis], self._config.global_channels)
        return self._show(seed, vectors, self._numbers(vectors), _even, (top, left), (height, width))

    def _torus(self, seed: Any, texture: Any, height: Any, width: Any) -> Any:
        height, width = self._extent(height, width)
        for name, value in (("height", height), ("width", width)):
            below, above = value // self._cell * self._cell, (value // self._cell + 1) * self._cell
            text = [f"{name}: ", tf.as_string(value), f" is no multiple of the model's cell of {self._cell} pixels; "]
            near = ["give ", tf.as_string(below), " or ", tf.as_string(above), "."]
            whole = _demand(value % self._cell == 0, text + near)
            with tf.control_dependencies([whole]):
                height, width = tf.identity(height), tf.identity(width)
        rows, cols = height // self._cell, width // self._cell
        vectors = noise.global_vector(texture[tf.newaxis], self._config.global_channels)
        numbers = self._numbers(vectors)
        with tf.control_dependencies([self._fits(numbers[0], rows, cols)]):
            numbers = tf.stack([_snapped(numbers[..., 0], rows), _snapped(numbers[..., 1], cols)], axis=-1)
        zero = tf.zeros((), tf.int64)
        return self._show(seed, vectors, numbers, _even, (zero, zero), (height, width), (rows, cols))

    def _morph(
        self,
        seed: Any,
        textures: Any,
        extent_height: Any,
        extent_width: Any,
        top: Any,
        left: Any,
        height: Any,
        width: Any,
    ) -> Any:
        height, width = self._extent(height, width)
        top, left = _inside("top", top, -MAX_PIXEL, MAX_PIXEL), _inside("left", left, -MAX_PIXEL, MAX_PIXEL)
        over = [
            tf.cast(_inside(name, value, 1, MAX_PIXEL), tf.float64)
            for name, value in (("extent_height", extent_height), ("extent_width", extent_width))
        ]
        many = tf.constant(bool(self._config.global_channels))
        several = _demand(many, ["morph: the model has one texture only; ask for a window."])
        with tf.control_dependencies([several]):
            vectors = noise.global_vector(textures, self._config.global_channels)

        def corners(rows: Any, cols: Any) -> Any:
            down, right = (
                tf.clip_by_value((tf.cast(at, tf.float64) + 0.5) * self._cell / whole, 0.0, 1.0)
                for at, whole in zip((rows, cols), over, strict=True)
            )
            vertical, horizontal = tf.stack([1.0 - down, down]), tf.stack([1.0 - right, right])
            weights = vertical[:, tf.newaxis, :, tf.newaxis] * horizontal[tf.newaxis, :, tf.newaxis]
            return tf.cast(tf.reshape(weights, (4, len(rows), len(cols))), tf.float32)

        return self._show(seed, vectors, self._numbers(vectors), corners, (top, left), (height, width))

    def _extent(self, height: Any, width: Any) -> tuple[Any, Any]:
        """A picture's extent as int64, within the limits."""
        height, width = (
            _inside(name, tf.cast(value, tf.int64), 1, self._limits.side)
            for name, value in (("height", height), ("width", width))
        )
        area = _inside("height x width", height * width, 1, self._limits.pixels)
        with tf.control_dependencies([area]):
            return tf.identity(height), tf.identity(width)

    def _numbers(self, vectors: Any) -> Any:
        """The wave numbers of textures, float64 [textures, waves, 2]: `FoldedGenerator.wave_numbers` in a graph."""
        count = self._config.waves
        if not count:
            return tf.zeros((vectors.shape[0], 0, 2), tf.float64)
        exact = [tf.cast(part, tf.float64) for part in self.waves]
        if len(exact) == 1:
            numbers = tf.repeat(exact[0][tf.newaxis], vectors.shape[0], axis=0)
        else:
            hidden = tf.nn.relu(tf.cast(vectors, tf.float64) @ exact[0] + exact[1])
            numbers = tf.reshape(hidden @ exact[2] + exact[3], (-1, count, 2))
        if self._config.wave_angles == "axis":
            numbers *= tf.one_hot(tf.range(count) % 2, 2, dtype=tf.float64)
        return tf.round(numbers / STEP) * STEP

    def _fits(self, numbers: Any, rows: Any, cols: Any) -> Any:
        """Demands that a torus leaves the look of waves [waves, 2] alone; its message names the nearest that does."""
        if not numbers.shape[0]:
            return tf.no_op()
        near = tf.range(-NEAR, NEAR + 1, dtype=tf.int64)
        moved = []
        for axis, extent in enumerate((rows, cols)):
            k = numbers[tf.newaxis, :, axis]
            moved.append((_snapped(k, tf.maximum(extent + near, 1)[:, tf.newaxis]) - k) ** 2)
        borne = tf.maximum(torus.RELATIVE * tf.norm(numbers, axis=-1), torus.ABSOLUTE)
        strain = tf.reduce_max(tf.sqrt(moved[0][:, tf.newaxis] + moved[1]) / borne, axis=-1)  # [rows, cols]
        here = strain[NEAR, NEAR]
        apart = tf.abs(near)[:, tf.newaxis] + tf.abs(near)
        below = (rows + near < 1)[:, tf.newaxis] | (cols + near < 1)
        place = tf.argmin(tf.reshape(tf.where((strain > 1.0) | below, tf.int64.max, apart), (-1,)))
        across = 2 * NEAR + 1
        good = [(rows + near[place // across]) * self._cell, (cols + near[place % across]) * self._cell]
        text = ["torus: ", tf.as_string(rows * self._cell), "x", tf.as_string(cols * self._cell)]
        text += [" pixels would bend the texture's waves ", tf.as_string(here, precision=1)]
        text += [" times as far as its look bears; the nearest extent that does not: "]
        text += [tf.as_string(good[0]), "x", tf.as_string(good[1]), "."]
        return _demand(here <= 1.0, text)

    def _show(
        self, seed: Any, vectors: Any, numbers: Any, weigh: Any, corner: Any, extent: Any, period: Any = None
    ) -> Any:
        """A window of pixels, uint8 [height, width, 3], put together from tiles.

        Args:
          weigh: (rows, cols) of cells -> the weights of the textures there.
          corner, extent: top and left, height and width in pixels.
          period: rows and cols of a torus in cells; None for the endless plane.
        """
        count, halo = chunks.cells(self._cell), geometry.HALO
        side = count * self._cell
        phases = noise.phases(seed, self._config.waves)
        wave_turns = _turns(numbers)
        first = [at // side for at in corner]
        number = [(at + long - 1) // side - begin + 1 for at, long, begin in zip(corner, extent, first, strict=True)]

        def one(place: Any) -> Any:
            at = (first[0] + place // number[1], first[1] + place % number[1])
            rows, cols = (index * count - halo + tf.range(count + 2 * halo, dtype=tf.int64) for index in at)
            if period is not None:
                rows, cols = rows % period[0], cols % period[1]
            field = chunks.latents(
                self._config, tf.reshape(seed, (1, 1)), rows, cols, phases, vectors, wave_turns, weigh(rows, cols)
            )
            return self._pixels(field)

        down, right = (at - index * side for at, index in zip(corner, first, strict=True))

        def several() -> Any:
            made = tf.map_fn(
                one, tf.range(number[0] * number[1]), parallel_iterations=1,
                fn_output_signature=tf.TensorSpec((side, side, 3), tf.uint8),
            )  # fmt: skip
            # Line by line: a transposition would copy the lines outside the window as well.
            lines = (down + tf.range(extent[0]))[:, tf.newaxis]
            parts = (lines // side * number[1] + tf.range(number[1])) * side + lines % side  # [height, tiles across]
            page = tf.reshape(tf.gather(tf.reshape(made, (-1, side * 3)), parts), (extent[0], number[1] * side, 3))
            return page[:, right : right + extent[1]]

        def single() -> Any:
            return one(tf.zeros((), tf.int64))[down : down + extent[0], right : right + extent[1]]

        return tf.cond(number[0] * number[1] > 1, several, single)


def _signature(picture: Callable[..., Any], encode: Callable[[Any], Any] | None) -> Any:
    @tf.function
    def ask(**asked: Any) -> dict[str, Any]:
        image = picture(**asked)
        return {"image": image} if encode is None else {"image_bytes": encode(image)}

    return ask


def _png(image: Any) -> Any:
    # Level 1: textures hardly compress, and the default level takes ten times as long.
    return tf.io.encode_png(image, compression=1)


def _jpeg(image: Any) -> Any:
    return tf.io.encode_jpeg(image, quality=JPEG_QUALITY, chroma_downsampling=False)


def _even(rows: Any, cols: Any) -> Any:
    return tf.ones((1, len(rows), len(cols)))


def _snapped(numbers: Any, extent: Any) -> Any:
    """`torus.snap` along one axis of `extent` cells."""
    whole = 2.0 * math.pi / tf.cast(extent, tf.float64)
    return tf.round(numbers / whole) * whole


def _turns(numbers: Any) -> Any:
    """`waves.turns` in a graph."""
    cycles = numbers / (2.0 * math.pi)
    return tf.cast((cycles - tf.floor(cycles + 0.5)) * 2.0**64, tf.int64)


def _inside(name: str, value: Any, low: int, high: int) -> Any:
    """The value, once it has been seen to be within its bounds."""
    text = [f"{name}: ", tf.as_string(value), f" is outside {low} .. {high}; choose a value inside."]
    with tf.control_dependencies([_demand((value >= low) & (value <= high), text)]):
        return tf.identity(value)


def _demand(condition: Any, text: list[Any]) -> Any:
    """An operation that ends the request with INVALID_ARGUMENT and this text where the condition does not hold."""
    return tf.debugging.Assert(condition, [tf.strings.join(text)])
