"""Meshes against bodies whose volume, surface and Euler characteristic are known, and files against other readers."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from mesh.bodies import BODIES, VOXEL_M, ball, filled, hollow_ball, places, torus, volume
from tomarium import formats
from tomarium.errors import CannotFit, InputError
from tomarium.formats.meshes.glb import glb_bytes
from tomarium.formats.meshes.ply import ply_bytes
from tomarium.formats.meshes.stl import stl_bytes
from tomarium.formats.meshes.three_mf import three_mf_bytes
from tomarium.formats.zarr.reader import write
from tomarium.kernels.decimation import decimate, lightened
from tomarium.kernels.isosurface import isosurface
from tomarium.model import Axis, Mesh, Volume
from tomarium.pipeline.mesh.body import Wish
from tomarium.pipeline.mesh.grid import choose_grid, grids_of, read_grid
from tomarium.pipeline.mesh.make_mesh import Limits, as_data, doubts, make_mesh
from tomarium.pipeline.segment.label_volume import write_labels
from tomarium.viewers.mesh_picture import mesh_png

pytest.importorskip("manifold3d")
MM = 1e3 * VOXEL_M


def centroid(mesh: Mesh) -> list[float]:
    a, b, c = np.moveaxis(mesh.corners, 1, 0)
    weights = np.einsum("ij,ij->i", a, np.cross(b, c))
    return list(((a + b + c) * weights[:, None]).sum(0) / 4 / weights.sum())


def aside_of_a_face(shift: float) -> float:
    """Where marching cubes must put the middle of a box whose faces lie along the voxels, in voxels, less its own.

    All of a face has the same filling of its voxels, so that nothing evens out: the line between two sampled values
    crosses one half elsewhere than the profile does, on both faces to the same side. In one dimension, by NumPy alone.
    """
    at = np.arange(72) - 35.5 - shift
    weights = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    weights /= weights.sum()
    smooth = np.convolve(np.clip(20.5 - np.abs(at), 0, 1), weights, "same")
    smooth[1:-1] -= (weights * np.arange(-4, 5))[4:].sum() / weights[4] * np.diff(smooth, 2)
    left, right = np.interp(0.5, smooth[:36], at[:36]), np.interp(-0.5, -smooth[36:], at[36:])
    return float(left + right) / 2


def test_a_face_between_voxels_is_drawn_aside_by_its_own_sampling() -> None:
    # The numbers behind the test below: the worst place of a face, and one where nothing is left.
    assert aside_of_a_face(0.31) == pytest.approx(-0.044, abs=0.001)
    assert aside_of_a_face(0.0) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.31])
@pytest.mark.parametrize("name", BODIES)
def test_volume_surface_and_euler_are_those_of_the_body(name: str, shift: float) -> None:
    grey, cubic, square, euler = BODIES[name](shift)
    mesh, told = make_mesh(volume(grey), Wish())
    assert told.volume == pytest.approx(cubic * MM**3, rel=0.02)
    assert told.surface == pytest.approx(square * MM**2, rel=0.03)
    assert (told.euler, told.dropped) == (euler, 0)
    assert mesh.is_closed
    assert abs(told.difference) < 0.02
    # Where it lies: in mm from the middle of the first voxel.
    aside = aside_of_a_face(shift) if name == "box" else 0.0
    middle = ((grey.shape[0] - 1) / 2 + shift + aside) * MM
    assert centroid(mesh) == pytest.approx([middle] * 3, abs=(0.003 if name == "box" else 0.01) * MM)


@pytest.mark.parametrize("most", [4000, 2000])
def test_few_triangles_keep_volume_and_tunnel(most: int) -> None:
    grey, cubic, square, _ = torus(17, 7)
    mesh, told = make_mesh(volume(grey), Wish(), Limits(triangles=most, level=0))
    assert len(mesh.faces) <= most
    assert told.euler == 0
    assert mesh.is_closed
    assert told.volume == pytest.approx(cubic * MM**3, rel=0.02)
    assert told.surface == pytest.approx(square * MM**2, rel=0.03)
    assert 0 < told.moved < MM


def test_a_preview_of_many_tunnels_has_more_triangles_than_wanted_and_is_no_error() -> None:
    # A lattice: 27 balls on a grid, joined by rods, have 28 tunnels that no collapse of edges removes.
    at = places(38)
    nearest = at - 12 * np.round(np.clip(at / 12, -1, 1))
    far = np.sort(np.abs(nearest), axis=-1)
    rods = 2.0 - np.hypot(far[..., 0], far[..., 1])
    inside = (np.abs(at) < 14).all(-1)
    whole = isosurface(np.where(inside, np.minimum(filled(rods), 1), 0).astype(np.float32), 0.5)
    tries: list[tuple[int, int]] = []
    with pytest.raises(InputError, match=r"keeps .* even where"):
        decimate(whole, 100, lambda *told: tries.append(told))
    assert [number for number, _ in tries] == list(range(1, 14))
    assert {of for _, of in tries} == {16}
    decimate(whole, len(whole.faces), lambda *told: tries.append(told))
    assert tries[-1] == (16, 16)
    light = lightened(whole, 100)
    assert light.is_closed
    assert light.euler == whole.euler < 0
    assert 100 < len(light.faces) < len(whole.faces) / 2
    assert light.volume_mm3 == pytest.approx(whole.volume_mm3, rel=0.2)


def test_noise_grey_values_and_darkness_do_not_change_the_body() -> None:
    grey, cubic, _, _ = ball(18)
    noisy = 300 + 40 * grey + np.random.default_rng(1).normal(0, 8, grey.shape).astype(np.float32)
    for values, dark in ((noisy, False), (-noisy, True)):
        _, told = make_mesh(volume(values), Wish(dark=dark), Limits(smallest=200))
        assert told.volume == pytest.approx(cubic * MM**3, rel=0.02)
        assert abs(abs(told.threshold) - 320) < 2


def test_a_label_is_a_body_and_small_pieces_are_told() -> None:
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[5:25, 5:25, 5:25], labels[30:33, 30:32, 30:32], labels[30:36, 2:8, 2:8] = 3, 3, 2
    _, told = make_mesh(volume(labels), Wish(label=3, smooth_px=0), Limits(smallest=27))
    assert told.dropped == 1
    assert told.dropped_share == pytest.approx(12 / 8012)
    assert told.voxel_volume == pytest.approx(8000 * MM**3)
    with pytest.raises(InputError, match="no voxel has the label 7"):
        make_mesh(volume(labels), Wish(label=7))


@pytest.mark.parametrize(("labels", "aside"), [(False, 0.02), (True, 0.3)])
def test_coarse_levels_lie_where_the_body_lies(tmp_path: Path, labels: bool, aside: float) -> None:
    # Of labels one voxel of each block is kept, of grey values the mean is taken: their middles lie apart by half of
    # a block less half of a voxel, 1.5 voxels at level 2.
    middle = np.array([33.3, 30.7, 28.1])
    away = np.linalg.norm(np.moveaxis(np.mgrid[:64, :64, :64], 0, -1) - middle, axis=-1)
    grey = (away < 22).astype(np.uint8) if labels else filled(22 - away)
    whole = volume(grey, unit="" if labels else "1/cm")
    if labels:
        write_labels(
            tmp_path / "b.zarr", whole, [grey], grey.dtype, {}, overwrite=False, tell=lambda *_: None
        )
    else:
        write(tmp_path / "b.zarr", whole)
    opened = formats.open(tmp_path / "b.zarr")
    assert isinstance(opened, Volume)
    wish = Wish(label=1, smooth_px=0) if labels else Wish()
    grids = grids_of(opened)
    assert [one.factor[0] for one in grids[:3]] == [1, 2, 4]
    for level in range(3):
        mesh, told = make_mesh(opened, wish, Limits(level=level))
        assert told.level == level
        assert np.array(centroid(mesh))[::-1] / MM == pytest.approx(middle, abs=aside)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_what_is_cut_off_by_the_end_of_a_volume_ends_there_whatever_its_grey_value(
    dark: bool, whole: bool
) -> None:
    # A column of 60 among air at 0 and a few voxels of 255: where it is cut, its faces are those of its voxels.
    grey = np.zeros((24, 40, 40), np.float32)
    grey[:, 12:28, 12 if whole else 0 : 28] = 60
    grey[10:12, 18:20, 18:20] = 255
    sign = -1 if dark else 1
    mesh, told = make_mesh(
        volume(sign * grey), Wish(threshold=sign * 30.0, dark=dark, smooth_px=0, whole=whole)
    )
    assert mesh.is_closed
    assert told.box[2] == pytest.approx(24 * MM)
    assert abs(told.difference) < 0.01
    assert told.volume == pytest.approx(told.voxel_volume, rel=0.01)


def test_a_volume_that_is_not_that_of_the_voxels_is_a_warning() -> None:
    grey = np.zeros((30, 30, 30), np.float32)
    grey[3:27:4, 3:27:4, 3:27:4] = grey[4:28:4, 3:27:4, 3:27:4] = 1  # pieces of two voxels
    _, told = make_mesh(volume(grey), Wish(threshold=0.5, smooth_px=0), Limits(smallest=1, level=0))
    assert told.difference < -0.3
    assert f"differs by {100 * told.difference:+.1f} % from that of the voxels" in doubts(told)[0]
    assert as_data(told)["warnings"] == doubts(told)
    _, told = make_mesh(volume(ball(12)[0]), Wish())
    assert doubts(told) == as_data(told)["warnings"] == []


def test_a_body_that_reaches_the_edge_is_closed_and_told() -> None:
    grey = np.ones((20, 20, 20), np.float32)
    grey[10:] = 0
    mesh, told = make_mesh(volume(grey), Wish(whole=True))
    assert mesh.is_closed
    assert told.at_edge == pytest.approx(1200 / 1600, abs=0.02)


def test_an_empty_threshold_tells_of_the_grey_values() -> None:
    grey, *_ = ball(10)
    with pytest.raises(InputError, match=r"nothing is above the threshold 5 .* Otsu's threshold is 0\.\d+"):
        make_mesh(volume(grey), Wish(threshold=5.0))
    with pytest.raises(InputError, match="nearly everything is above"):
        make_mesh(volume(grey), Wish(threshold=-5.0))
    with pytest.raises(InputError, match="all grey values are the same"):
        make_mesh(volume(np.ones((9, 9, 9), np.float32)), Wish())


def test_a_volume_too_large_for_memory_is_taken_coarser_or_refused() -> None:
    grey, cubic, _, _ = ball(24, 64)
    grids = grids_of(volume(grey))
    assert [grid.shape for grid in grids] == [(64,) * 3, (32,) * 3, (16,) * 3]
    limit = grids[1].bytes
    _, told = make_mesh(volume(grey), Wish(), Limits(memory=limit))
    assert told.level == 1
    assert told.volume == pytest.approx(cubic * MM**3, rel=0.02)
    with pytest.raises(CannotFit, match="take --level 1, the finest that fits"):
        choose_grid(grids, 0, limit)
    with pytest.raises(CannotFit, match="even level 2"):
        choose_grid(grids, None, 1000)
    assert read_grid(grids[1]) == pytest.approx(
        grey.reshape(32, 2, 32, 2, 32, 2).mean(axis=(1, 3, 5)), abs=1e-6
    )


@pytest.fixture(scope="module")
def hollow() -> Mesh:
    return make_mesh(volume(hollow_ball(14, 6)[0]), Wish())[0]


@pytest.mark.parametrize("ending", ["stl", "ply", "3mf", "glb"])
def test_another_library_reads_what_was_written(hollow: Mesh, ending: str, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    content = {
        "stl": lambda: stl_bytes(hollow, "ball"),
        "ply": lambda: ply_bytes(hollow, {"title": "a ball"}),
        "3mf": lambda: three_mf_bytes(hollow, {"Title": "A & <B> é", "LicenseTerms": "CC-BY-4.0"}, b"png"),
        "glb": lambda: glb_bytes(hollow, "ball", "me"),
    }[ending]()
    read = trimesh.load(BytesIO(content), file_type=ending, force="mesh")
    if ending == "glb":
        read.merge_vertices(merge_norm=True)
    metres = 1e-3 if ending == "glb" else 1.0
    assert read.is_watertight
    assert len(read.faces) == len(hollow.faces)
    assert read.volume == pytest.approx(hollow.volume_mm3 * metres**3, rel=1e-4)
    if ending == "3mf":
        assert read.units == "millimeter"


def test_stl_and_the_metadata_of_3mf(hollow: Mesh, tmp_path: Path) -> None:
    import zipfile

    lxml = pytest.importorskip("lxml.etree")
    stl = pytest.importorskip("stl.mesh")
    (tmp_path / "a.stl").write_bytes(stl_bytes(hollow, "ball"))
    read = stl.Mesh.from_file(str(tmp_path / "a.stl"))
    assert read.get_mass_properties()[0] == pytest.approx(hollow.volume_mm3, rel=1e-4)
    packed = three_mf_bytes(hollow, {"Title": "A & <B>", "Copyright": "me"}, b"png")
    with zipfile.ZipFile(BytesIO(packed)) as package:
        root = lxml.fromstring(package.read("3D/3dmodel.model"))
        assert "Metadata/thumbnail.png" in package.namelist()
    names = {one.get("name"): one.text for one in root.iter("{*}metadata")}
    assert (root.get("unit"), names) == ("millimeter", {"Title": "A & <B>", "Copyright": "me"})
    with pytest.raises(KeyError, match="Rights"):
        three_mf_bytes(hollow, {"Rights": "x"})


def test_a_picture_shows_the_body_where_it_is(hollow: Mesh) -> None:
    from PIL import Image

    with Image.open(BytesIO(mesh_png(hollow, 96))) as opened:
        picture = np.asarray(opened.convert("RGBA")).astype(float)
    covered = picture[..., 3] > 128
    assert covered.mean() == pytest.approx(np.pi / 4 * 0.94**2, rel=0.03)
    assert picture[covered][:, 0].std() > 20
    assert (
        picture[24:40, 24:40, 0].mean() > picture[60:80, 60:80, 0].mean() + 30
    )  # the light comes from above


def test_levels_of_a_thin_volume_are_as_much_coarser_along_all_axes() -> None:
    shapes = ((20, 2000, 2000), (10, 1000, 1000), (5, 500, 500), (3, 250, 250), (2, 125, 125), (1, 63, 63))
    volume = Volume(
        np.broadcast_to(np.float32(0), shapes[0]),
        tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx"),
        levels=tuple(np.broadcast_to(np.float32(0), shape) for shape in shapes),
    )
    assert [grid.factor for grid in grids_of(volume)] == [(2.0**k,) * 3 for k in range(6)]
