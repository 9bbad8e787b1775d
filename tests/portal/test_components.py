"""The components of the pages: hostile text stays text, what is unknown is not said, facets work as a form."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from markupsafe import escape

from tomarium.model import Part, Publication, Record, Related
from tomarium.model import Person as Creator
from tomarium.portal.levels import LevelLink
from tomarium.portal.pages.records import AskedRange
from tomarium.portal.record_facts import label_rows, picture_bar, slips
from tomarium.portal.rendering import _templates

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HOSTILE = "Zahn <script>alert('1')</script> \"&amp;' {{ 7*7 }}"


@dataclass(frozen=True)
class Choice:
    value: str
    label: str
    count: int
    chosen: bool
    address: str


@dataclass(frozen=True)
class Facet:
    name: str
    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Person:
    name: str
    affiliation: str
    orcid: str


@dataclass(frozen=True)
class Entry:
    address: str
    label: str
    title: str
    size: str
    help: str


@dataclass(frozen=True)
class Found:
    id: str
    page: str
    title: str
    thumbnail: str
    created: str
    snippet: str
    voxel_m: float | None
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class FoundWithPeople(Found):
    creators: tuple[str, ...]
    licence: str
    energy_kev: float
    opens: str


ENTRY = Entry("/a", HOSTILE, HOSTILE, "1 B", HOSTILE)
FOUND = Found("a", "/records/a", HOSTILE, "", "2026-11-20T10:00:00+00:00", HOSTILE, 2e-6, (3, 4, 5), 9)
FULL = FoundWithPeople(
    *(getattr(FOUND, name) for name in FOUND.__dataclass_fields__), (HOSTILE,), HOSTILE, 25.0, "2027-06-01"
)
FACETS = (
    Facet("technique", HOSTILE, (Choice(HOSTILE, HOSTILE, 23, True, "/x"), Choice("b", "B", 9, False, "/y"))),
    Facet("year", "Year", ()),
)
CALLS: dict[str, tuple[Any, ...]] = {
    "heads": ((HOSTILE,),),
    "label": (HOSTILE, [(HOSTILE, HOSTILE)], HOSTILE, HOSTILE, (HOSTILE,), HOSTILE, HOSTILE, "/a"),
    "slip": (HOSTILE, HOSTILE, HOSTILE),
    "badge": (HOSTILE, "open", "/a", "license"),
    "people": ((HOSTILE, Person(HOSTILE, HOSTILE, HOSTILE)),),
    "cite": (HOSTILE, (HOSTILE,), "", HOSTILE, (ENTRY,)),
    "menu": (HOSTILE, (ENTRY,)),
    "card": (FOUND, HOSTILE),
    "cards": ((FOUND, FULL), HOSTILE, "h2", True),
    "facets": (
        "/records",
        HOSTILE,
        FACETS,
        (AskedRange(HOSTILE, HOSTILE, "/x"), AskedRange("pixel", HOSTILE, "/x")),
    ),
    "chips": (FACETS, "/records", (AskedRange(HOSTILE, HOSTILE, "/x"),)),
    "cabinets": (FACETS,),
    "levels": ((LevelLink("pupil", HOSTILE, "/x", True), LevelLink("student", HOSTILE, "/x", False)),),
}


def render(macro: str, *values: Any) -> str:
    module: Any = _templates("en").get_template("components.html").module
    return str(getattr(module, macro)(*values))


@pytest.mark.parametrize("macro", CALLS)
def test_hostile_text_stays_text(macro: str) -> None:
    html = render(macro, *CALLS[macro])
    assert "<script" not in html
    assert "{{" in html  # the text is there, and nobody ran it
    bare = html.replace("<mark>", "").replace("</mark>", "")
    assert str(escape(HOSTILE))[:20] in bare
    assert " style=" not in html
    # An attribute ends where its text ends: what stands between two tags has no stray quote.
    assert not re.search(r'="[^"]*"[^\s>/]', html)


def test_what_a_card_does_not_know_is_not_said() -> None:
    html = render("card", FOUND)
    assert "No picture" in html
    assert "badge" not in html
    assert "keV" not in html
    known = render("card", FULL)
    assert "25 keV" in known
    assert "Opens on 1 June 2027" in known


def test_a_licence_that_nobody_stated_is_said_to_be_none() -> None:
    assert "none stated, ask the creators" in render("label", "a", [], "", "2026", "open files")


def test_a_citation_says_what_it_lacks() -> None:
    bare = render("cite", "Tooth. http://h/records/a", (), "", "", ())
    assert "Nobody is named as creator" in bare
    assert "No DOI is registered" in bare
    assert "acknowledge" not in bare
    text = "A; B (2026): Tooth. Version 1. ESRF. Dataset. https://doi.org/10.1/a"
    full = render("cite", text, ("A", "B"), "10.1/a", "We thank X.", ())
    assert f"<blockquote>{text}</blockquote>" in full
    assert "registered" not in full
    assert "Please acknowledge: <q>We thank X.</q>" in full


def test_facets_are_a_form_that_needs_no_script() -> None:
    html = render("facets", "/records", "sand", FACETS)
    assert '<form class="facets" id="filters" action="/records"' in html
    assert 'name="q" aria-label="Words that must all occur" value="sand"' in html
    assert html.count("checked") == 1
    assert '<a href="#found">Close</a>' in html
    # The button stands after all fields, in a part of its own: it covers none of them.
    assert html.index("</fieldset>\n  </div>") < html.index('class="facets-do"')


def test_cabinets_have_bars_of_their_share() -> None:
    html = render("cabinets", FACETS)
    assert 'width="100.0%"' in html
    assert f'width="{100 * 9 / 23:.1f}%"' in html


def record(**known: Any) -> Record:
    return Record("a", "A", datetime(2026, 11, 20, tzinfo=UTC), **known)


def with_volume(summary: dict[str, Any]) -> Record:
    return record(parts=(Part("volume", "volume.ome.zarr", summary=summary),))


def test_the_label_says_only_what_is_known() -> None:
    assert label_rows(record()) == (("Made", "20 November 2026"),)
    rows = dict(label_rows(with_volume({"shape": [10, 20, 30], "voxel_m": [2e-6, 1e-6, 1e-6]})))
    assert rows["Voxel"] == "1 µm × 1 µm × 2 µm"
    assert rows["Volume"] == "30 × 20 × 10, 30 µm wide"


def test_the_bar_of_the_picture_is_true() -> None:
    bar = picture_bar(with_volume({"shape": [10, 20, 400], "voxel_m": 1e-6}))
    assert bar is not None
    assert (bar.text, bar.percent) == ("100 µm", 25.0)
    assert picture_bar(with_volume({"shape": [10, 20, 400], "voxel_m": None})) is None
    assert picture_bar(record()) is None


def test_slips_name_people_and_days() -> None:
    [made] = slips(record(creators=tuple(map(Creator, "ABCD"))), NOW)
    assert made.by == "A; B; C and others, 20 November 2026"
    told = slips(
        record(provenance={"versions": {"tomarium": "9.9"}, "finished": "2026-11-19T01:00:00+00:00"}), NOW
    )
    assert told[1].by == "tomarium 9.9, 19 November 2026"
    odd = {"versions": [], "finished": {}}
    assert len(slips(record(provenance=odd), NOW)) == 1


def test_slips_tell_versions_embargo_and_withdrawal() -> None:
    day, later = datetime(2026, 11, 21, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)
    closed = Publication(day, "ESRF", later, doi="10.5072/a.v1")
    version, _made = slips(record(publication=closed), day)
    assert (version.lead, version.by) == ("Version 1", "ESRF, 21 November 2026")
    assert "DOI 10.5072/a.v1" in version.text
    assert "Its files open on 1 June 2027." in version.text
    assert "open on" not in slips(record(publication=closed), later)[0].text
    promised = replace(closed, kept_until=datetime(2036, 11, 21, tzinfo=UTC))
    assert "It is kept until 21 November 2036 at least." in slips(record(publication=promised), day)[0].text
    gone = replace(closed, withdrawn=later, reason="the wrong bear")
    newer = (Related("IsPreviousVersionOf", "10.5072/a.v2"),)
    leads = [(slip.lead, slip.text) for slip in slips(record(publication=gone, related=newer), later)[:2]]
    assert leads == [("Withdrawn", "the wrong bear"), ("A newer version", "is there: 10.5072/a.v2.")]


def test_every_component_is_called_here() -> None:
    module: Any = _templates("en").get_template("components.html").module
    macros = {name for name in vars(module) if not name.startswith("_")}
    assert macros - {"ring", "scale"} == CALLS.keys()
