"""`load`: a record by DOI, address, catalogue or folder, whose patches cost hardly more bytes than their chunks."""

import re
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tomarium
from portal.cutting_portal import Cutting, served
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.errors import EngineUnavailable, FormatError, InputError, ParameterError
from tomarium.formats.zarr.reader import write
from tomarium.model import Axis, Person, Volume
from tomarium.portal import client as client_module
from tomarium.viewers.volume import open_volume

SIZE = 96
CHUNK, SHARD = np.array((16, 32, 32)), np.array((48, 96, 96))


class Counting:
    """A portal that counts the bytes of its answers."""

    def __init__(self, app: Any) -> None:
        self.app, self.sent = app, dict[str, int]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counting(message: Any) -> None:
            self.sent[scope["path"]] = self.sent.get(scope["path"], 0) + len(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, counting)


class Place(SimpleNamespace):
    address: str
    app: Cutting
    counting: Counting
    home: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("load")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id in ("tooth", "closed"):
            make_volume(home / id / "volume.ome.zarr", size=SIZE)
        grey = np.asarray(open_volume(home / "tooth" / "volume.ome.zarr").data[...])
        axes = tuple(Axis(name, 0.65e-6, 0.0, "m") for name in "zyx")
        for id, data in (
            ("phases", (grey > 0.6).astype(np.uint8)),
            ("other", (grey[:64] > 1).astype(np.uint8)),
        ):
            write(home / id / "volume.ome.zarr", Volume(data, axes, ""))
        for id in ("tooth", "closed", "phases", "other"):
            file_record(home / id, title=f"A {id}", id=id)
            ingest(catalogue, home / id)
            edit(
                catalogue, LOCAL_OWNER, id, Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
            )
            publish(catalogue, LOCAL_OWNER, id, Request(embargo="2 years" if id == "closed" else "0"))
        with served(catalogue, local=False) as (address, app):
            app.app.state.reader_of = lambda _request: ANYBODY
            app.app = Counting(app.app)
            yield Place(address=address, app=app, counting=app.app, home=home)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.001)
    monkeypatch.delenv("TOMARIUM_TOKEN", raising=False)


def packed_sizes(level: Path) -> dict[tuple[int, ...], int]:
    """Read the size of every chunk from the indexes at the ends of the shards (Zarr v3, sharding_indexed)."""
    each = SHARD // CHUNK
    count, sizes = int(np.prod(each)), {}
    for file in (level / "c").rglob("*"):
        if file.is_file():
            shard = np.array([int(part) for part in file.relative_to(level / "c").parts])
            index = struct.unpack(f"<{2 * count}Q", file.read_bytes()[-16 * count - 4 : -4])
            for number, size in enumerate(index[1::2]):
                at = np.unravel_index(number, each)
                sizes[tuple(int(one) for one in shard * each + np.array(at))] = size
    return sizes


def whole(place: Place, id: str = "tooth") -> Any:
    return np.asarray(open_volume(place.home / id / "volume.ome.zarr").data[...])


@pytest.mark.parametrize("number", [None, 60])
def test_patches_cost_hardly_more_bytes_than_their_chunks(place: Place, number: int | None) -> None:
    place.counting.sent.clear()
    dataset = tomarium.load(f"{place.address}/records/tooth")
    patches = dataset.patches(16, split="train", number=number)
    assert not any("/c/" in path for path in place.counting.sent), "grey values were read too early"
    found = list(patches)
    grey = whole(place)
    needed = set()
    for one in found:
        z, y, x = one.position
        assert np.array_equal(one.data, grey[z : z + 16, y : y + 16, x : x + 16])
        low, high = np.array(one.position) // CHUNK, (np.array(one.position) + 15) // CHUNK
        needed |= {(i, j, k) for i in range(low[0], high[0] + 1) for j in range(low[1], high[1] + 1)
                   for k in range(low[2], high[2] + 1)}  # fmt: skip
    sizes = packed_sizes(place.home / "tooth" / "volume.ome.zarr" / "0")
    chunks = sum(sizes[one] for one in needed)
    sent = sum(size for path, size in place.counting.sent.items() if "/files/" in path)
    assert len(found) == len(patches) == (number or len(patches)) > 20
    assert chunks <= sent <= 1.2 * chunks
    assert sum(place.counting.sent.values()) <= 1.2 * chunks + 100_000  # with page, list of files and crate
    assert [one.position for one in found] == [tuple(at) for at in patches.positions.tolist()]


