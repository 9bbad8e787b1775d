"""What makes a wrong volume of a scan is seen before it is computed, and named, left out or refused."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.model import Scan, Value
from tomarium.pipeline.plan.warnings import of_result
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.protocol.read import as_protocol
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulated

Frames = dict[str, NDArray[Any]]
SCAN = simulated(
    SimulationConfig(columns=96, rows=8, views=180, zingers=0, dead_pixels=0, hot_pixels=0, axis_column=47.0)
)
ANGLES = SCAN.angles_deg.value
STEPS = "steps: [flat_field, fbp]"


def frames() -> Frames:
    assert SCAN.flats is not None
    assert SCAN.darks is not None
    every = slice(None)
    return {
        "projections": SCAN.projections.read(every, every).copy(),
        "flats": SCAN.flats.frames.read(every, every).copy(),
        "darks": SCAN.darks.frames.read(every, every).copy(),
    }


def scan_of(made: Frames) -> Scan:
    return scan_of_arrays(made["projections"], ANGLES, flats=made["flats"], darks=made["darks"])


def warned(change: Callable[[Frames], None], **more: Any) -> list[str]:
    made = frames()
    change(made)
    scan = scan_of(made)
    return [said for said in checked(scan, default_protocol(), **more).warnings if said not in scan.warnings]


def put(name: str, key: Any, value: Any) -> Callable[[Frames], None]:
    def change(made: Frames) -> None:
        if isinstance(value, float) and made[name].dtype.kind != "f":
            made[name] = made[name].astype(np.float32)
        made[name][key] = value

    return change


def test_of_a_good_scan_nothing_is_said() -> None:
    scan = scan_of(frames())
    assert checked(scan, default_protocol()) is scan


@pytest.mark.parametrize("value", [0, float("nan")])
def test_views_without_information_are_left_out_with_their_angles(value: float) -> None:
    made = frames()
    put("projections", slice(40, 46), value)(made)
    broken = scan_of(made)
    found = checked(broken, default_protocol())
    assert found.shape[0] == 174
    np.testing.assert_array_equal(found.angles_deg.value, np.delete(ANGLES, range(40, 46)))
    assert "6 projections hold no information" in found.warnings[0]
    assert "40, 41, 42, 43, 44, 45" in found.warnings[0]
    assert found.recipe[-1] == {"select_views": {"drop": "40:46"}}
    good = np.asarray(tm.reconstruct(scan_of(frames()), STEPS, axis_column=47.0))
    mended = tm.reconstruct(broken, STEPS, axis_column=47.0)
    inside = good > 0.5 * good.max()
    assert np.asarray(mended)[inside].mean() == pytest.approx(good[inside].mean(), rel=2e-3)
    assert any("hold no information" in said for said in mended.metadata["tomarium"]["warnings"])


def test_a_protocol_that_numbers_views_is_told_what_to_drop() -> None:
    made = frames()
    made["projections"][[3, 7, 8]] = 0
    scan = scan_of(made)
    found = checked(scan, as_protocol({"steps": [{"select_views": {"keep": "0:100"}}, "flat_field", "fbp"]}))
    assert found.shape[0] == 180
    assert "drop these there: 3,7:9" in found.warnings[0]


def test_more_than_half_without_information_is_refused_unless_forced() -> None:
    with pytest.raises(InputError, match=r"100 of 180 projections hold no information.*--force"):
        warned(put("projections", slice(0, 100), 0))
    [said] = warned(put("projections", slice(0, 100), 0), force=True)
    assert "100 of 180" in said


def test_black_flats_are_left_out() -> None:
    made = frames()
    made["flats"][3] = made["darks"].mean()
    found = checked(scan_of(made), default_protocol())
    assert found.flats is not None
    assert found.flats.frames.shape[0] == len(made["flats"]) - 1
    assert len(found.flats.position) == len(made["flats"]) - 1
    assert "1 of 40 flats are black or not finite and were left out: numbers 3" in found.warnings[0]


@pytest.mark.parametrize("how", ["swapped", "zero"])
def test_flats_that_are_not_brighter_than_darks_are_refused(how: str) -> None:
    def change(made: Frames) -> None:
        if how == "swapped":
            made["flats"], made["darks"] = made["darks"], made["flats"]
        else:
            made["flats"][:] = 0

    with pytest.raises(InputError, match="no flat is brighter than the darks"):
        warned(change)
    assert any("no flat is brighter" in said for said in warned(change, force=True))


def test_saturated_counts_are_told() -> None:
    def change(made: Frames) -> None:
        for name in ("projections", "flats"):
            made[name] = np.minimum(made[name], 4095)
        made["projections"] = np.minimum(made["projections"] * 2, 4095)

    assert any("are 4095, the highest the detector can tell" in said for said in warned(change))


def test_flats_are_told_to_be_saturated_where_the_sample_keeps_the_projections_below() -> None:
    def change(made: Frames) -> None:
        made["flats"] = np.minimum(made["flats"], 4095)
        made["projections"] = np.minimum(made["projections"], 3000)

    assert any("of the counts of the flats are 4095" in said for said in warned(change))


def test_counts_that_wrapped_are_told() -> None:
    def change(made: Frames) -> None:
        for name in ("projections", "flats"):
            made[name] = (made[name].astype(np.int64) * 3 % 65536).astype(np.uint16)

    assert any("began again at its lowest" in said for said in warned(change))


def test_another_exposure_is_told() -> None:
    def twice(made: Frames) -> None:
        made["projections"] = made["projections"].astype(np.float32) * 2

    [said] = warned(twice)
    assert "times as bright as the flats" in said

    def later(made: Frames) -> None:
        made["projections"] = made["projections"].astype(np.float32)
        made["projections"][90:] *= 0.6

    [said] = warned(later)
    assert "between the projections 89 and 90 and stays so" in said

    def for_a_while(made: Frames) -> None:
        made["projections"] = made["projections"].astype(np.float32)
        made["projections"][90:105] *= 0.3

    assert not any("stays so" in said for said in warned(for_a_while))


@pytest.mark.parametrize(("told", "turned"), [(360.0, 180), (180.0, 360)])
def test_angles_that_the_images_contradict_are_refused(told: float, turned: int) -> None:
    config = SimulationConfig(columns=128, rows=8, views=360, span_deg=turned, dead_pixels=0, hot_pixels=0)
    scan = simulated(config)
    assert checked(scan, default_protocol()) is scan
    wrong = scan.with_geometry(angles_deg=Value(np.arange(360) * told / 360, "user", "test"))
    with pytest.raises(InputError, match=f"the sample turned by {turned}°.*--angles 0:{turned}:360; --force"):
        checked(wrong, default_protocol())
    forced = checked(wrong, default_protocol(), force=True)
    assert f"the sample turned by {turned}°" in forced.warnings[0]


def test_views_that_something_blocks_are_told() -> None:
    made = frames()
    made["projections"][50:60, :, 30:60] = made["darks"].mean()
    found = [said for said in warned(lambda other: other.update(made)) if "partly blocked" in said]
    assert len(found) == 1
    assert found[0].startswith("10 of 180 projections are partly blocked")
    scan = scan_of(made)
    left = checked(scan, as_protocol("steps: [remove_blocked_views, flat_field, fbp]"))
    assert not any("streaks" in said for said in left.warnings)


@pytest.mark.parametrize("value", [0, 700])
def test_pixels_that_die_within_the_scan_are_told(value: int) -> None:
    [said] = warned(put("projections", (slice(120, None), 4, 30), value))
    assert "1 of 384 pixels looked at stop counting within the scan, as that of row 4 and column 30" in said
    assert "from projection 120 on" in said


def test_transmission_and_attenuation_are_looked_at_too() -> None:
    attenuation = np.ones((40, 4, 60), np.float32)
    attenuation[5] = np.nan
    angles = np.arange(40) * 4.5
    scan = scan_of_arrays(attenuation, angles, domain="attenuation")
    assert checked(scan, default_protocol("attenuation")).shape[0] == 39
    transmission = np.exp(-np.ones((40, 4, 60), np.float32))
    transmission[7] = 0
    scan = scan_of_arrays(transmission, angles, domain="transmission")
    assert checked(scan, default_protocol("transmission")).shape[0] == 39


@pytest.mark.parametrize(
    ("given", "told", "said"),
    [
        ("attenuation", "transmission", "0 at both edges.*say --domain attenuation"),
        ("transmission", "attenuation", "1 at both edges.*say --domain transmission"),
        ("counts", "attenuation", "no detector tells an attenuation"),
        ("counts", "transmission", "not divided by the open beam; --step normalise_air"),
        ("transmission", "transmission", None),
        ("attenuation", "attenuation", None),
    ],
)
def test_numbers_of_another_domain_than_was_told_are_named(given: str, told: Any, said: str | None) -> None:
    made = frames()
    dark, flat = made["darks"].mean(axis=0), made["flats"].mean(axis=0)
    transmission = np.clip((made["projections"] - dark) / (flat - dark), 1e-4, None).astype(np.float32)
    numbers = {
        "counts": made["projections"],
        "transmission": transmission,
        "attenuation": -np.log(transmission),
    }
    scan = scan_of_arrays(numbers[given], ANGLES, domain=told)
    new = [one for one in checked(scan, default_protocol(told)).warnings if one not in scan.warnings]
    assert len(new) == (said is not None)
    if said is not None:
        assert re.search(said, new[0])


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_rows_that_hold_nothing_are_named(value: float) -> None:
    assert any(said.startswith("rows 0 to 1 and 7 hold nothing") for said in
               warned(put("projections", (slice(None), [0, 1, 7]), value)))  # fmt: skip


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_a_beam_that_moved_is_told_unless_it_is_followed(drift: float) -> None:
    config = SimulationConfig(
        columns=96, rows=40, views=20, zingers=0, axis_column=47.0, beam_drift_rows=drift
    )
    scan = simulated(config)
    said = [one for one in checked(scan, default_protocol()).warnings if "the beam moved" in one]
    assert len(said) == (drift > 0)
    followed = checked(scan, as_protocol("steps: [dynamic_flat_field, fbp]"))
    assert not any("the beam moved" in one for one in followed.warnings)


def test_counts_that_are_not_finite_and_an_axis_beside_the_detector_are_told() -> None:
    made = frames()
    made["projections"] = made["projections"].astype(np.float32)
    made["projections"][7, 1, 30] = np.inf  # in no row that is looked at before
    scan = scan_of(made).with_geometry(axis_column=Value(-5.0, "user", "test"))
    one = slice_at(scan, 1, STEPS)
    warnings = of_result(one.resolution, one.answers, one.slab.report, 0, rows=1)
    assert any("of the counts are not finite and were filled" in said for said in warnings)
    assert any("column -5.00 lies outside of the detector" in said for said in warnings)


def test_run_and_slice_say_it_first_and_leave_with_1_or_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = frames()
    made["projections"][20:23] = 0
    data_exchange.FORMAT.write(tmp_path / "a.h5", scan_of(made))  # type: ignore[misc]
    words = [str(tmp_path / "a.h5"), "--axis", "47", "--pixel", "1 um"]
    assert execute(["slice", *words, "-o", str(tmp_path / "a.png")]) == 1
    first = capsys.readouterr().err.splitlines()[0]
    assert "3 projections hold no information" in first
    assert execute(["run", *words, "-o", str(tmp_path / "record")]) == 1
    assert "3 projections hold no information" in capsys.readouterr().err
    assert execute(["run", "--again", str(tmp_path / "record"), "-o", str(tmp_path / "again")]) in (0, 1)
    volumes = [np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("record", "again")]
    np.testing.assert_array_equal(*volumes)
    made["flats"], made["darks"] = made["darks"], made["flats"]
    data_exchange.FORMAT.write(tmp_path / "b.h5", scan_of(made))  # type: ignore[misc]
    words[0] = str(tmp_path / "b.h5")
    assert execute(["slice", *words, "-o", str(tmp_path / "b.png")]) == 2
    assert "swapped" in capsys.readouterr().err
    assert execute(["slice", *words, "-o", str(tmp_path / "b.png"), "--force"]) == 1


def test_plan_tells_whether_the_sample_is_wider_than_the_detector(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = frames()
    data_exchange.FORMAT.write(tmp_path / "whole.h5", scan_of(made))  # type: ignore[misc]
    cut = {name: values[..., 30:66] for name, values in made.items()}
    wide = {name: np.concatenate([values] * 2, axis=2) for name, values in cut.items()}
    data_exchange.FORMAT.write(tmp_path / "cut.h5", scan_of(wide))  # type: ignore[misc]
    for name, least, most in (("whole", 0.0, 0.0), ("cut", 0.9, 1.0)):
        words = ["plan", str(tmp_path / f"{name}.h5"), "--axis", "36", "--pixel", "1 um"]
        assert execute(words) in (0, 1)
        assert ("the sample goes on beyond the detector" in capsys.readouterr().out) == (name == "cut")
        assert execute([*words, "--json"]) in (0, 1)
        assert least <= json.loads(capsys.readouterr().out)["truncated_part"] <= most
