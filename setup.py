"""Builds and installs two packages, tf_psgan and tf_psgan_serving. Their metadata is in pyproject.toml.

The presets in flags/ and the photograph that they learn are installed inside `tf_psgan/presets/`.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["tf_psgan", "tf_psgan.*"]),
        *find_packages("serving", include=["tf_psgan_serving", "tf_psgan_serving.*"]),
        "tf_psgan.presets.flags",
        "tf_psgan.presets.textures",
    ],
    package_dir={
        "tf_psgan_serving": "serving/tf_psgan_serving",
        "tf_psgan.presets.flags": "flags",
        "tf_psgan.presets.textures": "textures",
    },
    package_data={
        "tf_psgan": ["py.typed", "*.pyi"],
        "tf_psgan_serving": ["py.typed"],
        "tf_psgan.presets.flags": ["*.cfg"],
        "tf_psgan.presets.textures": ["honeycomb.png"],
    },
    include_package_data=False,
)
