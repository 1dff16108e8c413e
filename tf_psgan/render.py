"""From a run to a picture file: the window of its plane, with what it shows in the file's metadata."""

from pathlib import Path

import tf_psgan
from tf_psgan import images
from tf_psgan.plane import Plane
from tf_psgan.progress import Progress
from tf_psgan.run_folder import load

INT64 = range(-(2**63), 2**63)


def render(run: Path, out: Path, dtype: str, **window: int) -> Path:
    """Writes a window of a run's plane as a picture.

    Args:
      run: a run's folder.
      out: .png, .jpg or .webp.
      dtype: compute type, or "auto".
      window: seed, texture, top, left, height and width, as for `Plane.window`.

    Raises:
      ValueError: no usable run, a window out of range, or a file that cannot be made there.
      OSError: the picture cannot be written.
    """
    images.check_suffix(out)
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out}: the folder {out.parent} is missing; make it or correct --out.")
    for name in ("seed", "texture"):
        if window[name] not in INT64:
            raise ValueError(f"{name}: {window[name]} has more than 64 bits; choose a smaller one.")
    if window["height"] * window["width"] > images.LIMIT_PIXELS:
        raise ValueError(
            f"height, width: {window['height']}x{window['width']} pixels are more than {images.LIMIT_PIXELS}; "
            "make the picture in parts, with --top and --left: they fit together."
        )
    generator, found = load(run, dtype)
    for reason in found.rejected:
        Progress.say(f"checkpoint passed over: {reason}")
    picture = Plane(generator).window(**window)
    text = {name: str(value) for name, value in window.items()}
    text |= {
        "model": f"{run.resolve().name} at step {found.step}",
        "dtype": generator.compute_dtype,
        "Software": f"tf_psgan {tf_psgan.__version__}",
    }
    images.write(out, picture, text)
    return out
