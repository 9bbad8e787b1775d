"""A material in place of a ratio: what is used is stated, and one thing has one value."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue.make_record import make_record, repeat_record
from tomarium.errors import EngineUnavailable, MissingData, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.kernels.refractive_index import Material, refractive_index
from tomarium.pipeline.protocol.choice import Choice, with_parameter
from tomarium.pipeline.protocol.protocol import Protocol, from_steps, preset
from tomarium.pipeline.protocol.resolve import freeze, resolve


def phase(*assignments: str) -> Protocol:
    protocol = preset("phase")
    for assignment in assignments:
        protocol = with_parameter(protocol, assignment)
    return protocol


def ratio(protocol: Protocol) -> tuple[float, str, str]:
    scan = make_scan().with_geometry(axis_column=None)
    [item] = [item for item in resolve(protocol, scan).items if item.step.name == "paganin"]
    value = item.values["delta_beta"]
    return value.value, value.origin, value.source


def test_the_ratio_of_a_material_is_stated_with_its_source() -> None:
    expected = refractive_index(Material("SiO2", 2.65), 20.0).delta_beta
    found, origin, source = ratio(phase("paganin.material=SiO2 2.65"))
    assert found == pytest.approx(expected, rel=1e-12)
    assert origin == "derived"
    assert source.startswith("SiO2 2.65 g/cm³ at 20 keV, tables of xraylib")
    assert ratio(phase()) == (100.0, "default", "default of step paganin")
    assert ratio(phase("paganin.delta_beta=30"))[:2] == (30.0, "user")


def test_the_option_adds_the_step_and_takes_the_place_of_a_ratio() -> None:
    expected = ratio(phase("paganin.material=SiO2 2.65"))
    assert ratio(Choice(material="SiO2 2.65").protocol()) == expected
    frozen = freeze(resolve(phase("paganin.delta_beta=30"), make_scan()))
    assert ratio(Choice(material="SiO2 2.65").protocol(base=frozen)) == expected


def test_one_thing_has_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=r"whose ratio is 413.*give one of them"):
        ratio(phase("paganin.material=SiO2 2.65", "paganin.delta_beta=30"))
    with pytest.raises(ParameterError, match="has no density"):
        ratio(phase("paganin.material=SiO2"))
    scan = make_scan().with_geometry(axis_column=None)
    frozen = freeze(resolve(phase("paganin.material=SiO2 2.65"), scan))
    again = ratio(frozen)
    assert again[0] == ratio(phase("paganin.material=SiO2 2.65"))[0]
    monkeypatch.setitem(__import__("sys").modules, "xraylib", None)  # a record is repeated without the tables
    assert ratio(frozen) == again
    with pytest.raises(EngineUnavailable, match="pip install"):
        ratio(phase("paganin.material=SiO2 2.65"))


def test_a_record_states_it_and_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan())  # type: ignore[misc]
    scan = tm.open(path)
    protocol = with_parameter(
        from_steps(("paganin",), preset("standard"), "counts"), "paganin.material=SiO2 2.65"
    )
    made = make_record(scan, protocol, tmp_path / "record")  # type: ignore[arg-type]
    assert made.folder is not None
    assert "tables of xraylib" in (tmp_path / "record" / "provenance.json").read_text("utf-8")
    repeat_record(tmp_path / "record", folder=tmp_path / "again")
    number = with_parameter(
        from_steps(("paganin",), preset("standard"), "counts"),
        f"paganin.delta_beta={refractive_index(Material('SiO2', 2.65), 20.0).delta_beta!r}",
    )
    make_record(scan, number, tmp_path / "number")  # type: ignore[arg-type]
    volumes = [
        np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("record", "again", "number")
    ]
    np.testing.assert_array_equal(volumes[0], volumes[1])
    np.testing.assert_array_equal(volumes[0], volumes[2])


def test_a_length_stands_for_a_ratio_and_needs_no_energy() -> None:
    found, origin, source = ratio(phase("paganin.length_px=25"))
    assert found == pytest.approx(25**2 * 1e-12 / (np.pi * 1.239841984e-9 / 20 * 0.1), rel=1e-9)
    assert (origin, source) == ("derived", "L = 25 px, L² / (π λ R)")
    with pytest.raises(
        ParameterError, match=r"delta_beta is 30, but paganin.length_px is 25.*give one of them"
    ):
        ratio(phase("paganin.length_px=25", "paganin.delta_beta=30"))
    with pytest.raises(ParameterError, match=r"length_px is 25 and paganin.material.*give one of them"):
        ratio(phase("paganin.length_px=25", "paganin.material=SiO2 2.65"))
    bare = make_scan().with_geometry(energy_kev=None)
    [item] = [i for i in resolve(phase("paganin.length_px=25"), bare).items if i.step.name == "paganin"]
    assert (item.plain["delta_beta"], item.plain["length_px"]) == (None, 25)
    with pytest.raises(MissingData, match=r"needs energy_kev, and test_steps.py does not tell it.*--energy"):
        resolve(phase(), bare)
    frozen = freeze(resolve(phase("paganin.length_px=25"), make_scan()))
    assert freeze(resolve(frozen, make_scan())) == frozen
