"""Makes the golden run and export of the present schema version: python -m tests.golden.make"""

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from tests.golden.stored import CONFIG, WINDOWS
from tf_psgan.config import SCHEMA_VERSION
from tf_psgan.exporting.export import export
from tf_psgan.loading import load_plane
from tf_psgan.training.training_loop import train

RUN = ("config.json", "conditions.json", "manifest.json", "metrics.jsonl", "textures", "checkpoints")
EXPORT = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets.extra/description.json",
)


def main() -> None:
    here = Path(__file__).parent.resolve()
    target = here / f"version_{SCHEMA_VERSION}"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(here / "pictures", Path(folder) / "pictures")
        os.chdir(folder)  # so that the files hold relative paths
        train(CONFIG, Path("run"))
        exported = export(Path("run"), Path("export"), dtype="float32")
        (target / "run").mkdir(parents=True)
        for name in RUN:
            (shutil.copytree if Path("run", name).is_dir() else shutil.copy)(Path("run", name), target / "run" / name)
        with zipfile.ZipFile(target / "export.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in EXPORT:
                archive.write(exported / name, f"1/{name}")
        plane = load_plane("run", "float32")
        np.savez_compressed(
            target / "windows.npz", **{name: plane.window(**arguments) for name, arguments in WINDOWS.items()}
        )


if __name__ == "__main__":
    main()
