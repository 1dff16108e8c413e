"""From a run and a specification to a file: a picture, a picture of any extent, or an animation."""

import dataclasses
import functools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan import material
from tf_psgan.config import check_map
from tf_psgan.data import images
from tf_psgan.errors import SettingError
from tf_psgan.latents import torus
from tf_psgan.loading import Plane, restore_generator
from tf_psgan.networks.generator import SpatialGenerator
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.pretrained import Pretrained
from tf_psgan.rendering import composition, metadata, texture_inversion
from tf_psgan.rendering.animation import paths
from tf_psgan.rendering.animation import writer as animation_writer
from tf_psgan.rendering.composition import Composition
from tf_psgan.rendering.raster import shards, spans, stores
from tf_psgan.rendering.raster import writer as raster_writer
from tf_psgan.rendering.spec import Animation, Change, Drift, Inversion, Painting, RenderSpec, Tile, Walk
from tf_psgan.rendering.texture_inversion import FoundTexture
from tf_psgan.runs import outputs
from tf_psgan.runs.run_folder import RunFolder
from tf_psgan.runtime import files
from tf_psgan.runtime.progress import Progress

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Rendered:
    """What `render` made: a file, a stored texture, or both."""

    path: Path | str | None
    texture: FoundTexture | None = None

    def __str__(self) -> str:
        """The path of the file, or else what was found."""
        return str(self.texture if self.path is None else self.path)


@dataclasses.dataclass(frozen=True)
class Opened:
    """A specification with the plane that shows it.

    Args:
      identity: everything that determines the pixels, as text by name.
    """

    plane: TexturePlane
    composed: Composition
    identity: Mapping[str, str]

    def view(self) -> raster_writer.View:
        """Computes a part of the picture."""

        def view(top: int, left: int, height: int, width: int) -> np.ndarray:
            composed = self.composed
            return self.plane.render(composed.scene, height, width, top=composed.top + top, left=composed.left + left)

        return spans.batched(view, self.plane.batch, self.composed.height, self.composed.width)


def render(
    source: str | Path | Pretrained,
    out: str | Path | None,
    spec: RenderSpec,
    *,
    dtype: str = "auto",
    detail: str = "auto",
    map: str = material.COLOUR,
    part: tuple[int, int] | None = None,
    engine: shards.Engine | None = None,
    shard: int = shards.SHARD,
    progress: bool = False,
) -> Rendered:
    """Makes a file from a run or a ready-made model.

    Args:
      source: a run's folder, or a ready-made model.
      out: the file; its suffix selects the format. None where a texture is only to be found and stored.
      spec: what the file shows.
      dtype: compute type, or "auto".
      detail: detail stage: "patches", "none", or "auto" for the run's own setting.
      map: of a material, instead of its colours.
      part: number from 0 and count of the parts of a picture that several processes make; this one makes the shards of
        its part, and `shards.finish` the picture. None for the whole picture.
      engine: makes the shards of the picture by processes of its own, from `engines`.
      shard: side of a shard in pixels.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      InputError: no usable run, a specification that does not go with its model, or a file that cannot be made there.
      OSError: a picture cannot be read or written.
    """
    folder = None if isinstance(source, Pretrained) else RunFolder(Path(source))
    inputs = [*(folder.inputs() if folder else ()), *_read_files(spec)]
    if out is None:
        if not spec.inversion:
            raise SettingError("out", "missing", "give the name of a file", settings=("out",))
    else:
        out = str(out) if (part or engine) and files.scheme(str(out)) else Path(out)
        check = _check_part if part or engine else _check_output
        check(out, spec, *composition.extent(spec), inputs)
    if folder is None and spec.inversion:
        problem, allowed = "a ready-made model stores no textures", "use a run, or leave this out"
        raise SettingError("like", problem, allowed, settings=("like", "model"))
    if engine:
        out, source, spec = _absolute(out, source, spec)
    texture, restored = None, None
    if folder is not None and spec.inversion:
        model = folder.read_config().model
        check_map(model, map)
        name = folder.texture_name(spec.inversion.picture.expanduser(), spec.inversion.name, model.global_channels)
        named = dataclasses.replace(spec.inversion, name=name)
        restored = restore_generator(folder.path, dtype)
        spec, texture = _with_found_texture(folder, restored[0], restored[1].step, spec, named, progress)
        if out is None:
            return Rendered(None, texture)
        logger.info("%s", texture)
    assert out is not None
    opened = open_picture(source, spec, dtype=dtype, detail=detail, map=map, restored=restored)
    height, width = opened.composed.height, opened.composed.width
    if (height, width) != composition.extent(spec):  # those of a painting's map
        check(out, spec, height, width, inputs)
    if part or engine:
        planned = shards.plan(height, width, opened.identity, shard=shard)
        if part:
            shards.render_part(out, planned, opened.view(), *part, progress=progress)
            return Rendered(stores.opened(out).path)
        assert engine is not None
        open_view = functools.partial(
            _open_equal, source, spec, opened.identity, opened.plane.folded.dtype, detail, map
        )
        engine(out, planned, open_view)
        shards.finish(out, progress=progress)
        return Rendered(out)
    assert isinstance(out, Path)
    _write(out, opened, spec, progress)
    return Rendered(out, texture)


