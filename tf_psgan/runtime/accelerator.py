"""What can be known and set about a GPU before TensorFlow is imported: the driver, and where XLA keeps its programs."""

import importlib.metadata
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

DEVICES, MODELS = Path("/dev"), Path("/proc/driver/nvidia/gpus")
"""Where the NVIDIA driver shows its GPUs."""

_FAST_COMPILATION = {"xla_gpu_autotune_level": "2", "xla_gpu_enable_triton_gemm": "false"}
"""Flags of XLA: the algorithms of convolutions are timed, but their results not compared; products are cuBLAS's."""

logger = logging.getLogger(__name__)


def has_driver() -> bool:
    """Whether an NVIDIA driver offers a GPU on this machine."""
    return any(DEVICES.glob("nvidia[0-9]*"))


def gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(DEVICES.glob("nvidia[0-9]*"))))]


def keep_compiled_programs() -> Path | None:
    """Lets XLA keep what it compiles in the user's cache folder, so that only a first run waits for it.

    Has an effect only before TensorFlow is imported. Flags that the user has set stay as they are.

    Returns:
      The folder, one for each version of TensorFlow and model of GPU; None where it cannot be made.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tf_psgan" / _hardware()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logger.warning("%s: %s; compiled programs are not kept.", folder, error.strerror)
        return None
    _add_flags("TF_XLA_FLAGS", {"tf_xla_persistent_cache_directory": str(folder)})
    _add_flags("XLA_FLAGS", {"xla_gpu_per_fusion_autotune_cache_dir": str(folder), **_FAST_COMPILATION})
    return folder


def _hardware() -> str:
    """The version of TensorFlow and the models of the GPUs as the name of a folder."""
    try:
        version = importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:  # installed under another name
        version = "unknown"
    models = set()
    for path in MODELS.glob("*/information"):
        text = path.read_text(encoding="utf-8", errors="replace")
        models |= {line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Model:")}
    return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(["xla", version, *sorted(models)]))


def _add_flags(variable: str, wanted: Mapping[str, str]) -> None:
    """Adds flags to those in an environment variable, except those that it has already."""
    present = os.environ.get(variable, "")
    added = [f"--{name}={value}" for name, value in wanted.items() if f"--{name}=" not in present]
    os.environ[variable] = " ".join([*present.split(), *added])
