"""A protocol.txt of tomodata, taken as it is: each function and option of the guide's section 7.3."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.test_tomodata import FUNCTIONS
from tomarium.errors import ParameterError
from tomarium.pipeline.protocol.choice import Choice
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.read import as_protocol, instructions_in, protocol_of, read
from tomarium.pipeline.protocol.tomodata import is_instructions, read_instructions
from tomarium.pipeline.protocol.tomodata_functions import FUNCTIONS as KNOWN

OFFSET_SCAN = """\
python ~/Python/pentezone.py -v 200
python ~/Python/rotation_axis.py XXX -g True
python ~/Python/rotation_axis.py XXX
python ~/Python/half_acq.py XXX
python ~/Python/double_ff.py XXX -x 9 -z 9 -n 1
python ~/Python/paganin.py XXX -m 50
python ~/Python/reconstruct_and_view.py XXX
python ~/Python/launch_reconstruction.py XXX
"""


def given(protocol: Protocol) -> dict[str, dict[str, object]]:
    return {item.step.name: dict(item.given) for item in protocol.items}


def steps_of(*lines: str) -> dict[str, dict[str, object]]:
    return given(protocol_of(read_instructions("\n".join(lines), "p.txt")))


def test_the_example_of_the_guide(tmp_path: Path) -> None:
    path = tmp_path / "protocol.txt"
    path.write_text(OFFSET_SCAN.replace("\n", "\r\n"))
    assert given(read(path)) == {
        "find_axis": {},
        "flat_field": {"log": False},
        "double_flat_field": {"columns": 9, "rows": 9, "mean_of": "transmission"},
        "paganin": {"length_px": 50.0, "unsharp_sigma_px": 2.0, "unsharp_coefficient": 0.5},
        "minus_log": {},
        "half_acquisition": {"mode": "on"},
        "fbp": {},
    }
    assert as_protocol(OFFSET_SCAN) == read(path) == Choice(path=path).protocol()
    found = instructions_in(path)
    assert found is not None
    assert [one.number for one in found.lines] == list(range(1, 9))
    assert found.run == {"slice": None, "whole": True}


@pytest.mark.parametrize(
    ("line", "step", "expected"),
    [
        ("angle_offset.py XXX -a 12.5", "fbp", {"angle_offset_deg": 12.5}),
        ("double_ff.py XXX -n 4", "double_flat_field", {"every": 4}),
        ("double_ff.py XXX -t True -p 0.02", "double_flat_field", {"columns_only": True, "pixel_mask": 0.02}),
        (
            "double_ff.py XXX --homogeneous True -x 8",
            "double_flat_field",
            {"background": "homogeneous", "columns": 9},
        ),
        ("double_ff_special.py XXX", "double_flat_field_special", {}),
        ("half_acq.py XXX -a False", "half_acquisition", {"mode": "off"}),
        ("mercedes_movement_correction.py XXX", "mercedes", {}),
        (
            "movement_correction.py XXX -l True -f 20",
            "movement_correction",
            {"degree": 1, "coarsest_px": 20.0},
        ),
        (
            "nonconstant_rings.py XXX -n 8 -x 11 -z 5 -p 0.02",
            "nonconstant_rings",
            {"blocks": 8, "columns": 11, "rows": 5, "pixel_mask": 0.02},
        ),
        (
            "paganin.py XXX",
            "paganin",
            {"length_px": 25.0, "unsharp_sigma_px": 2.0, "unsharp_coefficient": 0.5},
        ),
        (
            "paganin.py XXX --manual=30 --pus 3 --puc 0",
            "paganin",
            {"length_px": 30.0, "unsharp_coefficient": 0.0},
        ),
        ("paganin.py XXX -m50", "paganin", {"length_px": 50.0}),
        ("preprocess_all.py XXX -b 2 2 1 -a -1", "bin", {"columns": 2, "rows": 2, "angles": 1}),
        ("remove_spikes.py XXX -n 16 -k True", "remove_spikes", {}),
        ("rotation_axis.py XXX -m 1024", "fbp", {"axis_column": 1023.5}),
        ("rotation_axis_by_reconstruction.py XXX -m edges -n 300", "find_axis", {}),
        ("utopec.py XXX", "remove_blocked_views", {}),
        ("zero_clip.py XXX -v 0.001", "minus_log", {"lowest_transmission": 0.001}),
        ("%run ~/Python/total_variation.py XXX", "tv", {}),
        (
            "/usr/bin/python2.7 /home/u/Python/Paganin.py -i False XXX -m 10  # at 20 keV",
            "paganin",
            {"length_px": 10},
        ),
    ],
)
def test_a_line_sets_its_step(line: str, step: str, expected: dict[str, object]) -> None:
    found = steps_of(line)
    assert step in found
    assert {name: found[step][name] for name in expected} == expected
    assert ("find_axis" in found) == ("axis_column" not in found.get("fbp", {}))


@pytest.mark.parametrize(
    ("lines", "absent"),
    [
        (("double_ff.py XXX", "double_ff.py XXX -a False"), "double_flat_field"),
        (("paganin.py XXX -m 5", "paganin.py XXX -o True"), "paganin"),
        (("movement_correction.py XXX", "movement_correction.py XXX -o True"), "movement_correction"),
        (("nonconstant_rings.py XXX", "nonconstant_rings.py XXX -a False"), "nonconstant_rings"),
    ],
)
def test_a_later_line_switches_off(lines: tuple[str, ...], absent: str) -> None:
    assert absent not in steps_of(*lines)
    assert absent in steps_of(*reversed(lines))


def test_options_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "protocol.txt"
    path.write_text(
        "roi.py XXX -r 101 51 11 300 250 20\nlaunch_reconstruction.py XXX -r True -b 8\n"
        "recad_multi_memmap.py XXX -a -1 -z 5.5 -f 16bit -r True\nreconstruct_and_view.py XXX -s 40\n"
    )
    choice = Choice(path=path)
    assert choice.rows() == slice(10, 20)
    assert given(choice.protocol())["fbp"] == {"region": "50:250,100:300"}
    assert [choice.told(name) for name in ("memory", "volume", "slice")] == [
        "8GB",
        "volume:vol,uint16,-1:5.5",
        40,
    ]
    with pytest.raises(ParameterError, match="roi, volume is an option of a run"):
        read(path)
    path.write_text("auto_crop.py -x 300 -y 200 -z 100\n")
    assert Choice(path=path).told("crop") == "100,200,300"


def test_a_region_is_used_where_the_volume_asks_for_it() -> None:
    text = "roi.py XXX -r 1 1 1 10 10 10\nlaunch_reconstruction.py XXX\n"
    found = read_instructions(text, "p.txt")
    assert "roi" not in found.run
    assert "not used" in found.lines[0].became
    assert "roi" not in read_instructions("roi.py XXX -x True\nlaunch_reconstruction.py XXX -r True", "p").run


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("python ~/Python/pagannin.py XXX", "nearest is paganin"),
        ("paganin.py XXX --psu 2", "no option --psu; the nearest is --pus"),
        ("paganin.py XXX -m fifty", "a number was expected"),
        ("paganin.py XXX -m", "takes a value"),
        ("paganin.py scan_12 -m 50", "writes XXX in place of a name"),
        ("paganin.py XXX -m -50", "greater than"),
        ("half_acq.py XXX -a maybe", "True or False"),
        ("roi.py XXX -r 1 2 3", "takes 6 values"),
        ("roi.py XXX -r 5 5 5 2 9 9", "the first one lower"),
        ("roi.py XXX -g True", "write the corners"),
        ("auto_crop.py XXX -x 100", "takes all of -x, -y and -z"),
        ("movement_correction.py XXX -m cor.txt", "--shifts cor.txt"),
        ("preprocess_dimax.py XXX", "tomarium series"),
        ("reconstruct_all.py", "tomarium batch"),
        ("recad_multi_memmap.py XXX -a 3", "both limits"),
        ("paganin.py XXX --help", "prints a help"),
        ("python ~/Python/paganin.py 'XXX", "No closing quotation"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_line(line: str, told: str) -> None:
    with pytest.raises(ParameterError, match=told) as caught:
        read_instructions(f"rotation_axis.py XXX\n\n{line}\n", "p.txt")
    assert "p.txt, line 3" in str(caught.value)


def test_each_function_and_option_of_the_guide_is_known() -> None:
    """But those of tomodata's menu and of its library, which are no lines of a protocol."""
    menu = {"help", "extended help", "toggle units", "fitting", "load_beamline", "maxime_tiff", "par_tools"}
    for name, options in FUNCTIONS.items():
        bare = name.split(" (")[0]
        if bare in menu:
            assert bare not in KNOWN
            continue
        function = KNOWN[bare]
        flags = {flag for option in function.options for flag in option.flags}
        assert function.apply is None or set(options.split()) <= flags, name


def test_other_texts_are_no_instructions() -> None:
    assert not is_instructions("flat_field\nfbp --window hann\n# python paganin.py XXX\n")
    assert not is_instructions("steps: [flat_field, fbp]")
