"""Real exports of ICAT and SciCat: what became of each object, and two spellings of one facility against each other."""

from collections.abc import Callable
from pathlib import Path

from tomarium.importers import icat, scicat
from tomarium.importers.found import DraftRecord, Found
from tomarium.standards import identifiers


def test_the_dump_and_the_example_it_was_made_of_say_the_same(shared: Callable[[str], Path]) -> None:
    """Python-icat made the dump by filling a server from the example: two files, one content."""
    dump = icat.read(shared("catalogue/icat/icatdump-5.0.xml"))
    example = icat.read(shared("catalogue/icat/example_data.yaml"))
    ours, theirs = by_title(dump), by_title(example)
    assert ours.keys() == theirs.keys()
    assert len(ours) == 9
    for title, one in ours.items():
        other = theirs[title]
        assert [person.name for person in one.creators] == [person.name for person in other.creators], title
        assert numbers(one) == numbers(other), title
        assert sorted((f.name, f.bytes, f.checksum) for f in one.files) == sorted(
            (f.name, f.bytes, f.checksum) for f in other.files
        ), title
        assert set(one.keywords) == set(other.keywords), title
        assert one.funding == other.funding, title
        assert (one.created, one.is_open) == (other.created, other.is_open), title
        assert len(one.derived_from) == len(other.derived_from), title
    for kind in ("instrument", "proposal", "specimen", "collection", "document"):
        assert names(dump, kind) == names(example, kind), kind


def test_what_the_dump_tells(shared: Callable[[str], Path]) -> None:
    found = icat.read(shared("catalogue/icat/icatdump-5.0.xml"))
    one = by_title(found)["Ni-Mn-Ga flat cone: e208339"]
    field, power = one.parameters["magnetic_field_tesla"], one.parameters["reactor_power_watt"]
    assert (field.value, power.value) == (7.3, 5e6)
    assert power.source == "icatdump-5.0.xml: e208339: Reactor power = 5.0 MW"
    made = by_title(found)["NiO SC OF1 JUH HHL: e208947"]
    assert [key[-7:] for key in made.derived_from] == ["e208341", "e208945"]
    assert all(
        found.records.index(one) < found.records.index(made)
        for one in found.records
        if one.key in made.derived_from
    )
    published = by_title(found)["NiO SC OF1 JUH HHL: pub-00027"]
    assert published.is_open
    assert "Encyclopedia of Integer Sequences" in published.description
    assert found.notes.left_out["159 rule"]
    assert found.notes.unknown["0000-0002-3266, no ORCID iD"] == 9  # twelve digits are told as one
    assert found.notes.problems == [
        "publication Investigation_facility-(name-ESNF)_name-10100601=2DST_visitId-1=2E1=2DN/publications/0: "
        "DOI:00.1002/adma.201101001 is no DOI; it was left out"
    ]


def test_metadata_for_ingest(shared: Callable[[str], Path]) -> None:
    found = icat.read(shared("catalogue/icat/metadata.xml"))
    one = by_title(found)["e202553"]
    assert {
        key: one.parameters[key].value for key in ("probe", "reactor_power_watt", "sample_temperature_kelvin")
    } == {
        "probe": "neutron",
        "reactor_power_watt": 5.3e6,
        "sample_temperature_kelvin": 2.74103,
    }


def test_scicat(shared: Callable[[str], Path]) -> None:
    found = scicat.read(shared("catalogue/scicat/Dataset.json").parent)
    assert len(found.records) == 19
    assert len([one for one in found.entities if one.kind == "collection"]) == 11
    one = next(one for one in found.records if one.key.endswith("psi_ds3"))
    assert {key: one.parameters[key].value for key in ("energy_kev", "pixel_m", "camera_pixel_size_m")} == {
        "energy_kev": 21.0,
        "pixel_m": 2.75e-6,
        "camera_pixel_size_m": 1.1e-5,
    }
    assert one.creators[0].name == "Elena Borisova"
    assert len(one.creators) == 9
    assert one.techniques == ("PaNET01129",)
    assert [identifiers.classify(other.identifier)[1] for other in one.related] == ["DOI", "DOI"]
    derived = next(one for one in found.records if one.key.endswith("soleil_ds1"))
    assert derived.derived_from == ("PID.SAMPLE.PREFIX/soleil_ds2",)
    keys = [one.key for one in found.records]
    assert keys.index("PID.SAMPLE.PREFIX/soleil_ds2") < keys.index(derived.key)
    assert any("dsl_ds1, which is not among the datasets" in one for one in found.notes.problems)


def by_title(found: Found) -> dict[str, DraftRecord]:
    return {one.title: one for one in found.records}


def names(found: Found, kind: str) -> list[str]:
    return sorted(one.name for one in found.entities if one.kind == kind)


def numbers(record: DraftRecord) -> dict[str, object]:
    return {
        key: one.value for key, one in record.parameters.items() if key not in ("start_time", "end_time")
    }  # of these the zones are written otherwise
