"""The live page: whether all is well is said in one line, by whom it is seen, and when the watcher is gone."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app_client import TestClient
from tomarium.beamtime.live_file import PICTURES, LiveState, moment, seconds_of
from tomarium.beamtime.roster import Roster, make_shift, write_roster
from tomarium.catalogue import Catalogue
from tomarium.errors import InputError
from tomarium.portal.app import create_app
from tomarium.portal.live_server import create_live_app, split_address
from tomarium.portal.live_view import age, live_page

_begun = [0.0]


@pytest.fixture(autouse=True)
def begin() -> None:
    _begun[0] = time.time()


def now() -> float:
    """When the test began: what is twelve seconds old stays so old, however long the test takes."""
    return _begun[0]


PNG = b"\x89PNG\r\n\x1a\n"


def entry(scan: str, old_s: float, **changes: Any) -> dict[str, Any]:
    at = now()
    told = {
        "scan": scan, "row": 64, "picture": f"{scan}.png", "width": 128, "height": 128,
        "finished_at": moment(at - old_s + 1), "arrived_at": moment(at - old_s), "views": 200,
        "covered_deg": [0.0, 179.1], "complete": True, "axis_column": 63.25, "confidence": "high", "axis_of": scan,
        "station": "128 columns, pixel 1 µm", "protocol": "standard", "warnings": [], "notes": ["no dark frames"],
        "checked": True, "seconds": 0.4, "stamp": [1, 2],
    }  # fmt: skip
    return {**told, **changes}


LONG_S = 3600
"""The watch tells that it lives so much ahead: it is not taken for gone where the test is slow."""


def write(folder: Path, *slices: dict[str, Any], **changes: Any) -> Path:
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for one in slices:
        (folder / PICTURES / one["picture"]).write_bytes(PNG)
    state = LiveState(
        spool="/nfs/spool", protocol="standard", heartbeat=moment(now() + LONG_S), state="running"
    )
    state.slices = list(slices)
    (folder / "live.json").write_text(json.dumps({**asdict(state), **changes}), "utf-8")
    return folder


def seen(folder: Path) -> Any:
    return live_page(folder, now(), lambda file, version: f"/live/slices/{file}?v={version}")


WARNING = {"kind": "moved", "title": "Sample moved", "text": "by 1.8 ± 0.1 px", "level": "warn"}
LOST = {"kind": "beam", "title": "Beam lost", "text": "12 of 128 frames are dark", "level": "stop"}


def test_all_is_well(tmp_path: Path) -> None:
    page = seen(write(tmp_path, entry("s14", 12), entry("s13", 180)))
    assert (page.title, page.verdict, page.running) == ("Running and keeping up", "good", True)
    assert [(one.scan, one.age) for one in page.slices] == [("s14", "12 s"), ("s13", "3 min")]
    assert page.axis_column == 63.25


def test_the_worst_of_the_last_six_scans_decides(tmp_path: Path) -> None:
    page = seen(write(tmp_path, entry("s14", 12, warnings=[WARNING]), entry("s13", 180, warnings=[LOST])))
    assert (page.title, page.verdict) == ("Beam lost in s13", "stop")
    assert [one.title for one in page.warnings] == ["Beam lost", "Sample moved"]
    older = [entry(f"s{n}", 12 + n) for n in range(6)]
    assert seen(write(tmp_path, *older, entry("old", 3600, warnings=[LOST]))).verdict == "good"


def test_a_watcher_that_is_gone_is_said_with_the_time(tmp_path: Path) -> None:
    page = seen(write(tmp_path, entry("s14", 12), heartbeat=moment(now() - 60)))
    assert page.title.startswith("The watcher is not running since ")
    assert (page.verdict, page.running) == ("stop", False)
    assert "ended without a word" in page.sentence
    assert "was stopped" in seen(write(tmp_path, entry("s14", 12), state="stopped")).sentence


def test_a_folder_that_is_away_and_a_watch_that_is_behind_are_said(tmp_path: Path) -> None:
    assert seen(write(tmp_path, problem="the folder cannot be looked at: gone")).verdict == "stop"
    waiting = [{"scan": "s20", "arrived_at": moment(now() - 90), "why": "waiting"}]
    assert seen(write(tmp_path, entry("s14", 200), queue=waiting)).title == "Running, but behind"


def test_a_failure_newer_than_all_slices_is_said(tmp_path: Path) -> None:
    at = moment(now())
    failed = [
        {"scan": "bad.h5", "reason": "is truncated", "at": at, "arrived_at": at, "stamp": [1], "tries": 1}
    ]
    page = seen(write(tmp_path, entry("s14", 12), failed=failed))
    assert page.title == "bad.h5 could not be reconstructed"
    assert page.failed[0].reason == "is truncated"


def test_no_watch_and_a_damaged_file_are_said(tmp_path: Path) -> None:
    assert seen(tmp_path).title == "Nothing is watched"
    (tmp_path / "live.json").write_text("{")
    assert seen(tmp_path).verdict == "stop"
    for wrong in ({"queue": ["s1"]}, {"slices": [{"scan": "s1"}]}, {"failed": {"scan": "s1"}}):
        write(tmp_path, entry("s14", 12), **wrong)
        assert seen(tmp_path).verdict == "stop", wrong


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (99, "99 s"), (180, "3 min"), (7200, "2 h"), (3 * 86400, "3 days")]
)
def test_ages_are_told_as_people_do(seconds: float, words: str) -> None:
    assert age(seconds) == words


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    incomplete = entry("s12", 400, complete=False, covered_deg=[0.0, 93.0])
    write(tmp_path, entry("s14", 12, warnings=[WARNING]), incomplete)
    now = seconds_of(incomplete["arrived_at"]) + 400
    monkeypatch.setattr("tomarium.portal.live_server._now", lambda: now)
    return TestClient(create_live_app(tmp_path), base_url="http://localhost")


def test_the_page_alone_says_what_json_says_and_its_links_lead_somewhere(alone: TestClient) -> None:
    answer = alone.get("/")
    shown = " ".join(re.sub(r"<[^>]+>", "", answer.text).split())
    for words in (
        "Sample moved in s14",
        "by 1.8 ± 0.1 px",
        "Incomplete: 0° to 93°",
        "63.25 px, confidence high",
        "12 s ago",
    ):
        assert words in shown
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in answer.text
    assert "refresh" not in alone.get("/live?hold=1").text
    told = alone.get("/live.json").json()
    assert told["title"] == "Sample moved in s14"
    assert [one["age_s"] > 0 for one in told["slices"]] == [True, True]
    for link in re.findall(r'(?:href|src)="([^"]+)"', answer.text):
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in answer.text, link
        else:
            assert alone.get(link).status_code == 200, link


def test_pictures_only_of_the_watch_are_given(alone: TestClient, tmp_path: Path) -> None:
    assert alone.get("/live/slices/s14.png").content == PNG
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / PICTURES / "link.png").symlink_to(tmp_path / "secret.png")
    for name in ("..%2Fsecret.png", "link.png", ".hidden", "none.png"):
        assert alone.get(f"/live/slices/{name}").status_code == 404
    assert alone.get("/live", headers={"host": "evil.example"}).status_code == 400


def test_a_change_is_told_as_an_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tomarium.portal import live

    monkeypatch.setattr(live, "ASKED_S", 0.01)
    monkeypatch.setattr(live, "LONGEST_S", 3600.0)
    write(tmp_path, entry("s14", 12))
    app = create_live_app(tmp_path)
    client = TestClient(app, base_url="http://localhost")
    looks, look = [], live._stamp

    def counted(folder: Path | None) -> Any:
        looks.append(1)
        if len(looks) == 5:
            app.state.ending.set()
        return look(folder)

    monkeypatch.setattr(live, "_stamp", counted)

    def told(address: str) -> str:
        looks.clear()
        app.state.ending = threading.Event()
        with client.stream("GET", address) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            return "".join(answer.iter_text())

    once = told("/live/events")
    assert once.count("event: changed") == 1  # what is there is told once, and again only where it changes
    assert once.startswith("retry: ")
    page = client.get("/live").text
    address = html.unescape(page.partition('data-events="')[2].partition('"')[0])
    assert "event: changed" not in told(address)  # the page shows it already
    write(tmp_path, entry("s15", 1), entry("s14", 12))
    assert (
        told(address).count("event: changed") == 1
    )  # also where it changed before the events were asked for


def test_in_a_portal_only_those_with_an_account_see_it(catalogue: Catalogue, tmp_path: Path) -> None:
    write(tmp_path, entry("s14", 3 * 86400, warnings=[WARNING]))
    owner = TestClient(create_app(catalogue, local=True, live=tmp_path))
    assert "s14" in owner.get("/live").text
    french = owner.get("/fr/live").text
    for words in (
        "Échantillon déplacé dans s14",
        "il y a <span",
        "3 jours",
        "63,25",
    ):
        assert words in french, words
    assert owner.get("/fr/live.json").json()["title"] == "Sample moved in s14"
    assert ">Live</a>" in owner.get("/").text
    stranger = TestClient(create_app(catalogue, live=tmp_path))
    for address in ("/live", "/live.json", "/live/slices/s14.png", "/live/events"):
        assert stranger.get(address).status_code == 401, address
    assert ">Live</a>" not in stranger.get("/").text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        (":9000", ("127.0.0.1", 9000)),
        ("9000", ("127.0.0.1", 9000)),
        ("beam", ("beam", 8000)),
        ("[::1]:81", ("::1", 81)),
    ],
)
def test_addresses_are_read(text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected


@pytest.mark.parametrize("text", ["host:port", "a:1:2", "http://host/", "host:99999"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="HOST:PORT"):
        split_address(text)


def test_who_is_on_shift_is_named(tmp_path: Path) -> None:
    (tmp_path / "beamtime.toml").write_text('name = "night"\n', "utf-8")
    folder = write(tmp_path / "live", entry("s14", 12))
    assert seen(folder).on_shift == ()
    begins = datetime.now(UTC) - timedelta(hours=1)
    shift = make_shift(
        begins, begins + timedelta(hours=8), {"acquisition": ["Ada"], "reconstruction": ["Emmy", "Lise"]}, ""
    )
    write_roster(tmp_path, Roster("Europe/Paris", (shift,)))
    page = seen(folder)
    until = shift.ends.astimezone(ZoneInfo("Europe/Paris")).strftime("%H:%M")
    assert [(one.role, one.names, one.until) for one in page.on_shift] == [
        ("acquisition", ("Ada",), until),
        ("reconstruction", ("Emmy", "Lise"), until),
    ]
    (tmp_path / "roster.toml").write_text("shifts = 3", "utf-8")
    page = seen(folder)
    assert page.on_shift == ()
    assert "roster.toml" in page.roster_problem
