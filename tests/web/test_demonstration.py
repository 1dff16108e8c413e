"""The script of the demonstration page."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import page


@pytest.mark.long
def test_the_script_makes_a_page_of_a_preset(tmp_path):
    for name in ("train.py", "export.py", "textures"):
        (tmp_path / name).symlink_to(page.ROOT / name)
    environment = os.environ | {
        "ONNXRUNTIME_WEB": str(page.stand_in(tmp_path / "runtime")),
        "PYTHONPATH": os.pathsep.join([str(page.ROOT), str(page.ROOT / "serving")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    command = [shutil.which("bash"), str(page.ROOT / "examples" / "demonstration.sh"), "page", "smoke"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert page.meta(tmp_path / "page")[0]["name"] == "smoke"