def open_picture(
    source: str | Path | Pretrained,
    spec: RenderSpec,
    *,
    dtype: str = "auto",
    detail: str = "auto",
    map: str = material.COLOUR,
    restored: tuple[SpatialGenerator, Any] | None = None,
) -> Opened:
    """Loads a model and composes what a specification shows; arguments as for `render`.

    Args:
      restored: what `restore_generator` returned, if it was called before.

    Raises:
      InputError: no usable run, or a specification that does not go with its model.
    """
    folder = None
    if isinstance(source, Pretrained):
        plane, model = Plane.from_pretrained(source.name, dtype, map=map), f"the model {Path(source.name).name}"
    else:
        folder = RunFolder(Path(source))
        generator, found = restored or restore_generator(folder.path, dtype)
        model = f"{folder.path.resolve().name} at step {found.step}"
        plane = Plane.from_generator(generator, folder.path, detail, map)
    if map != material.COLOUR:
        model += f", {map} map"
    composed = composition.compose(spec, plane)
    if spec.kind == "texture" and spec.content != 0 and not plane.config.global_channels:
        logger.warning("texture %s: the model has one texture only.", spec.content)
    if folder is not None:
        _log_old_textures(folder, plane, composed, found.step)
    _log_wave_lengths(plane, composed)
    return Opened(plane, composed, metadata.identity(spec, composed, plane, model))


def _absolute(
    out: Path | str | None, source: str | Path | Pretrained, spec: RenderSpec
) -> tuple[Path | str | None, Path | Pretrained, RenderSpec]:
    """The same paths for processes that work in other folders."""
    if isinstance(source, Pretrained):
        source = Pretrained(str(Path(source.name).absolute())) if Path(source.name).is_dir() else source
    else:
        source = Path(source).absolute()
    if isinstance(spec.content, Painting):
        content = dataclasses.replace(spec.content, map=spec.content.map.expanduser().absolute())
        spec = dataclasses.replace(spec, content=content)
    return out.absolute() if isinstance(out, Path) else out, source, spec


def _open_equal(
    source: str | Path | Pretrained, spec: RenderSpec, planned: Mapping[str, str], dtype: str, detail: str, map: str
) -> raster_writer.View:
    """The view of a picture in a worker of an engine, which may be another machine.

    Raises:
      SettingError: the model there is another one.
    """
    dtype = {"bfloat16": "mixed_bfloat16"}.get(dtype, dtype)
    opened = open_picture(source, spec, dtype=dtype, detail=detail, map=map)
    for name, value in planned.items():
        if (found := opened.identity.get(name)) != value:
            problem = f"{found} for a worker, {value} where the picture was planned"
            raise SettingError(name, problem, "give all workers the same model and package")
    return opened.view()


def _read_files(spec: RenderSpec) -> list[Path]:
    """The pictures that a specification names."""
    found = [spec.content.map] if isinstance(spec.content, Painting) else []
    return [path.expanduser() for path in (*found, *([spec.inversion.picture] if spec.inversion else ()))]


def _repeated(out: Path, tile: Tile | None) -> Path | None:
    """The second file, which shows a tile repeated."""
    if tile is None or tile.repeat is None:
        return None
    return out.with_name(f"{out.stem}-{tile.repeat[0]}x{tile.repeat[1]}{out.suffix}")


