"""`tomarium segment` and `measure --objects` on bodies whose volumes, surfaces and classes are known."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tomarium.cli import execute
from tomarium.errors import ParameterError
from tomarium.formats import open as open_any
from tomarium.formats.tiff.volume import write
from tomarium.formats.zarr.reader import write as write_zarr
from tomarium.kernels.components import Components
from tomarium.kernels.flat_smoothing import smooth_flat
from tomarium.kernels.skeleton import skeleton
from tomarium.kernels.thresholds import multi_otsu, otsu
from tomarium.model import Axis, Volume
from tomarium.pipeline.measure.measure import measure
from tomarium.pipeline.measure.objects import measure_objects
from tomarium.pipeline.mesh.body import Wish, take_body
from tomarium.pipeline.mesh.grid import grids_of
from tomarium.pipeline.segment import slabs as slabs_module
from tomarium.pipeline.segment.field import field_of, stated_field
from tomarium.synth import SimulationConfig, simulate, truth

skimage = pytest.importorskip("skimage")


def volume(array: NDArray[Any], unit: str = "1/cm") -> Volume:
    return Volume(array, tuple(Axis(name, 2e-6, 0.0, "m") for name in "zyx"), unit, "body")


def balls(shape: tuple[int, int, int], count: int, seed: int, radii: tuple[float, float]) -> Any:
    """Balls that do not touch, with their partial voxels: grey values 0 to 1, radii and centres."""
    draw = np.random.default_rng(seed)
    grey, placed = np.zeros(shape, np.float32), []
    middle = (np.array(shape) - 1) / 2
    wanted = np.sort(draw.uniform(*radii, count))[::-1]
    for radius in wanted:
        for _ in range(20000):
            centre = np.array([draw.uniform(radius + 3, length - radius - 4) for length in shape])
            inside = np.hypot(*(centre - middle)[1:]) < min(shape[1:]) / 2 - radius - 4
            if inside and all(np.linalg.norm(centre - c) > radius + r + 4 for c, r in placed):
                placed.append((centre, radius))
                break
        else:
            raise AssertionError("no room")
    for centre, radius in placed:
        low = np.floor(centre - radius - 2).astype(int)
        high = np.ceil(centre + radius + 3).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grid = np.mgrid[box] - centre[:, None, None, None]
        grey[box] += np.clip(radius + 0.5 - np.sqrt((grid**2).sum(0)), 0, 1).astype(np.float32)
    return grey, np.array([r for _, r in placed]), np.array([c for c, _ in placed])


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Forty balls of 5 to 14 px at a contrast of 4 times the noise."""
    grey, radii, centres = balls((96, 128, 128), 40, 1, (5, 14))
    noisy = grey + np.random.default_rng(2).normal(0, 0.25, grey.shape)
    path = tmp_path_factory.mktemp("balls") / "balls.tif"
    write(path, volume(noisy.astype(np.float32)))
    return path, radii, centres


