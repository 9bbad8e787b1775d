"""`pull` from a portal that cuts off, lies, or refuses: whole records come byte by byte, and nothing is sent twice."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from portal.cutting_portal import Cutting, served
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    file_record,
    ingest,
    open_catalogue,
    verify,
)
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.cli import execute
from tomarium.errors import CannotFit, FormatError, InputError, Interrupted, StorageFull
from tomarium.model import Person
from tomarium.portal import client as client_module
from tomarium.portal import fetch as fetch_module
from tomarium.portal.client import Portal
from tomarium.portal.pull import pull, pull_region
from tomarium.viewers.volume import open_volume

LARGE = "raw/frames.bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("records") / "tooth"
    make_volume(folder / "volume.ome.zarr", size=32)
    (folder / "raw").mkdir()
    (folder / LARGE).write_bytes(np.random.default_rng(5).bytes(600_000))
    (folder / "raw" / "einfache Wörter #1?.txt").write_text("Wörter")
    (folder / "raw" / "empty.txt").touch()
    file_record(folder, title="Tooth", id="tooth")
    return folder


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite") as catalogue:
        ingest(catalogue, folder)
        yield catalogue


@pytest.fixture(scope="module")
def running(catalogue: Catalogue) -> Iterator[tuple[str, Cutting]]:
    with served(catalogue) as found:
        yield found


@pytest.fixture
def portal(running: tuple[str, Cutting], monkeypatch: pytest.MonkeyPatch) -> tuple[str, Cutting]:
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.001)
    address, app = running
    fresh = Cutting(app.app)
    app.__dict__.update(fresh.__dict__)
    app.asked = []
    return f"{address}/records/tooth", app


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_whole_record_is_pulled_and_can_be_filed(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, app = portal
    monkeypatch.chdir(tmp_path)
    told: list[tuple[str, int, int]] = []
    pulled = pull(address, tell=lambda *one: told.append(one))
    there = tmp_path / "tooth"
    assert content(there) == content(folder)
    assert (pulled.whole, pulled.title, pulled.fetched) == (True, "Tooth", pulled.bytes)
    assert told[-1][1] == told[-1][2] > 0
    with open_catalogue(tmp_path / "mine.sqlite") as mine:
        assert ingest(mine, there).id == "tooth"
    app.asked.clear()
    assert pull(f"{address}.json?main=y#top", there).fetched == 0  # all is there: nothing is sent
    assert not [path for path, _ in app.asked if "/files/" in path]


def test_thirty_random_cuts_end_byte_identical(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path
) -> None:
    address, app = portal
    draw = random.Random(3)
    cuts = [draw.randrange(0, 19_000) for _ in range(30)]
    app.cut = lambda path: cuts.pop() if cuts and path.endswith(LARGE) else None
    pulled = pull(address, tmp_path / "tooth")
    assert not cuts
    assert content(tmp_path / "tooth") == content(folder)
    assert pulled.fetched == pulled.bytes  # no byte came twice
    assert len(app.ranges(LARGE)) == 31


def test_a_server_that_knows_no_ranges_begins_anew(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path
) -> None:
    address, app = portal
    app.ranges_known, cuts = False, [200_000, 400_000, 100_000]
    app.cut = lambda path: cuts.pop() if cuts and path.endswith(LARGE) else None
    pulled = pull(address, tmp_path / "tooth", jobs=1)
    assert content(tmp_path / "tooth") == content(folder)
    assert pulled.fetched == pulled.bytes + 700_000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_mid_transfer_it_goes_on(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    address, app = portal
    app.block, app.trickle_after = 20_000, 300_000
    here = tmp_path / "tooth"
    command = [sys.executable, "-m", "tomarium", "pull", address, "-o", str(here), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 240
    while not any(part.stat().st_size > 100_000 for part in here.glob("raw/*.partial")):
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(120) == (3 if number == signal.SIGINT else -number)
    partials = {path: path.stat().st_size for path in here.rglob("*.partial")}
    whole = {path for path in content(here) if not path.endswith(".partial")}
    app.block, app.trickle_after = 1 << 30, None
    app.asked.clear()
    pulled = pull(address, here)
    assert content(here) == content(folder)
    there = sum(partials.values()) + sum((here / path).stat().st_size for path in whole)
    assert pulled.fetched == pulled.bytes - there
    (size,) = [size for path, size in partials.items() if path.name.startswith("frames.bin")]
    assert app.ranges(LARGE) == [f"bytes={size}-"]


def test_a_damaged_partial_file_is_fetched_anew(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path
) -> None:
    address, app = portal
    here = tmp_path / "tooth"
    app.cut = lambda path: 50_000 if path.endswith(LARGE) else None
    app.status = lambda path: 404 if len(app.ranges(LARGE)) > 1 else 0
    with pytest.raises(InputError, match="closed for repair"):
        pull(address, here, paths=["raw/"])
    (partial,) = here.glob("raw/frames*.partial")
    held = partial.read_bytes()
    partial.write_bytes(bytes(1000) + held[1000:])  # as after a loss of power
    app.cut, app.status = lambda path: None, lambda path: 0
    pull(address, here)
    assert content(here) == content(folder)


def test_parts_are_not_a_whole_record(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address, _ = portal
    here = tmp_path / "coarse"
    assert execute(["pull", address, "-o", str(here), "--level", "1", "--path", "volume.ome.zarr"]) == 0
    assert "cannot be filed" in capsys.readouterr().out
    names = set(content(here))
    assert names == {name for name in content(folder) if re.match(r"volume\.ome\.zarr/(?!0/)", name)}
    assert any(name.startswith("volume.ome.zarr/1/c/") for name in names)
    with pytest.raises(InputError, match=r"no file or folder .volume\.ome"):
        pull(address, here, level=1, paths=["volume.ome.zarr/0/"])
    with pytest.raises(InputError, match="levels 0 to 1"):
        pull(address, here, level=2)
    pull(address, here, level=1)
    for checksums in (True, False):
        with open_catalogue(tmp_path / "mine.sqlite") as mine, pytest.raises(InputError, match="missing"):
            ingest(mine, here, checksums=checksums)
    assert pull(address, here).whole  # the rest is fetched into the same folder
    assert verify(here) == ()


@pytest.mark.parametrize("kind", ["npy", "tiff"])
def test_a_region_comes_as_one_file(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path, kind: str
) -> None:
    address, app = portal
    cuts = [700, 100]
    app.cut = lambda path: cuts.pop() if cuts and "volume." in path else None
    target = tmp_path / f"part.{kind}"
    pull_region(address, "2:9,:,5:11", target, level=1)
    found = np.load(target) if kind == "npy" else tifffile.imread(target)
    np.testing.assert_array_equal(found, open_volume(folder / "volume.ome.zarr").levels[1][2:9, :, 5:11])
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    for region, words in (("2:90", "this level has 12 voxels along z"), ("a", "is no region")):
        with pytest.raises(InputError, match=words):
            pull_region(address, region, tmp_path / "other.npy", level=1)
    with pytest.raises(InputError, match="exists"):
        pull_region(address, "", target)


LIES: dict[str, Any] = {
    "outside": lambda files: files[0].update(path="../evil"),
    "absolute": lambda files: files[0].update(path="/tmp/evil"),
    "backslash": lambda files: files[0].update(path="a\\b"),
    "number": lambda files: files[0].update(path=3),
    "source": lambda files: files[0].update(path=".source.json"),
    "partial": lambda files: files[0].update(path="a.0123456789ab.partial"),
    "long": lambda files: files[0].update(path="n" * 300),
    "negative": lambda files: files[0].update(bytes=-1),
    "truth": lambda files: files[0].update(bytes=True),
    "text": lambda files: files[0].update(bytes="9"),
    "infinite": lambda files: files[0].update(bytes=1 << 80),
    "sum": lambda files: files[0].update(sha256="x" * 64),
    "twice": lambda files: files.append(files[0]),
    "file and folder": lambda files: files.append({**files[0], "path": f"{files[0]['path']}/b"}),
    "nothing": lambda files: files.clear(),
    "no bytes": lambda files: files[0].pop("bytes"),
}


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], object]], None]:
    def lie(change: Callable[[Any], object]) -> None:
        follow = Portal.follow

        @contextmanager
        def changed(self: Portal, path: str, headers: Any = None) -> Iterator[Any]:
            with follow(self, path, headers) as answer:
                if path.endswith("manifest.json"):
                    told = json.loads(answer.stream.read())
                    change(told)
                    held = client_module.Answer(200, {}, json.dumps(told).encode())  # type: ignore[arg-type]
                    yield held
                else:
                    yield answer

        monkeypatch.setattr(Portal, "follow", changed)

    return lie


@pytest.mark.parametrize("lie", LIES)
def test_a_list_that_cannot_be_is_refused(
    portal: tuple[str, Cutting], lying: Any, tmp_path: Path, lie: str
) -> None:
    lying(lambda told: LIES[lie](told["files"]))
    with pytest.raises(FormatError, match=r"manifest\.json: "):
        pull(portal[0], tmp_path / "tooth")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"bytes": 5}, {"bytes": 10_000_000}])
def test_a_list_that_lies_is_told(
    portal: tuple[str, Cutting], lying: Any, tmp_path: Path, change: dict[str, Any]
) -> None:
    lying(lambda told: next(one for one in told["files"] if one["path"] == LARGE).update(change))
    with pytest.raises(FormatError, match="is not what the portal lists"):
        pull(portal[0], tmp_path / "tooth")
    assert not (tmp_path / "tooth" / LARGE).exists()


def test_a_list_that_leaves_out_a_file_is_told(
    portal: tuple[str, Cutting], lying: Any, tmp_path: Path
) -> None:
    lying(lambda told: told.update(files=[one for one in told["files"] if one["path"] != LARGE]))
    with pytest.raises(FormatError, match=r"raw/frames\.bin \(missing\).*cannot be filed"):
        pull(portal[0], tmp_path / "tooth")


def test_an_absurd_size_is_refused(portal: tuple[str, Cutting], lying: Any, tmp_path: Path) -> None:
    lying(lambda told: told["files"][0].update(bytes=1 << 60))
    with pytest.raises(CannotFit, match="are free there"):
        pull(portal[0], tmp_path / "tooth")
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_another_record_is_refused(portal: tuple[str, Cutting], lying: Any, tmp_path: Path) -> None:
    lying(lambda told: told.update(id="bone"))
    with pytest.raises(FormatError, match="another record"):
        pull(portal[0], tmp_path / "tooth")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(portal: tuple[str, Cutting], tmp_path: Path) -> None:
    address, _ = portal
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"'mine\.txt', which is no file of this record"):
        pull(address, tmp_path)
    other = tmp_path / "other"
    (other / "raw").mkdir(parents=True)
    (other / LARGE).write_bytes(bytes(600_000))
    with pytest.raises(InputError, match="is there and is another file"):
        pull(address, other)
    assert (other / LARGE).read_bytes() == bytes(600_000)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "raw").symlink_to(tmp_path)
    with pytest.raises(FormatError, match="is a link"):
        pull(address, linked)


def test_a_full_disk_keeps_what_is_there(
    portal: tuple[str, Cutting], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = portal

    class Full(fetch_module.FileIO):  # type: ignore[name-defined,misc]
        def write(self, block: Any) -> int:
            if self.tell() >= 300_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(block[:100_000])

    here = tmp_path / "tooth"
    with monkeypatch.context() as patched:
        patched.setattr(fetch_module, "FileIO", Full)
        with pytest.raises(StorageFull, match="the disk is full"):
            pull(address, here)
    (partial,) = here.glob("raw/frames*.partial")
    there = partial.stat().st_size
    assert there >= 300_000
    pulled = pull(address, here)
    assert pulled.fetched <= pulled.bytes - there
    assert content(here) == content(folder)


def test_what_the_portal_says_is_told(
    tmp_path: Path, make_volume: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.001)
    ends = datetime.now(UTC) + timedelta(days=300)
    with open_catalogue(tmp_path / "c.sqlite") as catalogue:
        for id in ("later", "gone", "draft"):
            make_volume(tmp_path / "records" / id / "volume.ome.zarr", size=16)
            file_record(tmp_path / "records" / id, title=id, id=id)
            ingest(catalogue, tmp_path / "records" / id)
            edit(
                catalogue, LOCAL_OWNER, id, Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
            )
        publish(catalogue, LOCAL_OWNER, "later", Request(embargo=f"{ends:%Y-%m-%d}"))
        publish(catalogue, LOCAL_OWNER, "gone", Request(embargo="0"))
        withdraw(catalogue, LOCAL_OWNER, "gone", "the wrong bear")
        with served(catalogue, local=False) as (address, app):
            for id, words in (
                ("later", f"open on {ends.day} {ends:%B} {ends.year}.*TOMARIUM_TOKEN"),
                ("gone", "withdrawn on .*: the wrong bear"),
                ("draft", "There is no record “draft”"),
                ("nothing", "There is no record “nothing”"),
            ):
                with pytest.raises(InputError, match=words):
                    pull(f"{address}/records/{id}", tmp_path / "here")
            app.status = lambda path: 503
            with pytest.raises(Interrupted, match="closed for repair"):
                pull(f"{address}/records/gone", tmp_path / "here")
    with pytest.raises(Interrupted, match="does not answer"):
        pull(f"{address}/records/gone", tmp_path / "here")
    assert not (tmp_path / "here").exists()


@pytest.fixture
def redirecting() -> Iterator[tuple[str, dict[str, str], list[Any]]]:
    """A server that knows only redirects: path → where to; and what it was asked with."""
    leads: dict[str, str] = {}
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization"), self.headers["Accept"]))
            self.send_response(302 if self.path in leads else 404)
            if self.path in leads:
                self.send_header("Location", leads[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", leads, asked
        server.shutdown()
        thread.join()


def test_a_doi_leads_to_the_record(
    portal: tuple[str, Cutting], redirecting: Any, folder: Path, tmp_path: Path
) -> None:
    resolver, leads, asked = redirecting
    leads |= {"/10.1234/tooth": "/hop", "/hop": portal[0], "/10.1234/round": "/10.1234/round"}
    leads |= {"/10.1234/file": "file:///etc/passwd", "/10.1234/page": f"{portal[0]}/files/protocol.yaml"}
    for form in ("10.1234/tooth", "doi:10.1234/tooth", "https://doi.org/10.1234/tooth"):
        pull(form, tmp_path / "tooth", token="secret", resolver=resolver)
    assert content(tmp_path / "tooth") == content(folder)
    assert {one[1:] for one in asked} == {
        (None, "text/html")
    }  # resolvers answer JSON with metadata elsewhere
    for doi, words in (
        ("round", "more than 5 redirects"),
        ("file", "no address of a portal"),
        ("page", "is no page of a record"),
        ("none", "no such DOI"),
    ):
        with pytest.raises(InputError, match=words):
            pull(f"10.1234/{doi}", tmp_path / "other", resolver=resolver)


def test_a_token_stays_where_it_was_given(
    portal: tuple[str, Cutting], redirecting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, leads, asked = redirecting
    leads["/records/tooth.json"] = f"{portal[0]}.json"
    with pytest.raises(InputError, match=r"leads to another host.*the token is not sent"):
        pull(f"{other}/records/tooth", tmp_path / "tooth", token="secret")
    assert asked.pop() == ("/records/tooth.json", "Bearer secret", "application/json")
    monkeypatch.setenv("TOMARIUM_TOKEN", "mine")
    assert execute(["pull", f"{other}/records/bone"]) == 2
    assert asked.pop()[:2] == ("/records/bone.json", "Bearer mine")
    assert pull(f"{other}/records/tooth", tmp_path / "tooth").whole  # without one it is followed
    with pytest.raises(InputError, match="sent in the clear"):
        pull("http://data.example.org/records/tooth", tmp_path / "x", token="secret")
    with pytest.raises(InputError, match="from https to http"):
        Portal("https://data.example.org/")._next("https://data.example.org/a", "http://data.example.org/a")


@pytest.mark.parametrize(
    "address",
    ["tooth", "ftp://a/records/tooth", "https://", "https://a:x/records/tooth", "https://a/", "https://a/records/..",
     "https://a/records/%2e%2e", "https://me:word@a/records/tooth", "https://a/records/a b"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give"):
        pull(address, tmp_path / "tooth")


def test_names_that_need_no_token(portal: tuple[str, Cutting], tmp_path: Path) -> None:
    # To this machine a token is sent without encryption; the portal, not `pull`, says that it opens nothing.
    with pytest.raises(InputError, match="opens nothing"):
        pull(portal[0], tmp_path / "tooth", token="any")


def test_what_others_left_and_others_who_write(portal: tuple[str, Cutting], tmp_path: Path) -> None:
    address, app = portal
    here = tmp_path / "tooth"
    app.cut = lambda path: 50_000 if path.endswith(LARGE) else None
    app.status = lambda path: 403 if len(app.ranges(LARGE)) > 1 else 0
    with pytest.raises(InputError, match="closed for repair"):
        pull(address, here)
    app.cut, app.status = lambda path: None, lambda path: 0
    (partial,) = here.glob("raw/*.partial")
    with partial.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is fetching"):
            pull(address, here)
    (here / "old.0123456789ab.partial").write_text("of what the portal gave before")
    assert pull(address, here).whole
    assert verify(here) == ()


def test_waits_grow_and_respect_what_is_asked() -> None:
    def asked(seconds: str) -> client_module.Answer:
        headers = Message()
        headers["Retry-After"] = seconds
        return client_module.Answer(429, headers)

    assert [client_module.wait_s(tried) for tried in range(8)] == [0.5, 1, 2, 4, 8, 16, 32, 32]
    assert client_module.wait_s(0, asked("7")) == 7
    assert client_module.wait_s(0, asked("86400")) == 32
    assert client_module.wait_s(0, asked("Wed, 21 Oct 2026 07:28:00 GMT")) == 0.5
