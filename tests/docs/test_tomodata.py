"""The page that says what does here what tomodata and Data Exchange do: whole, and true of the program."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import pytest

from tomarium.cli import commands
from tomarium.steps.core.serialization import all_steps, find_step

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "tomodata.md"

# The guide's section 7.3: functions, the letter of the menu, and the options that `-help` prints, but -h and -i.
FUNCTIONS = {
    "angle_offset (w)": "-a",
    "auto_crop (crop)": "-x -y -z",
    "copy_parameters (c)": "-s",
    "double_ff (f)": "-a -t -x -z -s -n -p --homogeneous",
    "double_ff_special (ffs)": "",
    "half_acq (d)": "-a -p",
    "help (h)": "",
    "extended help (hh)": "",
    "launch_reconstruction (l)": "-b -r -t",
    "live_preview (live)": "",
    "mercedes_movement_correction (mb)": "",
    "movement_correction (m)": "-f -o -l -m",
    "nonconstant_rings (nc)": "-a -n -c -p -x -z",
    "paganin (p)": "-m --pus --puc -o",
    "preprocess_all (s)": "-a -f -b -d --fast",
    "preprocess_dimax (sd)": "-b -d",
    "preprocess_fast (sf)": "-d -s",
    "preprocess_spiral (sp)": "",
    "recad_multi_memmap (x)": "-a -z -f -s -n -r",
    "reconstruct_all (A)": "-x -r",
    "reconstruct_and_view (v)": "-s -t",
    "remove_spikes (rs)": "-n -k",
    "roi (r)": "-r -x -g",
    "rotation_axis (a)": "-m -f -g",
    "rotation_axis_by_reconstruction (b)": "-m -n -j -r -t",
    "select_name_only (n)": "",
    "toggle units (u)": "",
    "utopec (y)": "",
    "view_only": "-u",
    "zero_clip (z)": "-v",
    "call_pyhst": "",
    "check_reconstructions": "",
    "fitting": "",
    "load_beamline": "",
    "maxime_tiff": "",
    "nslices": "",
    "par_tools": "",
    "pentezone": "-v",
    "stitch_spiral": "",
    "total_variation": "",
}
# Section 6.3 of the Data Exchange guide, Tables 30 to 35, but name, version, input_data and output_data.
PROCESSES = {
    "sinogram": "",
    "ring_removal": "coefficient",
    "reconstruction": "reconstruction.slice.start reconstruction.slice.end rotation.center algorithm",
    "algorithm": "SART EM FBP GridRec implementation number_of_nodes type iterative_stop_condition "
    "iterative_iteration_max iterative_projection_threshold iterative_difference_threshold_percent "
    "iterative_difference_threshold_value iterative_regularization_type iterative_regularization_parameter "
    "iterative_step_size iterative_sampling_step_size analytic_filter analytic_padding analytic_processed_periods "
    "analytic_processed_number_of_steps",
    "gridftp": "source_URL dest_URL",
    "export": "output_URL output_data_format output_data_scaling_max output_data_scaling_min",
}
# What nothing does yet; a line that becomes true is taken out here and there.
LACKING: set[tuple[str, str]] = set()


def rows() -> list[tuple[str, str, str, str]]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and line.startswith("| ") and cells[0] not in ("tomodata", "process"):
            found.append((cells[0], cells[1], cells[2], cells[3]))
    return found


def bare(name: str) -> str:
    return name.split(" (")[0]


def test_every_function_option_and_process_is_there_once() -> None:
    told = [(one[0], one[1]) for one in rows()]
    expected = []
    for name, options in {**FUNCTIONS, **PROCESSES}.items():
        expected += [] if name in ("pentezone", "algorithm") else [(name, "")]
        expected += [(bare(name), option) for option in options.split()]
    assert sorted(told) == sorted(expected)


def test_what_lacks_is_named() -> None:
    assert {(bare(name), option) for name, option, ours, _ in rows() if ours == "–"} == LACKING


@pytest.fixture(scope="module")
def known() -> dict[str, click.Command]:
    return commands()


def test_what_is_named_exists(known: dict[str, click.Command]) -> None:
    for name, option, ours, _ in rows():
        if ours in ("–", "(not needed)"):
            continue
        told = re.fullmatch(r"`([^`]+)`", ours)
        assert told, (name, option, ours)
        words = told[1].split()
        if words[0] == "tomarium":
            options = {one for parameter in known[words[1]].params for one in parameter.opts}
            assert set(words[2:]) <= options, (name, option, ours)
        elif words[0].startswith("tomarium."):
            module, _, member = words[0].rpartition(".")
            assert hasattr(importlib.import_module(module), member), ours
        else:
            step, _, parameter = words[0].partition(".")
            names = {one.name for one in all_steps()[step].parameters}
            assert not parameter or parameter in names, (name, option, ours)


@pytest.mark.parametrize(
    "name",
    [name for name in FUNCTIONS if {one[0]: one[2].strip("`") for one in rows()}.get(name) in all_steps()],
)
def test_steps_are_found_by_tomodatas_names(name: str) -> None:
    ours = next(one[2].strip("`") for one in rows() if one[0] == name)
    spellings = [bare(name), f"{bare(name)}.py", *re.findall(r"\((\w+)\)", name)]
    assert [find_step(one).name for one in spellings] == [ours] * len(spellings)
