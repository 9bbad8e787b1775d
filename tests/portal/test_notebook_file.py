"""The notebook of a record: valid by Jupyter's own schema, and its cells run against the portal."""

import io
import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

import nbformat
import numpy as np
import pytest

from app_client import TestClient
from tomarium.model import Record
from tomarium.portal.notebook_file import _heading


@pytest.fixture
def notebook(client: TestClient) -> dict[str, Any]:
    answer = client.get("/records/tooth/notebook.ipynb")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''tooth.ipynb"
    nbformat.validate(nbformat.reads(answer.text, as_version=4))
    return json.loads(answer.text)


@pytest.fixture
def through_the_client(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let what a cell fetches come from the application."""
    asked: list[str] = []

    def urlopen(request: urllib.request.Request) -> io.BytesIO:
        asked.append(request.full_url)
        answer = client.get(request.full_url, headers=dict(request.headers))
        assert answer.status_code == 200
        return io.BytesIO(answer.content)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_its_cells_run(
    notebook: dict[str, Any], through_the_client: list[str], folder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    import zarr

    stored = np.asarray(zarr.open_group(folder / "volume.ome.zarr", mode="r")["0"])
    np.testing.assert_array_equal(names["volume"], stored)
    assert names["step"] == [0.65] * 3
    assert names["low"] < names["high"]
    shown = [axis.images[0].get_array() for axis in names["figure"].axes[:3]]
    for axis, image in enumerate(shown):
        np.testing.assert_array_equal(image, stored.take(stored.shape[axis] // 2, axis))
    assert "pixel_m: 6.5e-07 m (read)" in capsys.readouterr().out
    names["plt"].close("all")


def test_it_is_offered_on_the_page_and_says_what_it_is(client: TestClient, notebook: dict[str, Any]) -> None:
    assert 'href="/records/tooth/notebook.ipynb"' in client.get("/records/tooth").text
    heading = "".join(notebook["cells"][0]["source"])
    assert heading.startswith("# Tooth\n")
    assert "http://testserver/records/tooth" in heading
    assert client.get("/records/nothing/notebook.ipynb").status_code == 404


@pytest.mark.parametrize(
    "title",
    [
        "![x](http://evil.example/seen.png)",
        "<img src=http://evil.example/>",
        "a\n\n```\nrm",
        "[here](http://evil.example)",
    ],
)
def test_a_title_is_text_in_a_notebook_and_nothing_else(title: str) -> None:
    record = Record("tooth", title, created=datetime(2026, 11, 20, tzinfo=UTC), licence="![y](z)")
    heading = _heading(record, "https://data.example.org/records/tooth")
    for harm in ("](", "<img", "\n```", "!["):
        assert harm not in heading
    assert heading.startswith("# ")
    assert "<https://data.example.org/records/tooth>" in heading
