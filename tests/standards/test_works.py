"""References of every form are read alike; foreign writers and readers of these forms are the judges."""

from __future__ import annotations

import json

import pytest
import rispy

from standards.examples import ADDRESS, FULL
from tomarium.errors import FormatError
from tomarium.standards import bibtex, csl
from tomarium.standards import ris as ris_export
from tomarium.standards.citation import day_of
from tomarium.standards.read_works import read_works
from tomarium.standards.works import Work, named_in

DOI = "10.1038/S41586-026-1"
DATA = "10.5072/Tooth.v1"
WANTED = Work(
    title="Zähne der Höhlenbären",
    type="paper",
    authors=("Lovelace, Ada", "van der Waals, Johannes", "Röntgen, Wilhelm Conrad"),
    year="2026",
    journal="Nature & Teeth",
    volume="12",
    pages="3–9",
    publisher="ACME",
    doi=DOI.lower(),
    data=(DATA.lower(),),
)
BIBTEX = r"""
@string{nt = "Nature \& Teeth"}
@comment{nothing}
@article{bear2026,
  author = {Lovelace, Ada and Johannes van der Waals and R{\"o}ntgen, Wilhelm Conrad},
  title = {Z{\"a}hne der H{\"o}hlenb{\"a}ren}, journal = nt, year = 2026, volume = 12, pages = {3--9},
  publisher = {ACME}, doi = {10.1038/S41586-026-1},
  note = {Data: \url{https://doi.org/10.5072/Tooth.v1}.},
}
"""
AUTHORS = [
    {"family": "Lovelace", "given": "Ada"},
    {"family": "Waals", "given": "Johannes", "non-dropping-particle": "van der"},
    {"family": "Röntgen", "given": "Wilhelm Conrad"},
]
CSL = {
    "id": "bear", "type": "article-journal", "title": WANTED.title, "author": AUTHORS, "DOI": DOI, "volume": "12",
    "container-title": WANTED.journal, "issued": {"date-parts": [[2026, 3]]}, "page": "3-9", "publisher": "ACME",
    "note": f"data doi:{DATA}",
}  # fmt: skip
CROSSREF = {
    "status": "ok",
    "message": {
        "type": "journal-article", "title": [WANTED.title], "container-title": [WANTED.journal], "DOI": DOI.lower(),
        "author": [{**one, "sequence": "first"} for one in AUTHORS], "issued": {"date-parts": [[2026, 3, 1]]},
        "volume": "12", "page": "3-9", "publisher": "ACME",
        "URL": f"https://doi.org/{DOI}",
        "reference": [{"key": "1", "unstructured": f"ACME: Tooth. https://doi.org/{DATA}."}, {"DOI": DOI}],
        "relation": {"is-supplemented-by": [{"id-type": "doi", "id": DATA, "asserted-by": "subject"}]},
    },
}  # fmt: skip
DATACITE = {
    "data": {
        "id": DOI.lower(),
        "attributes": {
            "doi": DOI.lower(), "titles": [{"title": WANTED.title}], "publicationYear": 2026, "publisher": "ACME",
            "creators": [
                {"name": "Lovelace, Ada", "familyName": "Lovelace", "givenName": "Ada"},
                {"name": "van der Waals, Johannes"}, {"name": "Röntgen, Wilhelm Conrad"},
            ],
            "types": {"resourceTypeGeneral": "JournalArticle"},
            "container": {"title": WANTED.journal, "volume": "12", "firstPage": "3", "lastPage": "9"},
            "relatedIdentifiers": [
                {"relatedIdentifier": DATA, "relatedIdentifierType": "DOI", "relationType": "Cites"},
            ],
        },
    }
}  # fmt: skip


def ris() -> str:
    reference = {
        "type_of_reference": "JOUR", "title": WANTED.title, "authors": list(WANTED.authors), "year": "2026/03/01/",
        "journal_name": WANTED.journal, "volume": "12", "start_page": "3", "end_page": "9", "publisher": "ACME",
        "doi": f"https://doi.org/{DOI}", "notes": [f"Data at https://doi.org/{DATA}"],
    }  # fmt: skip
    return rispy.dumps([reference])


@pytest.mark.parametrize("form", ["bibtex", "ris", "csl", "crossref", "datacite"])
def test_every_form_tells_the_same_work(form: str) -> None:
    text = {
        "bibtex": lambda: BIBTEX,
        "ris": ris,
        "csl": lambda: json.dumps([CSL]),
        "crossref": lambda: json.dumps(CROSSREF),
        "datacite": lambda: json.dumps(DATACITE),
    }[form]()
    found = read_works(text)
    assert found.problems == ()
    [work] = found.works
    for name in (
        "title",
        "type",
        "authors",
        "year",
        "journal",
        "volume",
        "pages",
        "publisher",
        "doi",
        "data",
    ):
        assert getattr(work, name) == getattr(WANTED, name), name
    assert work.address == ""


def test_many_works_are_read_and_bad_ones_are_told() -> None:
    text = (
        BIBTEX
        + "@misc{empty, year = 2020}\n@book{good, title = {Good}, date = {2019-05}, url = {https://a.org/x}}\n"
    )
    found = read_works(text + "@article{cut, title = {Cut")
    assert [one.title for one in found.works] == [WANTED.title, "Good"]
    assert (found.works[1].type, found.works[1].year, found.works[1].address) == (
        "book",
        "2019",
        "https://a.org/x",
    )
    assert ["title" in one for one in found.problems] == [
        False,
        True,
        True,
    ]  # the end is missing, and two titles
    broken = (
        "TY  - BOOK\nTI  - A long title that\n  goes on\nER  - \nTY  - JOUR\nAU  - A, B\nER  - \nTY  - THES\n"
    )
    found = read_works(f"{broken}T1  - Last")
    assert [(one.title, one.type) for one in found.works] == [
        ("A long title that goes on", "book"),
        ("Last", "thesis"),
    ]
    assert found.problems == ("entry 2: has no title",)
    found = read_works(json.dumps({"message": {"items": [CSL, {"DOI": "10.1000/2"}, 7]}}))
    assert (len(found.works), len(found.problems)) == (1, 2)


@pytest.mark.parametrize("text", ["", "hello", "{", "[]", "<xml/>", '{"a": ' * 20000])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"papers.txt: "):
        read_works(text, "papers.txt")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(see 10.5072/tooth.v1).", "10.5072/tooth.v1"),
        ("https://doi.org/10.1016/S0140-6736(20)30001-2, and", "10.1016/s0140-6736(20)30001-2"),
        ("<10.5072/a>", "10.5072/a"),
        ("https://data.example.org/records/tooth-1a2b.", "https://data.example.org/records/tooth-1a2b"),
    ],
)
def test_identifiers_are_found_in_sentences(text: str, wanted: str) -> None:
    assert named_in([text, text]) == (wanted,)
    assert named_in([text], but=wanted) == ()


def test_our_own_citations_are_read_back() -> None:
    for standard in (bibtex.BIBTEX, ris_export.RIS, csl.CSL):
        [work] = read_works(standard.export(FULL, ADDRESS)).works
        assert (work.title, work.type, work.year) == (FULL.title, "dataset", str(day_of(FULL).year)), (
            standard.name
        )
        assert work.authors[0] == "Lovelace, Ada", standard.name
