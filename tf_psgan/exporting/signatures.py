"""The signatures of an exported model: windows, tiles, morphs and scenes of its texture plane, computed in the graph.

Within one export a pixel has the same value in any window. Every value of a request is checked in the graph
(`graph_checks`).
"""

import dataclasses
import struct
import zlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.data.colour import srgb_profile
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.exporting.graph_checks import after, between, demand, inside, multiple
from tf_psgan.exporting.graph_plane import GraphPlane
from tf_psgan.geometry import MAX_PIXEL
from tf_psgan.latents import noise, texture_fields
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator

JPEG_QUALITY = 92

FORMS = ("", "_png", "_jpeg")
"""A view's signatures: its name with these endings; the pixels, or a file."""

NAMES = ("serving_default", "describe", *(v + form for v in ("window", "torus", "morph", "scene") for form in FORMS))
"""The signatures of an export."""

MOST_TEXTURES = 256
"""Of a scene."""

WEIGHT_TOLERANCE = 1e-3
"""What the weights of a cell may differ from 1 in sum."""

PNG_SRGB = struct.pack(">I4sBI", 1, b"sRGB", 0, zlib.crc32(b"sRGB\0"))
"""The chunk that marks a PNG file as sRGB with the perceptual intent."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """The largest picture that one request may ask for.

    Args:
      side: its height and its width, in pixels.
      pixels: its area, in pixels; the sum over all pictures of `serving_default`.
    """

    side: int = 8192
    pixels: int = 4096 * 4096


class Signatures(tf.Module):
    """A folded generator's weights as variables, and the signatures over them.

    Args:
      folded: the generator.
      description: the JSON text that `describe` returns.
      limits: of one request.
      exemplar: of the detail stage; None for the generator's own pictures.
    """

    def __init__(
        self, folded: FoldedGenerator, description: str, limits: Limits, exemplar: Exemplar | None = None
    ) -> None:
        super().__init__()
        self._config, self._dtype, self._limits = folded.config, folded.dtype, limits
        self._description, self._cell = description, folded.pixels_per_cell
        self._channels = folded.blocks[0][0].shape[2]
        self.blocks = [[tf.Variable(part, trainable=False) for part in block] for block in folded.blocks]
        self.waves = [tf.Variable(part, trainable=False) for part in folded.waves]
        self._detail = DetailStage(exemplar) if exemplar else None
        self._plane = GraphPlane(folded, self.blocks, self.waves, self._detail)

    def signatures(self) -> dict[str, Any]:
        """The signatures as concrete functions, by name."""
        scalars = {name: tf.TensorSpec((), tf.int64, name) for name in ("seed", "texture", "top", "left")}
        extent = {name: tf.TensorSpec((), tf.int32, name) for name in ("height", "width")}
        over = {name: tf.TensorSpec((), tf.int64, name) for name in ("extent_height", "extent_width")}
        morph = {"seed": scalars["seed"], "textures": tf.TensorSpec((4,), tf.int64, "textures"), **over}
        pictures: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
            "window": (self._window, scalars | extent),
            "torus": (self._torus, {name: scalars[name] for name in ("seed", "texture")} | extent),
            "morph": (self._morph, morph | {name: scalars[name] for name in ("top", "left")} | extent),
            "scene": (self._scene, self._scene_inputs(scalars, extent)),
        }
        latents = tf.TensorSpec((None, None, None, self._channels), tf.float32, "latents")
        functions = {
            "serving_default": tf.function(self._paint).get_concrete_function(latents),
            "describe": tf.function(self._describe).get_concrete_function(),
        }
        for name, (picture, inputs) in pictures.items():
            raw = tf.function(picture).get_concrete_function(**inputs)  # traced once for its three forms
            for suffix, encode in zip(FORMS, (None, _png, _jpeg), strict=True):
                functions[name + suffix] = _signature(raw, encode).get_concrete_function(**inputs)
        return functions

    def _describe(self) -> dict[str, Any]:
        return {"description": tf.constant(self._description)}

    def _paint(self, latents: Any) -> dict[str, Any]:
        """The network alone: latents [batch, rows, cols, channels] -> images in [-1, 1], two spare pixels an edge."""
        halo = 2 * geometry.HALO
        batch, rows, cols = (tf.cast(tf.shape(latents)[i], tf.int64) for i in range(3))
        largest = halo + self._limits.side // self._cell
        checked = [
            *(
                inside(name, value, halo + 1, largest)
                for name, value in (("latents rows", rows), ("latents cols", cols))
            ),
            inside("latents in pixels", batch * (rows - halo) * (cols - halo) * self._cell**2, 1, self._limits.pixels),
            demand(
                tf.reduce_all(tf.math.is_finite(latents)),
                ["latents: some are not finite; give finite numbers, best from -1 to 1."],
            ),
        ]
        with tf.control_dependencies(checked):
            latents = tf.identity(latents)
        return {"images": inference.generate_strips(chunks.cast(self.blocks, self._dtype), latents, self._dtype)}

    def _window(self, seed: Any, texture: Any, top: Any, left: Any, height: Any, width: Any) -> tf.Tensor:
        vectors = noise.global_vector(texture[tf.newaxis], self._config.global_channels)
        return self._plane.render(seed, vectors, alone, _corner(top, left), self._extent(height, width))

    def _torus(self, seed: Any, texture: Any, height: Any, width: Any) -> tf.Tensor:
        height, width = self._extent(height, width)
        height, width = multiple("height", height, self._cell), multiple("width", width, self._cell)
        rows, cols = height // self._cell, width // self._cell
        vectors = noise.global_vector(texture[tf.newaxis], self._config.global_channels)
        rows, cols = after(self._plane.check_fit(vectors, rows, cols), rows, cols)
        origin = (tf.zeros((), tf.int64), tf.zeros((), tf.int64))
        return self._plane.render(seed, vectors, alone, origin, (height, width), (rows, cols))

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
    ) -> tf.Tensor:
        over = inside("extent_height", extent_height, 1, MAX_PIXEL), inside("extent_width", extent_width, 1, MAX_PIXEL)
        several = tf.constant(bool(self._config.global_channels))
        possible = demand(several, ["morph: the model has a single texture; request a window."])
        vectors = noise.global_vector(after(possible, textures)[0], self._config.global_channels)

        def weigh(rows: Any, cols: Any) -> tf.Tensor:
            at = ((rows, over[0]), (cols, over[1]))
            down, right = (texture_fields.hats(cells, self._cell, 0, extent, knots=2) for cells, extent in at)
            weights = down[:, tf.newaxis, ..., tf.newaxis] * right[..., tf.newaxis, :]  # [2, 2, ..., rows, cols]
            return tf.cast(tf.reshape(weights, (4, *weights.shape[2:])), tf.float32)

        return self._plane.render(seed, vectors, weigh, _corner(top, left), self._extent(height, width))

    @staticmethod
    def _scene_inputs(scalars: dict[str, Any], extent: dict[str, Any]) -> dict[str, Any]:
        whole = ("first_row", "first_col", "period_height", "period_width")
        return {
            "seed": scalars["seed"],
            "textures": tf.TensorSpec((None,), tf.int64, "textures"),
            "weights": tf.TensorSpec((None, None, None), tf.float32, "weights"),
            **{name: tf.TensorSpec((), tf.int64, name) for name in whole},
            **{name: tf.TensorSpec((), tf.float32, name) for name in ("time", "amount")},
            **{name: scalars[name] for name in ("top", "left")},
            **extent,
        }

    def _scene(
        self,
        seed: Any,
        textures: Any,
        weights: Any,
        first_row: Any,
        first_col: Any,
        period_height: Any,
        period_width: Any,
        time: Any,
        amount: Any,
        top: Any,
        left: Any,
        height: Any,
        width: Any,
    ) -> tf.Tensor:
        far = MAX_PIXEL // self._cell + geometry.HALO
        first_row, first_col = (
            inside(name, value, -far, far) for name, value in (("first_row", first_row), ("first_col", first_col))
        )
        time = between("time", time, "[0, 1)", (time >= 0) & (time < 1))
        amount = between("amount", amount, "[0, 1]", (amount >= 0) & (amount <= 1))
        rows, cols = (
            multiple(name, inside(name, value, 0, MAX_PIXEL), self._cell) // self._cell
            for name, value in (("period_height", period_height), ("period_width", period_width))
        )
        both = ["period: ", tf.as_string(rows * self._cell), "x", tf.as_string(cols * self._cell)]
        both += [" pixels is endless along one axis; give both extents, or 0 for both."]
        checks = [*self._check_weights(textures, weights), demand((rows > 0) == (cols > 0), both)]
        if self._detail:  # which makes the guide of the whole torus, whatever its window
            of_torus = [f"period: more than {self._limits.pixels} pixels; a model with a detail stage makes them all."]
            checks.append(demand(tf.cast(rows, tf.float64) * tf.cast(cols, tf.float64) <= self._most_cells(), of_torus))
        with tf.control_dependencies(checks):
            textures, weights, rows, cols = (tf.identity(value) for value in (textures, weights, rows, cols))
        vectors = noise.global_vector(textures, self._config.global_channels)
        count, tall, wide = tf.unstack(tf.shape(weights, tf.int64))
        flat = tf.reshape(weights, (count, tall * wide))

        def weigh(at_rows: Any, at_cols: Any) -> tf.Tensor:
            """The weights of the nearest cells that have some."""
            down, right = (
                tf.clip_by_value(cells - first, 0, most - 1)
                for cells, first, most in ((at_rows, first_row, tall), (at_cols, first_col, wide))
            )
            return tf.gather(flat, down[..., :, tf.newaxis] * wide + right[..., tf.newaxis, :], axis=1)

        fits = tf.cond(rows > 0, lambda: _done(self._plane.check_fit(vectors, rows, cols)), lambda: tf.constant(True))
        period = after(fits, rows, cols)
        where, size = _corner(top, left), self._extent(height, width)
        return self._plane.render(seed, vectors, weigh, where, size, (period[0], period[1]), (time, amount))

    def _check_weights(self, textures: Any, weights: Any) -> list[tf.Operation]:
        """Operations that end a request whose textures and weights do not make a scene."""
        count, rows, cols = tf.unstack(tf.shape(weights, tf.int64))
        named = tf.size(textures, tf.int64)
        size = tf.strings.reduce_join(tf.as_string([count, rows, cols]), separator=", ")
        # A window that begins inside a cell touches one more along each axis, and depends on a halo around them.
        spare = 2 * geometry.HALO + 1
        needed = tf.maximum(rows - spare, 1) * tf.maximum(cols - spare, 1)
        sums = tf.reduce_sum(weights, axis=0)
        is_mixture = tf.reduce_all(weights >= 0) & tf.reduce_all(tf.abs(sums - 1) <= WEIGHT_TOLERANCE)
        return [
            inside("textures", named, 1, MOST_TEXTURES),
            demand(
                count == named,
                ["weights: ", tf.as_string(count), " for ", tf.as_string(named), " textures; give one map for each."],
            ),
            demand(
                (rows * cols > 0) & (needed <= self._most_cells()),
                [
                    "weights: shape [",
                    size,
                    f"]; give 1 cell to those of {self._limits.pixels} pixels for each texture.",
                ],
            ),
            demand(is_mixture, ["weights: some are negative, or do not sum to 1 at a cell; divide them by their sum."]),
        ]

    def _most_cells(self) -> int:
        """Cells of the largest picture."""
        return self._limits.pixels // self._cell**2

    def _extent(self, height: Any, width: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """A picture's height and width as int64, within the limits."""
        height, width = (
            inside(name, tf.cast(value, tf.int64), 1, self._limits.side)
            for name, value in (("height", height), ("width", width))
        )
        with tf.control_dependencies([inside("height x width", height * width, 1, self._limits.pixels)]):
            return tf.identity(height), tf.identity(width)


