"""Worksheets against bodies of known size: every answer is right within the tolerance that stands beside it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from tomarium.catalogue import file_record, read_record
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.model import Part, Record, Value
from tomarium.viewers.prominent_parts import body_of
from tomarium.viewers.worksheet import Task, Worksheet, worksheet

HALF = (14.0, 11.0, 17.0)
"""Half axes (z, y, x) of the ellipsoid, in voxels of 20 µm along z and 10 µm across."""
VOXEL_M = (20e-6, 10e-6, 10e-6)
SHAPE = (40, 48, 56)


def write(path: Path, values: np.ndarray, voxel_um: tuple[float, ...] | None) -> None:
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.create_array("0", data=values.astype(np.float32))
    scale = [{"type": "scale", "scale": list(voxel_um or (1.0, 1.0, 1.0))}]
    unit = {"unit": "micrometer"} if voxel_um else {}
    axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
    root.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}],
    }


def body(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    inside = (z[:, None, None] / HALF[0]) ** 2 + (y[:, None] / HALF[1]) ** 2 + (x / HALF[2]) ** 2 <= 1
    return inside + np.random.default_rng(1).normal(0, 0.1, shape)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("worksheets")
    write(home / "egg" / "volume.ome.zarr", body(), tuple(1e6 * one for one in VOXEL_M))
    write(home / "shade" / "volume.ome.zarr", body(), None)
    write(home / "fog" / "volume.ome.zarr", np.full((6, 20, 20), 3.0), (5.0, 5.0, 5.0))
    for id in ("egg", "shade", "fog"):
        taken = {"projections": Value(60, "read", "scan.h5")}
        file_record(home / id, title=id.capitalize(), id=id, licence="CC-BY-4.0", parameters=taken)
    (home / "none").mkdir()
    (home / "none" / "notes.txt").write_text("nothing")
    file_record(home / "none", title="None", id="none", parts=[Part("document", "notes.txt")])
    return home


def made(home: Path, id: str, level: str = "student") -> tuple[Record, Worksheet, dict[str, Task]]:
    record = read_record(home / id)
    sheet = worksheet(record, home / id, level)
    return record, sheet, {one.title: one for one in sheet.tasks}


def test_every_answer_is_that_of_the_body(home: Path) -> None:
    _, sheet, tasks = made(home, "egg")
    truth = {
        "Measure with the scale bar": 2 * HALF[2] * 1e3 * VOXEL_M[2],
        "How many times larger?": 0.08 / (SHAPE[2] * VOXEL_M[2]),
        "Count the slices": SHAPE[0],
        "From counting to a volume": 4 / 3 * math.pi * math.prod(HALF) * math.prod(1e3 * v for v in VOXEL_M),
        "What share is filled?": 100 * 4 / 3 * math.pi * math.prod(HALF) / math.prod(SHAPE),
        "How much room does it take?": math.prod(SHAPE) * 2e-6,
        "How many photos?": math.pi / 2 * SHAPE[2],
    }  # fmt: skip
    for title, value in truth.items():
        task = tasks[title]
        assert abs(task.value - value) <= task.tolerance, title
        assert task.tolerance <= 0.2 * value, title  # or it would be right whatever one answers
    assert tasks["From counting to a volume"].value == pytest.approx(
        truth["From counting to a volume"], rel=0.03
    )
    assert tasks["Measure with the scale bar"].value == pytest.approx(
        truth["Measure with the scale bar"], rel=0.06
    )
    assert sheet.left_out == ()
    assert "In truth 60 were taken, 68 % of that" in tasks["How many photos?"].answer


def test_the_answers_follow_from_what_stands_on_the_sheet(home: Path) -> None:
    """Whoever computes with the printed numbers alone is told that they are right."""
    _, sheet, tasks = made(home, "egg")

    def numbers(title: str) -> list[float]:
        text = tasks[title].text.replace("\u202f", "").replace("–", " ")
        return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)]

    high, step = numbers("Count the slices")
    assert abs(high / step - tasks["Count the slices"].value) <= tasks["Count the slices"].tolerance
    wide, deep, tall, count = numbers("From counting to a volume")
    told = tasks["From counting to a volume"]
    assert abs(wide * deep * tall * count - told.value) <= told.tolerance  # all three in mm
    total = numbers("What share is filled?")[0]
    assert 100 * count / total == pytest.approx(tasks["What share is filled?"].value)
    x, y, z, size = numbers("How much room does it take?")[:4]
    assert x * y * z * size / 1e6 == tasks["How much room does it take?"].value
    # With a ruler on the paper, to a millimetre:
    (_, left, _), (_, right, _) = sheet.picture.marks
    paper = sheet.picture.width_mm / sheet.picture.columns
    bar = sheet.picture.bar_fraction * sheet.picture.width_mm
    length = tasks["Measure with the scale bar"]
    for off in (-0.5, 0.5):
        read = ((right - left) * paper + off) / (bar - off) * sheet.picture.bar_m * 1e3
        assert abs(read - length.value) <= length.tolerance * 1.05
    assert sheet.picture.bar == "0.1 mm"
    assert (right - left) * VOXEL_M[2] * 1e3 == pytest.approx(length.value)


def test_the_marks_lie_at_the_ends_of_the_body(home: Path) -> None:
    record, sheet, _ = made(home, "egg")
    (a, left, row), (b, right, below) = sheet.picture.marks
    assert (a, b, row) == ("A", "B", below)
    assert left == pytest.approx(SHAPE[2] / 2 - HALF[2], abs=1.1)
    assert right == pytest.approx(SHAPE[2] / 2 + HALF[2], abs=1.1)
    assert row == pytest.approx(SHAPE[1] / 2, abs=2.5)
    assert sheet.picture.index == pytest.approx(SHAPE[0] / 2, abs=3)
    body = body_of(record, home / "egg")
    assert body is not None
    assert body.areas.sum() == body.count


def test_what_is_cut_off_is_not_measured(tmp_path: Path) -> None:
    """Bars across the whole slice, and one of known length that ends before its edges."""
    values = np.zeros((8, 40, 60))
    values[:, 4:12], values[:, 28:36], values[:, 16:24, 15:45] = 1, 1, 1
    write(tmp_path / "bars" / "volume.ome.zarr", values, (10.0, 10.0, 10.0))
    file_record(tmp_path / "bars", title="Bars", id="bars")
    _, sheet, tasks = made(tmp_path, "bars")
    assert [one[1] for one in sheet.picture.marks] == pytest.approx([15, 45], abs=0.51)
    assert 16 < sheet.picture.marks[0][2] < 24
    assert (
        abs(tasks["Measure with the scale bar"].value - 0.3) <= tasks["Measure with the scale bar"].tolerance
    )


def test_the_widest_slice_is_the_widest(home: Path) -> None:
    _, _, tasks = made(home, "egg", "pupil")
    task = tasks["Find the widest slice"]
    middle = (SHAPE[0] - 1) / 2
    near = sorted(task.pictures, key=lambda one: abs(one.index - middle))
    assert [one.letter for one in task.pictures] == list("ABCD")
    assert [one.index for one in task.pictures] == sorted(one.index for one in task.pictures)
    assert task.value == near[0].index
    assert task.answer == f"{near[0].letter}, the slice z = {near[0].index}"
    area = [1 - ((one.index - middle) / HALF[0]) ** 2 for one in near]
    assert area[0] >= 1.1 * area[1]


def test_levels_differ_and_nothing_is_asked_that_is_not_there(home: Path) -> None:
    _, sheet, tasks = made(home, "egg", "pupil")
    assert len(sheet.tasks) == 6
    assert "What share is filled?" not in tasks
    assert "1.6 times" in tasks["How many photos?"].text
    _, fog, asked = made(home, "fog")
    assert "From counting to a volume" not in asked
    assert "Find the widest slice" not in asked
    assert len(fog.left_out) == 2
    assert [one[1] for one in fog.picture.marks] == pytest.approx([4, 16])
    record = read_record(home / "egg")
    assumed = replace(record, parameters={"projections": Value(60, "default", "")})
    photos = worksheet(assumed, home / "egg", "pupil").tasks[-1]
    assert "were taken" not in photos.answer


@pytest.mark.fast
def test_a_record_without_volume_or_voxel_size_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"none: has no volume \(OME-Zarr\)"):
        made(home, "none")
    with pytest.raises(InputError, match="shade: the size of its voxels is not known"):
        made(home, "shade")
    assert execute(["worksheet", str(home / "shade"), "--out", str(tmp_path / "a.html")]) == 2
    assert "size of its voxels is not known" in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()


def test_the_command_writes_a_page_that_needs_no_other(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "egg.html"
    assert execute(["worksheet", str(home / "egg"), "--out", str(target)]) == 0
    text = target.read_text()
    assert text.count('src="data:image/png;base64,') == 5
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "Answers" in text
    assert execute(["worksheet", str(home / "egg"), "--out", str(target)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert execute(["worksheet", str(home / "egg"), "--out", str(target), "--overwrite", "--no-answers"]) == 0
    assert "Answers" not in target.read_text()
    assert "π ÷ 2 (Crowther" not in target.read_text()
    assert execute(["worksheet", str(home / "egg"), "--out", str(tmp_path / "egg.docx")]) == 2
    capsys.readouterr()
    assert execute(["worksheet", str(home / "egg"), "--json", "--level", "student"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tasks"]) == 8


SIDE = 60
DARK_M = (10e-6, 10e-6, 10e-6)
BUBBLES = ((24, 22, 24, 9.0), (34, 38, 36, 7.0))
"""Middle (z, y, x) and radius of the hollows, voxels."""


def ball(z0: float, y0: float, x0: float, radius: float) -> np.ndarray:
    z, y, x = np.ogrid[:SIDE, :SIDE, :SIDE]
    return np.asarray((z - z0) ** 2 + (y - y0) ** 2 + (x - x0) ** 2 <= radius**2)


@pytest.fixture(scope="module")
def hollow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A block with two hollows that fills the picture, the same in a circle, and a loaf in air with these hollows."""
    home = tmp_path_factory.mktemp("hollow")
    holes = np.logical_or.reduce([ball(*one) for one in BUBBLES])
    noise = np.random.default_rng(2).normal(0, 0.08, (SIDE,) * 3)
    y, x = np.ogrid[:SIDE, :SIDE]
    middle = (SIDE - 1) / 2
    circle = (y - middle) ** 2 + (x - middle) ** 2 < (SIDE / 2) ** 2
    loaf = ball(middle, middle, middle, 27)
    values = {
        "stone": 1.0 - holes + noise,
        "core": np.where(circle, 1.0 - holes + noise, 0.0),
        "bread": (loaf & ~holes) + noise,
    }
    for id, one in values.items():
        write(home / id / "volume.ome.zarr", one, tuple(1e6 * side for side in DARK_M))
        file_record(home / id, title=id.capitalize(), id=id)
    return home


