"""The light table: any of the three slices may be the large one, and it comes first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tomarium.errors import ParameterError
from tomarium.model import FileEntry, Part, Record
from tomarium.viewers.slices import _thin_rows, render
from tomarium.viewers.viewer import View


def shown(folder: Path, shape: tuple[int, ...] = (12, 16, 16), **choices: str) -> str:
    record = Record(
        "a",
        "A",
        datetime(2026, 1, 1, tzinfo=UTC),
        parts=(
            Part(
                "volume",
                "volume.ome.zarr",
                summary={"shape": list(shape), "window": [0, 2], "voxel_m": 1e-6},
            ),
        ),
        files=(FileEntry("volume.ome.zarr/", 1, "0" * 64, role="volume"),),
    )

    def page(changes: dict[str, str | None]) -> str:
        return "?" + "&".join(f"{key}={text}" for key, text in {**choices, **changes}.items() if text)

    return str(render(record, View(folder, choices, page, str, lambda name, _: name)).html)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    return make_volume(tmp_path_factory.mktemp("slices") / "volume.ome.zarr", size=16).parent


@pytest.mark.parametrize(("main", "order"), [("", "zyx"), ("z", "zyx"), ("y", "yzx"), ("x", "xzy")])
def test_the_large_slice_comes_first(folder: Path, main: str, order: str) -> None:
    html = shown(folder, main=main)
    assert "".join(re.findall(r'data-plane="(\w)"', html)) == order
    assert html.count("tile-main") == 1
    assert html.count("Show ") - html.count("Show the slices") == 2
    if main:
        assert f'name="main" value="{main}"' in html  # the form keeps it


def test_no_other_word_is_an_axis(folder: Path) -> None:
    with pytest.raises(ParameterError, match="choose z, y or x"):
        shown(folder, main="w")


def test_a_plane_of_a_few_rows_says_so(folder: Path) -> None:
    assert (_thin_rows(2, 640), _thin_rows(1, 640), _thin_rows(100, 640)) == (2, 1, 0)
    assert shown(folder, (2, 640, 640)).count("2 rows only: nothing to see here") == 2
    assert shown(folder, (1, 640, 640)).count("1 row only: nothing to see here") == 2
    assert "nothing to see here" not in shown(folder)
