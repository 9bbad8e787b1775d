"""Pages of one file with a model: what they hold is the mesh, and what they say of it is true."""

import json
import re
import zlib
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.bodies import ball, volume
from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.mesh_files import About, write_files
from tomarium.catalogue.mesh_part import add_mesh, place_of_mesh
from tomarium.catalogue.model_file import page_of_mesh
from tomarium.cli import execute
from tomarium.errors import FormatError, InputError
from tomarium.formats.meshes.glb import glb_bytes, read_own_glb
from tomarium.formats.meshes.read_mesh import read_mesh
from tomarium.formats.meshes.stl import stl_bytes
from tomarium.formats.zarr.reader import write
from tomarium.kernels.isosurface import isosurface
from tomarium.kernels.mesh_distance import distance_to_mesh
from tomarium.model import Mesh
from tomarium.pipeline.mesh.body import Wish
from tomarium.pipeline.mesh.make_mesh import as_data, make_mesh
from tomarium.portal.languages import translations
from tomarium.viewers import model_page
from tomarium.viewers.mesh_picture import width_mm
from tomarium.viewers.model_page import ModelWords, packed, rounded_to_grid

pytest.importorskip("manifold3d")
pytest.importorskip("trimesh")
MADE = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_page, "PIXELS", 40)


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    """Make the surface of a ball of 14 voxels of 0.5 mm radius, off the origin."""
    return isosurface(ball(14)[0], 0.5, (0.5, 0.5, 0.5)).moved((3.0, -2.0, 11.0))


def unpacked(page: str) -> tuple[dict[str, Any], Mesh]:
    """Unpack the model of a page, in another way than its script."""
    about = json.loads(re.search(r'id="about-model">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    told = about["mesh"]
    code = re.search(r'id="packed-model">(.*?)</script>', page, re.DOTALL)[1]  # type: ignore[index]
    content = np.frombuffer(zlib.decompress(b64decode(code)), np.uint8)
    corners, low, high = told["corners"], np.array(told["low"]), np.array(told["high"])
    planes = content[: 6 * corners].reshape(3, 2, corners).astype(np.int64)
    steps = np.cumsum(planes[:, 0] + 256 * planes[:, 1], axis=1) % 65536
    numbers = np.ascontiguousarray(content[6 * corners :].reshape(4, -1).T).view("<i4").ravel()
    faces = np.cumsum(numbers).reshape(-1, 3)
    assert len(faces) == told["triangles"]
    return about, Mesh((low + steps.T * (high - low) / 65535).astype(np.float32), faces.astype(np.uint32))


def test_a_page_holds_the_mesh(mesh: Mesh) -> None:
    page = page_of_mesh(mesh, ModelWords("A ball"), 10**6)
    about, found = unpacked(page)
    assert about["mesh"]["unit"] == "mm"
    assert found.is_closed
    assert len(found.faces) == len(mesh.faces)
    step = (mesh.box_mm[1] - mesh.box_mm[0]) / 65535
    assert found.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=1e-4)
    for place in mesh.vertices_mm[::97]:
        assert (np.abs(found.vertices_mm - place) <= 0.51 * step + 1e-6).all(1).any()
    assert "All triangles of the mesh; no corner was moved by more than 0." in page
    # By what a browser refuses, nothing can be fetched.
    assert "default-src &#39;none&#39;; script-src &#39;sha256-" in page
    assert not re.search(r"""(src|href)=["'](?!data:|https://)""", page)


def test_how_far_a_simplified_mesh_is_from_the_finer_one_is_never_told_too_small(mesh: Mesh) -> None:
    page = page_of_mesh(mesh, ModelWords("A ball"), 600)
    _, small = unpacked(page)
    assert 100 < len(small.faces) <= 600
    told = float(re.search(r"farther than ([\d.]+) µm", page)[1])  # type: ignore[index]
    # Points of the finer mesh against all triangles, densely sampled: the distance to a sample is too large by 0.02 mm.
    share = np.array([(a, b, 30 - a - b) for a in range(31) for b in range(31 - a)]) / 30
    samples = np.einsum("sc,tcx->tsx", share, small.corners).reshape(-1, 3)
    scipy_spatial = pytest.importorskip("scipy.spatial")
    near, _ = scipy_spatial.cKDTree(samples).query(mesh.vertices_mm)
    assert near.max() - 0.05 < told / 1000 < 1.2 * near.max()
    # The radius of a ball that is known: its surface lies that near the triangles.
    off = np.abs(np.linalg.norm(small.vertices_mm - mesh.middle_mm, axis=1) - 7)
    assert off.max() < 0.3


def test_distances_from_a_triangle_follow_from_geometry() -> None:
    one = Mesh(np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0]], np.float32), np.array([[0, 1, 2]], np.uint32))
    places = np.array([[1, 1, 3], [-3, 1, 4], [-3, -4, 0], [4, 4, 0], [1, 1, 0], [9, 0, 0]], float)
    np.testing.assert_allclose(distance_to_mesh(places, one), [3, 5, 5, 8**0.5, 0, 5], atol=1e-12)


