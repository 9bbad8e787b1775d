"""A citation as text, and as foreign programs read it: pybtex, citeproc-py, rispy."""

import json
import warnings
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import rispy
from pybtex.database import Entry, parse_string

from standards.examples import ADDRESS, DRAFT, FULL, OPEN, WITHDRAWN
from tomarium.model import Person, Record
from tomarium.standards import bibtex, csl, ris
from tomarium.standards.citation import cite
from tomarium.standards.names import Name, name_of

WAALS = Name("van der Waals", "Johannes Diderik")


@pytest.mark.parametrize(
    ("written", "name", "cited"),
    [
        ("Lovelace, Ada", Name("Lovelace", "Ada"), "Lovelace, A."),
        ("Ada Lovelace", Name("Lovelace", "Ada"), "Lovelace, A."),
        ("Wilhelm Conrad Röntgen", Name("Röntgen", "Wilhelm Conrad"), "Röntgen, W. C."),
        ("Johannes Diderik van der Waals", WAALS, "van der Waals, J. D."),
        ("van der Waals, Johannes Diderik", WAALS, "van der Waals, J. D."),
        ("Röntgen, W.C.", Name("Röntgen", "W.C."), "Röntgen, W. C."),
        ("Jean-Pierre Serre", Name("Serre", "Jean-Pierre"), "Serre, J.-P."),
        ("King, Martin Luther, Jr.", Name("King", "Martin Luther", "Jr."), "King, M. L., Jr."),
        ("Martin Luther King Jr.", Name("King", "Martin Luther", "Jr."), "King, M. L., Jr."),
        ("de Broglie", Name("de Broglie"), "de Broglie"),
        ("王小明", Name("王小明"), "王小明"),
        ("Plato", Name("Plato"), "Plato"),
        ("ESRF", Name("ESRF", organisation=True), "ESRF"),
        ("MAX-IV", Name("MAX-IV", organisation=True), "MAX-IV"),
        ("The HiP-CT Consortium", Name("The HiP-CT Consortium", organisation=True), "The HiP-CT Consortium"),
        ("University of Oxford, Zoology", Name("University of Oxford, Zoology", organisation=True),
         "University of Oxford, Zoology"),
        ("Center, Ada", Name("Center", "Ada"), "Center, A."),
    ],
)  # fmt: skip
def test_names_are_taken_apart(written: str, name: Name, cited: str) -> None:
    assert name_of(Person(written)) == name
    assert name.cited == cited


def test_who_has_an_orcid_is_a_person() -> None:
    assert name_of(Person("Ada Group", "0000-0002-1825-0097")) == Name("Group", "Ada")


def test_citation_of_a_published_record() -> None:
    record = replace(OPEN, title="Tooth", creators=FULL.creators[:2])
    assert cite(record, ADDRESS) == (
        "Lovelace, A.; Röntgen, W. C. (2026): Tooth. Version 2. European Synchrotron & Co. Dataset. "
        "https://doi.org/10.5072/tooth_1.v2"
    )


def test_citation_without_doi_gives_the_address() -> None:
    assert OPEN.publication
    record = replace(OPEN, title="Why teeth?", creators=(), publication=replace(OPEN.publication, doi=""))
    assert cite(record) == "Why teeth? (2026). Version 2. European Synchrotron & Co. Dataset."
    assert cite(record, ADDRESS).endswith(f" Dataset. {ADDRESS}")


def test_draft_and_withdrawn_say_so() -> None:
    assert cite(DRAFT, ADDRESS) == f"A (2026). Dataset. Unpublished draft. {ADDRESS}"
    assert "Withdrawn on 2026-07-01. https://doi.org/" in cite(WITHDRAWN)


def test_year_is_that_in_which_the_files_open() -> None:
    assert FULL.publication
    late = replace(FULL.publication, open_from=datetime.fromisoformat("2029-01-01T00:00+00:00"))
    record = replace(FULL, publication=late)
    assert "(2029)" in cite(record)
    assert entry(record).fields["year"] == "2029"
    assert json.loads(csl.export(record))[0]["issued"]["date-parts"] == [[2029, 1, 1]]


def test_a_title_cannot_break_out_of_its_line() -> None:
    title = "Tooth\r\nER  - \nTY  - \x00FAKE\u2028 \u202egnirts می\u200cخواهم"
    record = replace(OPEN, title=title)
    shown = "Tooth ER - TY - FAKE gnirts می\u200cخواهم"
    assert f": {shown}. " in cite(record)
    assert [one["title"] for one in rispy.loads(ris.export(record))] == [shown]


def entry(record: Record) -> Entry:
    entries = parse_string(bibtex.export(record, ADDRESS), "bibtex").entries
    assert len(entries) == 1
    return next(iter(entries.values()))