def _check_output(out: Path | str, spec: RenderSpec, height: int, width: int, inputs: Sequence[Path]) -> None:
    """Raises InputError for a file that cannot be made there, or that would replace an input, before any work."""
    out = Path(out)
    suffix, settings = out.suffix.lower(), ["out"]
    one_picture = bool(spec.tile and (spec.tile.repeat or spec.tile.edges == "all"))
    if animation := spec.animation:
        animation_writer.check(out, animation.frames, height, width, animation.frames_per_second, inputs)
    elif suffix in raster_writer.SUFFIXES and not one_picture:
        raster_writer.check(out, height, width, inputs=inputs)
    elif suffix not in images.WRITTEN:
        kinds = ", ".join(images.WRITTEN)
        if one_picture:
            problem = f"a repeated tile or a set of Wang tiles cannot be written as {suffix!r}"
        elif suffix in animation_writer.SUFFIXES:
            problem, settings = f"{suffix!r} holds animations", ["out", "animate"]
        else:
            problem = f"cannot write the suffix {suffix!r}"
            kinds += f"; of any extent: {', '.join(raster_writer.SUFFIXES)}"
            kinds += f"; for animations: {', '.join(animation_writer.SUFFIXES)}"
        raise SettingError(str(out), problem, f"use one of {kinds}", settings=tuple(settings))
    else:
        outputs.check(out, inputs)
        across = len(composition.WANG) if spec.tile and spec.tile.edges == "all" else 1
        _check_picture(out, across * height, across * width)
        if (second := _repeated(out, spec.tile)) and spec.tile and spec.tile.repeat:
            outputs.check(second, inputs)
            _check_picture(second, spec.tile.repeat[0] * height, spec.tile.repeat[1] * width)


def _check_part(out: Path | str, spec: RenderSpec, height: int, width: int, inputs: Sequence[Path]) -> None:
    """Raises InputError for a picture that several processes cannot make there, before any work."""
    one_picture = spec.tile and (spec.tile.repeat or spec.tile.edges == "all")
    for name, given in (("animate", spec.animation), ("repeat, shared_edge", one_picture), ("like", spec.inversion)):
        if given:
            problem, allowed = "cannot be made in parts", "leave it out, or make the whole in one process"
            raise SettingError(name, problem, allowed, settings=(*name.split(", "), "part"))
    shards.check(out, inputs)


def _check_picture(out: Path, height: int, width: int) -> None:
    if height * width > images.LIMIT_PIXELS:
        problem = f"more than {images.LIMIT_PIXELS} pixels in one file"
        allowed = f"use {', '.join(raster_writer.SUFFIXES)}, or fewer pixels"
        raise SettingError("height, width", problem, allowed, settings=("height", "width", "out"))
    outputs.check_picture(out, height, width)


def _with_found_texture(
    folder: RunFolder,
    generator: SpatialGenerator,
    step: int,
    spec: RenderSpec,
    inversion: Inversion,
    progress: bool,
) -> tuple[RenderSpec, FoundTexture]:
    """Finds and stores the texture that a specification asks for; the specification that shows it, and the texture."""
    found = _store_texture(folder, generator, step, inversion, spec.seed, progress)
    return (dataclasses.replace(spec, content=inversion.name) if spec.kind == "texture" else spec), found


def _store_texture(
    folder: RunFolder, generator: SpatialGenerator, step: int, inversion: Inversion, seed: int, progress: bool
) -> FoundTexture:
    """Finds the texture most like a picture and stores it in the run."""
    picture = images.decode(inversion.picture.expanduser())
    known = Plane.from_generator(generator, folder.path, "none").names.values()
    found = texture_inversion.invert(generator, picture, seed, known, progress=progress)
    like = os.path.realpath(inversion.picture.expanduser())
    about = {"like": like, "step": step, "distance": found.distance, "floor": found.floor}
    folder.write_texture(inversion.name, found.vector, about | found.distances)
    return dataclasses.replace(found, name=inversion.name)


