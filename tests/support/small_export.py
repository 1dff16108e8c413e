"""A small run exported with everything that goes along, made once for all tests of a session."""

import functools

from tests.support import shared
from tests.support.small_run import changed, save_generator
from tf_psgan.data import manifest
from tf_psgan.exporting import export as exporter
from tf_psgan.runs.run_folder import RunFolder

RUST = (0.5, -1.0, 0.25)
EVALUATION = {"step": 2, "seconds": 300.0, "samples": 2, "sample_pixels": 64, "periodic": 0.0, "log_spectrum": 0.125}


def run(path, **settings):
    """The folder of a run at step 3, of a model of three global channels unless the settings say otherwise."""
    folder, config = RunFolder(path), changed(**({"global_channels": 3} | settings))
    with folder.locked():
        folder.write_config(config)
    save_generator(folder, model=config.model)
    entries = (
        manifest.Entry("/home/someone/secret/rust.png", 1234, "ab" * 32, 96, 128),
        manifest.Entry("/home/someone/secret/small.png", 99, "cd" * 32, 4, 4, "too small"),
    )
    folder.write("manifest.json", manifest.to_json(manifest.Manifest(entries)))
    if config.model.global_channels == len(RUST):
        folder.write_texture("rust", RUST, {"step": 3})
    folder.add_metrics(EVALUATION)
    return folder


@functools.cache
def exported():
    """A run's folder, and version 1 of the model "small": float32, with ONNX."""
    path = shared.made("small_export", _make)
    return RunFolder(path / "rusty"), path / "small" / "1"


def _make(parent):
    folder = run(parent / "rusty")
    options = {"source_licence": "CC0, by the tests", "onnx": True}
    exporter.export(folder.path, parent / "small", dtype="float32", **options)
