"""From a run and a request to files: a picture, a picture of any extent, a moving picture, a stored texture."""

import dataclasses
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan._version import __version__
from tf_psgan.data import images
from tf_psgan.latents import texture_fields, torus
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering import composition, request, texture_inversion
from tf_psgan.rendering.animation import paths
from tf_psgan.rendering.animation import writer as animation_writer
from tf_psgan.rendering.composition import Composition
from tf_psgan.rendering.raster import writer as raster_writer
from tf_psgan.rendering.request import Request
from tf_psgan.runs.run_folder import RunFolder, load, plane_of

logger = logging.getLogger(__name__)

ALWAYS = ("seed", "texture", "top", "left", "height", "width")
"""Settings that a file's metadata holds even at their defaults."""


def render(run: Path, out: Path | None, dtype: str, asked: Request, *, progress: bool = False) -> str:
    """Makes what is asked for.

    Args:
      run: a run's folder.
      out: the file; its suffix says what kind. May be None where a texture is only to be found and stored.
      dtype: compute type, or "auto".
      progress: draws a progress bar if standard error is a terminal.

    Returns:
      What was made: the path of the file, or the texture that was found.

    Raises:
      ValueError: no usable run, settings out of range, or a file that cannot be made there.
      OSError: a picture cannot be read or written.
    """
    asked.check()
    if out is not None:
        _check_out(out, asked)
    name = _name(asked) if asked.like else None
    generator, found = load(run, dtype)
    for reason in found.rejected:
        logger.warning("checkpoint passed over: %s", reason)
    plane, texture, said = plane_of(run, generator), None, ""
    if name is not None:
        given, known = images.decode(Path(asked.like).expanduser()), plane.names.values()
        liked = texture_inversion.search(generator, given, asked.seed, known, progress=progress)
        about = {"like": str(asked.like), "step": found.step, "distance": liked.distance, "floor": liked.floor}
        about |= liked.distances
        RunFolder(run).write_texture(name, liked.vector, about)
        plane, texture = plane_of(run, generator), name
        figures = ", ".join(f"{key} {value:.3f}" for key, value in liked.distances.items())
        said = f"texture {name}: distance {liked.distance:.2f} ({figures}); "
        said += f"two windows of the texture itself: {liked.floor:.2f}"
        if out is None:
            return said
        logger.info("%s", said)
    assert out is not None
    picture = composition.compose(asked, plane, texture)
    _tell(run, plane, picture, found.step)
    identity = {
        **_settings(asked, picture),
        **({"texture": texture} if isinstance(texture, str) else {}),
        "model": f"{run.resolve().name} at step {found.step}",
        "dtype": generator.compute_dtype,
        "pixels": _digest(plane, picture.scene.field),
        "Software": f"tf_psgan {__version__}",
    }
    _write(out, plane, picture, asked, identity, progress)
    return str(out)


def _check_out(out: Path, asked: Request) -> None:
    """Raises ValueError for a file that cannot be made there, before any work."""
    suffix = out.suffix.lower()
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: the folder {out.parent} is missing; make it or correct --out.")
    if not asked.animate and suffix not in raster_writer.SUFFIXES:
        if suffix in animation_writer.SUFFIXES and suffix != ".webp":
            raise ValueError(f"{out}: holds moving pictures; add --animate, or choose .png, .jpg or .webp.")
        if suffix not in images.WRITTEN:
            kinds = f"{', '.join(images.WRITTEN)}; of any extent: {', '.join(raster_writer.SUFFIXES)}"
            raise ValueError(
                f"{out}: cannot write the suffix {suffix!r}; use one of {kinds}; moving: "
                f"{', '.join(animation_writer.SUFFIXES)}."
            )
    if (asked.shared_edge == "all" or asked.repeat) and suffix not in images.WRITTEN:
        raise ValueError(f"{out}: --repeat and --shared_edge=all make a picture; use {', '.join(images.WRITTEN)}.")
    if asked.repeat:
        request.grid("repeat", asked.repeat)
    if not asked.animate and suffix in raster_writer.SUFFIXES:
        raster_writer.check(out, *(extent or composition.DEFAULT_PIXELS for extent in (asked.height, asked.width)))


