"""A value walks from a command to the kernel through few files, and only down the floors."""

import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tomarium
from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange

SOURCE = Path(tomarium.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md"
CASES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "fbp.window": (
        ["--set", "fbp.window=hann"],
        {"steps/core/values.py:check": "hann", "kernels/fbp.py:fbp": "hann"},
    ),
    "paganin.delta_beta": (
        ["--step", "paganin", "--set", "paganin.delta_beta=77.5"],
        {"steps/core/values.py:check": "77.5", "steps/phase/paganin.py:paganin": 77.5},
    ),
    "--pixel": (
        ["--pixel", "0.7 um"],
        {"units.py:parse": "0.7 um", "steps/reconstruct/fbp.py:fbp": 7e-7},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "scan.h5"
    scan = make_scan(angles=20, columns=32).with_geometry(pixel_m=None)
    data_exchange.FORMAT.write(path, scan)  # type: ignore[misc]
    return path


def holds(given: Any, value: Any) -> bool:
    """Tell whether a variable is the value, or a list or mapping that has it; not an object that was made of it."""
    if isinstance(given, str):
        return isinstance(value, str) and value in given
    if type(given) in (tuple, list):
        return any(holds(one, value) for one in given)
    if type(given) is dict:
        return any(holds(one, value) for one in given.values())
    return type(given) is float and given == value


def rooms(frame: FrameType | None, value: Any) -> list[str]:
    """Return the files whose functions hold the value, outermost first, of the calls that led to a frame."""
    found: list[str] = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(SOURCE) and any(holds(one, value) for one in frame.f_locals.values()):
            found.append(path.relative_to(SOURCE).as_posix())
        frame = frame.f_back
    return list(dict.fromkeys(reversed(found)))


def walk(arguments: list[str], ends: dict[str, Any]) -> list[list[str]]:
    """Run a command, and return for each end the rooms that the value entered on the way there."""
    reached: dict[str, list[str]] = {}

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_code.co_name not in names:
            return
        end = next(
            (
                one
                for one in ends
                if one not in reached and frame.f_code.co_filename.endswith(one.split(":")[0])
            ),
            None,
        )
        if end is not None and end.endswith(f":{frame.f_code.co_name}"):
            led = rooms(frame, ends[end])
            if led and led[-1] == end.split(":")[0]:
                reached[end] = led

    names = {end.split(":")[1] for end in ends}
    tracers: tuple[Callable[..., None], ...] = (sys.setprofile, threading.setprofile)
    for tracer in tracers:
        tracer(look)
    try:
        assert execute(arguments) in (0, 1)
    finally:
        for tracer in tracers:
            tracer(None)
    assert list(reached) == list(ends), "an end that no value reached: the test has lost the way"
    return [[room for room in led if room != "cli/__init__.py"] for led in reached.values()]


def floor_of(room: str, floors: list[set[str]]) -> int:
    name = room.removesuffix(".py").split("/")[0]
    return next(number for number, floor in enumerate(floors) if name in floor)


@pytest.mark.parametrize("name", CASES)
def test_a_value_enters_at_most_six_rooms_and_climbs_none(name: str, scan_file: Path, tmp_path: Path) -> None:
    options, ends = CASES[name]
    arguments = ["slice", str(scan_file), "--axis", "15.25", *options, "-o", str(tmp_path / "slice.npy")]
    if name != "--pixel":
        arguments += ["--pixel", "1 um", "--energy", "20 keV", "--distance", "10 cm"]
    legs = walk(arguments, ends)
    found = list(dict.fromkeys(room for leg in legs for room in leg))
    assert len(found) <= 6, found
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [{one.strip() for one in layer.split(":")} for layer in layers]
    for leg in legs:
        at = [floor_of(room, floors) for room in leg]
        assert at == sorted(at), leg
    [row] = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| `{name}` |")]
    assert row.split("`")[3::2] == found
