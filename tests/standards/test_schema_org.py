"""schema.org: read from a page of HTML by extruct, as a search engine does."""

import json
import warnings
from dataclasses import replace
from typing import Any

import pytest

from standards.examples import ADDRESS, DRAFT, FULL, OPEN, WITHDRAWN
from tomarium.model import FileEntry, Person, Publication, Record
from tomarium.standards.schema_org import LONGEST, MOST_FILES, export

assert isinstance(FULL.publication, Publication)
EMBARGOED = replace(
    FULL, publication=replace(FULL.publication, open_from=FULL.publication.open_from.replace(year=9000))
)


def read(record: Record, address: str = ADDRESS) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the foreign program
        from extruct.jsonld import JsonLdExtractor

        html = f'<html><head><script type="application/ld+json">{export(record, address)}</script></head><body></html>'
        (dataset,) = JsonLdExtractor().extract(html)
    assert dataset == json.loads(export(record, address))
    return dict(dataset)


def test_what_a_search_engine_demands() -> None:
    told = read(OPEN)
    assert (told["@context"], told["@type"]) == ("https://schema.org", "Dataset")
    assert told["name"] == OPEN.title
    assert told["description"] == OPEN.description
    assert told["@id"] == "https://doi.org/10.5072/tooth_1.v2"
    assert told["identifier"][0] == told["@id"]
    assert told["url"] == ADDRESS
    assert told["sameAs"] == told["@id"]
    assert told["temporalCoverage"] == "2025-11-19T08:00:00+01:00/2025-11-19T09:30:00+01:00"
    assert told["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert told["keywords"] == list(OPEN.keywords)
    assert (told["datePublished"], told["version"]) == ("2026-03-01", "2")
    assert told["isAccessibleForFree"] is True
    assert told["includedInDataCatalog"] == {
        "@type": "DataCatalog", "name": "tomarium", "url": "https://tomo.example.org/",
    }  # fmt: skip
    assert told["creator"][0] == {
        "@type": "Person",
        "name": "Ada Lovelace",
        "givenName": "Ada",
        "familyName": "Lovelace",
        "sameAs": "https://orcid.org/0000-0002-1825-0097",
        "affiliation": {
            "@type": "Organization",
            "name": "ESRF & friends",
            "sameAs": "https://ror.org/02550n020",
        },
    }
    assert told["creator"][3] == {"@type": "Organization", "name": "The Smilodon Consortium"}
    assert [one["name"] for one in told["funder"]] == [
        "European Research Council", "DFG", "Wellcome", "Museum of Bears",
    ]  # fmt: skip
    assert told["funder"][0]["sameAs"] == "https://ror.org/0472cxd90"
    assert [(one["identifier"], one.get("url", "")) for one in told["funding"]] == [
        ("101000000", "https://doi.org/10.3030/101000000"),
        ("Teeth of the past", "https://gepris.dfg.de/gepris/projekt/1234"),
        ("Teeth of today", ""),
    ]


def test_how_it_was_measured() -> None:
    told = read(OPEN)
    assert told["measurementTechnique"][0]["@id"] == "http://purl.org/pan-science/PaNET/PaNET01207"
    assert told["measurementTechnique"][0]["name"] == "x-ray tomography"
    variables = {one["propertyID"]: one for one in told["variableMeasured"]}
    assert variables["pixel_m"] == {
        "@type": "PropertyValue",
        "name": "Pixel size at the sample",
        "propertyID": "pixel_m",
        "value": 0.65e-6,
        "unitText": "m",
    }
    assert "unitText" not in variables["sample_name"]


def test_what_it_is_related_to() -> None:
    told = read(OPEN)
    assert told["isBasedOn"] == ["https://tomo.example.org/records/tooth-raw"]
    assert told["subjectOf"][0]["url"] == "https://doi.org/10.1107/S1600577525005272"
    assert told["isPartOf"][0]["@id"] == "https://example.org/smilodon?a=1&b=2"
    assert "isBasedOn" not in read(OPEN, "")
    assert read(replace(OPEN, related=(), specimen="IGSN:AB1"))["isBasedOn"] == ["https://igsn.org/AB1"]


def test_files_of_an_open_record_can_be_taken() -> None:
    archive, picture, manifest = read(OPEN)["distribution"]  # the volume is a folder, which the archive holds
    assert archive["contentUrl"] == f"{ADDRESS}/download.zip"
    assert picture == {
        "@type": "DataDownload",
        "name": "previews/slice z#1.png",
        "contentUrl": f"{ADDRESS}/files/previews/slice%20z%231.png",
        "encodingFormat": "image/png",
        "contentSize": "7 B",
        "sha256": "1" * 64,
    }
    assert manifest["contentUrl"] == f"{ADDRESS}/files/manifest-sha256.txt"


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (EMBARGOED, "Under embargo: the files open on 9000-06-01."),
        (WITHDRAWN, "Withdrawn on 2026-07-01: Wrong specimen."),
        (replace(FULL, publication=None), "Not published; ask its creators."),
    ],
    ids=["embargoed", "withdrawn", "draft"],
)
def test_no_file_of_a_closed_record_is_told(record: Record, told: str) -> None:
    dataset = read(record)
    assert "contentUrl" not in json.dumps(dataset)
    assert dataset["isAccessibleForFree"] is False
    assert dataset["conditionsOfAccess"] == told


def test_of_many_files_only_manifest_and_archive_are_told() -> None:
    many = tuple(FileEntry(f"slices/{number}.tif", 1, "3" * 64) for number in range(MOST_FILES))
    told = read(replace(OPEN, files=OPEN.files + many))["distribution"]
    assert [one["contentUrl"] for one in told] == [
        f"{ADDRESS}/download.zip",
        f"{ADDRESS}/files/manifest-sha256.txt",
    ]


@pytest.mark.parametrize(("text", "length"), [("", None), ("Short.", None), ("x" * 9000, LONGEST)])
def test_description_has_the_length_that_is_taken(text: str, length: int | None) -> None:
    found = read(replace(DRAFT, description=text))["description"]
    assert 50 <= len(found) <= LONGEST
    assert found.startswith(text[:100])
    assert length is None or len(found) == length


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!-- <script>", "]]>", "&lt;", "a\u2028'\""]
)
def test_nothing_ends_the_script(text: str) -> None:
    record = replace(OPEN, title=text, description=text * 9, creators=(Person(text),), licence=text)
    assert not set("<>&\u2028") & set(export(record, ADDRESS))
    assert read(record)["name"] == text
    assert "license" not in read(record)