def _write(
    out: Path, plane: TexturePlane, picture: Composition, asked: Request, identity: Mapping[str, str], progress: bool
) -> None:
    scene, extent = picture.scene, (picture.height, picture.width)
    if asked.animate:
        animation_writer.check(out, asked.frames, *extent, asked.frames_per_second)
        frames = _frames(plane, picture, asked)
        animation_writer.write(out, frames, asked.frames, asked.frames_per_second, identity, progress=progress)
        return
    if out.suffix.lower() in raster_writer.SUFFIXES:

        def view(top: int, left: int, height: int, width: int) -> np.ndarray:
            return plane.render(scene, height, width, top=picture.top + top, left=picture.left + left)

        raster_writer.write(out, view, *extent, identity, progress=progress)
        return
    tiles = composition.wang_tiles(picture) if asked.shared_edge == "all" else [[picture]]
    rows, cols = request.grid("repeat", asked.repeat) if asked.repeat else (1, 1)
    if extent[0] * extent[1] * max(len(tiles) ** 2, rows * cols) > images.LIMIT_PIXELS:
        kinds = ", ".join(raster_writer.SUFFIXES)
        raise ValueError(f"height, width: more than {images.LIMIT_PIXELS} pixels in one file; use {kinds}.")
    shown = [[plane.render(tile.scene, *extent, top=tile.top, left=tile.left) for tile in row] for row in tiles]
    whole = np.concatenate([np.concatenate(row, axis=1) for row in shown])
    images.write(out, whole, identity)
    if asked.repeat:
        preview = out.with_name(f"{out.stem}-{rows}x{cols}{out.suffix}")
        images.write(preview, np.tile(whole, (rows, cols, 1)), identity)
        logger.info("repeated: %s", preview)


def _frames(plane: TexturePlane, picture: Composition, asked: Request) -> Iterator[np.ndarray]:
    if asked.animate == "drift":
        side = plane.pixels_per_cell
        drift = asked.drift or (picture.scene.rows * side, picture.scene.cols * side)
        if len(drift) != 2 or not any(drift):
            raise ValueError(
                f"drift: {','.join(map(str, asked.drift)) or 'missing'}; give pixels down and right, "
                "as in 0,512, or --tile."
            )
        if not (picture.scene.rows or picture.scene.cols):
            logger.warning("drift: the plane is endless, so the last frame jumps back to the first; a tile closes it")
        plan = paths.drift(picture.scene, asked.frames, *drift)
    elif asked.animate == "walk":
        if not plane.config.global_channels:
            raise ValueError("animate: the model has one texture only, nowhere to walk; use drift or change.")
        plan = paths.walk(picture.scene, asked.frames, tuple(request.texture(item) for item in asked.textures))
    else:
        plan = paths.change(picture.scene, asked.frames, asked.amount)
    for scene, top, left in plan:
        yield plane.render(scene, picture.height, picture.width, top=picture.top + top, left=picture.left + left)


def _name(asked: Request) -> str:
    """What the texture found is to be called."""
    name = asked.name or re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(asked.like).stem)[:64]
    if not request.NAME.fullmatch(name):
        raise ValueError(f"name: {name!r} is no name; start it with a letter, go on with letters, digits and _ . -.")
    return name


def _tell(run: Path, plane: TexturePlane, picture: Composition, step: int) -> None:
    """Says what a user should know before the picture is there."""
    stored = RunFolder(run).read_textures(plane.config.global_channels)
    for texture in picture.scene.field.textures:
        if isinstance(texture, str) and stored[texture].step not in (None, step):
            logger.warning(
                "texture %s: found at step %d, the run is at step %d; it may look otherwise now.",
                texture,
                stored[texture].step,
                step,
            )
    if not (picture.scene.rows or picture.scene.cols):
        return
    for texture in dict.fromkeys(picture.scene.field.textures):
        found = torus.moves(plane.wave_numbers(texture), picture.scene.rows, picture.scene.cols)
        side = plane.pixels_per_cell
        each = ", ".join(f"{b * side:.2f} -> {a * side:.2f} px ({100 * m:.1f} %)" for b, a, m in found) or "none"
        logger.info("wave lengths, moved to close the tile (texture %s): %s", texture, each)


def _settings(asked: Request, picture: Composition) -> dict[str, str]:
    """The request's settings that are not at their defaults, and the window as it came out."""
    shown = {}
    for field in dataclasses.fields(asked):
        value: Any = getattr(picture, field.name, getattr(asked, field.name))
        if value != field.default or field.name in ALWAYS:
            shown[field.name] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return shown


def _digest(plane: TexturePlane, field: texture_fields.Field) -> str:
    """Differs where the model, a stored texture or a painting's map differs; sixteen hexadecimal digits."""
    digest = hashlib.sha256(plane.folded.fingerprint().encode())
    for texture in dict.fromkeys(field.textures):
        digest.update(plane.vector(texture).tobytes())
    if isinstance(field, texture_fields.Painting):
        digest.update(np.ascontiguousarray(field.labels).tobytes())
    return digest.hexdigest()[:16]
