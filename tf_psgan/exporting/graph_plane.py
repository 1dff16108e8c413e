"""The texture plane inside a graph: a window of any extent, assembled from the same chunks as `TexturePlane` makes.

All sizes share one graph, and the chunks are computed one after the other, so that memory does not grow with the
variety of requests; on a GPU several at a time. The graph itself finds out where it runs: a model that was exported on
a processor may be served on a GPU.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_psgan import geometry
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.exporting.graph_checks import demand
from tf_psgan.latents import noise, torus, wave_numbers
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import FoldedGenerator

_PROCESSOR = "CPU"
"""The kind of device on which chunks are computed one at a time."""

_BLOCK = 512
"""Largest side of a block of the detail stage, in pixels; a multiple of every coarsest pixel."""

Pair = tuple[Any, Any]
"""Two scalars, rows before columns."""


class _Source(NamedTuple):
    """What a plane shows, as `GraphPlane.render` takes it."""

    seed: tf.Tensor
    vectors: tf.Tensor
    weigh: Callable[[Any, Any], Any]
    change: Pair | None


class GraphPlane:
    """A folded generator's plane in a graph.

    Args:
      folded: the generator. The weights of its convolutions become constants of the graph, once for all signatures:
        variables would be cast and laid out anew for each picture.
      blocks: `folded.blocks` as variables, for GPUs, where casting them takes no time.
      wave_weights: `folded.waves` as variables.
      detail: makes the pictures from the generator's; None for the generator's own.
    """

    def __init__(
        self,
        folded: FoldedGenerator,
        blocks: Sequence[Sequence[tf.Variable]],
        wave_weights: Sequence[tf.Variable],
        detail: DetailStage | None = None,
    ) -> None:
        self._detail = detail
        if detail:  # one function in the graph for all signatures
            self._arrange = tf.function(detail, input_signature=detail.input_signature, autograph=False)
        self._config, self._cell, self._dtype = folded.config, folded.pixels_per_cell, folded.dtype
        self._blocks, self._wave_weights = blocks, wave_weights
        extent = chunks.cells(self._cell) + 2 * geometry.HALO
        self._pixels = tf.function(
            lambda field: chunks.pixels(
                chunks.cast(folded.blocks, folded.dtype), field, folded.dtype, folded.config.downsampling
            ),
            input_signature=[tf.TensorSpec((1, extent, extent, folded.blocks[0][0].shape[2]), tf.float32)],
        )

    def wave_steps(self, vectors: tf.Tensor) -> tf.Tensor:
        """The wave numbers of global vectors [textures, channels]: int64 [textures, waves, 2]."""
        return wave_numbers.of_textures(self._config, self._wave_weights, vectors)

    def check_fit(self, vectors: tf.Tensor, rows: tf.Tensor, cols: tf.Tensor) -> tf.Operation:
        """Ends the request where a torus would distort the waves of textures; the message names the nearest extent.

        Args:
          vectors: float32 [textures, global channels].
          rows, cols: of the torus in cells, int64.
        """
        if not self._config.waves:
            return tf.no_op()
        steps = tf.reshape(self.wave_steps(vectors), (-1, 2))
        here = torus.strain(steps, rows[tf.newaxis], cols[tf.newaxis])[0, 0]
        extents, exist = torus.nearest_fits([steps], rows, cols, least=1, count=1)
        near = tf.where(exist[0], self._pixel_extent(*tf.unstack(extents[0])), f"none within {torus.NEAR} cells")
        text = ["torus: ", self._pixel_extent(rows, cols), " pixels would distort the waves of the texture "]
        text += [tf.as_string(here, precision=2), " times more than allowed; the nearest extent that fits: ", near, "."]
        return demand(here <= 1.0, text)

    def render(
        self,
        seed: tf.Tensor,
        vectors: tf.Tensor,
        weigh: Callable[[Any, Any], Any],
        corner: Pair,
        extent: Pair,
        period: Pair | None = None,
        change: Pair | None = None,
    ) -> tf.Tensor:
        """A window of pixels.

        Args:
          seed: int64 scalar.
          vectors: float32 [textures, global channels].
          weigh: from int64 rows [rows] and cols [cols] of cells to the weights of the textures there, float32
            [textures, rows, cols].
          corner: top and left in pixels, int64.
          extent: height and width in pixels, int64.
          period: rows and cols of a torus in cells, int64, or zeros for the endless plane; None for that plane.
          change: None, or time and amount of moving noise, float32 (`noise.changed`); the plane itself at 0.

        Returns:
          uint8 [height, width, 3].
        """
        source = _Source(seed, vectors, weigh, change)
        if self._detail is None:
            return self._generate(source, corner, extent, period)
        return self._copy(self._detail, source, corner, extent, period)

    def _copy(self, detail: DetailStage, source: _Source, corner: Pair, extent: Pair, period: Pair | None) -> tf.Tensor:
        """The window as the detail stage makes it from the generator's picture around it, block by block."""
        step = detail.alignment
        offset = [at % step for at in corner]
        whole = [(skip + long + step - 1) // step for skip, long in zip(offset, extent, strict=True)]
        number = [(long + _BLOCK // step - 1) // (_BLOCK // step) for long in whole]
        side = [(long + many - 1) // many * step for long, many in zip(whole, number, strict=True)]
        first = [at - skip - detail.margin for at, skip in zip(corner, offset, strict=True)]
        guided = [many * long + 2 * detail.margin for many, long in zip(number, side, strict=True)]
        rows, cols = (at + tf.range(long) for at, long in zip(first, guided, strict=True))
        if not detail.uses_guide:
            guide = tf.zeros((0, 0, 3), tf.uint8)
        elif period is None:
            guide = self._generate(source, (first[0], first[1]), (guided[0], guided[1]), None)
        else:
            # The torus is generated once and continued at its edges: there the very same pixels guide.
            closed = [cells * self._cell for cells in period]
            begin = [tf.where(length > 0, tf.zeros_like(length), at) for length, at in zip(closed, first, strict=True)]
            whole = [tf.where(length > 0, length, most) for length, most in zip(closed, guided, strict=True)]
            guide = self._generate(source, (begin[0], begin[1]), (whole[0], whole[1]), period)
            for axis, (at, skip) in enumerate(zip((rows, cols), begin, strict=True)):
                guide = tf.gather(guide, _wrapped(at - skip, closed[axis]), axis=axis)
        waves = len(detail.wave_offsets)
        turns = torus.turns(self.wave_steps(source.vectors), *(period or (0, 0)))[0, :waves]
        phases = noise.phases(source.seed, self._config.waves)[:waves] + detail.wave_offsets
        row_turns, col_turns = chunks.pixel_turns(turns, phases, rows, cols, self._cell, period or (0, 0))
        blocks = rows, cols, step, self._cell, period or (0, 0)
        keys, squares = chunks.patch_keys(source.seed, *blocks), chunks.squares(*blocks, detail.square)
        tall, wide = (long + 2 * detail.margin for long in side)

        def block(index: Any) -> Any:
            down, right = index // number[1] * side[0], index % number[1] * side[1]
            return self._arrange(
                guide[down : down + tall, right : right + wide],
                keys[down // step : (down + tall) // step, right // step : (right + wide) // step],
                squares[0][down // step : (down + tall) // step],
                squares[1][right // step : (right + wide) // step],
                row_turns[down : down + tall],
                col_turns[right : right + wide],
            )

        blocks = tf.map_fn(
            block, tf.range(number[0] * number[1]), parallel_iterations=1,
            fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
        )  # fmt: skip
        blocks = tf.reshape(blocks, (number[0], number[1], side[0], side[1], 3))
        picture = tf.reshape(tf.transpose(blocks, (0, 2, 1, 3, 4)), (number[0] * side[0], number[1] * side[1], 3))
        return picture[offset[0] : offset[0] + extent[0], offset[1] : offset[1] + extent[1]]

    def _generate(self, source: _Source, corner: Pair, extent: Pair, period: Pair | None) -> tf.Tensor:
        """The window as the generator makes it, assembled from chunks."""
        count, halo = chunks.cells(self._cell), geometry.HALO
        side = count * self._cell
        phases = noise.phases(source.seed, self._config.waves)
        turns = torus.turns(self.wave_steps(source.vectors), *(period or (0, 0)))
        first = [at // side for at in corner]
        number = [(at + long - 1) // side - begin + 1 for at, long, begin in zip(corner, extent, first, strict=True)]
        needed = number[0] * number[1]

        def latents(index: Any) -> tf.Tensor:
            """Of a chunk; or of several, int64 [batch]."""
            at = (first[0] + index // number[1], first[1] + index % number[1])
            around = tf.range(count + 2 * halo, dtype=tf.int64)
            rows, cols = ((chunk * count - halo)[..., tf.newaxis] + around for chunk in at)
            if period is not None:
                rows, cols = _wrapped(rows, period[0]), _wrapped(cols, period[1])
            seeds, weights = tf.reshape(source.seed, (1, 1)), source.weigh(rows, cols)

            return chunks.latents(
                self._config, seeds, rows, cols, phases, source.vectors, turns, weights, source.change
            )

        down, right = (at - chunk * side for at, chunk in zip(corner, first, strict=True))

        def assembled(pixels: tf.Tensor) -> tf.Tensor:
            """The window from its chunks, row by row: a transposition would copy what is outside the window, too."""
            rows = (down + tf.range(extent[0]))[:, tf.newaxis]
            parts = (rows // side * number[1] + tf.range(number[1])) * side + rows % side  # [height, chunks across]
            page = tf.reshape(tf.gather(tf.reshape(pixels, (-1, side * 3)), parts), (extent[0], number[1] * side, 3))
            return page[:, right : right + extent[1]]

        def several() -> tf.Tensor:
            return assembled(
                tf.map_fn(
                    lambda index: self._pixels(latents(index)), tf.range(needed), parallel_iterations=1,
                    fn_output_signature=tf.TensorSpec((side, side, 3), tf.uint8),
                )
            )  # fmt: skip

        def single() -> tf.Tensor:
            pixels = self._pixels(latents(tf.zeros((), tf.int64)))
            return pixels[down : down + extent[0], right : right + extent[1]]

        def in_batches() -> tf.Tensor:
            blocks = chunks.cast(self._blocks, self._dtype)

            def batch(begin: Any) -> tf.Tensor:
                indices = tf.minimum(begin + tf.range(chunks.GPU_BATCH, dtype=tf.int64), needed - 1)
                pixels = chunks.batch_pixels(blocks, latents(indices), self._dtype, self._config.downsampling)
                with tf.device("CPU:0"):  # copied while the next batch is computed
                    return tf.identity(pixels)

            with tf.device("CPU:0"):
                begins = tf.range(0, needed, chunks.GPU_BATCH)
            pixels = tf.map_fn(
                batch, begins, parallel_iterations=2,
                fn_output_signature=tf.TensorSpec((chunks.GPU_BATCH, side, side, 3), tf.uint8),
            )  # fmt: skip
            with tf.device("CPU:0"):
                return assembled(pixels)

        def one_by_one() -> tf.Tensor:
            return tf.cond(needed > 1, several, single)

        return tf.cond(_is_on_processor(), one_by_one, in_batches)

    def _pixel_extent(self, rows: tf.Tensor, cols: tf.Tensor) -> tf.Tensor:
        return tf.strings.join([tf.as_string(rows * self._cell), "x", tf.as_string(cols * self._cell)])


def _wrapped(at: tf.Tensor, period: tf.Tensor) -> tf.Tensor:
    """Positions modulo a period; as they are where that is 0."""
    return tf.where(period > 0, at % tf.maximum(period, 1), at)


def _is_on_processor() -> tf.Tensor:
    """Whether the graph runs where there is no GPU, known when it runs."""
    return tf.equal(tf.raw_ops.DeviceIndex(device_names=[_PROCESSOR]), 0)