def test_a_doi_is_resolved_to_the_page(place: Place) -> None:
    target = f"{place.address}/records/tooth"

    class Resolver(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/10.5072/tooth.v1"
            self.send_response(302 if known else 404)
            if known:
                self.send_header("Location", target)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Resolver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        resolver = f"http://127.0.0.1:{server.server_address[1]}"
        for given in ("doi:10.5072/tooth.v1", "10.5072/tooth.v1", "https://doi.org/10.5072/tooth.v1"):
            assert tomarium.load(given, resolver=resolver).address == target
        with pytest.raises(InputError, match="there is no such DOI"):
            tomarium.load("doi:10.5072/teeth", resolver=resolver)
        server.shutdown()


def test_every_way_gives_the_same_patches(place: Place) -> None:
    ways = [
        tomarium.load(f"tooth@{place.address}"),
        tomarium.load("tooth", catalogue=place.address),
        tomarium.load(f"tooth@{place.home / 'catalogue.sqlite'}"),
        tomarium.load("tooth", catalogue=place.home / "catalogue.sqlite"),
        tomarium.load(place.home / "tooth"),
    ]
    told = []
    for one in ways:
        patches = one.patches((16, 24), split="test", number=5, seed=3, level=0)
        told.append([(patch.position, patch.data.tobytes()) for patch in patches])
        assert patches.shape == next(iter(patches)).data.shape == (16, 24)
        assert one.licence == "CC-BY-4.0"
        assert one.citation.startswith("Lovelace, A.")
    assert all(one == told[0] for one in told)
    assert len({position for position, _ in told[0]}) == 5


def test_what_it_is_fits_on_one_screen(place: Place) -> None:
    dataset = tomarium.load(f"{place.address}/records/tooth")
    text = repr(dataset)
    assert len(text.splitlines()) < 12
    for word in (
        "Dataset tooth",
        "A tooth",
        "CC-BY-4.0",
        "72 × 96 × 96 voxels",
        f"{place.address}/records/tooth",
    ):
        assert word in text
    assert dataset.metadata.creators[0].name == "Lovelace, Ada"
    volume = dataset.volume
    assert volume.shape == (72, 96, 96)
    assert np.array_equal(volume[5, :7], whole(place)[5, :7])
    array = volume.to_xarray(level=1)
    assert array.dims == ("z", "y", "x")
    assert float(array[0, 0, 0]) == np.asarray(volume.levels[1][0, 0, 0])
    assert "train" in repr(dataset.patches(16, split="train"))


def test_labels_come_from_a_record_on_the_same_grid(place: Place) -> None:
    dataset = tomarium.load(f"{place.address}/records/tooth")
    patches = dataset.patches(12, split="validation", labels=f"phases@{place.address}", number=6)
    for one in patches:
        assert np.array_equal(one.labels, one.data > np.float32(0.6))
    again = dataset.patches(12, split="validation", labels=tomarium.load(place.home / "phases"), number=6)
    assert [one.labels.tolist() for one in again] == [one.labels.tolist() for one in patches]
    with pytest.raises(
        ParameterError, match="labels: tooth has 72 × 96 × 96 voxels and other has 64 × 96 × 96"
    ):
        dataset.patches(12, split="train", labels=f"other@{place.address}")


def test_what_is_not_open_is_refused_with_the_date(place: Place) -> None:
    opens = datetime.now(UTC) + timedelta(days=731)
    with pytest.raises(InputError, match=rf"records/closed: The files of this record open on .*{opens.year}"):
        tomarium.load(f"{place.address}/records/closed")
    with pytest.raises(InputError, match="There is no record “tusk”"):
        tomarium.load(f"tusk@{place.address}")
    with pytest.raises(
        InputError, match=r"tusk: is no record of .*catalogue.sqlite, and no folder; give a DOI"
    ):
        tomarium.load(f"tusk@{place.home / 'catalogue.sqlite'}")
    with pytest.raises(ParameterError, match="level 7 of tooth was asked for; it has the levels 0 to 1"):
        tomarium.load(place.home / "tooth").patches(8, split="train", level=7)


def test_what_a_portal_does_not_give_is_no_voxel_of_zero(place: Place) -> None:
    patches = tomarium.load(f"{place.address}/records/tooth").patches(16, split="train")
    place.app.status = lambda path: 404 if "/c/" in path else 0
    try:
        with pytest.raises((InputError, FormatError)):
            list(patches)
        place.app.status = lambda path: 0
        place.app.ranges_known = False
        with pytest.raises(FormatError, match="knows no ranges"):
            list(tomarium.load(f"{place.address}/records/tooth").patches(16, split="train"))
    finally:
        place.app.status, place.app.ranges_known = (lambda path: 0), True


def test_a_portal_in_trouble_is_asked_again(place: Place) -> None:
    failing = iter([503] * 6)
    patches = tomarium.load(f"{place.address}/records/tooth").patches(16, split="train", number=3)
    place.app.status = lambda path: next(failing, 0) if "/c/" in path else 0
    try:
        assert len(list(patches)) == 3
    finally:
        place.app.status = lambda path: 0


def test_who_does_not_answer_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.portal.client._sleep", lambda _seconds: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for source in (
        f"{nobody}/records/tooth",
        f"tooth@{nobody}",
        "doi:10.1234/tooth",
    ):  # nobody listens any more
        with pytest.raises(
            InputError, match=rf"^{source}: there is no answer .*check the address and the net"
        ):
            tomarium.load(source, resolver=nobody)
    patches = tomarium.load(f"{place.address}/records/tooth").patches(16, split="train", number=3)
    place.app.status = lambda path: 503 if "/c/" in path else 0
    try:
        with pytest.raises(
            InputError, match=r"/records/tooth/files/volume.*: there is no answer \(closed for re"
        ):
            list(patches)
    finally:
        place.app.status = lambda path: 0


def test_workers_of_torch_share_the_patches(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = tomarium.load(place.home / "tooth").patches(16, split="train", number=9)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineUnavailable, match="torch is needed"):
        patches.to_torch()
    worker: list[Any] = [None]
    torch, data = ModuleType("torch.utils"), ModuleType("torch.utils.data")
    data.IterableDataset, data.get_worker_info = object, lambda: worker[0]  # type: ignore[attr-defined]
    for name, module in (("torch", ModuleType("torch")), ("torch.utils", torch), ("torch.utils.data", data)):
        monkeypatch.setitem(sys.modules, name, module)
    given = patches.to_torch()
    alone = {one["position"] for one in given}
    assert len(given) == 9
    shared = []
    for k in range(2):
        worker[0] = SimpleNamespace(id=k, num_workers=2)
        shared += [one["position"] for one in given]
    assert len(shared) == 9
    assert set(shared) == alone


def test_stopping_early_reads_no_more(place: Place) -> None:
    place.counting.sent.clear()
    patches = tomarium.load(f"{place.address}/records/tooth").patches(4, split="train", number=400)
    first = next(iter(patches))
    assert re.fullmatch(r"\(\d+, \d+, \d+\)", str(first.position))
