"""Every viewer: sound HTML that works without scripts, facts for machines, no crash on odd wishes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tomarium.errors import ParameterError
from tomarium.model import Record
from tomarium.registry import collect
from tomarium.viewers.viewer import View, Viewer

VIEWERS = collect("viewers", Viewer)
every_viewer = pytest.mark.parametrize("viewer", VIEWERS.values(), ids=VIEWERS)


def view_of(folder: Path, choices: Mapping[str, str] | None = None) -> View:
    chosen = dict(choices or {})

    def page(changes: Mapping[str, str | None]) -> str:
        return "/page?" + urlencode({key: text for key, text in {**chosen, **changes}.items() if text})

    return View(
        folder=folder,
        choices=chosen,
        page=page,
        file=lambda path: f"/files/{path}",
        picture=lambda name, query: f"/pictures/{name}?{urlencode(query)}",
        origin="http://127.0.0.1:8000",
    )


def suitable(viewer: Viewer, records: dict[str, tuple[Record, Path]]) -> list[tuple[Record, Path]]:
    found = [(record, folder) for record, folder in records.values() if viewer.shows(record)]
    assert found, f"no record of this suite suits {viewer.name}"
    return found


@every_viewer
def test_html_is_sound_and_needs_no_script(
    viewer: Viewer, records: dict[str, tuple[Record, Path]], read_html: Callable[[str], Any]
) -> None:
    for record, folder in suitable(viewer, records):
        text = str(viewer.render(record, view_of(folder)).html)
        html = read_html(text)
        assert html.judge() == []
        assert html.headings == [] or min(html.headings) >= 3
        assert html.text
        assert "<script" not in text
        assert html.buttons == html.submits  # what only a script could answer is made by that script


@every_viewer
def test_data_are_json(viewer: Viewer, records: dict[str, tuple[Record, Path]]) -> None:
    for record, folder in suitable(viewer, records):
        data = viewer.render(record, view_of(folder)).data
        assert data
        assert json.loads(json.dumps(data, allow_nan=False)) is not None


@every_viewer
def test_suits_no_record_that_has_nothing(viewer: Viewer, records: dict[str, tuple[Record, Path]]) -> None:
    record = replace(records["bare"][0], parameters={}, parts=(), provenance={}, files=())
    assert viewer.shows(record) is False


@every_viewer
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    choices=st.dictionaries(
        st.sampled_from(
            [
                "z",
                "y",
                "x",
                "low",
                "high",
                "histogram",
                "projection",
                "other",
                "image",
                "chosen",
                "on0",
                "low0",
                "colour0",
                "frame",
                "row",
                "column",
                "from",
                "to",
                "counts",
                "metadata",
                "line",
            ]
        ),
        st.text(max_size=8) | st.integers(-3, 99).map(str) | st.floats().map(str),
    )
)
def test_any_wish_is_shown_or_refused(
    viewer: Viewer,
    records: dict[str, tuple[Record, Path]],
    read_html: Callable[[str], Any],
    choices: dict[str, str],
) -> None:
    record, folder = next(one for one in (records["full"], *records.values()) if viewer.shows(one[0]))
    try:
        piece = viewer.render(record, view_of(folder, choices))
    except ParameterError:
        return
    assert read_html(str(piece.html)).judge() == []


@every_viewer
def test_pictures_are_png(viewer: Viewer, records: dict[str, tuple[Record, Path]]) -> None:
    for record, folder in suitable(viewer, records):
        if viewer.picture:
            with pytest.raises(ParameterError):
                viewer.picture(record, folder, "../../etc/passwd", {})
        for content in (viewer.previews(record, folder) if viewer.previews else {}).values():
            assert content.startswith(b"\x89PNG\r\n\x1a\n")


def test_scripts_are_files_with_names_of_their_own() -> None:
    scripts = {viewer.script for viewer in VIEWERS.values() if viewer.script}
    assert all(script.is_file() and script.suffix == ".js" for script in scripts)
    assert len({script.name for script in scripts}) == len(scripts)
