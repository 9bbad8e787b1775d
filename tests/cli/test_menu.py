"""`tomarium menu` as a script and at a terminal."""

from __future__ import annotations

import io
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tomarium as tm
from tomarium.beamtime.menu_letters import find_letter
from tomarium.beamtime.scan_parameters import ScanParameters
from tomarium.cli import execute, interrupts, menu, show
from tomarium.cli.menu_actions import Menu, letters
from tomarium.cli.menu_console import Console
from tomarium.pipeline.protocol.choice import Choice
from tomarium.pipeline.protocol.protocol import to_data
from tomarium.steps.core.serialization import describe, find_step
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

Typed = Callable[..., int]


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two scans of one kind, and one with other pixels; what is no scan lies among them."""
    folder = tmp_path_factory.mktemp("spool")
    for name, columns in (("tooth_1", 48), ("tooth_2", 48), ("wood", 40)):
        config = SimulationConfig(columns=columns, rows=6, views=60, axis_column=23.5, seed=2)
        simulate(folder / f"{name}.h5", config)
    (folder / "notes.txt").write_text("what we did\n")
    return folder


@pytest.fixture
def typed(spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Type lines into the menu, as a script does, and return its exit code."""

    def send(*lines: str, where: Path = spool) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return execute(["menu", str(where), "-o", str(tmp_path)])

    return send


@pytest.fixture(scope="module")
def menu_of_module(spool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Menu]:
    """A menu in which a scan is chosen."""
    chosen = Menu(spool, tmp_path_factory.mktemp("menu"), Console(letters()))
    chosen.choose(spool / "tooth_1.h5")
    yield chosen
    chosen.close()


@pytest.fixture
def opened(menu_of_module: Menu) -> Menu:
    """The same without any parameter."""
    menu_of_module.parameters = ScanParameters(menu_of_module.parameters.scan)
    return menu_of_module


def steps(folder: Path, name: str = "tooth_1") -> dict[str, Any]:
    """Return the protocol of a scan: step → what is given."""
    protocol = Choice(path=folder / f"{name}_protocol.txt").protocol()
    return {name: values for entry in to_data(protocol)["steps"] for name, values in entry.items()}


@pytest.mark.parametrize(
    ("line", "step", "values"),
    [
        ("p 50", "paganin", {"length_px": 50.0, "unsharp_sigma_px": 2.0, "unsharp_coefficient": 0.5}),
        ("paganin.py 50 1 0", "paganin", {"length_px": 50.0, "unsharp_sigma_px": 1.0, "unsharp_coefficient": 0.0}),
        ("f", "double_flat_field", {"columns": 9, "rows": 9, "mean_of": "transmission"}),
        ("f 11 5", "double_flat_field", {"columns": 11, "rows": 5, "mean_of": "transmission"}),
        ("d on", "half_acquisition", {"mode": "on"}),
        ("d off", "half_acquisition", {"mode": "off"}),
        ("d", "half_acquisition", {}),
        ("w -12.5", "fbp", {"angle_offset_deg": "-12.5 deg"}),
        ("z 0.01", "minus_log", {"lowest_transmission": 0.01}),
        ("rs", "remove_spikes", {}),
        ("m y 6", "movement_correction", {"degree": 1, "coarsest_px": 6.0}),
        ("mb", "mercedes", {}),
        ("nc 4 7 5", "nonconstant_rings", {"blocks": 4, "columns": 7, "rows": 5}),
        ("ffs", "double_flat_field_special", {}),
        ("y", "remove_blocked_views", {}),
        ("a 24.25", "fbp", {"axis_column": 24.25}),
        ("r 5 6 2 30 32 4", "fbp", {"region": "5:32,4:30"}),
        ("crop 20 16 2", "fbp", {"region": "16:32,14:34"}),
    ],
)  # fmt: skip
def test_each_letter_sets_what_it_says(opened: Menu, line: str, step: str, values: dict[str, Any]) -> None:
    letter, *words = line.split()

    def send(*words: str) -> dict[str, Any]:
        opened.console.words = deque(words)
        opened.do(letter)
        return steps(opened.output)

    assert send(*words)[step] == values
    found = find_letter(letter)
    assert found is not None
    if found.letter not in ("a", "d", "r", "crop"):
        without = send("off").get(step)
        assert without is None if step not in ("fbp", "minus_log") else without != values