@pytest.mark.parametrize(
    ("id", "parts", "room"),
    [
        ("stone", "", float(SIDE**3)),
        ("core", "", math.pi / 4 * SIDE**3),
        ("bread", "dark", 4 / 3 * math.pi * 27**3),
    ],
)
def test_hollows_are_asked_about_where_the_specimen_is_around_them(
    hollow: Path, id: str, parts: str, room: float
) -> None:
    record = read_record(hollow / id)
    sheet = worksheet(record, hollow / id, "student", parts)
    tasks = {one.title: one for one in sheet.tasks}
    assert sheet.parts == "dark"
    assert sheet.left_out == ()
    volume = sum(4 / 3 * math.pi * radius**3 for *_, radius in BUBBLES)
    truth = {
        "From counting to a volume": volume * (1e3 * DARK_M[0]) ** 3,
        "What share is dark?": 100 * volume / room,
        "Measure with the scale bar": 2 * BUBBLES[0][3] * 1e3 * DARK_M[0],
    }
    for title, value in truth.items():
        assert abs(tasks[title].value - value) <= tasks[title].tolerance, title
        assert tasks[title].value == pytest.approx(value, rel=0.12), title
    # A and B lie on both sides of the larger hollow.
    (_, left, row), (_, right, _) = sheet.picture.marks
    z, y, x, radius = BUBBLES[0]
    assert [left, right] == pytest.approx([x + 0.5 - radius, x + 0.5 + radius], abs=1.6)
    assert row == pytest.approx(y + 0.5, abs=2.6)
    assert sheet.picture.index == pytest.approx(z, abs=3)
    widest = tasks["Find the widest slice"]
    area = [sum(max(0.0, r**2 - (one.index - z0) ** 2) for z0, _, _, r in BUBBLES) for one in widest.pictures]
    assert widest.value == widest.pictures[int(np.argmax(area))].index
    named = "dark parts inside the specimen" if id == "bread" else "dark parts"
    assert f"filled the {named} with" in tasks["From counting to a volume"].text
    assert f"most of the {named}?" in widest.text
    assert "bright parts" not in " ".join(one.text for one in sheet.tasks)
    assert "Dark area" in widest.way
    count, total = (float(one.replace("\u202f", "")) for one in tasks["What share is dark?"].way.split(" ÷ "))
    assert tasks["What share is dark?"].value == pytest.approx(100 * count / total)