def test_meshes_of_other_programs_are_read_in_their_units(mesh: Mesh, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    (tmp_path / "ball.stl").write_bytes(stl_bytes(mesh, "ball"))
    assert read_mesh(tmp_path / "ball.stl", 1e-3).volume_mm3 == pytest.approx(
        1e-9 * mesh.volume_mm3, rel=1e-4
    )
    foreign = trimesh.Trimesh(mesh.vertices_mm * 1e-3, mesh.faces, process=False)
    for ending, unit in (("ply", 1000.0), ("obj", 1000.0)):
        foreign.export(tmp_path / f"ball.{ending}")
        found = read_mesh(tmp_path / f"ball.{ending}", unit)
        np.testing.assert_allclose(found.box_mm, mesh.box_mm, atol=1e-3)
        assert found.is_closed
    foreign.vertices = foreign.vertices[:, [0, 2, 1]] * [1, 1, -1]  # y upwards, as GLB has it
    foreign.export(tmp_path / "ball.glb")
    np.testing.assert_allclose(read_mesh(tmp_path / "ball.glb").box_mm, mesh.box_mm, atol=1e-3)
    (tmp_path / "own.glb").write_bytes(glb_bytes(mesh, scale=7))
    with pytest.raises(FormatError, match="enlarged for viewers; give the STL"):
        read_mesh(tmp_path / "own.glb")
    for name, content in (("no.stl", b"solid\nendsolid\n"), ("no.ply", b"ply\n"), ("no.3mf", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError):
            read_mesh(tmp_path / name)


def test_a_preview_is_read_back_at_its_size_and_a_damaged_one_is_refused(mesh: Mesh) -> None:
    content = glb_bytes(mesh, "ball", scale=12.5)
    found = read_own_glb(content, 12.5)
    assert found.is_closed
    assert len(found.faces) == len(mesh.faces)
    np.testing.assert_allclose(found.box_mm, mesh.box_mm - mesh.middle_mm, atol=1e-4)
    assert found.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=1e-4)
    draw = np.random.default_rng(3)
    for number in range(60):
        bad = bytearray(content if number % 2 else content[: int(draw.integers(0, len(content)))])
        if number % 2:
            bad[int(draw.integers(0, 1200))] ^= int(draw.integers(1, 256))
        try:
            read_own_glb(bytes(bad), 12.5)
        except FormatError:
            continue
        assert number % 2  # one changed byte may be a number that is possible


def test_corners_in_one_place_become_one_and_empty_triangles_go(mesh: Mesh) -> None:
    assert rounded_to_grid(rounded_to_grid(mesh)).is_closed
    line = Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1e-9, 0, 0]], np.float32),
        np.array([[0, 1, 2], [0, 3, 1]], np.uint32),
    )
    assert len(rounded_to_grid(line).faces) == 1
    assert len(packed(line)) > 0


def test_the_bar_of_a_picture_is_right(mesh: Mesh) -> None:
    assert width_mm(mesh) == pytest.approx(14 / 0.94, rel=0.01)
    small = Mesh(
        mesh.vertices_mm / 7, mesh.faces
    )  # 2 mm wide: the bar is 500 µm long, and 23.5 % of the picture
    page = page_of_mesh(small, ModelWords("A ball"), 10**6)
    assert ">500 µm</figcaption>" in page
    assert float(re.search(r"bar-1 { width: ([\d.]+)%", page)[1]) == pytest.approx(23.5, rel=0.01)  # type: ignore[index]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File a draft and a published record, each with a surface, and a draft with a print alone."""
    home = tmp_path_factory.mktemp("models")
    grey = volume(ball(10)[0])
    made, figures = make_mesh(grey, Wish())
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for id, role in (("draft", "surface"), ("known", "surface"), ("printed", "print")):
            folder = home / id
            write(folder / "volume.ome.zarr", grey)
            title = f"Ball <i>{id}</i>"
            file_record(
                folder,
                title=title,
                id=id,
                licence="CC-BY-4.0",
                creators=("Lovelace, Ada",),
                created=MADE,
            )
            keeper, target = place_of_mesh(folder, role)
            summary = write_files(target, role, made, About(title), as_data(figures), ("ply",))
            add_mesh(folder, keeper, role, role, summary)
            ingest(catalogue, folder)
        publish(catalogue, LOCAL_OWNER, "known", Request(embargo="0"))
    return home


