"""A specimen for other programs: each form puts a voxel where the links put it, and names what it leaves out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05.image import Image as ModelImage

from placed_volumes import ADA, IN_BLOCK, POINTS_M, SHAPES, file_volumes, in_block
from specimen_links import link
from specimen_rock import file_image
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import publish_entity
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.link_edit import file_link
from tomarium.catalogue.specimen_export import (
    Gathered,
    export_bigwarp,
    export_crate,
    export_mobie,
    export_ome_zarr,
    gather,
)
from tomarium.errors import CannotFit, InputError
from tomarium.model import Person
from tomarium.portal.specimen_state import specimen_state
from tomarium.portal.viewer_state import check_state
from tomarium.specimen.landmarks import read_landmarks
from tomarium.specimen.link_file import read_link
from tomarium.viewers.volume import open_volume

VOXEL = (3.0, 2.0, 1.0)
WRITTEN = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("volumes")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        file_volumes(opened, home)
        yield opened


def gathered(opened: Catalogue, reader: Reader = ADA, frame: str = "") -> Gathered:
    with opened.reading() as connection:
        return gather(connection, reader, "rum-8", frame)


def own_m(id: str, voxel: tuple[float, float, float] = VOXEL) -> np.ndarray[Any, Any]:
    return np.linalg.inv(IN_BLOCK[id])[:3] @ [*in_block(id, voxel), 1]


def test_volumes_share_the_frame_of_the_largest_image(opened: Catalogue) -> None:
    found = gathered(opened)
    assert found.frame == "records/block"
    assert [one.record.id for one in found.volumes] == ["block", "cut", "core"]
    assert found.left_out == ()
    for one in found.volumes:
        np.testing.assert_allclose(one.placed.matrix, IN_BLOCK[one.record.id], atol=1e-12)
    turned = gathered(opened, frame="core")
    matrix = next(one.placed.matrix for one in turned.volumes if one.record.id == "block")
    np.testing.assert_allclose(matrix, np.linalg.inv(IN_BLOCK["core"]), atol=1e-12)


def test_landmarks_come_back(opened: Catalogue, tmp_path: Path) -> None:
    said = export_bigwarp(gathered(opened), tmp_path / "out", "nm")
    assert "5 landmarks in nm, moving records/core, fixed records/block" in said[0]
    assert "cut-in-block" in said[1]
    first = (tmp_path / "out" / "core-in-block.csv").read_text().splitlines()[0]
    assert [float(one.strip('"')) for one in first.split(",")[2:5]] == pytest.approx([6000, 5000, 4000])
    back = read_landmarks(tmp_path / "out" / "core-in-block.csv", "nm")
    np.testing.assert_allclose([one.moving_m for one in back], POINTS_M, atol=1e-15)
    assert [one.name for one in back] == [f"Pt-{number}" for number in range(5)]


def test_neuroglancer_puts_a_voxel_where_the_links_do(opened: Catalogue) -> None:
    state, said = specimen_state(gathered(opened), address="https://tomo.example.org")
    assert ["cut" in one and "core" in one and "block" not in one.split(":")[0] for one in said] == [True]
    for layer, id in zip(state["layers"], ("block", "cut", "core"), strict=True):
        address = f"https://tomo.example.org/records/{id}/files/volume.ome.zarr/|zarr3:"
        assert layer["source"]["url"] == address
        told = layer["source"]["transform"]
        assert told["outputDimensions"] == {axis: [1e-6, "m"] for axis in "zyx"}
        matrix = np.array(told["matrix"])
        # Lengths of the source over those of the output, then a shift in units of the output.
        at_m = (matrix[:, :3] @ own_m(id)[::-1]) + matrix[:, 3] * 1e-6
        np.testing.assert_allclose(at_m[::-1], in_block(id, VOXEL), atol=1e-12)
    # The middle of the block, in its voxels.
    assert state["position"] == pytest.approx([6.5, 5.5, 4.5])
    of_portal, _ = specimen_state(gathered(opened))
    assert check_state(of_portal, lambda id: id in SHAPES) == of_portal


def test_mobie_moves_micrometres(opened: Catalogue, tmp_path: Path) -> None:
    export_mobie(gathered(opened), tmp_path / "mobie")
    project = json.loads((tmp_path / "mobie" / "project.json").read_text())
    assert (project["specVersion"], project["defaultDataset"]) == ("0.3.0", "rum-8")
    dataset = json.loads((tmp_path / "mobie" / "rum-8" / "dataset.json").read_text())
    moves = {
        one["affine"]["sources"][0]: one["affine"] for one in dataset["views"]["default"]["sourceTransforms"]
    }
    for id in SHAPES:
        path = dataset["sources"][id]["image"]["imageData"]["ome.zarr"]["relativePath"]
        assert (tmp_path / "mobie" / "rum-8" / path / "zarr.json").is_file()
        matrix = np.array(moves[id]["parameters"]).reshape(3, 4)
        at_um = matrix @ [*own_m(id) * 1e6, 1]
        np.testing.assert_allclose(at_um, in_block(id, VOXEL) * 1e6, atol=1e-6)
    assert set(dataset["views"]) == {"default", *SHAPES}


def test_ome_zarr_without_rotations(opened: Catalogue, tmp_path: Path) -> None:
    said = export_ome_zarr(gathered(opened), tmp_path / "out.zarr")
    assert any(
        "records/core is left out: it is turned or mirrored" in one and "--rfc5" in one for one in said
    )
    assert not (tmp_path / "out.zarr" / "core").exists()
    for id in ("block", "cut"):
        volume = open_volume(tmp_path / "out.zarr" / id)
        at = [axis.offset + axis.scale * n for axis, n in zip(volume.axes, VOXEL[::-1], strict=True)]
        np.testing.assert_allclose(at[::-1], in_block(id, VOXEL), atol=1e-12)
        assert np.asarray(volume.levels[0][:]).ravel()[-1] == np.prod(SHAPES[id]) - 1
        ModelImage.from_zarr(zarr.open_group(tmp_path / "out.zarr" / id, mode="r"))
    with pytest.raises(InputError, match="exists already"):
        export_ome_zarr(gathered(opened), tmp_path / "out.zarr")
    assert [one.name for one in tmp_path.iterdir()] == ["out.zarr"]


def test_ome_zarr_with_matrices(opened: Catalogue, tmp_path: Path) -> None:
    export_ome_zarr(gathered(opened), tmp_path / "out.zarr", with_matrices=True)
    told = json.loads((tmp_path / "out.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    assert told["version"] == "0.6"
    [system] = told["scene"]["coordinateSystems"]
    assert [axis["name"] for axis in system["axes"]] == ["z", "y", "x"]
    kinds = {}
    for one in told["scene"]["coordinateTransformations"]:
        id = one["input"]["path"]
        kinds[id] = one["type"]
        assert one["output"] == {"name": system["name"]}
        image = json.loads((tmp_path / "out.zarr" / id / "zarr.json").read_text())["attributes"]["ome"]
        [inner] = image["multiscales"][0]["coordinateSystems"]
        assert (image["version"], inner["name"]) == ("0.6", one["input"]["name"])
        assert "axes" not in image["multiscales"][0]
        dataset = image["multiscales"][0]["datasets"][0]
        [level] = dataset["coordinateTransformations"]
        assert (level["input"], level["output"]) == ({"path": dataset["path"]}, {"name": inner["name"]})
        scale, shift = (part[part["type"]] for part in level["transformations"])
        own_um = np.array(scale) * VOXEL[::-1] + shift
        if one["type"] == "affine":
            at_um = np.array(one["affine"]) @ [*own_um, 1]
        else:
            at_um = own_um + one.get("translation", 0)
        np.testing.assert_allclose(at_um[::-1] * 1e-6, in_block(id, VOXEL), atol=1e-12)
    assert kinds == {"block": "identity", "cut": "translation", "core": "affine"}


def test_no_copy_is_begun_that_does_not_fit(
    opened: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomarium.catalogue.specimen_export._SPARE_BYTES", 1 << 60)
    with pytest.raises(CannotFit, match="GB free"):
        export_ome_zarr(gathered(opened), tmp_path / "out.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_crate_points_to_records_and_holds_the_links(opened: Catalogue, tmp_path: Path) -> None:
    export_crate(gathered(opened), tmp_path / "crate", WRITTEN, "https://tomo.example.org")
    document = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())
    graph = {one["@id"]: one for one in document["@graph"]}
    parts = [one["@id"] for one in graph["./"]["hasPart"]]
    records = [f"https://tomo.example.org/records/{id}" for id in ("block", "core", "cut")]
    assert sorted(parts) == sorted(
        [*records, "links/core-in-block.json", "links/cut-in-block.json", "specimen.json"]
    )
    assert graph["#specimen-rum-8-core"]["isBasedOn"] == {"@id": "#specimen-rum-8"}
    for part in parts:
        if part not in records:
            content = (tmp_path / "crate" / part).read_bytes()
            assert graph[part]["sha256"] == hashlib.sha256(content).hexdigest()
    core = read_link(tmp_path / "crate" / "links" / "core-in-block.json")
    np.testing.assert_allclose(core.matrix, IN_BLOCK["core"], atol=1e-12)
    assert len(core.covariance) == 6
    assert {one["@id"] for one in graph["links/core-in-block.json"]["about"]} == {records[0], records[1]}
    pointed = [one for entity in document["@graph"] for one in references(entity)]
    assert {one for one in pointed if not one.startswith("http")} <= set(graph)


def references(value: Any) -> list[str]:
    """List the identifiers that an entity points to."""
    if isinstance(value, list):
        return [one for item in value for one in references(item)]
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            return [value["@id"]]
        return [one for item in value.values() for one in references(item)]
    return []


def test_only_what_a_reader_may_see_is_told(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        file_volumes(opened, tmp_path)
        file_image(opened, tmp_path, "map", 10, 1e-6, np.eye(4))
        edit(opened, ADA, "map", Changes(specimen="rum-8"))
        file_link(opened, ADA, link("records/map", "records/block", id=""))
        reasons = " ".join(gathered(opened).left_out)
        assert "records/map is left out: it is a picture" in reasons
        with pytest.raises(InputError, match="rum-8"):
            gathered(opened, ANYBODY)
        publish_entity(opened, LOCAL_OWNER, "rum-8", doi=False)
        for id, embargo in (("block", "0"), ("cut", "3 years")):
            edit(opened, ADA, id, Changes(creators=(Person("Lovelace, Ada"),), licence="CC-BY-4.0"))
            publish(opened, LOCAL_OWNER, id, Request(embargo=embargo, files=False))
        found = gathered(opened, ANYBODY)
        assert [one.record.id for one in found.volumes] == ["block"]
        assert found.left_out == ("records/cut is left out: its files are not open",)
        assert [one.id for one in found.space.links] == ["cut-in-block"]
        export_crate(found, tmp_path / "crate", WRITTEN)
        everything = "".join(one.read_text() for one in (tmp_path / "crate").rglob("*") if one.is_file())
        assert "core" not in everything.lower().replace("score", "")
        assert "map" not in everything
        with pytest.raises(InputError, match="was made from landmarks"):
            export_bigwarp(found, tmp_path / "landmarks")
