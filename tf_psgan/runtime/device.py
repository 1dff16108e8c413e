"""The hardware of a run: threads, compute type, and the conditions that its exact bits depend on."""

import os
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_psgan.errors import SettingError
from tf_psgan.runtime.threads import cores, split


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
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        problem = f"TensorFlow has started and can no longer be set to {threads}"
        allowed = "train in a process of its own, or set the threads first"
        raise SettingError("threads", problem, allowed, value=threads, settings=("threads",)) from None
    return threads


def compute_type(dtype: str) -> str:
    """Resolves "auto": "mixed_bfloat16" where the hardware supports it natively, else "float32"."""
    if dtype != "auto":
        return dtype
    if gpus := tf.config.list_physical_devices("GPU"):
        major, _ = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        native = major >= 8
    else:
        native = bool({"amx_bf16", "avx512_bf16"} & set(_processor("flags").split()))
    return "mixed_bfloat16" if native else "float32"


def conditions(threads: int, dtype: str) -> dict[str, Any]:
    """What has to be equal for a resumed run to have exactly the bits of an uninterrupted one.

    That holds on processors. On a GPU some of TensorFlow's kernels sum in no fixed order.
    """
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "processor": _processor("model name") or platform.processor(),
        "instructions": sorted({"avx2", "avx512f", "avx512_bf16", "amx_bf16"} & set(_processor("flags").split())),
        "one_dnn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "gpus": [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ],
        "threads": threads,
        "dtype": dtype,
    }


def _processor(field: str) -> str:
    """A field of the first processor, as Linux reports it; "" on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
