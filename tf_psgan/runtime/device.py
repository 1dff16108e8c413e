"""What a run computes on: threads, compute type, and the conditions that its exact bits depend on."""

import os
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_psgan.runtime.threads import cores, split


def set_threads(threads: int, within: int = 0) -> int:
    """Fixes how many cores TensorFlow uses, 0 for all, as `threads.split` shares them; returns their number.

    `within` is how many of them compute one operation where that is not to be as there.

    Also lets a GPU's memory grow as needed, so that pictures can be made while a training runs.

    Raises:
      ValueError: TensorFlow has started in this process with another number.
    """
    threads = threads or cores()
    try:
        half, between = split(threads)
        tf.config.threading.set_intra_op_parallelism_threads(within or half)
        tf.config.threading.set_inter_op_parallelism_threads(between)
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        raise ValueError(
            f"threads: TensorFlow has started and can no longer be set to {threads}; "
            "train in a process of its own, or call set_threads first."
        ) from None
    return threads


def compute_type(asked: str) -> str:
    """ "mixed_bfloat16" or "float32"; "auto" takes bfloat16 where the GPU or the processor multiplies it natively."""
    if asked != "auto":
        return asked
    if gpus := tf.config.list_physical_devices("GPU"):
        major, _ = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        native = major >= 8
    else:
        native = bool({"amx_bf16", "avx512_bf16"} & set(_processor("flags").split()))
    return "mixed_bfloat16" if native else "float32"


def conditions(threads: int, dtype: str) -> dict[str, Any]:
    """What must be alike for a resumed run to have exactly the bits of one that was never stopped.

    That holds on processors; on a GPU some of TensorFlow's kernels sum in no fixed order.
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
    """A field of the first processor as Linux reports it; "" elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