def _write(out: Path, opened: Opened, spec: RenderSpec, progress: bool) -> None:
    plane, composed, identity = opened.plane, opened.composed, opened.identity
    if spec.animation:
        count, rate = spec.animation.frames, spec.animation.frames_per_second
        frames = _frames(plane, composed, spec.animation)
        animation_writer.write(out, frames, count, rate, identity, progress=progress)
    elif out.suffix.lower() in raster_writer.SUFFIXES:
        raster_writer.write(out, opened.view(), composed.height, composed.width, identity, progress=progress)
    else:
        _write_picture(out, plane, composed, spec, identity, progress)


def _write_picture(
    out: Path,
    plane: TexturePlane,
    composed: Composition,
    spec: RenderSpec,
    identity: Mapping[str, str],
    progress: bool,
) -> None:
    """Writes a picture, and a second one that repeats it where the specification has one."""
    is_set = spec.tile is not None and spec.tile.edges == "all"
    tiles = composition.wang_tiles(composed) if is_set else [[composed]]
    picture = np.concatenate(
        [np.concatenate([_window(plane, tile, progress) for tile in row], axis=1) for row in tiles]
    )
    images.write(out, picture, identity)
    if (second := _repeated(out, spec.tile)) and spec.tile and spec.tile.repeat:
        images.write(second, np.tile(picture, (*spec.tile.repeat, 1)), identity)
        logger.info("repeated: %s", second)


def _window(plane: TexturePlane, composed: Composition, display: bool) -> np.ndarray:
    """The pixels of a window; a larger one is made in bands along the chunks of the plane, with progress."""
    height, width, side = composed.height, composed.width, plane.chunk_cells * plane.pixels_per_cell
    if height * width <= side**2:
        return plane.render(composed.scene, height, width, top=composed.top, left=composed.left)
    picture = np.empty((height, width, 3), np.uint8)
    edges = [0, *range(side - composed.top % side, height, side), height]
    with Progress(height * width, "pixels", display=display) as done:
        for first, last in pairwise(edges):
            position = {"top": composed.top + first, "left": composed.left}
            picture[first:last] = plane.render(composed.scene, last - first, width, **position)
            done.update((last - first) * width)
    return picture


def _frames(plane: TexturePlane, composed: Composition, animation: Animation) -> Iterator[np.ndarray]:
    """The frames, each made when it is taken: uint8 [height, width, 3]."""
    scene = composed.scene
    match animation.path:
        case Drift(offset):
            down, right = offset or (scene.rows * plane.pixels_per_cell, scene.cols * plane.pixels_per_cell)
            if not (scene.rows or scene.cols):
                logger.warning("drift: the plane is endless, so the animation jumps at its end; a tile closes it.")
            frames = paths.drift(scene, animation.frames, down, right)
        case Walk(textures):
            if not plane.config.global_channels:
                problem = "a walk needs several textures, and the model has one only"
                raise SettingError("animate", problem, "use drift or change", settings=("animate",))
            frames = paths.walk(scene, animation.frames, textures)
        case Change(amount):
            frames = paths.change(scene, animation.frames, amount)
    for shown, top, left in frames:
        position = {"top": composed.top + top, "left": composed.left + left}
        yield plane.render(shown, composed.height, composed.width, **position)


def _log_old_textures(folder: RunFolder, plane: TexturePlane, composed: Composition, step: int) -> None:
    """Warns of stored textures that were found at another step of the model."""
    stored = folder.read_textures(plane.config.global_channels)
    for texture in composed.scene.field.textures:
        if isinstance(texture, str) and stored[texture].step not in (None, step):
            logger.warning(
                "texture %s: found at step %s, the run is at step %d; it may look different now.",
                texture,
                stored[texture].step,
                step,
            )


def _log_wave_lengths(plane: TexturePlane, composed: Composition) -> None:
    """Logs how far the wave lengths of a tile were changed to close it."""
    scene, side = composed.scene, plane.pixels_per_cell
    if not (scene.rows or scene.cols):
        return
    for texture in dict.fromkeys(scene.field.textures):
        changes = torus.wave_lengths(plane.wave_steps(texture), scene.rows, scene.cols)
        each = ", ".join(f"{b * side:.2f} -> {a * side:.2f} px ({100 * m:.1f} %)" for b, a, m in changes) or "none"
        logger.info("wave lengths, changed to close the tile (texture %s): %s", texture, each)
