"""`psgan PROGRAM`: each program runs with its own flags; anything else is one line."""

import pytest

from tf_psgan import __version__
from tf_psgan.cli import main


@pytest.fixture
def psgan(capsys):
    """Runs the command; its exit code, standard output and standard error."""

    def run(*arguments):
        code = main.main(["psgan", *arguments])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_the_programs(psgan, arguments):
    code, out, err = psgan(*arguments)
    assert (code, err) == (0, "")
    assert all(f"  psgan {name} " in out for name in main.PROGRAMS)


@pytest.mark.parametrize(
    "name, flag",
    [("train", "--preset="), ("generate", "--paint="), ("export", "--most_side="), ("evaluate", "--sheet=")],
)
def test_a_program_lists_its_own_flags(psgan, name, flag):
    code, out, err = psgan(name, "--help")
    assert (code, err) == (0, "") and flag in out and f"psgan {name} " in out


def test_the_version_is_that_of_the_package(psgan):
    assert psgan("--version") == (0, f"psgan {__version__}\n", "")


def test_an_unknown_program_is_an_error(psgan):
    code, out, err = psgan("paint")
    assert (code, out) == (2, "") and err.startswith("error: 'paint': no program of psgan; use one of train, generate")
