"""The public names: typed, loaded when first used, each documented."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tf_psgan
from tf_psgan.cli.flags import SECTIONS

STUB = Path(tf_psgan.__file__).with_suffix(".pyi")

SCRIPT = """
from pathlib import Path

import numpy as np

import tf_psgan
from tf_psgan import Config, DataConfig, Plane, TrainingConfig

config = Config(data=DataConfig(images=("brick.png",)), training=TrainingConfig(minutes=4))
run = tf_psgan.train(config, Path("runs/brick"), progress=True)
plane = Plane.from_run(run)
window: np.ndarray = plane.window(512, 512, top=-100, left=2**33, seed=1, texture=0)
tile: np.ndarray = plane.tile(256, 256, axes="xy", texture=[0.5, -1.0])
result = tf_psgan.evaluate(run, samples=4)
print(result.to_text(), tf_psgan.export(run, "models/brick", dtype="float32"))
"""


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """Runs mypy --strict on a script outside the project; its exit code and report. The second run uses the cache."""
    tmp_path = tmp_path_factory.mktemp("user")

    def check(script):
        (tmp_path / "user.py").write_text(script)
        call = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent", "user.py"]
        environment = os.environ | {"MYPYPATH": str(STUB.parents[1])}  # an editable installation is not searched
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    return check


def test_a_script_of_a_library_user_type_checks_strictly(mypy):
    assert mypy(SCRIPT) == (0, "")


def test_wrong_arguments_are_type_errors(mypy):
    code, report = mypy(SCRIPT.replace("samples=4", 'samples="4"').replace("texture=0", "text=0"))
    assert code == 1 and 'Argument "samples" to "evaluate"' in report and 'Unexpected keyword argument "text"' in report


def test_importing_the_package_does_not_load_tensorflow():
    code = "import sys, tf_psgan; tf_psgan.Config(), dir(tf_psgan); print('tensorflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_the_stub_lists_what_it_imports_and_every_name_loads_with_a_docstring():
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    listed = ast.literal_eval(next(node.value for node in tree.body if isinstance(node, ast.Assign)))
    assert sorted(imported) == sorted(listed) == sorted(tf_psgan.__all__)
    for name in set(listed) - {"__version__"}:
        assert inspect.getdoc(getattr(tf_psgan, name)), name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        tf_psgan.no_such_name  # noqa: B018


def test_the_configs_are_those_of_the_command_line():
    assert {
        tf_psgan.ModelConfig,
        tf_psgan.DataConfig,
        tf_psgan.TrainingConfig,
        tf_psgan.RenderingConfig,
    } == set(SECTIONS.values())
