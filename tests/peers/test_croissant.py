"""Our Croissant, validated by mlcroissant, which reads the list of files and fetches a patch, without a network."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest

from standards.examples import ADDRESS, DRAFT, FULL, OPEN
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.work import do_jobs
from tomarium.datasets.load import load
from tomarium.model import Person
from tomarium.standards.croissant import export

pytestmark = pytest.mark.filterwarnings("ignore")
mlcroissant = pytest.importorskip("mlcroissant")


@pytest.fixture(scope="module")
def portal(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[tuple[str, Path]]:
    from portal.cutting_portal import served

    home = tmp_path_factory.mktemp("croissant")
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        make_volume(home / "tooth" / "volume.ome.zarr", size=96)
        file_record(
            home / "tooth", title="Tooth", id="tooth", description="A canine of Smilodon, scanned whole."
        )
        ingest(catalogue, home / "tooth")
        edit(
            catalogue, LOCAL_OWNER, "tooth", Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),))
        )
        publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0"))
        assert do_jobs(catalogue, print)
        with served(catalogue) as (address, _):
            yield address, home / "tooth"


def read(text: str, folder: Path) -> Any:
    (folder / "croissant.json").write_text(text, encoding="utf-8")
    dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    return dataset


@pytest.mark.parametrize("record", [FULL, OPEN, DRAFT], ids=["full", "open", "draft"])
def test_every_record_is_valid(record: Any, tmp_path: Path) -> None:
    dataset = read(export(record, ADDRESS), tmp_path)
    assert dataset.metadata.ctx.is_v1_1()


def test_a_patch_and_the_list_of_files_are_loaded(portal: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = portal
    with urlopen(f"{address}/records/tooth/metadata/croissant") as answer:
        dataset = read(answer.read().decode(), tmp_path)
    assert not dataset.metadata.ctx.issues.warnings
    from tomarium.viewers.volume import open_volume

    volume = np.asarray(open_volume(folder / "volume.ome.zarr").data[...])
    found = list(dataset.records("patches"))
    assert {row["patches/split"] for row in found} == {"train", "validation", "test"}
    for row in found[:3]:
        with urlopen(row["patches/address"]) as answer:
            patch = np.load(io.BytesIO(answer.read()))
        z, y, x = (row[f"patches/{axis}"] for axis in "zyx")
        size = row["patches/size"]
        assert np.array_equal(patch, volume[z : z + size, y : y + size, x : x + size])
    files = {row["files/path"].decode(): row["files/bytes"] for row in dataset.records("files")}
    assert files["volume.ome.zarr/zarr.json"] == (folder / "volume.ome.zarr" / "zarr.json").stat().st_size


def test_patches_are_loaded_with_their_values(portal: tuple[str, Path], tmp_path: Path) -> None:
    address = f"{portal[0]}/records/tooth"
    with urlopen(f"{address}/metadata/croissant") as answer:
        dataset = read(answer.read().decode(), tmp_path)
    held: dict[str, dict[tuple[int, int, int], Any]] = {"train": {}, "validation": {}, "test": {}}
    for row in dataset.records("patch_values"):
        z, y, x = (row[f"patch_values/{axis}"] for axis in "zyx")
        held[row["patch_values/split"].decode()][z, y, x] = np.asarray(row["patch_values/values"], np.float32)
    sizes = {patch.shape for patches in held.values() for patch in patches.values()}
    ((size, *_),) = sizes
    opened = load(address, token="")
    for split, patches in held.items():
        told = {"size": size, "split": split, "number": len(patches), "seed": 0}
        ours = {patch.position: patch.data for patch in opened.patches(**told)}
        assert ours.keys() == patches.keys()
        assert all(np.array_equal(ours[place], patches[place]) for place in ours)


def test_the_catalogue_is_a_table(portal: tuple[str, Path], tmp_path: Path) -> None:
    with urlopen(f"{portal[0]}/catalogue.croissant.json") as answer:
        dataset = read(answer.read().decode(), tmp_path)
    (row,) = dataset.records("records")
    assert row["records/id"] == b"tooth"
    assert row["records/licence"] == b"CC-BY-4.0"
    assert json.loads(json.dumps(row["records/bytes"])) > 0
