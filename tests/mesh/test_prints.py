"""Prints of bodies whose walls are known: what is thin is found and made thicker, what cannot be printed is refused."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.bodies import BODIES, ball, hollow_ball, places, plate, volume
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.formats.zarr.reader import write
from tomarium.kernels.wall_thickness import depth_inside, share_of_surface, thickened, thin_places
from tomarium.pipeline.mesh.body import Wish
from tomarium.pipeline.mesh.print_body import PrintWish, print_body

pytest.importorskip("manifold3d")
LINES = ("10.5072/tomarium", "CC-BY-4.0")
NORMALS = ((1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 2.0, 3.0))


@pytest.mark.parametrize("normal", NORMALS)
@pytest.mark.parametrize("thickness", [3.0, 4.5, 6.0])
def test_walls_of_known_thickness_are_told_from_thinner_ones(
    thickness: float, normal: tuple[float, float, float]
) -> None:
    for shift in (0.0, 0.4):
        depth = depth_inside(plate(thickness, normal, shift, 36), 0.5)
        share = {
            wall: share_of_surface(thin_places(depth, wall), depth)
            for wall in (thickness - 0.6, thickness + 0.8)
        }
        assert share[thickness - 0.6] < 0.02
        assert share[thickness + 0.8] > 0.95


@pytest.mark.parametrize("normal", NORMALS)
def test_thin_walls_become_as_thick_as_they_should_be(normal: tuple[float, float, float]) -> None:
    grey, wall = plate(2.0, normal, 0.2, 36), 5.0
    depth = depth_inside(grey, 0.5)
    grown = thickened(grey, 0.5, depth, thin_places(depth, wall), wall)
    again = depth_inside(grown, 0.0)
    assert share_of_surface(thin_places(again, wall - 0.3), again) == 0
    assert wall - 1 < 2 * again.max() < wall + 2
    assert (grown[grey > 0.6] > 0).all()


def test_corners_of_a_thick_body_are_not_thin() -> None:
    for grey in (BODIES["box"](0.0)[0], ball(14)[0]):
        depth = depth_inside(grey, 0.5)
        assert share_of_surface(thin_places(depth, 20), depth) == 0


@pytest.fixture(scope="module")
def printed() -> Any:
    return print_body(
        volume(ball(14)[0]), Wish(), PrintWish(height_mm=40, wall_mm=6.0, triangles=30_000, lines=LINES)
    )


def test_a_print_has_its_height_and_is_one_closed_body(printed: Any) -> None:
    mesh, told = printed
    assert mesh.is_closed
    assert told.euler == 2
    assert told.triangles <= 30_000
    assert told.body_mm[2] == pytest.approx(40, rel=0.005)
    assert told.scale == pytest.approx(40 / 0.28, rel=0.01)
    assert mesh.box_mm[0][2] == 0
    assert told.volume_cm3 > 4 / 3 * np.pi * 8 * 0.95  # the ball, and its plate
    assert told.stands_on_mm2 > 100


def test_letters_on_the_plate_are_as_wide_as_a_nozzle_prints(printed: Any) -> None:
    from tomarium.kernels.isosurface import solid_of
    from tomarium.pipeline.mesh.base_plate import PLATE_MM, RAISED_MM

    solid: Any = solid_of(printed[0])
    letters = [one for one in solid.slice(PLATE_MM + RAISED_MM / 2).decompose() if one.area() < 60]
    assert len(letters) >= len("10.5072/tomariumCC-BY-4.0")
    for letter in letters:  # a cross-section thinner than 0.8 mm vanishes when 0.4 mm are taken off
        assert letter.offset(-0.36).area() > 0


def test_a_closed_hollow_is_filled_or_kept() -> None:
    grey, *_ = hollow_ball(14, 6)
    wish = PrintWish(height_mm=30, wall_mm=4.0)
    _, filled = print_body(volume(grey), Wish(), wish)
    _, kept = print_body(volume(grey), Wish(), replace(wish, keep_hollow=True))
    assert (filled.euler, kept.euler, filled.filled, kept.filled) == (2, 4, 1, 0)
    assert filled.filled_share == pytest.approx(6**3 / (14**3 - 6**3), rel=0.06)


def test_what_cannot_be_printed_is_refused_with_a_reason() -> None:
    grey, *_ = ball(12)
    for wish, found, pattern in (
        (PrintWish(), volume(grey, None), "no true scale; give it with --voxel"),
        (PrintWish(height_mm=4.0), volume(grey), "at least 4.8 mm high"),
        (PrintWish(height_mm=6.0), volume(plate(2.0, (0, 0, 1))), "print it about .* mm high, or with walls"),
        (PrintWish(), volume(BODIES["two balls apart"](0.0)[0]), "2 pieces .* --largest-only"),
    ):
        with pytest.raises(InputError, match=pattern):
            print_body(found, Wish(), wish)
    _, told = print_body(
        volume(BODIES["two balls apart"](0.0)[0]), Wish(), PrintWish(height_mm=20, largest_only=True)
    )
    assert (told.dropped, round(told.dropped_share, 2)) == (1, 0.5)


@pytest.mark.parametrize("up", ["x", "-y"])
def test_up_turns_without_a_mirror(up: str) -> None:
    at = places(34)
    body = (np.abs(at) < [12, 9, 6]).all(-1) & ~((at > [4, 3, 2]).all(-1))
    mesh, told = print_body(volume(body.astype(np.float32)), Wish(), PrintWish(height_mm=20, up=up))
    lengths = {"x": (24, 18, 12), "-y": (12, 24, 18)}[up]
    assert np.array(told.body_mm) / told.body_mm[2] == pytest.approx(np.array(lengths) / lengths[2], rel=0.05)
    assert mesh.volume_mm3 > 0


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tomarium.catalogue import file_record

    folder = tmp_path_factory.mktemp("records") / "ball"
    write(folder / "volume.ome.zarr", volume(ball(12)[0]))
    file_record(folder, title="A ball", id="ball", licence="CC-BY-4.0", creators=("Lovelace, Ada",))
    return folder


def test_a_mesh_and_a_print_become_parts_of_a_record(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tomarium.catalogue.record_folder import read_record, verify

    assert execute(["mesh", str(record), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["record"] == "ball"
    assert execute(["print", str(record), "--height", "12mm", "--max-tri", "20k", "--min-wall", "2mm"]) == 0
    assert "closed" in capsys.readouterr().out
    kept = read_record(record)
    assert [(part.kind, part.path) for part in kept.parts] == [
        ("volume", "volume.ome.zarr"),
        ("mesh", "meshes/surface"),
        ("mesh", "meshes/print"),
    ]
    assert verify(record) == ()
    assert kept.licence == "CC-BY-4.0"
    sheet = (record / "meshes/print/print.html").read_text("utf-8")
    assert "Lovelace, A" in sheet
    assert "if you name those who made it" in sheet
    with zipfile.ZipFile(record / "meshes/print/print.3mf") as package:
        assert "CC-BY-4.0" in package.read("3D/3dmodel.model").decode()[:2000]
    assert execute(["mesh", str(record)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert execute(["mesh", str(record), "--overwrite", "--threshold", "9"]) == 2
    assert "nothing is above" in capsys.readouterr().err
    alone = record.with_name("out") / "Ball_1.stl"
    assert execute(["mesh", str(record), "-o", str(alone)]) == 0
    assert {path.name for path in alone.parent.iterdir()} == {
        f"Ball_1.{end}" for end in ("stl", "glb", "png", "json")
    }
    assert execute(["mesh", str(record), "-o", str(alone)]) == 2


def test_the_page_shows_picture_figures_and_files(record: Path, tmp_path: Path) -> None:
    from app_client import TestClient
    from tomarium.catalogue import ingest, open_catalogue
    from tomarium.portal.app import create_app

    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        ingest(catalogue, record)
        with TestClient(create_app(catalogue, local=True)) as client:
            page = client.get("/records/ball").text
            data = client.get("/records/ball.json").json()["viewers"]["meshes"]["data"]["meshes"]
            assert [one["role"] for one in data] == ["surface", "print"]
            for one in data:
                assert client.get(one["picture"]).headers["content-type"] == "image/png"
                assert client.get(one["model"]).content[:4] == b"glTF"
                assert all(file["address"] in page and file["bytes"] for file in one["files"])
            assert "3MF, for printers" in page


def test_a_published_record_gets_a_new_one_beside_it(record: Path, tmp_path: Path) -> None:
    import shutil

    from tomarium.catalogue import LOCAL_OWNER, ingest, open_catalogue
    from tomarium.catalogue.life import Request, publish
    from tomarium.catalogue.record_folder import read_record, verify

    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        folder = tmp_path / "records" / "ball"
        shutil.copytree(record, folder)
        ingest(catalogue, folder)
        publish(catalogue, LOCAL_OWNER, "ball", Request(embargo="0"))
    before = (folder / "ro-crate-metadata.json").read_bytes()
    assert execute(["mesh", "ball", "--name", "skin", "--catalogue", str(tmp_path / "catalogue.sqlite")]) == 0
    assert (folder / "ro-crate-metadata.json").read_bytes() == before
    made = read_record(tmp_path / "records" / "ball-skin")
    assert [(one.relation, one.identifier) for one in made.related] == [("IsDerivedFrom", "ball")]
    assert verify(tmp_path / "records" / "ball-skin") == ()


def test_a_slab_that_the_volume_cuts_has_its_height() -> None:
    """Two slices of a disc: where the volume ends before the body does, its surface is the outer faces of voxels."""
    y, x = np.ogrid[-1:1:40j, -1:1:40j]
    grey = np.broadcast_to(np.clip(20 * (0.7 - np.hypot(y, x)) + 0.5, 0, 1), (2, 40, 40)).astype(np.float32)
    _, told = print_body(
        volume(np.ascontiguousarray(grey)), Wish(smooth_px=0), PrintWish(height_mm=4.0, wall_mm=1.0)
    )
    assert told.body_mm[2] == pytest.approx(4.0, rel=0.01)
    assert told.scale == pytest.approx(4.0 / 0.02, rel=0.01)
