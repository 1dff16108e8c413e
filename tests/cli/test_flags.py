"""Settings become flags; a mistake is one line on standard error with its remedy; exit codes."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags as absl_flags

from tf_psgan.cli import flags as edge
from tf_psgan.cli import generate, program, train
from tf_psgan.config import Config
from tf_psgan.errors import SettingError
from tf_psgan.runtime.stderr import filtered_stderr

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = [field for kind in edge.SECTIONS.values() for field in dataclasses.fields(kind)]


@pytest.fixture
def call(capsys):
    """Runs a command line; its exit code, standard output and standard error."""

    def run(*arguments, main=lambda values: "done", define=edge.define_config):
        code = program.run(["program", *arguments], "usage", define, main)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def mistaken(call):
    """Runs a command line with a mistake; the one line about it."""

    def run(*arguments, **kwargs):
        code, out, err = call(*arguments, **kwargs)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    return run


def raising(error):
    def main(values):
        raise error

    return main


def test_without_flags_the_config_is_the_default_one(call):
    configs = []
    call(main=lambda values: str(configs.append(edge.read_config(values))))
    assert configs == [Config()]


def test_flags_reach_their_settings(call):
    arguments = ("--filters=8,4", "--images=a.png,b", "--noquadrature", "--minutes=.5", "--dtype=float32", "--seed=7")
    configs = []
    call(*arguments, main=lambda values: str(configs.append(edge.read_config(values))))
    (config,) = configs
    assert (config.model.filters, config.data.images, config.model.quadrature) == ((8, 4), ("a.png", "b"), False)
    assert (config.training.minutes, config.training.dtype, config.training.seed) == (0.5, "float32", 7)


def test_the_result_is_the_last_line_on_standard_output(call):
    assert call(main=lambda values: "runs/a") == (0, "runs/a\n", "")


def test_a_path_that_is_not_utf8_is_printed_as_its_bytes():
    code = "from tf_psgan.cli import program; program.run(['p'], '', lambda _: None, lambda _: 'runs/\\udcff')"
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment) == b"runs/\xff\n"


def test_help_shows_every_setting_with_its_default_and_help(call):
    code, out, err = call("--help")
    assert (code, err) == (0, "")
    for field in SETTINGS:
        default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        switch = f"--[no]{field.name}  (default: {'yes' if default else 'no'})"
        flag = switch if field.type is bool else f"--{field.name}={default}"
        choices = field.metadata["choices"] if field.type is str else ()  # the help of numbers names them
        text = f"<{'|'.join(choices)}>: " if choices else ""
        assert f"  {flag}\n      {text}{field.metadata['help']}\n" in out
    assert out.index("Model:") < out.index("--filters=") < out.index("Data:") < out.index("Training:")


@pytest.mark.parametrize("command", [train, generate], ids=["train", "generate"])
def test_help_of_a_program_lists_its_own_flags_and_flagfile(call, command):
    code, out, _ = call("--help", define=command.define, main=command.run)
    assert code == 0
    assert all(f"--{flag}=" in out for flag in ("run", "dtype", "flagfile"))
    assert ("Training:" in out) == (command is train)
    assert call("-h", define=command.define, main=command.run) == (0, out, "")


@pytest.mark.parametrize("path", sorted((ROOT / "flags").glob("*.cfg")), ids=lambda path: path.stem)
def test_every_preset_is_a_valid_config_with_a_run_and_a_comment(call, path):
    seen = []
    code, _, err = call(
        f"--flagfile={path}",
        define=train.define,
        main=lambda values: str(seen.append((edge.read_config(values), edge.path(values, "run")))),
    )
    assert (code, err) == (0, "")
    assert seen[0][0].data.images and seen[0][1].parent.name == "runs"
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(
    "argument, words",
    [
        ("--step=3", "Unknown command line flag 'step'. Did you mean: steps"),
        ("--steps=abc", "--steps=abc: give an integer."),
        ("--steps=1.5", "--steps=1.5: give an integer."),
        ("--minutes=abc", "--minutes=abc: give a number."),
        ("--quadrature=maybe", "--quadrature=maybe: give true or false."),
        ("--filters=8,x", "--filters=8,x: give integers"),
        ("--dtype=half", "--dtype=half: value should be one of <auto|mixed_bfloat16|float32>"),
        ("--steps", "Missing value for flag --steps"),
        ("steps=3", "'steps=3': not a flag; write --name=value"),
        ("--flagfile=nowhere.cfg", "--flagfile=nowhere.cfg: No such file or directory; correct the name."),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy(mistaken, argument, words):
    assert words in mistaken(argument)


@pytest.mark.parametrize(
    "argument, words", [("--kernel_size=7", "kernel_size: 7 is outside 5 .. 6"), ("--r1=nan", "r1: nan")]
)
def test_a_value_out_of_range_is_named(mistaken, argument, words):
    assert words in mistaken(argument, main=edge.read_config)


def test_a_later_flag_overrides_a_flagfile_with_comments_and_blank_lines(call, tmp_path):
    file = tmp_path / "my.cfg"
    file.write_text("# what it is for\n\n--steps=5\n--seed=3\n")
    _, out, _ = call(f"--flagfile={file}", "--steps=6", main=lambda values: f"{values.steps} {values.seed}")
    assert out == "6 3\n"


def test_a_line_of_a_flag_file_without_dashes_is_an_error(mistaken, tmp_path):
    file = tmp_path / "my.cfg"
    file.write_text("steps=5\n")
    assert "'steps=5': not a flag; write --name=value (in a flag file too)." in mistaken(f"--flagfile={file}")


def test_a_flag_file_that_is_no_text_is_an_error(mistaken):
    assert "not a text file" in mistaken(f"--flagfile={ROOT / 'textures' / 'honeycomb.png'}")


def test_a_missing_path_is_an_error_and_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    values = absl_flags.FlagValues()
    edge.define_run(values)
    values(["program"])
    with pytest.raises(ValueError, match="give --run=PATH"):
        edge.path(values, "run")
    values(["program", "--run=~/a"])
    assert edge.path(values, "run") == Path("/home/someone/a")


@pytest.mark.parametrize(
    "error, code, line",
    [
        (ValueError("steps: 3\n  is odd"), 2, "error: steps: 3 is odd\n"),
        (PermissionError(13, "Permission denied", "out.png"), 1, "error: out.png: Permission denied.\n"),
        (OSError("the disk is full"), 1, "error: the disk is full\n"),
        (ArithmeticError("gradients were not finite"), 1, "error: gradients were not finite\n"),
        (MemoryError("1 GiB"), 1, "error: not enough memory (1 GiB); make less at a time.\n"),
        (KeyboardInterrupt(), 130, "error: stopped by the keyboard.\n"),
        (TypeError("a fault"), 1, "error: TypeError: a fault (TF_PSGAN_DEBUG=1 shows where)\n"),
        (ValueError("x" * 5000), 2, f"error: {'x' * program.LONGEST_MESSAGE} ...\n"),
    ],
)
def test_every_error_is_one_line_and_an_exit_code(call, error, code, line):
    assert call(main=raising(error)) == (code, "", line)


@pytest.mark.parametrize(
    "settings, allowed, remedy",
    [
        (("crop_cells", "filters"), "", "; change --crop_cells or --filters."),
        (("filters",), "give 61", "; give 61 (change --filters)."),
        (("run_folder",), "train one", "; train one (change --run)."),  # an argument whose flag has another name
        (("steps",), "give 61", "; give 61."),  # the subject itself
        (("no_flag",), "give 61", "; give 61."),
        (("seed",), "give --seed=3", "; give --seed=3."),
    ],
)
def test_the_flags_to_change_are_appended_to_an_error_of_the_library(call, settings, allowed, remedy):
    error = SettingError("steps", "60 pixels", allowed, settings=settings)
    assert call(main=raising(error), define=train.define) == (2, "", f"error: steps: 60 pixels{remedy}\n")


def test_a_fault_shows_its_traceback_if_the_environment_asks_for_it(call, monkeypatch):
    monkeypatch.setenv("TF_PSGAN_DEBUG", "1")
    with pytest.raises(TypeError, match="a fault"):
        call(main=raising(TypeError("a fault")))


def test_start_up_messages_without_use_are_filtered_and_the_rest_is_written(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with filtered_stderr():
        os.write(2, b"I0000 00:00:1.2 1 port.cc:153] oneDNN custom operations are on.\n\n")
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
        os.write(2, b"E0000 00:00:1.2 1 cuda_dnn.cc:1] the driver is too old\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "E0000 00:00:1.2 1 cuda_dnn.cc:1] the driver is too old\nafter\n"


def test_what_was_written_before_an_error_is_not_lost(capfd):
    with pytest.raises(ImportError), filtered_stderr():
        os.write(2, b"libtensorflow: wrong processor\n")
        raise ImportError
    assert "wrong processor" in capfd.readouterr().err
