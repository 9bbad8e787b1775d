"""The menu in a terminal of 80 × 24 characters, as its page shows it."""

from __future__ import annotations

import base64
import importlib.util
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("menu_picture", DOCS / "pictures" / "menu.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def spool() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="spool"
    ) as name:  # its path is short: the menu prints it in lines of 80
        yield made_spool(Path(name))


def made_spool(folder: Path) -> Path:
    simulate(folder / "tooth_1.h5", SimulationConfig(columns=48, rows=4, views=60, axis_column=23.5, seed=2))
    return folder


def test_the_picture_of_the_menu_is_what_a_terminal_shows(made: ModuleType, spool: Path) -> None:
    screen = made.type_into_menu(spool, ("n 1", "a 23.5", "v 2", "h"))
    lines = ["".join(line[x].data for x in range(80)).rstrip() for line in screen.history.top]
    lines += [line.rstrip() for line in screen.display]
    assert not any("Traceback" in line or "WARNING" in line for line in lines)
    assert "scan     tooth_1.h5: 60 views of 4 × 48, pixel 3.25 µm, 25 keV" in lines
    assert "axis     column 23.50, given" in lines
    # The slice, what lies below it and the prompt fit in one screen; nothing of them was broken by its edge.
    first = next(k for k, line in enumerate(lines) if line.startswith("▀"))
    picture = [line for line in lines if line.startswith("▀")]
    assert lines[first : first + len(picture)] == picture
    below = lines[first + len(picture) : lines.index("menu> h")]
    warnings = next(k for k, line in enumerate(below) if line.startswith("! "))
    told = below[:warnings]
    assert len(picture) + len(told) + 1 <= made.LINES
    assert 15 <= len(picture) == len(picture[0]) / 2
    assert told[0].startswith("picture file:///")
    where = r"mm from axis and first row: x -\S+ to \S+, y -\S+ to \S+, z \S+"
    assert re.search(where, " ".join(" ".join(told).split()))
    warned = " ".join(line[2:] for line in below[warnings:])
    assert "the highest the detector can tell: they are saturated" in warned
    # Letters stand in one column, and what they do in another.
    listed = lines[lines.index("menu> h") + 1 : -1]
    starts = {re.match(r"  (\S+ +)\S", line).end() for line in listed if line.startswith("  ")}  # type: ignore[union-attr]
    assert len(starts) == 1
    image = made.draw(screen)
    assert image.size == (80 * made.CELL[0], len(lines) * made.CELL[1])
    greys = {image.getpixel((x, first * made.CELL[1] + 4))[0] for x in range(0, 200, 4)}
    assert len(greys) > 2
    with Image.open(DOCS / "pictures" / "menu.png") as kept:
        assert kept.width == image.width


def test_a_terminal_that_shows_true_pictures_is_given_the_slice(made: ModuleType, spool: Path) -> None:
    screen = made.type_into_menu(spool, ("n 1", "a 23.5", "v 2"), {"TOMARIUM_PICTURES": "kitty"})
    pieces = re.findall(rb"\x1b_G[^;]*;([^\x1b]*)\x1b\\", screen.written)
    with Image.open(io.BytesIO(base64.b64decode(b"".join(pieces)))) as shown:
        assert shown.tobytes() == Image.open(spool / "results" / "tooth_1_slice.png").tobytes()
