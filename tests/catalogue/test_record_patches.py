"""Patches of a published volume: a worker writes them, they are what `patches` gives, and are files of the record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app_client import TestClient
from mesh.bodies import volume
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, record_patches
from tomarium.catalogue.child_reader import ReaderDied
from tomarium.catalogue.life import Request, publish, withdraw
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.catalogue.work import do_jobs
from tomarium.cli import execute
from tomarium.datasets.load import load
from tomarium.formats.zarr.reader import write
from tomarium.portal.app import create_app
from tomarium.standards.patch_file import PATH, patch_file_of, told_of

SIZE = 8
SHAPE = (24, 40, 40)


class InThisProcess:
    """Reads as the process does that a worker begins, and sooner."""

    def ask(self, question: Any, **_: Any) -> Any:
        return record_patches.read_patches(question)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A catalogue with an open volume, one whose files are closed, and one that is too small; none has patches."""
    home = tmp_path_factory.mktemp("patches")
    draw = np.random.default_rng(3)
    whole = draw.normal(100, 9, SHAPE).astype(np.uint16)
    held = {"open": whole, "closed": whole, "small": whole[:9, :9, :9]}
    with open_catalogue(home / "catalogue.sqlite") as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_patches, "readers", InThisProcess)
        for id, data in held.items():
            write(home / id / "volume.ome.zarr", volume(data))
            file_record(home / id, title=id, id=id, licence="CC-BY-4.0", creators=("Lovelace, Ada",))
            ingest(opened, home / id)
            publish(
                opened, LOCAL_OWNER, id, Request(embargo="1 year" if id == "closed" else "0", files=False)
            )
        yield opened


def test_a_publication_does_not_wait_for_patches_and_a_worker_writes_them(catalogue: Catalogue) -> None:
    assert told_of(read_record(catalogue.home / "open")) == {}
    said: list[str] = []
    assert do_jobs(catalogue, said.append)
    assert [line.partition(": ")[2] for line in said] == [f"done ({id}: {PATH})" for id in ("open", "closed")]
    for id in ("open", "closed", "small"):
        assert verify(catalogue.home / id) == ()
        assert not record_patches.is_due(read_record(catalogue.home / id))
        assert (patch_file_of(read_record(catalogue.home / id)) is None) == (id == "small")


def test_patches_are_those_that_a_data_set_gives(catalogue: Catalogue) -> None:
    from arro3.io import read_parquet

    do_jobs(catalogue, print)
    held = patch_file_of(read_record(catalogue.home / "open"))
    assert held is not None
    assert (held.size, held.dtype) == (SIZE, "uint16")
    table = read_parquet(str(catalogue.home / "open" / PATH)).read_all()
    splits, *axes, values = (table.column(name).to_pylist() for name in ("split", "z", "y", "x", "values"))
    rows = list(zip(splits, zip(*axes, strict=True), map(np.array, values), strict=True))
    opened = load(catalogue.home / "open")
    for split, count in held.counts.items():
        own = sorted((place, patch.tolist()) for name, place, patch in rows if name == split)
        patches = opened.patches(SIZE, split=split, number=count, seed=held.seed)
        assert own == sorted((patch.position, patch.data.tolist()) for patch in patches)
        assert len(own) == count > 0


def test_they_are_told_and_given_where_the_files_are_open(catalogue: Catalogue) -> None:
    do_jobs(catalogue, print)
    with TestClient(create_app(catalogue)) as client:
        for id, is_open in (("open", True), ("closed", False), ("small", True)):
            told = json.loads(client.get(f"/records/{id}/metadata/croissant").text)
            sets = {one["@id"]: one for one in told.get("recordSet", [])}
            assert ("patch_values" in sets) == (id == "open")
            assert (client.get(f"/records/{id}/files/{PATH}").status_code == 200) == (id == "open")
            if id == "open":
                [values] = [one for one in sets["patch_values"]["field"] if one["name"] == "values"]
                assert (values["arrayShape"], values["dataType"]) == ("8,8,8", "sc:Integer")
                listed = {one["name"]: one["sha256"] for one in told["distribution"] if "sha256" in one}
                assert listed[PATH] in (catalogue.home / id / "manifest-sha256.txt").read_text()
            assert is_open or told["isAccessibleForFree"] is False


def test_what_was_published_before_gets_its_patches_by_a_command(
    catalogue: Catalogue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_given: Any, **_named: Any) -> Any:
        raise ReaderDied("the library crashed on it; the file is damaged")

    home = catalogue.home / "older"
    write(home / "volume.ome.zarr", volume(np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)))
    file_record(home, title="older", id="older", licence="CC-BY-4.0", creators=("Lovelace, Ada",))
    ingest(catalogue, home)
    publish(catalogue, LOCAL_OWNER, "older", Request(embargo="0", files=False))
    with monkeypatch.context() as patch:
        patch.setattr(InThisProcess, "ask", died)
        said: list[str] = []
        assert not do_jobs(catalogue, said.append)
        assert "failed (the library crashed on it; the file is damaged)" in said[-1]
    assert verify(home) == ()
    words = ["index", "patches", "--catalogue", str(catalogue.home / "catalogue.sqlite")]
    assert execute(words) == 0
    assert "records got their patches" in capsys.readouterr().out
    assert patch_file_of(read_record(home)) is not None
    assert verify(home) == ()


def test_a_record_that_was_withdrawn_meanwhile_gets_none(catalogue: Catalogue) -> None:
    home = catalogue.home / "gone"
    shutil.copytree(catalogue.home / "open" / "volume.ome.zarr", home / "volume.ome.zarr")
    file_record(home, title="gone", id="gone", licence="CC-BY-4.0", creators=("Lovelace, Ada",))
    ingest(catalogue, home)
    publish(catalogue, LOCAL_OWNER, "gone", Request(embargo="0", files=False))
    withdraw(catalogue, LOCAL_OWNER, "gone", "the wrong tooth")
    said: list[str] = []
    assert do_jobs(catalogue, said.append)
    assert "gone: no patches; none are due" in said[-1]
    assert not (home / PATH).exists()
