"""Judges a trained run, or any pictures, by their sources: python evaluate.py --run=runs/honeycomb"""

import sys

from absl import flags

from tf_psgan.cli import flags as edge

USAGE = "Says how like their sources the pictures of a run are, or any.\n\n  python evaluate.py --run=runs/NAME"
ASKED: dict[str, tuple] = {
    "images": (flags.DEFINE_list, "Pictures and folders to judge instead of a run, separated by commas."),
    "sources": (flags.DEFINE_list, "Pictures and folders to hold them against; a run has its own."),
    "samples": (flags.DEFINE_integer, "Samples of a run to judge; otherwise its own number."),
    "pixels": (flags.DEFINE_integer, "Side of a sample; otherwise the run's own, or the middle 512 of a picture."),
    "seed": (flags.DEFINE_integer, "The plane of a run's first sample, each next one's is one more; otherwise 0."),
    "texture": (flags.DEFINE_list, "Textures of a run that holds many, taken in turn; otherwise 0, 1, 2 and so on."),
    "json": (flags.DEFINE_string, "A .json file for all figures."),
    "sheet": (flags.DEFINE_string, "A picture file for sources and samples side by side: .png, .jpg or .webp."),
}


def define(values: flags.FlagValues) -> None:
    """What is judged, against what, and the files to write."""
    edge.define_run(values)
    for name, (define_flag, text) in ASKED.items():
        define_flag(name, None, text, flag_values=values)


def main(values: flags.FlagValues) -> str:
    """Judges; the table of the figures."""
    if bool(values.run) == bool(values.images):
        raise ValueError("run, images: give one of them, --run=PATH or --images=PICTURE_OR_FOLDER[,...].")
    with edge.filtered_stderr():
        from tf_psgan import assessment
    return assessment.assess(assessment.Case(**{name: getattr(values, name) for name in ("run", "dtype", *ASKED)}))


if __name__ == "__main__":
    sys.exit(edge.run(sys.argv, USAGE, define, main))