def _done(check: tf.Operation) -> tf.Tensor:
    """True, once a check has passed."""
    return after(check, tf.constant(True))[0]


def _corner(top: Any, left: Any) -> tuple[tf.Tensor, tf.Tensor]:
    return inside("top", top, -MAX_PIXEL, MAX_PIXEL), inside("left", left, -MAX_PIXEL, MAX_PIXEL)


def alone(rows: Any, cols: Any) -> tf.Tensor:
    """The weights of a single texture."""
    return tf.ones((1, *rows.shape, cols.shape[-1]))


def _signature(picture: Callable[..., Any], encode: Callable[[Any], Any] | None) -> Any:
    @tf.function
    def signature(**inputs: Any) -> dict[str, Any]:
        image = picture(**inputs)
        return {"image": image} if encode is None else {"image_bytes": encode(image)}

    return signature


def _png(image: Any) -> tf.Tensor:
    # Level 1: textures hardly compress, and the default level takes ten times as long.
    header = 8 + 25  # the signature and IHDR
    return _marked(tf.io.encode_png(image, compression=1), header, PNG_SRGB)


def _jpeg(image: Any) -> tf.Tensor:
    header = 2 + 18  # the start of the image and JFIF's APP0
    return _marked(tf.io.encode_jpeg(image, quality=JPEG_QUALITY, chroma_downsampling=False), header, _jpeg_profile())


def _marked(encoded: Any, header: int, mark: bytes) -> tf.Tensor:
    """An encoded picture with a mark of its colour space behind its first bytes."""
    rest = tf.strings.substr(encoded, header, 2**31 - 1)
    return tf.strings.join([tf.strings.substr(encoded, 0, header), mark, rest])


def _jpeg_profile() -> bytes:
    """The profile of sRGB as the APP2 segment of a JPEG file (ICC.1:2022, annex B.4)."""
    content = b"ICC_PROFILE\0\1\1" + srgb_profile()
    return b"\xff\xe2" + struct.pack(">H", 2 + len(content)) + content