def rows_of(path: Path) -> dict[str, NDArray[np.float64]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def test_balls_are_counted_and_measured_in_noise(
    packed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, radii, centres = packed
    assert execute(["segment", str(path), str(tmp_path / "l.ome.zarr")]) == 0
    labels, table = str(tmp_path / "l.ome.zarr"), tmp_path / "balls.csv"
    capsys.readouterr()
    words = ["measure", labels, "--objects", "-o", str(table), "--smallest", "30"]
    assert execute([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["objects"], told["touching_edge"], told["unit"]) == (40, 0, "um")
    found = rows_of(table)
    places = np.stack([found[f"centre_{axis}_px"] for axis in "zyx"], axis=1)
    pair = np.argmin(((places[:, None] - centres[None]) ** 2).sum(-1), axis=1)
    assert len(set(pair.tolist())) == 40
    true = radii[pair]
    error = found["volume_um3"] / (4 / 3 * np.pi * (2 * true) ** 3) - 1
    assert abs(found["volume_um3"].sum() / (4 / 3 * np.pi * (2 * true) ** 3).sum() - 1) < 0.01
    assert abs(np.median(error)) < 0.01
    assert np.abs(error[true > 7]).max() < 0.02
    surface = found["surface_um2"] / (4 * np.pi * (2 * true) ** 2) - 1
    assert abs(np.median(surface)) < 0.03
    shares = rows_of(tmp_path / "balls_slices.csv")
    assert len(shares["slice"]) == 96
    np.testing.assert_allclose(shares["share_of_0"] + shares["share_of_1"], 1, atol=1e-6)
    assert execute(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert execute([*words, "--overwrite"]) == 0


@pytest.mark.parametrize("method", ["otsu", "multi-otsu", "hysteresis", "watershed"])
def test_slabs_give_the_labels_of_the_whole(
    method: str, packed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = np.asarray(open_any(packed[0]))[:40, 32:96, 32:96]
    write(tmp_path / "part.tif", volume(np.ascontiguousarray(grey)))
    for name, size in (("whole", 1 << 30), ("slabs", 1 << 12)):
        monkeypatch.setattr(slabs_module, "SLAB_BYTES", size)
        words = [
            "segment",
            str(tmp_path / "part.tif"),
            str(tmp_path / f"{name}.ome.zarr"),
            "--method",
            method,
            "--field",
            "circle",
        ]
        monkeypatch.setattr("tomarium.pipeline.segment.watershed._FIRST", 4)
        assert execute(words) == 0
    whole, slabbed = (np.asarray(open_any(tmp_path / f"{name}.ome.zarr")) for name in ("whole", "slabs"))
    np.testing.assert_array_equal(slabbed, whole)
    assert whole.max() >= (4 if method == "watershed" else 1)
    y, x = np.mgrid[:64, :64] - 31.5
    assert not whole[:, np.hypot(y, x) > 33].any()


def test_touching_balls_are_parted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    z, y, x = np.mgrid[:40, :80, :80].astype(np.float32)
    centres = [(20, 40, 28), (20, 40, 47), (20, 24, 38)]
    grey = np.max(
        [np.clip(10.5 - np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2), 0, 1) for a, b, c in centres], 0
    )
    write(tmp_path / "three.tif", volume(grey))
    words = [
        "segment",
        str(tmp_path / "three.tif"),
        str(tmp_path / "l.ome.zarr"),
        "--method",
        "watershed",
        "--json",
    ]
    assert execute(words) == 0
    assert json.loads(capsys.readouterr().out)["objects"] == 3
    found = measure_objects(open_any(tmp_path / "l.ome.zarr"))  # type: ignore[arg-type]
    places = sorted(tuple(np.rint(one).astype(int)) for one in found.measures.centre)
    np.testing.assert_allclose(places, sorted(centres), atol=1)
    assert execute(words) == 2  # it is there
    assert execute([*words, "--overwrite"]) == 0


def test_a_forest_learns_what_a_threshold_cannot_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    shape = (24, 48, 48)
    truth = np.zeros(shape, int)
    truth[:, :, 24:] = 1
    grey = np.where(truth, draw.normal(0, 0.3, shape), draw.normal(0, 0.05, shape))  # the same mean: texture
    write(tmp_path / "g.tif", volume(grey.astype(np.float32)))
    points = [(z, y, x, 1 + (x > 24)) for z in (6, 12, 18) for y in range(8, 40, 4) for x in (10, 16, 32, 38)]
    with (tmp_path / "points.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("z", "y", "x", "label"), *points])
    painted = np.zeros(shape, np.uint8)
    for z, y, x, label in points:
        painted[z, y, x] = label
    write(tmp_path / "painted.tif", volume(painted))
    results = []
    for name in ("points.csv", "painted.tif"):
        words = [
            "segment",
            str(tmp_path / "g.tif"),
            str(tmp_path / "l.tif"),
            "--method",
            "forest",
            "--overwrite",
        ]
        assert execute([*words, "--smooth", "0", "--painted", str(tmp_path / name)]) == 0
        results.append(np.asarray(open_any(tmp_path / "l.tif")))
    np.testing.assert_array_equal(*results)
    inside = results[0] > 0
    assert (results[0] == truth + 1)[inside].mean() > 0.9
    assert execute(["segment", str(tmp_path / "g.tif"), str(tmp_path / "x.tif"), "--method", "forest"]) == 2
    assert "painted" in capsys.readouterr().err


def test_thresholds_part_normal_classes() -> None:
    draw = np.random.default_rng(0)
    values = np.concatenate([draw.normal(m, 0.1, n) for m, n in ((0, 50000), (1, 20000), (3, 10000))])
    counts, _ = np.histogram(values, 65536, (-1, 4))
    assert multi_otsu(counts, -1, 4, 3) == pytest.approx((0.5, 2.0), abs=0.15)
    two, _ = np.histogram(values[:70000], 4096, (-1, 2))
    assert otsu(two, -1, 2) == pytest.approx(0.5, abs=0.05)
    assert otsu(np.array([5, 0, 0, 0, 5]), 0, 5) == pytest.approx(2.0, abs=0.51)
    found = multi_otsu(np.histogram(values[::40], 20, (-1, 4))[0], -1, 4, 3)
    cut = tuple(int(np.floor((one + 1) * 4)) for one in found)
    best = max(_between(values[::40], (a, b)) for a in range(1, 20) for b in range(a + 1, 20))
    assert _between(values[::40], (cut[0], cut[1])) == pytest.approx(best)


def _between(values: NDArray[Any], cut: tuple[int, int]) -> float:
    few, edges = np.histogram(values, 20, (-1, 4))
    centres, total = (edges[1:] + edges[:-1]) / 2, 0.0
    for a, b in ((0, cut[0]), cut, (cut[1], 20)):
        if few[a:b].sum():
            total += (few[a:b] * centres[a:b]).sum() ** 2 / few[a:b].sum()
    return total


def test_smoothing_keeps_curved_surfaces_where_they_are() -> None:
    grey, radii, _ = balls((24, 24, 24), 1, 3, (5, 5.001))
    true = 4 / 3 * np.pi * radii[0] ** 3
    assert (smooth_flat(grey, 1.0) > 0.5).sum() == pytest.approx(true, rel=0.02)
    ndimage = pytest.importorskip("scipy.ndimage")
    assert (ndimage.gaussian_filter(grey, 1.0) > 0.5).sum() < 0.92 * true


@pytest.mark.parametrize("height", [1, 2, 5])
def test_objects_joined_over_slabs_are_those_of_the_whole(height: int) -> None:
    draw = np.random.default_rng(height)
    values = draw.integers(0, 3, (20, 24, 24)) * (draw.random((20, 24, 24)) < 0.35)
    whole, parts = Components(), Components()
    numbers = whole.add(values)
    slabbed = np.concatenate([parts.add(values[z : z + height]) for z in range(0, 20, height)])
    np.testing.assert_array_equal(parts.numbers()[slabbed], whole.numbers()[numbers])


def test_measures_are_those_of_the_whole(packed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.asarray(open_any(packed[0]))
    labels = volume((grey[:40] > 0.6).astype(np.uint8))
    found = []
    for size in (1 << 30, 1 << 12):
        monkeypatch.setattr(slabs_module, "SLAB_BYTES", size)
        found.append(measure_objects(labels, smallest=5))
    for name in ("volume", "surface", "centre", "axes", "box", "edge", "value"):
        np.testing.assert_array_equal(*(getattr(one.measures, name) for one in found))
    np.testing.assert_array_equal(found[0].shares, found[1].shares)


def test_an_ellipsoid_and_a_tube_have_their_axes_and_length() -> None:
    z, y, x = np.mgrid[-20:21, -20:21, -40:41]
    found = measure_objects(volume((z**2 / 64 + y**2 / 144 + x**2 / 900 < 1).astype(np.uint8)), whole=True)
    np.testing.assert_allclose(found.measures.axes[0], [60, 24, 16], rtol=0.02)
    np.testing.assert_allclose(np.abs(found.measures.direction[0]), [0, 0, 1], atol=1e-9)
    assert not found.measures.edge[0]
    tube = (np.hypot(y, z) < 4) & (np.abs(x) <= 30)
    lines = skeleton(tube)
    assert lines.length == pytest.approx(60, abs=8)
    assert (lines.branches, lines.ends) == (0, 2)
    cross = tube | ((np.hypot(x, z) < 4) & (np.abs(y) <= 18))
    assert skeleton(cross).branches == 1
    assert skeleton(cross).ends == 4


def test_labels_of_an_image_are_listed_and_not_averaged(tmp_path: Path) -> None:
    grey, _, _ = balls((64, 300, 300), 6, 4, (8, 20))
    image = tmp_path / "image.ome.zarr"
    write_zarr(image, volume(grey))
    assert (
        execute(["segment", str(image), str(image / "labels" / "solid"), "--smooth", "0"]) == 2
    )  # no ending
    target = image / "labels" / "solid.zarr"
    assert execute(["segment", str(image), str(target), "--smooth", "0", "--threshold", "0.5"]) == 0
    listed = json.loads((image / "labels" / "zarr.json").read_text())["attributes"]["ome"]
    assert listed == {"version": "0.5", "labels": ["solid.zarr"]}
    group = json.loads((target / "zarr.json").read_text())["attributes"]["ome"]
    assert group["image-label"] == {"version": "0.5"}
    labels = open_any(target)
    assert isinstance(labels, Volume)
    assert len(labels.levels) > 1
    assert set(np.unique(labels.levels[1][:])) == {0, 1}
    np.testing.assert_array_equal(labels.levels[1][:], np.asarray(labels)[::2, ::2, ::2])
    assert labels.voxel_m == pytest.approx((2e-6,) * 3)


def columns() -> NDArray[np.float32]:
    """A column in the middle, one in a corner, both of 4 voxels edge."""
    made = np.zeros((6, 32, 32), np.float32)
    made[:, 14:18, 14:18] = made[:, :4, 28:] = 1
    return made


@pytest.mark.parametrize(
    ("metadata", "words", "kind", "found"),
    [
        ({}, [], "box", 2),
        ({"aligned_slices": {}}, [], "box", 2),
        ({"provenance": {"output": "volume", "frozen": {"steps": [{"fbp": {}}]}}}, [], "circle", 1),
        ({"provenance": {"output": "volume", "frozen": {"steps": [{"fbp": {"region": "0:32,8:40"}}]}}}, [], "box", 2),
        ({"denoised": {"field": "circle"}}, [], "circle", 1),
        ({"stitched": {"field": ["circle", "circle"], "volumes": [{"shape": [4, 32, 32]}] * 2}}, [], "circle", 1),
        ({"stitched": {"field": ["circle", "circle"], "volumes": [{"shape": [6, 32, 20]}] * 2}}, [], "box", 2),
        ({"provenance": {"output": "volume", "frozen": {"steps": [{"fbp": {}}]}}}, ["--field", "box"], "box", 2),
        ({}, ["--field", "circle"], "circle", 1),
    ],
)  # fmt: skip
def test_the_field_is_a_circle_where_the_volume_tells_it(
    metadata: Any, words: list[str], kind: str, found: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Volume(columns(), volume(columns()).axes, "1/cm", "body", None, metadata)
    write_zarr(tmp_path / "v.ome.zarr", given)
    target = tmp_path / "l.ome.zarr"
    told = ["segment", str(tmp_path / "v.ome.zarr"), str(target), "--smooth", "0"]
    assert execute([*told, "--json", *words]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["field"] == kind
    assert answer["voxels"]["1"] == 96 * found
    labels = open_any(target)
    assert labels.metadata["segmentation"]["field"] == kind
    assert isinstance(labels, Volume)
    objects = measure_objects(labels)
    assert len(objects.measures.volume) == found
    assert objects.shares[0, 1] == pytest.approx(answer["voxels"]["1"] / sum(answer["voxels"].values()))
    assert execute([*told, "--overwrite", *words]) == 0
    assert f"field {kind}: {answer['field_source']}" in capsys.readouterr().out


def test_a_run_tells_its_circle_and_its_regions(tmp_path: Path) -> None:
    config = SimulationConfig(columns=32, rows=4, views=30, flats=2, darks=2)
    scan = simulate(tmp_path / "scan.h5", config)
    words = ["run", str(scan), "--axis", str(truth(config).axis_column)]
    assert execute([*words, "-o", str(tmp_path / "whole")]) in (0, 1)  # 1: so small a scan has its warnings
    assert execute([*words, "-o", str(tmp_path / "cut"), "--set", "fbp.region=4:24,8:28"]) in (0, 1)
    opened = [open_any(tmp_path / name / "volume.ome.zarr") for name in ("whole", "cut")]
    assert [stated_field(one)[0] for one in opened if isinstance(one, Volume)] == ["circle", "box"]
    assert not np.asarray(opened[0])[:, 0, 0].any()


def test_measures_and_bodies_are_not_cut_where_a_volume_is_a_box() -> None:
    axes = volume(columns()).axes
    for metadata, share in (({}, 16 / 812), ({"aligned_slices": {}}, 32 / 1024)):
        given = Volume(columns(), axes, "", "body", None, metadata)
        assert measure(given).values.mean == pytest.approx(share, rel=0.02)
        body = take_body(given, grids_of(given)[0], Wish(0.5, smooth_px=0), lambda *_: None)
        assert body.voxels == (96 if share < 0.025 else 192)


def test_a_circle_of_slices_that_are_not_square_is_refused() -> None:
    with pytest.raises(ParameterError, match="slices of 6 × 8 voxels are not square"):
        field_of(volume(np.zeros((4, 6, 8))), "circle")
