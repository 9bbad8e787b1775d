"""Harvesting by the PaNOSC search API: one instance another, and providers that are slow, down or wrong."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from click.testing import CliRunner

from app_client import TestClient
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    search,
)
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity
from tomarium.catalogue.harvest_sources import all_sources
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.cli.harvest import command
from tomarium.errors import FormatError, InputError, Interrupted
from tomarium.model import Part, Person, Value
from tomarium.portal.app import create_app
from tomarium.portal.client import Limits
from tomarium.portal.harvest_jobs import harvest
from tomarium.portal.harvests import panosc
from tomarium.portal.harvests.panosc import harvest_file, known_source

ADA = Reader("ada", "member")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "here.sqlite") as opened:
        yield opened


def titles(catalogue: Catalogue) -> list[str]:
    return sorted(hit.title for hit in search(catalogue, ANYBODY, elsewhere=True, limit=1000).hits)


def told(catalogue: Catalogue, model: str, **wanted: Any) -> list[Any]:
    found = TestClient(create_app(catalogue)).get(
        f"/panosc/api/{model}", params={"filter": json.dumps(wanted)}
    )
    return list(found.json())


def make(catalogue: Catalogue, home: Path, id: str, embargo: str = "0") -> None:
    (home / id).mkdir(parents=True)
    (home / id / "scan.dat").write_bytes(id.encode())
    file_record(home / id, title=f"Bear {id}", id=id, parameters={"energy_kev": Value(20.0, "read", "")},
                parts=(Part("projections", "scan.dat"),))  # fmt: skip
    ingest(catalogue, home / id, reader=ADA)
    changes = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),), techniques=("PaNET01207",),
                      instrument="bm05", proposal="hg-1", specimen="molar")  # fmt: skip
    edit(catalogue, ADA, id, changes)
    if embargo != "draft":
        publish(catalogue, LOCAL_OWNER, id, Request(embargo=embargo))


def test_one_instance_harvests_another(here: Catalogue, tmp_path: Path) -> None:
    with (
        open_catalogue(tmp_path / "there.sqlite") as there,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        for kind, id in (("instrument", "bm05"), ("proposal", "hg-1"), ("specimen", "molar")):
            make_entity(there, ADA, kind, f"The {id}", {}, id)
        for id, embargo in (("open", "0"), ("closed", "1 year"), ("draft", "draft"), ("wrong", "0")):
            make(there, tmp_path / "records", id, embargo)
        server = uvicorn.Server(uvicorn.Config(create_app(there), log_level="critical", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/panosc/api/"
        try:
            source = known_source(here, address, title="There")
            assert (
                harvest(here, source).kept.added == 3 + 1 + 4
            )  # datasets, instrument; their documents and a proposal
            assert titles(here) == ["Bear closed", "Bear open", "Bear wrong"]
            hit = search(here, ANYBODY, "bear", ranges={"energy": "19..21 keV"}, elsewhere=True).hits[0]
            assert hit.source == "There"
            page = TestClient(create_app(here)).get(f"/harvested/{hit.id}").text
            assert f'href="{address.removesuffix("/panosc/api/")}/records/{hit.title[5:]}"' in page
            whole = ["parameters", "samples", "techniques", "instrument", "documents", "files"]
            for one in (
                *told(here, "Datasets", include=whole),
                *told(here, "Documents", include=["members"]),
            ):
                plural = "Datasets" if "creationDate" in one else "Documents"
                wanted = whole if plural == "Datasets" else ["members"]
                (theirs,) = told(there, plural, where={"pid": one["pid"]}, include=wanted)
                assert _without_provider(one) == _without_provider(theirs)
            assert {one["pid"]: one["isPublic"] for one in told(here, "Datasets")}["closed"] is False
            # What is harvested here is not told as ours to those who harvest us.
            assert TestClient(create_app(here)).get("/panosc/api/Datasets?provider=own").json() == []
            withdraw(there, LOCAL_OWNER, "wrong", "the wrong bear")
            again = harvest(here, source).kept
            assert (again.added, again.changed, again.deleted) == (0, 1, 2)  # the proposal has a dataset less
            assert titles(here) == ["Bear closed", "Bear open"]
            assert len(told(here, "Documents")) == 3
        finally:
            server.should_exit = True
            thread.join()


def _without_provider(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_provider(one) for key, one in value.items() if key not in ("provider", "url")}
    return [_without_provider(one) for one in value] if isinstance(value, list) else value


@dataclass
class Provider:
    """A provider that answers as a test wants."""

    datasets: list[dict[str, Any]] = field(default_factory=list)
    count: int | None = None
    most: int = 3
    asked: list[str] = field(default_factory=list)
    answer: Callable[[str], tuple[int, bytes]] | None = None
    wait_s: float = 0.0

    def reply(self, place: str) -> tuple[int, bytes]:
        self.asked.append(place)
        if self.answer is not None:
            return self.answer(place)
        parts = urlsplit(place)
        mine = self.datasets if "Datasets" in parts.path else []
        if parts.path.endswith("/count"):
            count = len(mine) if self.count is None else self.count if mine else 0
            return 200, json.dumps({"count": count}).encode()
        wanted = json.loads(parse_qs(parts.query)["filter"][0])
        page = sorted(mine, key=lambda one: str(one.get("pid")))[wanted["skip"] :][: self.most]
        return 200, json.dumps(page).encode()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Provider, str]]:
    kept = Provider()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(kept.wait_s)
            status, content = kept.reply(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_told: object) -> None:
            pass

    monkeypatch.setattr("tomarium.portal.client._sleep", lambda _seconds: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield kept, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def dataset(number: int) -> dict[str, Any]:
    return {
        "pid": f"10.1/{number}",
        "title": f"Scan {number}",
        "isPublic": True,
        "creationDate": "2020-01-01",
    }


def test_an_interrupted_harvest_goes_on_with_its_page(
    here: Catalogue, provider: tuple[Provider, str]
) -> None:
    there, address = provider
    there.datasets = [dataset(number) for number in range(8)]
    source = known_source(here, address, title="There")
    usual = there.reply

    def breaks(place: str) -> tuple[int, bytes]:
        there.answer = None
        wanted = usual(place)
        there.answer = breaks
        return (503, b"") if "%22skip%22%3A+6" in place else wanted

    there.answer = breaks
    with pytest.raises(Interrupted, match="does not answer"):
        harvest(here, source)
    assert len(titles(here)) == 6
    with here.reading() as connection:
        (known,) = all_sources(connection)
    assert "does not answer" in known.error
    there.answer, there.asked = None, []
    assert harvest(here, source).kept.added == 2
    assert len(titles(here)) == 8
    assert not any("Instruments" in place or "%22skip%22%3A+3" in place for place in there.asked)
    with here.reading() as connection:
        (known,) = all_sources(connection)
    assert (known.error, known.token, known.count) == ("", "", 8)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ((200, b"<html>"), "no JSON"),
        ((200, b"[" * 100_000), "no JSON"),
        ((200, b'{"count": 1}'), "list of objects"),
        ((200, b'[{"pid": "10.1/1"}]'), "same"),
        ((404, b"{}"), "404"),
        ((500, b""), "does not answer"),
    ],
    ids=str,
)
def test_a_provider_that_is_wrong_is_marked_and_stops_no_search(
    here: Catalogue, provider: tuple[Provider, str], answer: tuple[int, bytes], word: str
) -> None:
    there, address = provider
    there.datasets = [dataset(1)]
    source = known_source(here, address, title="There")
    harvest(here, source)
    there.answer = lambda place: (200, b'{"count": 0}') if "count" in place and answer[0] == 200 else answer
    with pytest.raises((InputError, Interrupted), match=word):
        harvest(here, source)
    with here.reading() as connection:
        (known,) = all_sources(connection)
    assert word in known.error
    assert titles(here) == ["Scan 1"]


def test_a_provider_that_is_slow_is_given_up(
    here: Catalogue, provider: tuple[Provider, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, address = provider
    monkeypatch.setattr(panosc, "LIMITS", Limits(silent_s=0.05, whole_s=0.1, bytes=1000))
    there.wait_s = 0.3
    with pytest.raises(Interrupted, match="does not answer"):
        harvest(here, known_source(here, address))


def test_what_is_not_listed_goes_only_after_a_whole_listing(
    here: Catalogue, provider: tuple[Provider, str]
) -> None:
    there, address = provider
    there.datasets = [dataset(number) for number in range(4)]
    source = known_source(here, address, title="There")
    harvest(here, source)
    there.datasets, there.count = there.datasets[:2], 4
    with pytest.raises(InputError, match="counts 4 Datasets and listed only 2"):
        harvest(here, source)
    assert len(titles(here)) == 4
    there.count = None
    assert harvest(here, source, again=True).kept.deleted == 2
    assert titles(here) == ["Scan 0", "Scan 1"]


def test_a_file_of_the_api_s_answers_is_kept(here: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    file.write_text(json.dumps({"Datasets": [dataset(1), {"title": "without"}], "Instruments": []}))
    done = CliRunner().invoke(command, ["panosc", str(file), "--catalogue", here.name])
    assert (done.exit_code, done.stdout) == (0, "told.json: 1 new, 0 changed, 0 as before, 0 gone\n")
    assert titles(here) == ["Scan 1"]
    listed = CliRunner().invoke(command, ["--catalogue", here.name])
    assert "told.json  panosc  1 record, as of" in listed.stdout
    for wrong in ("[]", "{}", '{"models": {"Dataset": {"1": "x"}}}', '{"Datasets": 5}', "x"):
        file.write_text(wrong)
        with pytest.raises(FormatError, match=r"is no file|holds no"):
            harvest_file(here, file)
    assert titles(here) == ["Scan 1"]
