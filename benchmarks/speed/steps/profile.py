"""Time of a TensorFlow function by part of the step and kind of operation, from TensorFlow's own trace."""

import collections
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

PARTS = (
    ("generate/", "generator"),
    ("score_real/", "discriminator, real"),
    ("score_fake/", "discriminator, fake"),
)
"""Name scopes of `GanStep` and their titles; the name of a gradient contains the scope of its forward operation."""
KINDS = (
    (r"Conv2DBackpropFilter|ConvBackpropFilter", "filter gradients"),
    (r"Conv2DBackpropInput", "input gradients"),
    (r"Conv2D", "convolutions"),
    (r"MatMul", "matrix products"),
    (r"FusedBatchNorm.*Grad", "batch norm, back"),
    (r"FusedBatchNorm", "batch norm"),
    (r"Relu|Tanh", "activations"),
    (r"Cast", "casts"),
    (r"Adam", "Adam"),
    (r"Transpose|Pad|StridedSlice|Slice|Concat|Reverse|DepthToSpace|SpaceToDepth|Gather|Tile", "moving of data"),
)
"""Patterns of TensorFlow's operation types and their titles; the first match applies."""


def breakdown(step: Callable[[], object], steps: int = 10) -> list[tuple[str, str, float]]:
    """(part, kind, milliseconds per step), longest first; entries below 1 % are summed in the last row."""
    try:
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    except ImportError:
        raise ValueError("profile: this TensorFlow ships no reader of its traces; leave --profile out.") from None
    step()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(steps):
                step()
        space = xplane_pb2.XSpace()
        (trace,) = Path(folder).rglob("*.xplane.pb")
        space.ParseFromString(trace.read_bytes())
    taken: collections.Counter[tuple[str, str]] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if operation := re.fullmatch(r"([\w./-]+):(\w+)", name):  # name in the graph, type
                    taken[_part_and_kind(*operation.groups())] += event.duration_ps / 1e9 / steps
                elif name == "CpuExecutable::ExecuteAsyncOnStream":  # the trace does not divide XLA kernels further
                    taken["both networks", "compiled: Adam, gradients of ReLU"] += event.duration_ps / 1e9 / steps
    total = sum(taken.values())
    found = [(part, kind, ms) for (part, kind), ms in taken.most_common() if ms >= total / 100]
    return [*found, ("all other", "", total - sum(ms for _, _, ms in found))]


def _part_and_kind(name: str, operation: str) -> tuple[str, str]:
    kind = next((title for pattern, title in KINDS if re.search(pattern, operation)), "other")
    own = kind in ("input gradients", "matrix products")  # gradients of `conv_gradients.py` have no scope
    part = next((title for scope, title in PARTS if scope in name), "narrow layers" if own else "crops, losses, update")
    return part + ", back" * ("gradient_tape" in name or own), kind