def run(home: Path, *words: str) -> str:
    target = home / "page.html"
    target.unlink(missing_ok=True)
    told = ["model", *words, "-o", str(target), "--catalogue", str(home / "catalogue.sqlite")]
    assert execute(told) == 0
    return target.read_text("utf-8")


def test_a_page_tells_the_state_of_its_record_in_a_language(home: Path) -> None:
    draft = run(home, "draft")
    assert "A draft: when this page was written the record was not published" in draft
    assert "Ball &lt;i&gt;draft&lt;/i&gt;" in draft
    assert "CC-BY-4.0" in draft
    assert "<i>" not in draft
    size = re.search(r"<dt>Size</dt><dd>([\d.]+) × ", draft)
    assert size is not None
    assert float(size[1]) == pytest.approx(0.2, rel=0.01)
    assert len(draft) < 1_500_000
    known = run(home, "known", "--language", "de", "--triangles", "800")
    assert "Veröffentlicht am 20" in known
    assert "Ein Entwurf" not in known
    assert '<html lang="de">' in known
    assert "auf" in known
    assert "vereinfacht: Kein Eckpunkt" in known
    assert re.search(r"<dd>0,\d+ × ", known)
    assert "Brouillon" in run(home, str(home / "draft"), "--language", "fr")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["printed"], "printed: has no mesh to show; make one first: `tomarium mesh printed`"),
        (["printed", "--part", "meshes/print"], "meshes/print is a print, enlarged"),
        (["draft", "--part", "meshes/no"], "has no mesh 'meshes/no' to show"),
        (["draft", "--triangles", "2"], "write a number from 100 on"),
        (["draft", "--title", "x"], "a record has its own"),
        (["nowhere"], "no record of this identifier"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    home: Path, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["-o", str(home / "refused.html"), "--catalogue", str(home / "catalogue.sqlite")]
    assert execute(["model", *words, *place]) == 2
    assert why in " ".join(capsys.readouterr().err.split())
    assert not (home / "refused.html").exists()


def test_a_mesh_that_is_not_closed_keeps_its_triangles(mesh: Mesh) -> None:
    opened = Mesh(mesh.vertices_mm, mesh.faces[:-40])
    assert "All triangles" in page_of_mesh(opened, ModelWords("Open"), 10**6)
    with pytest.raises(InputError, match="no closed surface"):
        page_of_mesh(opened, ModelWords("Open"), 500)


def test_the_portal_gives_the_page_of_a_mesh(home: Path) -> None:
    from app_client import TestClient
    from tomarium.portal.app import create_app

    with open_catalogue(home / "catalogue.sqlite") as catalogue, TestClient(create_app(catalogue)) as client:
        shown = client.get("/records/known").text
        assert "/records/known/model.html?mesh=meshes" in shown
        answer = client.get("/fr/records/known/model.html")
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''known.html"
        assert "Publié le" in answer.text
        _, found = unpacked(answer.text)
        assert found.is_closed
        assert found.volume_mm3 == pytest.approx(4 / 3 * np.pi * 0.1**3, rel=0.05)
        assert client.get("/records/known/model.html?mesh=../x").status_code == 404
        assert client.get("/records/draft/model.html").status_code == 404  # nobody sees a draft


def test_every_language_has_the_words_of_a_page(mesh: Mesh) -> None:
    for language in ("fr", "de"):
        page = page_of_mesh(mesh, ModelWords("x"), 10**6, language, translations(language))
        for english in ("Turn left", "Place of the cut", "Triangles<", "no corner", "Nothing is fetched"):
            assert (english in page) is (english == "Triangles<" and language == "fr")
