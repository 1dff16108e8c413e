"""The hardware of a run: threads, compute type, and the conditions that its exact bits depend on."""

import contextlib
import logging
import os
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_psgan.errors import SettingError
from tf_psgan.runtime import accelerator, processor
from tf_psgan.runtime.threads import cores, split

logger = logging.getLogger(__name__)


def set_threads(threads: int, intra_op: int = 0) -> int:
    """Sets the number of TensorFlow's threads, and lets a GPU's memory grow as needed.

    So pictures can be made on the GPU of a running training.

    Args:
      threads: how many cores to use, divided as in `threads.split`; 0 for all.
      intra_op: threads within an operation instead; 0 for those of `threads.split`.

    Returns:
      The number of cores.

    Raises:
      SettingError: TensorFlow has started in this process with another number.
    """
    threads = threads or cores()
    try:
        half, between = split(threads)
        tf.config.threading.set_intra_op_parallelism_threads(intra_op or half)
        tf.config.threading.set_inter_op_parallelism_threads(between)
        _let_memory_grow()
    except RuntimeError:
        problem = f"TensorFlow has started and can no longer be set to {threads}"
        allowed = "train in a process of its own, or set the threads first"
        raise SettingError("threads", problem, allowed, value=threads, settings=("threads",)) from None
    return threads


def gpus() -> list[Any]:
    """The GPUs that TensorFlow may use in this process."""
    return tf.config.get_visible_devices("GPU")


def name(gpu: Any) -> str:
    """What a GPU is called, as in "NVIDIA H100"."""
    return tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)


def choose(kind: str) -> str:
    """Chooses between GPUs and processors for this process, before TensorFlow computes anything.

    A warning is logged where there is a GPU that TensorFlow cannot use.

    Args:
      kind: "gpu", "cpu", or "auto" for a GPU where there is one.

    Returns:
      The name of the first GPU, or "" for processors.

    Raises:
      SettingError: "gpu", and TensorFlow finds none; or TensorFlow has started with other devices.
    """
    if kind == "cpu":
        _hide_gpus()
    elif not gpus():
        reason = missing_gpu()
        if kind == "gpu":
            raise SettingError("device", f"'gpu', but {reason[0]}", reason[1], value=kind, settings=("device",))
        if accelerator.has_driver():
            logger.warning("a GPU is here, but %s; computing on the processor. To use it, %s.", *reason)
    else:
        with contextlib.suppress(RuntimeError):  # TensorFlow has started, and keeps its way
            _let_memory_grow()
    return next(map(name, gpus()), "")


def missing_gpu() -> tuple[str, str]:
    """Why TensorFlow finds no GPU, and what to do about it."""
    if not accelerator.has_driver():
        return "this machine has no NVIDIA driver (no /dev/nvidia0)", "install the driver, or compute on the processor"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        hidden = os.environ["CUDA_VISIBLE_DEVICES"]
        return f"CUDA_VISIBLE_DEVICES={hidden!r} hides it", "unset that variable"
    if not tf.test.is_built_with_cuda():
        return "this TensorFlow was built without CUDA", "pip install 'tensorflow[and-cuda]'"
    return (
        "TensorFlow finds none of its CUDA libraries or cannot open the device",
        "pip install 'tf_psgan[cuda]', and read TensorFlow's own lines with TF_CPP_MIN_LOG_LEVEL=0",
    )


def compute_type(dtype: str) -> str:
    """Resolves "auto": "mixed_bfloat16" where the hardware supports it natively, else "float32"."""
    if dtype != "auto":
        return dtype
    if found := gpus():
        major, _ = tf.config.experimental.get_device_details(found[0]).get("compute_capability", (0, 0))
        native = major >= 8
    else:
        native = bool({"amx_bf16", "avx512_bf16"} & set(processor.field("flags").split()))
    return "mixed_bfloat16" if native else "float32"


def conditions(threads: int, dtype: str, compiled: bool = False, workers: int = 1) -> dict[str, Any]:
    """What has to be equal for a resumed run to have exactly the bits of an uninterrupted one.

    That holds on processors. On a GPU some of TensorFlow's kernels sum in no fixed order.
    """
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "processor": processor.field("model name") or platform.processor(),
        "instructions": processor.instructions(),
        "one_dnn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "gpus": [name(gpu) for gpu in gpus()],
        "compiled": compiled,
        "threads": threads,
        "dtype": dtype,
        "workers": workers,
    }


def _hide_gpus() -> None:
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:
        problem = "TensorFlow has started with its GPUs and can no longer leave them"
        allowed = "choose the device first, in a process of its own"
        raise SettingError("device", problem, allowed, value="cpu", settings=("device",)) from None


def _let_memory_grow() -> None:
    for gpu in gpus():
        tf.config.experimental.set_memory_growth(gpu, True)
