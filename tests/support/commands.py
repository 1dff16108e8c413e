"""Runs the programs as a user does, as processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(*arguments):
    """Starts a program from the root of the project; the process."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, **pipes)


def call(*arguments, code=0):
    """Runs a program to its end; its standard output and standard error."""
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out, err


def fail(*arguments, code=2):
    """Runs a program that must fail; the one line that it writes."""
    out, err = call(*arguments, code=code)
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1, err
    return err
