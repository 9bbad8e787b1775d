"""What only RO-Crate promises: a flat graph whose references all lead somewhere, in the crate's own terms."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from standards.examples import FULL
from tomarium.errors import FormatError
from tomarium.model import FileEntry, Part, Person, Record, Value
from tomarium.standards.ro_crate import export, read

RECORD = Record(
    id="tooth-1",
    title="Tooth",
    created=datetime.fromisoformat("2026-11-20T21:00:00+01:00"),
    description="A tooth.",
    creators=(Person("Ada Lovelace"), Person("Wilhelm Röntgen")),
    keywords=("tooth",),
    licence="CC-BY-4.0",
    parameters={
        "pixel_m": Value(0.65e-6, "read", "tooth.h5"),
        "angles_deg": Value([0.0, 0.5], "default", ""),
        "sample_name": Value("M2", "user", "typed"),
    },
    parts=(
        Part(
            "volume",
            "volume.ome.zarr",
            summary={"shape": [4, 5, 6], "histogram": {"edges": [0.0, 1.0], "counts": [120]}},
        ),
    ),
    provenance={
        "versions": {"tomarium": "0.1.0"},
        "source": {"path": "tooth.h5"},
        "started": "2026-11-20T20:00Z",
    },
    files=(
        FileEntry("volume.ome.zarr/", 480, "0" * 64, "application/vnd+zarr", "volume"),
        FileEntry("previews/slice z#1.png", 7, "1" * 64, "image/png", "preview"),
    ),
)


@pytest.fixture(scope="module")
def graph() -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(export(RECORD))["@graph"]}


def references(entity: dict[str, Any]) -> Iterator[str]:
    for key, content in entity.items():
        for item in content if isinstance(content, list) else [content]:
            if key != "@type" and isinstance(item, dict):
                assert item.keys() == {"@id"}, f"{key} is not flat"
                yield item["@id"]


def test_every_reference_is_described(graph: dict[str, dict[str, Any]]) -> None:
    outside = {"https://w3id.org/ro/crate/1.2"}
    for entity in graph.values():
        assert set(references(entity)) <= graph.keys() | outside
        assert entity["@type"]


def test_only_terms_of_the_crate_are_used() -> None:
    assert json.loads(export(RECORD))["@context"] == "https://w3id.org/ro/crate/1.2/context"


def test_root_says_what_a_crate_must(graph: dict[str, dict[str, Any]]) -> None:
    root = graph["./"]
    assert root["@type"] == "Dataset"
    assert (root["name"], root["description"]) == ("Tooth", "A tooth.")
    assert root["datePublished"] == "2026-11-20T21:00:00+01:00"
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}


def test_parameter_tells_unit_and_origin(graph: dict[str, dict[str, Any]]) -> None:
    pixel = graph["#parameter-pixel_m"]
    assert pixel["@type"] == "PropertyValue"
    assert (pixel["value"], pixel["unitText"]) == (0.65e-6, "m")
    assert (pixel["measurementTechnique"], pixel["description"]) == ("read", "tooth.h5")
    assert "unitText" not in graph["#parameter-sample_name"]


def test_reconstruction_is_an_action(graph: dict[str, dict[str, Any]]) -> None:
    action = graph["#reconstruction"]
    assert action["@type"] == "CreateAction"
    assert action["result"] == {"@id": "volume.ome.zarr/"}
    assert graph[action["object"]["@id"]]["name"] == "tooth.h5"
    assert graph[action["instrument"]["@id"]]["version"] == "0.1.0"
    assert [graph[agent["@id"]]["name"] for agent in action["agent"]] == ["Ada Lovelace", "Wilhelm Röntgen"]
    assert action["startTime"] == "2026-11-20T20:00Z"


def test_what_was_not_reconstructed_is_not_called_so() -> None:
    fused = replace(RECORD, provenance={**RECORD.provenance, "fused": {"phases": []}})
    assert (RECORD.made_by, fused.made_by) == ("reconstruction", "fusion with maps")
    graph = {entity["@id"]: entity for entity in json.loads(export(fused))["@graph"]}
    assert graph["#reconstruction"]["name"] == "Fusion with maps"
    assert "econstruction" not in graph["#reconstruction"]["description"]


def test_file_has_size_checksum_and_a_valid_address(graph: dict[str, dict[str, Any]]) -> None:
    preview = graph["previews/slice%20z%231.png"]
    assert (preview["contentSize"], preview["sha256"], preview["encodingFormat"]) == (
        "7",
        "1" * 64,
        "image/png",
    )
    assert preview["@type"] == "File"
    assert graph["volume.ome.zarr/"]["@type"] == "Dataset"


def test_record_without_licence_says_so() -> None:
    bare = Record("a", "A", RECORD.created)
    assert "No licence stated" in export(bare)
    assert read(export(bare)) == bare


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"identifier": "tooth-1"', '"identifier": 7', "identifier of ./ is int"),
        ("2026-11-20T21:00:00+01:00", "2026-11-20T21:00:00", "time zone"),
        ('"read"', '"guessed"', "guessed"),
        ('"value": 6.5e-07', '"value": NaN', "NaN"),
        ('"value": 6.5e-07', f'"value": {"9" * 400}', "400 digits"),
        ('"name": "Tooth"', '"name": "\\ud800"', "surrogates"),
        ('"about": {', '"abut": {', "'about' is missing"),
        ("#creator-2", "#creator-9", None),
    ],
)
def test_wrong_crate_is_refused_with_its_reason(old: str, new: str, said: str | None) -> None:
    text = export(RECORD)
    assert old in text
    if said is None:  # renamed everywhere: still the same record
        assert read(text.replace(old, new)) == RECORD
    else:
        with pytest.raises(FormatError, match=said):
            read(text.replace(old, new))


def test_reads_single_things_without_lists() -> None:
    document = json.loads(export(RECORD))
    root = next(entity for entity in document["@graph"] if entity["@id"] == "./")
    root["keywords"] = "tooth"
    assert read(json.dumps(document)) == RECORD


def test_who_has_an_identifier_of_their_own_is_known_by_it() -> None:
    ada = Person("Ada Lovelace", "0000-0002-1825-0097", "ESRF", "02550n020")
    record = replace(
        RECORD, creators=(ada, Person("Wilhelm Röntgen", affiliation="ESRF", ror="02550n020"), Person("ESRF"))
    )
    entities = {entity["@id"]: entity for entity in json.loads(export(record))["@graph"]}
    assert [one["@id"] for one in entities["./"]["creator"]] == [
        "https://orcid.org/0000-0002-1825-0097", "#creator-2", "#creator-3",
    ]  # fmt: skip
    assert entities["#creator-2"]["affiliation"] == {"@id": "https://ror.org/02550n020"}
    assert entities["https://ror.org/02550n020"]["name"] == "ESRF"
    assert entities["#creator-3"]["@type"] == "Organization"
    assert read(export(record)) == record


@pytest.mark.parametrize(
    "other", [Person("Lovelace, A.", "0000-0002-1825-0097"), Person("X", "", "MAX IV", "02550n020")]
)
def test_an_identifier_that_two_share_with_different_names_names_neither(other: Person) -> None:
    record = replace(
        RECORD, creators=(Person("Ada Lovelace", "0000-0002-1825-0097", "ESRF", "02550n020"), other)
    )
    graph = json.loads(export(record))["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    assert read(export(record)) == record


@pytest.mark.parametrize(
    ("key", "told"), [("form", "tomarium link 9"), ("unit", "mm"), ("matrix", [[1]]), ("kind", "guessed")]
)
def test_links_that_are_damaged_are_refused(key: str, told: object) -> None:
    crate = json.loads(export(replace(RECORD, links=FULL.links)))
    details = next(one for one in crate["@graph"] if one["@id"] == "#details")
    content = json.loads(details["text"])
    content["links"][0][key] = told
    details["text"] = json.dumps(content)
    with pytest.raises(FormatError, match="link"):
        read(json.dumps(crate))