@pytest.mark.slow
def test_a_script_reconstructs_as_its_protocol_does(
    typed: Typed, spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n tooth_1.h5", "a", "p 3", "r 5 6 2 30 32 4", "l", "x 8 0:20", "q") in (0, 1)
    told = capsys.readouterr().out
    assert "found, confidence" in told
    made = tm.open(tmp_path / "tooth_1_record" / "volume.ome.zarr")
    assert made.shape == (3, 27, 26)
    file = tmp_path / "tooth_1_protocol.txt"
    words = ["run", str(spool / "tooth_1.h5"), "-p", str(file), "-o", str(tmp_path / "again")]
    assert execute(words) in (0, 1)
    assert np.array_equal(np.asarray(made), np.asarray(tm.open(tmp_path / "again" / "volume.ome.zarr")))
    assert tm.open(tmp_path / "tooth_1_record_8bit.tif").shape == (3, 27, 26)
    record = json.loads((tmp_path / "tooth_1_record" / "provenance.json").read_text())
    assert "find_axis" in json.dumps(record["protocol"])  # the axis is stated as found, not as given
    capsys.readouterr()
    assert execute(["protocol", "show", str(file)]) == 0
    assert "length_px: 3.0" in capsys.readouterr().out
    # another one beside it, for a finished record is never written over
    assert typed("n tooth_1.h5", "r whole", "l") in (0, 1)
    assert tm.open(tmp_path / "tooth_1_record_2" / "volume.ome.zarr").shape[0] == 6


def test_a_slice_is_that_of_the_volume_and_says_where_it_lies(
    typed: Typed, spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n tooth_1.h5", "a 23.5", "v 3", "u", "r 5 6 2 30 32 4", "v", "u", "v 2") in (0, 1)
    told = " ".join(capsys.readouterr().out.split())  # whose lines end where the terminal does
    pixel = 1e3 * tm.open(spool / "tooth_1.h5").pixel_m.value  # type: ignore[union-attr]
    half = f"{23.5 * pixel:.4g}"
    assert f"x -{half} to {half}, y -{half} to {half}, z {2 * pixel:.4g}" in told
    assert "pixels from 1: x 5 to 30, y 6 to 32, z 3" in told
    ends = [f"{(one - 1 - 23.5) * pixel:.4g}" for one in (5, 30, 6, 32)]
    assert f"x {ends[0]} to {ends[1]}, y {ends[2]} to {ends[3]}, z {pixel:.4g}" in told
    with Image.open(tmp_path / "tooth_1_slice.png") as picture:
        assert picture.size[0] >= 26


def test_the_axis_that_was_found_is_taken_until_what_is_before_it_changes(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n tooth_1.h5", "a", "v") in (0, 1)
    told = capsys.readouterr().out
    [line] = [line for line in told.splitlines() if line.startswith("axis at column")]
    assert line.endswith("found, confidence high")
    assert float(line.split()[3].rstrip(",")) == pytest.approx(23.5, abs=0.1)
    assert typed("n tooth_1.h5", "p 5", "y", "v") in (0, 1)
    lines = capsys.readouterr().out.splitlines()
    known = [line.endswith("found, confidence high") for line in lines if line.startswith("axis  ")]
    assert known == [True, True, False]  # Paganin's filter stands behind the axis, views before it
    assert "probe find_axis" in next(line for line in lines if line.startswith("axis at column"))


def test_columns_are_tried_and_one_is_taken(typed: Typed, tmp_path: Path) -> None:
    assert typed("n tooth_1.h5", "b 22.5:24.5:1 3 24.5") == 0
    assert steps(tmp_path)["fbp"] == {"axis_column": 24.5}
    with Image.open(tmp_path / "tooth_1_axes.png") as sheet:
        assert sheet.size[0] > 48
    assert typed("n tooth_1.h5", "b") == 0  # about the one that is given
    assert steps(tmp_path)["fbp"] == {"axis_column": 24.5}


def test_a_motor_tells_the_axis(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("n tooth_1.h5", "a m tx") == 2
    assert "0 scans with an accepted axis" in capsys.readouterr().err


def test_scans_are_chosen_by_name_number_and_path(
    typed: Typed, spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n", "n 2", f"s '{spool / 'wood.h5'}' 2") == 0
    told = capsys.readouterr().out
    assert "  2  tooth_2.h5" in told
    assert "notes.txt" not in told
    assert "bin (columns 2, rows 2, angles 2)" in " ".join(told.split())
    assert (tmp_path / "tooth_2_protocol.txt").exists()
    assert next(iter(steps(tmp_path, "wood"))) == "bin"
    assert typed("n tooth_") == 2
    assert "several scans begin with 'tooth_'" in capsys.readouterr().err
    assert typed("n wood", f"s '{spool / 'wood.h5'}' 1", where=spool / "wood.h5") == 0
    assert "bin" not in steps(tmp_path, "wood")


def test_parameters_are_copied_from_another_scan(
    typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n tooth_1.h5", "a", "p 7", "r 5 6 2 30 32 4", "n tooth_2", "c tooth_1") == 0
    taken = steps(tmp_path, "tooth_2")
    assert taken["paganin"]["length_px"] == 7.0
    assert taken["fbp"]["region"] == "5:32,4:30"
    assert taken["fbp"]["axis_column"] == pytest.approx(23.5, abs=0.3)
    assert typed("n tooth_2", "c tooth_1 n") == 0
    assert "axis_column" not in steps(tmp_path, "tooth_2")["fbp"]
    capsys.readouterr()
    assert typed("n wood", "c tooth_1") == 2
    assert "another size or pixel" in capsys.readouterr().err
    assert typed("n wood", "c stone") == 2
    assert "tooth_1, tooth_2" in capsys.readouterr().err


def test_all_scans_of_the_folder(typed: Typed, tmp_path: Path) -> None:
    assert typed("n tooth_1.h5", "r 5 6 2 30 32 3", "A tooth_*") in (0, 1)
    made = sorted(path.parent.name for path in (tmp_path / "batch" / "records").glob("*/volume.ome.zarr"))
    assert made == ["tooth_1", "tooth_2"]


def test_the_first_error_ends_a_script_before_the_rest_is_done(
    typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n tooth_1.h5", "p fifty", "l") == 2
    assert "a number was expected" in capsys.readouterr().err
    assert not (tmp_path / "tooth_1_record").exists()
    assert typed("v") == 2
    assert "n chooses one" in capsys.readouterr().err
    assert typed("n tooth_1.h5", "p 5 2 0.5 9", "l") == 2
    assert "takes no further value '9'" in capsys.readouterr().err
    assert "paganin" not in steps(tmp_path)
    assert typed("n tooth_2.h5 tooth_1.h5") == 2
    assert not (tmp_path / "tooth_2_protocol.txt").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lve", "the nearest is live"),
        ("sd", "tomarium series"),
        ("sf", "tomarium series"),
        ("sp", "stitch"),
        ("x", "no finished volume"),
        ("d maybe", "auto, on or off"),
        ("r 1 2 3", "six numbers"),
        ("crop 4 x 5", "three whole numbers"),
        ("a left", "a column"),
        ("a 900", "far from the frames"),
        ("v 0", "from 1"),
        ("v 99", "rows 0 to 5"),
        ("hh xx", "the nearest is x"),
        ("p 'open", "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    typed: Typed, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("n tooth_1.h5", line) == 2
    assert said in capsys.readouterr().err


def test_help_comes_from_the_steps(typed: Typed, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("", "h", "n tooth_1.h5", "p 5", "a 3", "h", "hh", "hh p", "q") == 0
    told = capsys.readouterr().out
    paganin = describe(find_step("paganin"))
    assert paganin.summary in " ".join(told.split())
    assert " ".join(paganin.parameters["length_px"].split()) in " ".join(told.split())
    assert "Paganin's phase retrieval [5, 2, 0.5]" in told
    assert "by a motor [3]" in told  # the column from 0, as it was given
    for one in letters():
        assert f"\n  {one:<5}" in told
    assert max(len(line) for line in told.split("hh p")[0].splitlines()) <= 80


def test_the_help_of_each_letter_fits_the_terminal(opened: Menu, capsys: pytest.CaptureFixture[str]) -> None:
    for letter in letters():
        opened.console.words = deque([letter])
        opened.do("hh")
        told = capsys.readouterr().out
        assert told.startswith(f"{letter}  ")
        assert max(map(len, told.splitlines())) <= 80, letter


def test_parameters_of_a_scan_that_moved_are_taken_with_a_warning(
    typed: Typed, spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tooth_1_protocol.txt").write_text(
        "# scan: /old/tooth_1.h5\npython ~/Python/paganin.py XXX -m 7\n"
    )
    assert typed("n tooth_1.h5") == 0
    assert "/old/tooth_1.h5" in capsys.readouterr().err
    assert steps(tmp_path)["paganin"] == {
        "length_px": 7.0, "unsharp_sigma_px": 2.0, "unsharp_coefficient": 0.5
    }  # fmt: skip


def test_one_menu_at_a_time_works_on_a_scan(
    typed: Typed, spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tooth_1_protocol.txt").write_text("python ~/Python/paganin.py XXX -m 7\n")
    chosen = Menu(spool, tmp_path, Console(letters()))
    chosen.choose(spool / "tooth_1.h5")
    chosen.choose(spool / "tooth_1.h5")
    before = (tmp_path / "tooth_1_protocol.txt").read_text()
    assert typed("n tooth_1.h5", "p 50") == 2
    assert "another menu works on this scan" in capsys.readouterr().err
    assert typed("n tooth_2.h5") == 0
    assert (tmp_path / "tooth_1_protocol.txt").read_text() == before
    chosen.choose(spool / "tooth_2.h5")
    assert typed("n tooth_1.h5", "p 50") == 0
    chosen.close()
    (tmp_path / "tooth_2_protocol.txt").write_text("python ~/Python/pagannin.py XXX\n")
    for _ in range(2):
        assert typed("n tooth_2.h5") == 2
        assert "the nearest is paganin" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*.lock"))


def test_options_of_opening_hold_for_the_menu_and_its_commands(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a 23.5\nr 5 6 2 9 9 3\nl\nv\n"))
    words = ["--pixel", "1 um", "--energy", "30 keV"]
    assert execute(["menu", str(spool / "tooth_1.h5"), "-o", str(tmp_path), *words]) in (0, 1)
    told = capsys.readouterr().out
    assert "pixel 1 µm, 30 keV" in told
    assert "x -0.0195 to -0.0155" in told
    made = tm.open(tmp_path / "tooth_1_record" / "volume.ome.zarr")
    assert made.voxel_m[0] == pytest.approx(1e-6)  # type: ignore[union-attr]


@pytest.fixture
def at_terminal(spool: Path, tmp_path: Path) -> Any:
    """A menu at a terminal whose keys are given."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        console = Console(letters())
        console.interactive = True
        chosen = Menu(spool, tmp_path, console)
        chosen.choose(spool / "tooth_1.h5")
        yield chosen, keys
        chosen.close()


def test_questions_have_their_defaults_at_a_terminal(
    at_terminal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, keys = at_terminal
    monkeypatch.setenv("TOMARIUM_PICTURES", "characters")
    for text in ("p\r40\r\r0.25\r", "p\r\r\r\r", "a 23.5\r", "v\r\r"):
        keys.send_text(text)
        assert menu._do_line(chosen, threading.Event()) is None
    assert steps(tmp_path)["paganin"] == {
        "length_px": 40.0, "unsharp_sigma_px": 2.0, "unsharp_coefficient": 0.25
    }  # fmt: skip
    assert "*" in capsys.readouterr().out  # the slice, in characters


def test_ctrl_c_comes_back_to_the_menu(at_terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, keys = at_terminal
    keys.send_text("p\r\x03")
    assert menu._do_line(chosen, threading.Event()) is None

    def stopped(typed: str) -> None:
        interrupts.ASKED.set()
        raise KeyboardInterrupt

    monkeypatch.setattr(chosen, "do", stopped)
    keys.send_text("l\r")
    assert menu._do_line(chosen, threading.Event()) is None
    assert not interrupts.ASKED.is_set()
    ended = threading.Event()
    ended.set()
    keys.send_text("l\r")
    assert menu._do_line(chosen, ended) == 3
    interrupts.ASKED.clear()
    keys.send_text("q\r")
    assert menu._do_line(chosen, threading.Event()) == 0


def test_an_error_leaves_the_menu_open_at_a_terminal(
    at_terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, keys = at_terminal
    keys.send_text("zzz\r")
    assert menu._do_line(chosen, threading.Event()) is None
    assert "there is no option 'zzz'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_stopped_reconstruction_goes_on_by_l(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, keys = at_terminal
    raw = tmp_path / "raw"
    raw.mkdir()
    config = SimulationConfig(columns=16, rows=300, views=24, axis_column=7.5, seed=2)  # of several slabs
    chosen.choose(simulate(raw / "tall.h5", config))
    done: list[int] = []
    telling = show.progress

    def interrupted() -> Callable[[str, int, int], None]:
        def tell(stage: str, now: int, total: int) -> None:
            if stage == "reconstruct" and 0 < now < total:
                done.append(now)
                raise KeyboardInterrupt

        return tell

    keys.send_text("a 7.5\r")
    assert menu._do_line(chosen, threading.Event()) is None
    monkeypatch.setattr(show, "progress", interrupted)
    keys.send_text("l\r\r")
    assert menu._do_line(chosen, threading.Event()) is None
    assert done
    told = capsys.readouterr()
    assert "slabs are done and kept" in told.err
    assert "tall_record (unfinished, l goes on)" in told.out
    monkeypatch.setattr(show, "progress", telling)
    keys.send_text("l\r\r")
    assert menu._do_line(chosen, threading.Event()) is None
    assert "tall_record (made)" in capsys.readouterr().out
    protocol = Choice(path=tmp_path / "tall_protocol.txt").protocol()
    whole = tm.reconstruct(raw / "tall.h5", protocol)
    assert np.array_equal(
        np.asarray(tm.open(tmp_path / "tall_record" / "volume.ome.zarr")), np.asarray(whole)
    )
