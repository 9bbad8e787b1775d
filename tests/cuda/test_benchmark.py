"""The script that measures on a GPU runs to its end without one, and its figures come onto a page."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cuda_on_processor import OnProcessor, why_not

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_everything_is_measured_at_tiny_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    monkeypatch.setattr(gpu, "twins", lambda device: {"flat_log": "well"})  # test_twins.py runs them
    assert gpu.main(["--processor", "--results", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "gpu.json").read_text())["figures"]
    assert max(figures["full size"].values()) < 1e-3
    assert figures["volume"]["seconds"] > 0
    assert figures["disk to disk"]["to writing"] > 0
    assert [row["name"] for row in figures["kernels"] if row.get("ms", 0) <= 0 and "GB/s" not in row] == []
    assert len(figures["kernels"]) == 16
    page = (tmp_path / "performance.md").read_text()
    assert "### the processor, no GPU" in page
    assert "24 columns and 5 rows were tried" in page


def test_what_was_not_measured_is_said_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import performance_page

    left_out = {"note": "left out: the time was spent"}
    parts = ("volume", "kernels", "disk to disk", "astra", "full size")
    figures = {"device": {"name": "a GPU"}, "twins": {"project": "differs"}} | dict.fromkeys(parts, left_out)
    page = performance_page.gpu_table(figures)
    assert "project: differs" in page
    assert page.count("left out: the time was spent") == 4
    ours = [{"name": f"{what} of 8 slices", "ms": 12.0} for what in ("forward projection", "its transpose")]
    theirs = [{"name": f"ASTRA 2.5.0, {word}_CUDA, a slice", "ms": 6.0} for word in ("BP", "FP")]
    assert performance_page.beside_astra(figures | {"kernels": ours, "astra": theirs}) == 4


def test_without_figures_the_page_says_that_nothing_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import performance_page

    page = performance_page.page({}, None)
    assert "Not measured: no GPU was at hand" in page
    assert page.count("| not measured |") == len(performance_page.TARGETS) + len(performance_page.GPU_TARGETS)


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_what_the_page_shows_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "how-to" / "gpu.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    monkeypatch.setattr("tomarium.kernels.cuda.modules.modules", lambda number: OnProcessor())
    names: dict[str, Any] = {}
    exec(compile(code, "gpu.md", "exec"), names)
    assert np.isfinite(names["slices"]).all()
    assert names["slices"][0, 24, 24] > 0
    for words in re.findall(r"bash (\S+\.sh)|python (\S+\.py)", page):
        assert (ROOT / "".join(words)).exists()
