"""Protocols: spellings, checks, and where values come from."""

from pathlib import Path

import pytest

from contracts.test_steps import make_scan
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.model import Value
from tomarium.pipeline.protocol.choice import with_parameter
from tomarium.pipeline.protocol.protocol import (
    default_protocol,
    from_data,
    from_steps,
    from_text,
    to_yaml,
)
from tomarium.pipeline.protocol.read import as_protocol, read
from tomarium.pipeline.protocol.resolve import resolve


def test_the_three_spellings_say_the_same(tmp_path: Path) -> None:
    yaml_file, json_file, text_file = (tmp_path / f"p.{end}" for end in ("yaml", "json", "txt"))
    yaml_file.write_text(
        "steps:\n- find_axis\n- flat_field: {log: true, lowest_counts: none}\n- fbp: {window: hann, pixel_m: 0.65 um}\n"
    )
    json_file.write_text(
        '{"steps": ["find_axis", {"flat_field": {"log": true, "lowest_counts": null}}, '
        '{"fbp": {"window": "hann", "pixel_m": 6.5e-7}}]}'
    )
    text_file.write_text(
        "# my protocol\nfind_axis\nflat_field --log yes --lowest-counts none\nfbp --window hann --pixel-m '0.65 um'\n"
    )
    assert read(yaml_file) == read(json_file) == read(text_file)
    (tmp_path / "again.yaml").write_text(to_yaml(read(yaml_file)))
    assert read(tmp_path / "again.yaml") == read(yaml_file)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"steps": ["fpb"]}, "did you mean fbp"),
        ({"steps": [{"fbp": {"windw": "hann"}}]}, "did you mean window"),
        ({"steps": [{"fbp": {"window": "han"}}]}, "'hann'"),
        ({"steps": [{"fbp": {"cutoff": 1.5}}]}, "less than or equal to 1"),
        ({"steps": [{"fbp": {"pixel_m": "0.65"}}]}, "has no unit"),
        ({"steps": [{"fbp": {"pixel_m": "20 keV"}}]}, "measures keV, not m"),
        ({"steps": [{"fbp": {"pixel_m": -1}}]}, "greater than 0"),
        ({"steps": [{"fbp": 3}]}, "a mapping"),
        ({"steps": [["fbp"]]}, "a step is"),
        ({"steps": "fbp"}, "a list 'steps'"),
        ({"steps": []}, "no step"),
        ({"steps": ["find_axis"]}, "no step"),
        ({"stages": []}, "a list 'steps'"),
        ({"steps": ["fbp"], "extra": 1}, "extra"),
        ({"steps": ["fbp"], "tomarium": 99}, "version 99"),
        (None, "a list 'steps'"),
    ],
)
def test_a_wrong_protocol_is_told_what_is_wrong(data: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        from_data(data, "test")


@pytest.mark.parametrize(
    "text", ["fbp --window", "fbp window hann", "fbp --window 'hann", "fbp --nonsense 3"]
)
def test_a_wrong_line_is_told_by_number(text: str) -> None:
    with pytest.raises(ParameterError, match="line 2"):
        from_text(f"flat_field\n{text}\n", "p.txt")


def test_files_that_are_no_protocols(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "absent.yaml")
    (tmp_path / "a.yaml").write_text("steps: [")
    with pytest.raises(InputError, match="not YAML"):
        read(tmp_path / "a.yaml")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read(tmp_path / "a.json")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00steps")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "b.yaml")


def test_one_parameter_is_set_from_the_command_line() -> None:
    protocol = with_parameter(default_protocol(), "fbp.window=hann")
    assert protocol.items[-1].given == {"window": "hann"}
    protocol = with_parameter(protocol, "fbp.pixel_m=0.65 um")
    assert protocol.items[-1].given == {"window": "hann", "pixel_m": 0.65e-6}
    for wrong in ("fbp.window", "window=hann", "minus_log.lowest_transmission=0.1", "fbp.window=none"):
        with pytest.raises(ParameterError):
            with_parameter(protocol, wrong)


def test_steps_answer_to_the_names_of_tomodata_and_data_exchange() -> None:
    clipped = from_steps(("zero_clip", "SART"), default_protocol())
    assert [item.step.name for item in clipped.items][1:] == [
        "flat_field",
        "minus_log",
        "half_acquisition",
        "sart",
    ]
    assert clipped.items[1].given["log"] is False
    assert with_parameter(clipped, "zero_clip.lowest_transmission=0.01").items[2].given == {
        "lowest_transmission": 0.01
    }
    assert from_steps(("GridRec",), default_protocol()) == default_protocol()
    with pytest.raises(
        ParameterError, match="recad is no step of a protocol here: use the command tomarium recad"
    ):
        from_steps(("recad",), default_protocol())


def test_every_value_says_where_it_comes_from() -> None:
    scan = make_scan()
    protocol = with_parameter(default_protocol(), "fbp.cutoff=0.5")
    told = {b.step.name: b.values for b in resolve(protocol, scan).items}
    assert "find_axis" not in told, "the user gave the axis"
    assert told["fbp"]["cutoff"] == Value(0.5, "user", "given in the protocol")
    assert told["fbp"]["axis_column"].origin == "user"
    assert told["fbp"]["pixel_m"] == Value(1e-6, "read", "test")
    assert told["fbp"]["window"].origin == "default"


def test_a_probe_fills_what_nobody_gave() -> None:
    scan = make_scan().with_geometry(axis_column=Value(12.0, "read", "a motor"))
    probe, _, _, fbp = resolve(default_protocol(), scan).items
    assert probe.step.name == "find_axis"
    assert fbp.awaits == ("axis_column",)


def test_a_value_nobody_tells_is_asked_for() -> None:
    scan = make_scan().with_geometry(axis_column=None)
    with pytest.raises(MissingData, match=r"--set fbp\.axis_column"):
        resolve(from_data({"steps": ["flat_field", "fbp"]}, "test"), scan)
    resolution = resolve(default_protocol(), make_scan().with_geometry(pixel_m=None))
    assert resolution.items[-1].values["pixel_m"].value is None


@pytest.mark.parametrize("text", ["steps: [{fbp: {pixel_m: 0.65}}]", "steps: [{paganin: {energy_kev: 20}}]"])
def test_a_number_without_its_unit_is_refused_where_people_write(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"has no unit; write it with one, such as '(0\.65 um|20 keV)'"):
        read(tmp_path / "a.yaml")
    with pytest.raises(ParameterError, match="has no unit"):
        as_protocol(text)
    with pytest.raises(ParameterError, match="has no unit"):
        with_parameter(default_protocol(), "fbp.pixel_m=0.65")
    assert as_protocol({"steps": [{"fbp": {"pixel_m": 0.65e-6}}]}).items[0].given == {"pixel_m": 0.65e-6}
    assert as_protocol("steps: [{fbp: {angle_offset_deg: 12}}]").items[0].given == {"angle_offset_deg": 12}
    assert with_parameter(default_protocol(), "fbp.angle_offset_deg=12").items[-1].given == {
        "angle_offset_deg": 12
    }


def test_a_pixel_that_no_scan_has_is_asked_back() -> None:
    with pytest.raises(
        ParameterError, match=r"is 650 mm, which no scan has .*check its unit, such as '0\.65 um'"
    ):
        resolve(as_protocol({"steps": ["flat_field", {"fbp": {"pixel_m": "0.65 m"}}]}), make_scan())


def test_a_protocol_is_made_of_whatever_spells_one(tmp_path: Path) -> None:
    expected = from_data({"steps": ["flat_field", "fbp"]}, "test")
    (tmp_path / "p.yaml").write_text("steps: [flat_field, fbp]")
    for given in ("steps: [flat_field, fbp]", tmp_path / "p.yaml", str(tmp_path / "p.yaml"), expected,
                  {"steps": ["flat_field", "fbp"]}, ["flat_field", "fbp"]):  # fmt: skip
        assert as_protocol(given) == expected
    assert [item.step.name for item in as_protocol("rings").items][1] == "remove_spikes"
    names = [item.step.name for item in as_protocol(None, "attenuation").items]
    assert names == ["find_axis", "half_acquisition", "fbp"]
    assert "minus_log" in [item.step.name for item in as_protocol(None, "transmission").items]
    with pytest.raises(ParameterError, match="is no protocol: give the path of its file"):
        as_protocol("nonsense")
    with pytest.raises(InputError, match="but int was given"):
        as_protocol(3)  # type: ignore[arg-type]
