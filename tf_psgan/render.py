"""From a run to a picture file: the window of its plane, with what it shows in the file's metadata."""

from pathlib import Path

import tf_psgan
from tf_psgan import images
from tf_psgan.run_folder import load_plane


def render(run: Path, out: Path, dtype: str, **window: int) -> Path:
    """Writes a window of a run's plane as a picture.

    Args:
      run: a run's folder.
      out: .png, .jpg or .webp.
      dtype: compute type, or "auto".
      window: seed, texture, top, left, height and width, as for `Plane.window`.

    Raises:
      ValueError: no usable run, a window out of range, or a suffix that cannot be written.
      OSError: the picture cannot be written.
    """
    images.check_suffix(out)
    plane = load_plane(run, dtype)
    picture = plane.window(**window)
    text = {name: str(value) for name, value in window.items()}
    images.write(out, picture, text | {"Software": f"tf_psgan {tf_psgan.__version__}", "model": run.resolve().name})
    return out
