"""Croissant: what is told of files and patches; mlcroissant itself judges it in tests/peers."""

import json
from dataclasses import replace
from typing import Any

from standards.examples import ADDRESS, DRAFT, FULL, OPEN, WITHDRAWN
from tomarium.model import Part, Record
from tomarium.standards.croissant import CONFORMS_TO, MOST_PATCHES, export

LARGE = replace(OPEN, parts=(Part("volume", "volume.ome.zarr", summary={"shape": [512, 640, 640]}),))
assert FULL.publication is not None
EMBARGOED = replace(
    LARGE, publication=replace(FULL.publication, open_from=FULL.publication.open_from.replace(year=9000))
)


def read(record: Record, address: str = ADDRESS) -> dict[str, Any]:
    return dict(json.loads(export(record, address)))


def test_it_says_of_a_record_what_schema_org_says() -> None:
    told = read(OPEN)
    assert told["conformsTo"] == CONFORMS_TO == "http://mlcommons.org/croissant/1.1"
    assert (told["@type"], told["name"], told["version"]) == ("sc:Dataset", OPEN.title, "2.0.0")
    assert told["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert told["creator"][0]["sameAs"] == "https://orcid.org/0000-0002-1825-0097"
    assert "https://doi.org/10.5072/tooth_1.v2" in told["citeAs"]


def test_files_have_their_checksums_and_a_folder_is_a_set() -> None:
    files = {one["name"]: one for one in read(OPEN)["distribution"]}
    assert set(files) == {entry.path for entry in OPEN.files}
    for entry in OPEN.files:
        one = files[entry.path]
        if entry.path.endswith("/"):
            assert (one["@type"], one["includes"]) == ("cr:FileSet", f"{entry.path}**")
        else:
            assert (one["sha256"], one["contentSize"]) == (entry.sha256, f"{entry.bytes} B")
            assert one["contentUrl"].startswith(f"{ADDRESS}/files/")
        assert " " not in one["@id"]


def test_patches_are_listed_for_every_split() -> None:
    (patches,) = [one for one in read(LARGE)["recordSet"] if one["@id"] == "patches"]
    assert len(patches["data"]) == MOST_PATCHES
    assert {row["patches/split"] for row in patches["data"]} == {"train", "validation", "test"}
    assert {field["@id"] for field in patches["field"]} == set(patches["data"][0])
    places = {split: [] for split in ("train", "validation", "test")}  # type: dict[str, list[Any]]
    for row in patches["data"]:
        z, y, x = (row[f"patches/{axis}"] for axis in "zyx")
        assert row["patches/size"] == 64
        wanted = f"{ADDRESS}/volume.npy?level=0&z={z}:{z + 64}&y={y}:{y + 64}&x={x}:{x + 64}"
        assert row["patches/address"] == wanted
        places[row["patches/split"]].append((z, y, x))
    for one in places["train"]:
        for other in places["test"]:
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 128


def test_of_what_is_not_open_no_file_is_told() -> None:
    for record in (DRAFT, EMBARGOED, WITHDRAWN):
        text = export(record, ADDRESS)
        assert not {"distribution", "recordSet"} & set(json.loads(text))
        assert "/files/" not in text
        assert "volume.npy" not in text
    assert not {"distribution", "recordSet"} & set(read(OPEN, address=""))


def test_a_volume_too_small_for_three_splits_has_no_patches() -> None:
    assert "recordSet" not in read(OPEN)  # 4 x 5 x 6 voxels
