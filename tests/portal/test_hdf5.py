"""The insides of HDF5 files through the portal: what H5Web reads, and nothing from outside the record."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from app_client import TestClient
from tomarium.catalogue import Catalogue, file_record, ingest, open_catalogue
from tomarium.model import Part
from tomarium.portal import hdf5
from tomarium.portal.app import create_app

PLANE = np.arange(12 * 20, dtype=np.float32).reshape(12, 20)
STACK = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
SECRET = 60_001
PART = Part("projections", "good.h5")


def good(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        group = file.create_group("entry")
        group.attrs["odd"] = np.nan
        group["plane"] = PLANE
        group.create_dataset("stack", data=STACK, chunks=(1, 6, 7), compression=hdf5plugin.Bitshuffle())
        group["stack"].attrs["units"] = "counts"
        group["infinite"] = np.array([1.0, np.nan, np.inf, -np.inf])
        group["complex"] = np.array([1 + 2j, 3 - 4j])
        group["half"] = np.array([0.5, 1.5], np.float16)
        group["long"] = np.array([0.5, 1.5], np.longdouble)
        group["big"] = np.array([1, 2, 3], ">i4")
        group["text"] = "Zahn, größer"
        group["texts"] = np.array(["a", "bé"], dtype=h5py.string_dtype())
        group["fixed"] = np.array([b"ab", b"c"], "S2")
        group["truth"] = np.array([True, False])
        group.create_dataset("kind", data=[0, 1], dtype=h5py.enum_dtype({"RED": 0, "BLUE": 1}, "i"))
        group["table"] = np.array([(1, 2.5), (2, np.nan)], [("n", "i4"), ("x", "f8")])
        group.create_dataset("lists", (2,), h5py.vlen_dtype(np.int32))
        group["lists"][0] = [1, 2, 3]
        group.create_dataset("reference", data=group["plane"].ref, dtype=h5py.ref_dtype)
        group["nothing"] = h5py.Empty("f4")
        group["soft"] = h5py.SoftLink("/entry/plane")
        group["lost"] = h5py.SoftLink("/entry/nowhere")
        group["beside"] = h5py.ExternalLink("beside.h5", "/data")
        group["<script>alert(1)</script>"] = 1
        group.create_dataset("large", (20_000, 20_000), np.float32, chunks=(100, 100))[0, 0] = 1


def hostile(folder: Path, outside: Path) -> None:
    """Every way in which an HDF5 file can point elsewhere (shared/design/catalogue.md 5.1)."""
    with h5py.File(outside, "w") as file:
        file["data"] = np.full((2, 3), SECRET, np.uint16)
    for number, name in enumerate(["raw", "link", "virtual", "unlisted"]):
        with h5py.File(folder / f"{name}.h5", "w", libver="latest") as file:
            file["fine"] = number
            if name == "raw":
                file.create_dataset("data", (6,), "u2", external=[(str(outside), 0, 12)])
            elif name == "link":
                file["data"] = h5py.ExternalLink(str(outside), "/data")
                file["up"] = h5py.ExternalLink(f"../{outside.name}", "/data")
            elif name == "unlisted":
                file["data"] = h5py.ExternalLink("hidden.h5", "/data")
            else:
                layout = h5py.VirtualLayout((2, 3), np.uint16)
                layout[:] = h5py.VirtualSource(str(outside), "data", (2, 3))
                file.create_virtual_dataset("data", layout)
    with h5py.File(folder / "absent.h5", "w", libver="latest") as file:
        layout = h5py.VirtualLayout((2, 3), np.uint16)
        layout[:] = h5py.VirtualSource("gone.h5", "data", (2, 3))
        file.create_virtual_dataset("data", layout)
    (folder / "cut.h5").write_bytes((folder / "good.h5").read_bytes()[:3000])
    (folder / "text.h5").write_text("no HDF5 at all")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("h5")
    folder = home / "scan"
    folder.mkdir()
    good(folder / "good.h5")
    with h5py.File(folder / "beside.h5", "w") as file:
        file["data"] = np.arange(3)
    hostile(folder, home / "outside.h5")
    file_record(folder, title="Scan", id="scan", created=datetime(2026, 11, 20, tzinfo=UTC), parts=[PART])
    with h5py.File(folder / "hidden.h5", "w") as file:  # came after the record was filed: no file of it
        file["data"] = np.full(3, SECRET)
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, folder)
        yield catalogue
    hdf5.readers().close()


@pytest.fixture(scope="module")
def ask(catalogue: Catalogue) -> Iterator[Callable[..., Any]]:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:

        def ask(endpoint: str, path: str = "/", file: str = "good.h5", **query: str) -> Any:
            return client.get(f"/records/scan/h5/{endpoint}", params={"file": file, "path": path, **query})

        ask.client = client  # type: ignore[attr-defined]
        yield ask


def test_the_tree_is_told_as_h5web_reads_it(ask: Any) -> None:
    root = ask("meta").json()
    assert (root["kind"], [one["name"] for one in root["children"]]) == ("group", ["entry"])
    members = {one["name"]: one for one in ask("meta", "/entry").json()["children"]}
    assert members["plane"]["shape"] == [12, 20]
    assert members["plane"]["type"] == {"class": 1, "size": 4, "order": 0}
    assert members["stack"]["filters"][0]["id"] == 32008
    assert members["big"]["type"] == {"class": 0, "size": 4, "order": 1, "sign": 1}
    assert members["text"]["type"]["vlen"] is True
    assert members["text"]["shape"] == []
    assert members["nothing"]["shape"] is None
    assert members["kind"]["type"]["members"] == {"RED": 0, "BLUE": 1}
    assert [one["name"] for one in members["table"]["type"]["members"]] == ["n", "x"]
    assert members["soft"]["kind"] == "dataset"
    assert members["beside"]["shape"] == [3]
    assert members["lost"] == {
        "name": "lost", "attributes": [], "kind": "soft_link", "target_path": "/entry/nowhere",
    }  # fmt: skip
    assert "/entry/stack" in ask("paths").json()


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("plane", "<f4", PLANE),
        ("stack", "<u2", STACK),
        ("infinite", "<f8", [1, np.nan, np.inf, -np.inf]),
        ("half", "<f4", [0.5, 1.5]),
        ("long", "<f8", [0.5, 1.5]),
        ("big", "<i4", [1, 2, 3]),
        ("truth", "u1", [1, 0]),
        ("kind", "<i4", [0, 1]),
        ("beside", "<i8", [0, 1, 2]),
    ],
)
def test_numbers_come_as_bytes(ask: Any, name: str, kind: str, expected: Any) -> None:
    answer = ask("data", f"/entry/{name}", format="bin", dtype="safe")
    assert answer.status_code == 200
    np.testing.assert_array_equal(np.frombuffer(answer.content, kind), np.ravel(expected))


def test_what_is_no_plain_number_comes_as_json(ask: Any) -> None:
    def values(name: str) -> Any:
        return ask("data", f"/entry/{name}", flatten="true").json()

    assert values("text") == "Zahn, größer"
    assert values("texts") == ["a", "bé"]
    assert values("fixed") == ["ab", "c"]
    assert values("complex") == [[1, 2], [3, -4]]
    assert values("table") == [[1, 2.5], [2, None]]
    assert values("lists") == [[1, 2, 3], []]
    assert values("reference") == "a reference"
    assert values("nothing") is None
    assert ask("attr", "/entry").json() == {"odd": None}
    assert ask("attr", "/entry/stack").json() == {"units": "counts"}


def test_a_part_is_chosen(ask: Any) -> None:
    part = ask("data", "/entry/stack", selection="2,:,1:6:2", format="bin")
    np.testing.assert_array_equal(np.frombuffer(part.content, "<u2"), STACK[2, :, 1:6:2].ravel())
    saved = ask("data", "/entry/stack", selection="-1", format="npy")
    assert saved.content[:6] == b"\x93NUMPY"
    for wrong in ("9,:,:", "1,2,3,4", "a", "1:2:0", "::-1", "9" * 40):
        assert ask("data", "/entry/stack", selection=wrong).status_code == 400, wrong
    assert ask("data", "/entry/large", format="bin").status_code == 413
    assert ask("data", "/entry/large", selection="0:100,:").status_code == 413  # 2 M values as JSON
    assert ask("data", "/entry/large", selection="0,0:2").json() == [1, 0]


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("raw", 422),
        ("link", 422),
        ("virtual", 422),
        ("unlisted", 422),
        ("absent", 422),
        ("cut", 422),
        ("text", 422),
    ],
)
def test_a_hostile_file_gives_words_and_nothing_from_outside(ask: Any, file: str, status: int) -> None:
    for endpoint in ("meta", "attr", "data", "picture"):
        for form in ("json", "bin"):
            answer = ask(endpoint, "/data", file=f"{file}.h5", format=form)
            if (file, endpoint) == ("absent", "meta") or (file, endpoint) == ("absent", "attr"):
                continue  # its shape and attributes are its own
            assert answer.status_code == status, (endpoint, answer.content[:300])
            assert set(answer.json()) == {"message"}
    page = ask.client.get(f"/records/scan/hdf5/{file}.h5", params={"at": "/data"})
    assert page.status_code == 200
    everything = page.text + json.dumps([ask(one, "/", file=f"{file}.h5").text for one in ("meta", "paths")])
    assert str(SECRET) not in everything
    assert "h50/scan" not in everything  # where the record lies


def test_paths_lead_nowhere_else(ask: Any, catalogue: Catalogue) -> None:
    for file in ("../outside.h5", "/etc/passwd", "hidden.h5", "good.h5/", "", "%2e%2e/outside.h5"):
        assert ask("meta", file=file).status_code == 404, file
    for path in ("/../entry", "/entry/../..", "/nowhere"):
        assert ask("meta", path).status_code == 404, path
    assert ask("everything").status_code == 404


def test_a_page_shows_it_without_scripts(ask: Any) -> None:
    page = ask.client.get("/records/scan/hdf5/good.h5", params={"at": "/entry"})
    assert "12 × 20" in page.text
    assert "<script>alert" not in page.text
    assert "'unsafe-eval'" in page.headers["content-security-policy"]
    stack = ask.client.get("/records/scan/hdf5/good.h5", params={"at": "/entry/stack", "slice": 1}).text
    assert "selection=1%2C%3A%2C%3A" in stack.replace("&amp;", "&")
    assert "Slice 1 of 5" in stack
    assert "compound (n, x)" in page.text
    assert "Look inside" in ask.client.get("/records/scan").text
    told = ask.client.get("/records/scan/hdf5/good.h5.json", params={"at": "/entry/big"})
    assert told.json()["table"] == [["1"], ["2"], ["3"]]
    assert ask("picture", "/entry/stack").content[:4] == b"\x89PNG"
    assert ask("picture", "/entry/text").status_code == 400
    assert ask.client.get("/records/scan/hdf5/good.h5", params={"at": "/gone"}).status_code == 404
    assert ask.client.get("/records/scan/hdf5/gone.h5").status_code == 404
