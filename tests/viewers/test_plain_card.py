"""A record in plain words: sizes against the truth of its voxels, and nothing that the record does not tell."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomarium.catalogue.mesh_files import about_of
from tomarium.catalogue.print_sheet import sheet_html
from tomarium.model import FileEntry, Part, Record, Value
from tomarium.model.plain_card import PlainCard
from tomarium.pipeline.mesh.print_body import PrintFigures
from tomarium.portal.languages import LANGUAGES, translations
from tomarium.viewers.plain_card import PLAIN_CARD
from tomarium.viewers.plain_facts import extent_m, plain_facts, probe_of
from tomarium.viewers.size_comparison import THINGS, WITHIN, beside, plain_length
from tomarium.viewers.viewer import View

pytestmark = pytest.mark.fast
UNITS = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "µm": 1e-6, "nm": 1e-9}
FIGURES = PrintFigures(
    scale=10.0, size_mm=(20.0, 20.0, 30.0), body_mm=(18.0, 18.0, 25.0), triangles=1000, volume_cm3=3.0, threshold=0.5,
    threshold_unit="1/cm", threshold_source="Otsu", dark=False, label=None, smooth_px=1.0, grid="1", pitch_mm=0.2,
    wall_mm=1.2, thin_before=0.0, thin_after=0.0, volume_change=0.0, dropped=0, dropped_share=0.0, filled=0,
    filled_share=0.0, at_edge=0.0, stands_on_mm2=50.0, overhang=0.0, moved_mm=0.0, euler=2,
)  # fmt: skip
BARE = Record("a", "A", datetime(2026, 11, 20, tzinfo=UTC))


def record(shape: tuple[int, ...] = (400, 600, 620), voxel_m: Any = 1e-5, **fields: Any) -> Record:
    part = Part("volume", "volume.ome.zarr", summary={"shape": list(shape), "voxel_m": voxel_m})
    return replace(
        BARE, parts=(part,), files=(FileEntry("volume.ome.zarr/", 1, "0" * 64, role="volume"),), **fields
    )


def told_m(text: str) -> list[float]:
    return [float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+) (nm|µm|mm|cm|m)\b", text)]


def test_a_comparison_is_true_to_what_it_says() -> None:
    for length_m in np.geomspace(3e-8, 15, 400):
        demand_true(float(length_m))


def demand_true(length_m: float) -> None:
    assert told_m(plain_length(length_m)) == [pytest.approx(length_m, rel=0.006)]
    if known := beside(length_m, "wide"):
        assert length_m == pytest.approx(known.factor * known.thing.length_m, rel=WITHIN - 1 + 0.001)
        assert known.thing.name in known.words
        assert told_m(known.words) == [pytest.approx(known.thing.length_m, rel=0.006)]
        number = re.search(r"(\d+) times|(half)|(twice)|(third)|(quarter)|(fifth)|(tenth)", known.words)
        factors = [1.0, 0.5, 2.0, 1 / 3, 0.25, 0.2, 0.1]
        said = 1.0 if number is None else float(number[1]) if number[1] else factors[number.lastindex - 1]  # type: ignore[operator]
        assert known.factor == pytest.approx(said)


def test_every_size_between_a_micrometre_and_a_metre_is_beside_something() -> None:
    assert (
        all(beside(one) for one in np.geomspace(1e-6, 1.0, 500)) is False
    )  # some lie between all simple multiples
    found = [beside(one) is not None for one in np.geomspace(1e-6, 1.0, 500)]
    assert np.mean(found) > 0.9
    assert beside(5e-11) is None
    assert {one.side for one in THINGS} <= {"long", "wide", "thick", "high"}


def test_the_extent_is_voxels_times_their_size() -> None:
    assert extent_m(record()) == pytest.approx((4e-3, 6e-3, 6.2e-3))
    told = next(one for one in plain_facts(record()) if "wide" in one.text)
    assert told_m(told.text) == [pytest.approx(one) for one in (6.2e-3, 6e-3, 4e-3, 6e-3)]
    assert "its longest side is about as long as a grain of rice (6 mm)" in told.text
    assert told.source == "volume: shape, voxel_m"
    rows = record(shape=(400, 600, 620), voxel_m=[2e-5, 1e-5, 1e-5])
    assert extent_m(rows) == pytest.approx((8e-3, 6e-3, 6.2e-3))
    voxel = next(one.text for one in plain_facts(rows) if "voxels;" in one.text)
    assert told_m(voxel)[:3] == [pytest.approx(one) for one in (1e-5, 1e-5, 2e-5)]


def test_what_is_not_told_or_only_assumed_has_no_sentence() -> None:
    assert plain_facts(BARE) == ()
    assert not PLAIN_CARD.shows(BARE)
    assert [one.source for one in plain_facts(record(voxel_m=None))] == ["volume: shape"]
    moments = {
        "start_time": Value("2026-11-20T10:00:00+01:00", "read", "a"),
        "end_time": Value("2026-11-20T10:12:00+01:00", "read", "a"),
    }
    whole = record(
        techniques=("PaNET01332",), parameters={"projections": Value(1500, "read", "scan.h5"), **moments}
    )
    texts = " ".join(one.text for one in plain_facts(whole))
    assert "X-rays went through it from many sides" in texts
    assert "1\u202f500 pictures" in texts
    assert "took 12 minutes" in texts
    assert "bent a little" in texts
    assumed = replace(whole, techniques=(), parameters={"projections": Value(1500, "default", "")})
    assert not any("pictures were taken" in one.text for one in plain_facts(assumed))
    backwards = {"start_time": moments["end_time"], "end_time": moments["start_time"]}
    assert not any("took" in one.text for one in plain_facts(replace(whole, parameters=backwards)))
    odd = {"start_time": Value("soon", "read", ""), "end_time": Value(7, "read", "")}
    assert not any("took" in one.text for one in plain_facts(replace(whole, parameters=odd)))


@pytest.mark.parametrize(
    ("technique", "told", "not_told"),
    [
        ("PaNET01207", "X-rays went through", "bent"),
        ("PaNET01151", "Pictures of it were taken", "X-rays"),  # absorption of what is not told
        ("PaNET01096", "Pictures of it were taken", "went through"),  # fluorescence shines by itself
        ("PaNET01088", "", "many sides"),  # no tomography
        ("PaNET09999", "", "many sides"),
    ],
)
def test_a_technique_is_told_as_far_as_its_name_goes(technique: str, told: str, not_told: str) -> None:
    texts = " ".join(one.text for one in plain_facts(replace(BARE, techniques=(technique,))))
    assert told in texts
    assert not_told not in texts


@pytest.mark.parametrize(
    ("techniques", "probe", "told"),
    [
        (("PaNET01332",), None, "X-rays"),
        ((), "neutron", "Neutrons"),
        ((), "x-ray", "X-rays"),
        ((), None, ""),
        (("PaNET01096",), "x-ray", ""),  # fluorescence shines by itself
    ],
)
def test_the_sheet_of_a_print_says_what_went_through(
    techniques: tuple[str, ...], probe: str | None, told: str
) -> None:
    parameters = {} if probe is None else {"probe": Value(probe, "read", "scan.nxs")}
    seen = replace(BARE, techniques=techniques, parameters=parameters)
    assert probe_of(seen) == told
    assert about_of(seen).probe == told
    html = sheet_html(about_of(seen), FIGURES, b"", {"stl": "a.stl"})
    words = {
        "X-rays": "was seen with X-rays, as in",
        "Neutrons": "was seen with neutrons, much as",
        "": "by tomography",
    }
    assert all((text in html) == (name == told) for name, text in words.items())
    assert "Everything brighter in it" in html


def test_the_card_shows_what_its_keepers_wrote_as_text(tmp_path: Path) -> None:
    card = PlainCard("A <b>tooth</b>", "It chewed & chewed.\nA voxel is small.", "", "Find a voxel.")

    def show(level: str, term: str = "/glossary#") -> Any:
        view = View(
            tmp_path, {}, str, str, lambda name, _query: name, term=lambda id: term and term + id, level=level
        )
        return PLAIN_CARD.render(record(card=card), view)

    piece = show("scientist")
    assert piece.data["told"] == {"title": card.title, "what": card.what, "look_for": card.look_for}
    assert "A &lt;b&gt;tooth&lt;/b&gt;" in piece.html
    assert "chewed &amp; chewed.</p>" in piece.html
    assert piece.html.count('href="/glossary#voxel"') == 1  # where it stands first
    assert "Why it was scanned" not in piece.html
    assert "From volume: shape, voxel_m" in piece.html
    pupil = show("pupil")
    assert pupil.data == piece.data
    assert "From volume" not in pupil.html
    assert "tooth" not in pupil.html  # the page's own heading
    assert "<a" not in show("pupil", "").html


def test_sentences_are_told_in_the_language_of_the_page() -> None:
    told = {
        language: [one.text for one in plain_facts(record(), translations(language))]
        for language in LANGUAGES
    }
    assert told["en"] == [one.text for one in plain_facts(record())]
    assert "die längste Seite ist etwa so lang wie ein Reiskorn (6 mm)." in told["de"][0]
    assert "6,2 mm de large" in told["fr"][0]
    assert len(set(map(len, told.values()))) == 1