def test_what_is_asked_about_is_found_or_chosen(hollow: Path, home: Path) -> None:
    def parts_of(folder: Path, parts: str = "") -> str:
        return worksheet(read_record(folder), folder, "pupil", parts).parts

    assert parts_of(hollow / "bread") == "bright"
    assert parts_of(hollow / "core", "bright") == "bright"
    assert parts_of(home / "egg") == "bright"
    sheet = worksheet(read_record(home / "egg"), home / "egg", "student", "dark")
    assert sheet.parts == ""
    assert any("no dark parts stand out" in one for one in sheet.left_out)
    assert "What share is dark?" not in {one.title for one in sheet.tasks}
    with pytest.raises(InputError, match="choose bright or dark"):
        parts_of(home / "egg", "grey")


def test_a_pore_that_is_open_to_the_air_is_not_inside(tmp_path: Path) -> None:
    values = np.zeros((SIDE,) * 3)
    values[5:55, 5:55, 5:55] = 1
    values[20:40, 15:25, 15:25] = 0  # closed in by bright parts in each slice
    values[20:40, 40:60, 35:45] = 0  # open at one side
    write(tmp_path / "box" / "volume.ome.zarr", values, (10.0, 10.0, 10.0))
    file_record(tmp_path / "box", title="Box", id="box")
    found = body_of(read_record(tmp_path / "box"), tmp_path / "box", "dark")
    assert found is not None
    assert found.closed
    assert abs(found.count - 20 * 10 * 10) <= found.unsure < 600  # with the open one it would be 6000


def test_the_command_takes_the_dark_parts(
    hollow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["worksheet", str(hollow / "bread"), "--json", "--level", "student", "--parts", "dark"]
    assert execute(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parts"] == "dark"
    target = tmp_path / "bread.html"
    assert execute(["worksheet", str(hollow / "bread"), "--parts", "dark", "--out", str(target)]) == 0
    assert "dark parts inside the specimen" in target.read_text()
