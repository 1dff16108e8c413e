"""The notebook of `examples/` runs from top to bottom, and is stored without its results."""

import nbformat
from nbclient import NotebookClient

from tests.support.page import ROOT

NOTEBOOK = ROOT / "examples" / "tour.ipynb"


def test_the_tour_runs_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    pictures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 3
    assert (tmp_path / "loop.gif").is_file() and (tmp_path / "models" / "honeycomb" / "1").is_dir()


def test_the_tour_is_stored_without_results():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
