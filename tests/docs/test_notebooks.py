"""The notebooks of the documentation run from top to bottom, and are kept without outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from warm import Warm

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
IN_FOLDER = "import os, sys; os.chdir(sys.argv[1]); os.environ['TOMARIUM_HOME'] = sys.argv[1]\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, warm: Warm, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells), "clear the outputs"
    done = warm.run(IN_FOLDER + "\n\n".join(cell.source for cell in cells), tmp_path)
    assert done.returncode == 0, done.output
    assert done.output.strip()
