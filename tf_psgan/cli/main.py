"""The command `psgan`: its first argument is the program to run."""

import importlib
import sys
from collections.abc import Sequence

from tf_psgan._version import __version__
from tf_psgan.runtime.stderr import STREAM

PROGRAMS = {
    "train": "learns a texture from pictures",
    "generate": "makes pictures of any size from a trained run",
    "export": "writes a trained run as a SavedModel, for TensorFlow Serving and other programs",
    "evaluate": "compares a run, or any pictures, with their sources",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one of the programs.

    Args:
      argv: the command's name and its arguments; None for those of this process.

    Returns:
      The exit code.
    """
    command, *arguments = sys.argv if argv is None else argv
    name = arguments[0] if arguments else "--help"
    if name in PROGRAMS:
        program = importlib.import_module(f"tf_psgan.cli.{name}")
        return program.main([f"{command} {name}", *arguments[1:]])
    if name in ("--help", "-h", "help"):
        print(_usage())
        return 0
    if name == "--version":
        print(f"psgan {__version__}")
        return 0
    STREAM.write(f"error: {name!r}: no program of psgan; use one of {', '.join(PROGRAMS)}.\n")
    return 2


def _usage() -> str:
    lines = ["Textures of any size, learned from pictures: Spatial GAN and Periodic Spatial GAN.", ""]
    lines += [f"  psgan {name:<9} {text}" for name, text in PROGRAMS.items()]
    return "\n".join([*lines, "", "psgan PROGRAM --help lists the flags of a program."])