def test_bibtex_is_read_by_pybtex() -> None:
    read = entry(FULL)
    assert (read.type, read.key) == ("dataset", "lovelace2026tooth-1")
    people = [
        (one.first_names + one.middle_names, one.prelast_names, one.last_names)
        for one in read.persons["author"]
    ]
    assert people == [
        (["Ada"], [], ["Lovelace"]),
        (["Wilhelm", "Conrad"], [], ["Röntgen"]),
        (["Johannes", "Diderik"], ["van", "der"], ["Waals"]),
        ([], [], ["{The Smilodon Consortium}"]),
        ([], [], ["{ESRF}"]),
    ]
    assert read.fields["title"] == (
        r"{Tooth of Smilodon <em>\& its “roots”: 100 \% \textbraceleft{}sic\textbraceright{}}"
    )
    assert read.fields["doi"] == "10.5072/tooth_1.v2"
    assert read.fields["url"] == "https://doi.org/10.5072/tooth_1.v2"
    assert read.fields["publisher"] == r"European Synchrotron \& Co"
    assert read.fields["copyright"] == "CC-BY-4.0"
    assert (
        r"\textbackslash{}alpha\_1 \$x\textasciicircum{}2\$ \#1 \textasciitilde{}" in read.fields["abstract"]
    )
    assert "note" not in read.fields


@pytest.mark.parametrize(
    "text", ["}", "{", "\\", "a } b", "\\}", "@misc{x,", '"', "%", "a\n}\n@misc{b, title={c}}"]
)
def test_bibtex_holds_any_text(text: str) -> None:
    record = replace(
        OPEN, title=text, description=text, licence=text, creators=(Person(text), Person(f"A, {text}"))
    )
    assert sorted(entry(record).fields) == [
        "abstract", "copyright", "doi", "keywords", "month", "publisher", "title", "type", "url", "version", "year",
    ]  # fmt: skip


def test_bibtex_keeps_a_name_whole_that_would_be_parted() -> None:
    record = replace(OPEN, creators=(Person("Smith and Sons, Ada"), Person("Bob and Eve")))
    assert len(entry(record).persons["author"]) == 2


def test_what_is_not_stated_is_said() -> None:
    assert entry(DRAFT).fields["note"] == "Unpublished draft. No licence stated."
    item = json.loads(csl.export(DRAFT, ADDRESS))[0]
    assert (item["note"], item["status"]) == ("Unpublished draft. No licence stated.", "unpublished draft")
    assert item["URL"] == ADDRESS
    assert rispy.loads(ris.export(DRAFT))[0]["notes"] == ["Unpublished draft.", "No licence stated."]
    assert "Withdrawn on 2026-07-01." in entry(WITHDRAWN).fields["note"]
    assert "Withdrawn on 2026-07-01." in json.loads(csl.export(WITHDRAWN))[0]["note"]
    assert "Withdrawn on 2026-07-01." in rispy.loads(ris.export(WITHDRAWN))[0]["notes"]


def test_ris_is_read_by_rispy() -> None:
    text = ris.export(FULL, ADDRESS)
    assert text.endswith("\r\nER  - \r\n")
    (read,) = rispy.loads(text)
    assert read["type_of_reference"] == "DATA"
    assert read["authors"] == [
        "Lovelace, Ada", "Röntgen, Wilhelm Conrad", "van der Waals, Johannes Diderik",
        "The Smilodon Consortium", "ESRF",
    ]  # fmt: skip
    assert read["title"] == FULL.title
    assert (read["year"], read["date"]) == ("2026", "2026/06/01")
    assert read["doi"] == "10.5072/tooth_1.v2"
    assert read["publisher"] == "European Synchrotron & Co"
    assert read["keywords"] == list(FULL.keywords)
    assert read["notes"] == ["Licence: CC-BY-4.0"]


def cited_by_citeproc(record: Record) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the foreign program: what it does not know
        from citeproc import (
            Citation,
            CitationItem,
            CitationStylesBibliography,
            CitationStylesStyle,
            formatter,
        )
        from citeproc.source.json import CiteProcJSON

        items: list[dict[str, Any]] = json.loads(csl.export(record, ADDRESS))
        style = CitationStylesStyle("harvard-cite-them-right", validate=False)
        bibliography = CitationStylesBibliography(style, CiteProcJSON(items), formatter.plain)
        bibliography.register(Citation([CitationItem(record.id)]))
        return str(bibliography.bibliography()[0])


def test_csl_is_read_by_citeproc() -> None:
    text = cited_by_citeproc(replace(FULL, title="Tooth"))
    assert text == (
        "Lovelace, A. et al. (2026) “Tooth”. European Synchrotron & Co. "
        "Available at: https://doi.org/10.5072/tooth_1.v2."
    )
    (item,) = json.loads(csl.export(FULL, ADDRESS))
    assert item["type"] == "dataset"
    assert item["author"][2:4] == [
        {"family": "van der Waals", "given": "Johannes Diderik"}, {"literal": "The Smilodon Consortium"},
    ]  # fmt: skip
    assert (item["DOI"], item["version"]) == ("10.5072/tooth_1.v2", "2")
