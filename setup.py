"""Builds and installs tf_psgan, tf_psgan_serving and tf_psgan_web (files of a web page); metadata: pyproject.toml.

The presets in flags/ and the photograph that they learn are installed inside `tf_psgan/presets/`.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["tf_psgan", "tf_psgan.*"]),
        "tf_psgan_web",
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
        "tf_psgan.pretrained": ["*/*.npz", "*/*.json", "*/*.md"],
        "tf_psgan_serving": ["py.typed"],
        "tf_psgan_web": ["page/*", "page/*/*", "page/vendor/*/*"],
        "tf_psgan.presets.flags": ["*.cfg"],
        "tf_psgan.presets.textures": ["honeycomb.png"],
    },
    include_package_data=False,
)
