"""`psgan export`: writes the generator of a run or a ready-made model for other programs."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from tf_psgan.cli import program
from tf_psgan.cli.flags import define_map, define_model, define_run, path, source
from tf_psgan.errors import SettingError
from tf_psgan.pretrained import Pretrained
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = """Writes the next version of a model for TensorFlow Serving and other programs.

  psgan export --run=runs/NAME --out=models/NAME --source_licence='CC0, by ...'
  psgan export --model=honeycomb --out=models/honeycomb

With --web it writes a static web page instead, on which a browser computes the endless texture:

  npm install onnxruntime-web@1.30.0
  psgan export --web --run=runs/NAME --out=page
  psgan export --web --model=honeycomb --out=page

With --weights it writes the weights alone into a small folder, which --model and tf_psgan.from_pretrained read:

  psgan export --weights --run=runs/NAME --out=NAME"""
_NUMBERS = {
    "version": (0, "The version to write, at most 2^63 - 1; 0 for the one after the newest."),
    "most_side": (8192, "Largest height and largest width of a picture in one request, in pixels."),
    "most_pixels": (4096**2, "Most pixels of a picture in one request; memory grows with it."),
}


def define(values: flags.FlagValues) -> None:
    """The run, the model's folder, and what accompanies the model."""
    define_run(values)
    define_model(values)
    define_map(values)
    flags.DEFINE_string("out", None, "The model's folder; versions are its folders 1, 2, ...", flag_values=values)
    for name, (default, text) in _NUMBERS.items():
        flags.DEFINE_integer(name, default, text, lower_bound=0, upper_bound=2**63 - 1, flag_values=values)
    flags.DEFINE_string(
        "source_licence", "", "Licence of the learned pictures, for the model card.", flag_values=values
    )
    flags.DEFINE_bool("onnx", False, "Also writes the bare network as ONNX.", flag_values=values)
    text = "Writes a static web page into the folder of --out, or adds the run or model to a page that is there."
    flags.DEFINE_bool("web", False, text, flag_values=values)
    text = "Writes the weights in half precision into a new folder, which other commands read with --model."
    flags.DEFINE_bool("weights", False, text, flag_values=values)
    text = "With --web: the folder of the npm package onnxruntime-web, which the page contains."
    flags.DEFINE_string("onnxruntime_web", "node_modules/onnxruntime-web", text, flag_values=values)
    text = (
        "With --web: type of the stored weights; float16 halves the model's file and changes some 8-bit values by one."
    )
    flags.DEFINE_enum("web_weights", "float32", ["float32", "float16"], text, flag_values=values)


def run(values: flags.FlagValues) -> str:
    """Exports; the folder of the version or of the page."""
    out, given = path(values, "out"), values.flag_values_dict()
    for name in ("onnxruntime_web", "web_weights"):
        if values[name].present and not values.web:
            raise SettingError(name, "has no effect without --web", "add --web, or leave it out")
    if values.web and values.weights:
        raise SettingError("web, weights", "an export is only one of them", "leave one out")
    if values.model and values.weights:
        raise SettingError("model", "has no effect with --weights", "give --run")
    if values.weights:
        return _run_weights(values, path(values, "run"), out)
    origin = source(values)
    if values.model and values["source_licence"].present:
        raise SettingError("source_licence", "says nothing beside --model", "leave it out: the model says it")
    if values.web:
        return _run_web(values, origin, out)
    with filtered_stderr():
        from tf_psgan.exporting import export as exporter
        from tf_psgan.runtime import device

    device.choose(values.flag_values_dict()["device"])
    limits = exporter.Limits(given["most_side"], given["most_pixels"])
    names = ("dtype", "version", "source_licence", "onnx", "detail", "map")
    return str(exporter.export(origin, out, limits=limits, progress=True, **{name: given[name] for name in names}))


def _run_web(values: flags.FlagValues, origin: Path | Pretrained, out: Path) -> str:
    for name in ("onnx", "map", *_NUMBERS):
        if values[name].present:
            raise SettingError(name, "has no effect with --web", "leave one of them out")
    if values.dtype == "mixed_bfloat16":
        raise SettingError("dtype", "a web page computes in float32", "leave it out", value=values.dtype)
    with filtered_stderr():
        from tf_psgan.exporting import web_page
        from tf_psgan.runtime import device

    device.choose(values.flag_values_dict()["device"])
    given = values.flag_values_dict()
    names = ("onnxruntime_web", "source_licence", "detail")
    named = {name: given[name] for name in names} | {"weights": given["web_weights"]}
    return str(web_page.export(origin, out, progress=True, **named))


def _run_weights(values: flags.FlagValues, folder: Path, out: Path) -> str:
    for name in ("onnx", "dtype", "map", *_NUMBERS):
        if values[name].present:
            raise SettingError(name, "has no effect with --weights", "leave one of them out")
    with filtered_stderr():
        from tf_psgan.exporting import weights
        from tf_psgan.runtime import device

    given = values.flag_values_dict()
    device.choose(given["device"])
    return str(weights.export(folder, out, source_licence=given["source_licence"], detail=given["detail"]))


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, run)
