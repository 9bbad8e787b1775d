"""Finished volumes of one tall, or wide, specimen become one volume of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium import formats
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.conversion.cast import convert_cast
from tomarium.conversion.convert import convert
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.motion.volume_pose import Pose
from tomarium.model import Axis, Volume
from tomarium.pipeline.stitch.part import demand_volume
from tomarium.pipeline.stitch.stitch import Stitched, stitch_volumes, write_stitched
from tomarium.pipeline.stitch.stitched_volume import StitchedVolume

WIDTH, NOISE = 80, 0.2
SHAPE = (48, WIDTH, WIDTH)


def spheres(seed: int, depth: int = 110, width: int = WIDTH, count: int = 300) -> NDArray[np.float64]:
    """Return places z, y, x, radii and values of spheres in a column about the middle of the slices."""
    draw = np.random.default_rng(seed)
    middle = (width - 1) / 2
    around, away = draw.uniform(0, 2 * np.pi, count), 0.44 * width * np.sqrt(draw.uniform(0, 1, count))
    places = [
        draw.uniform(-8, depth + 8, count),
        middle + away * np.sin(around),
        middle + away * np.cos(around),
    ]
    return np.stack([*places, draw.uniform(2, 6, count), draw.uniform(-0.5, 1, count)], axis=1)


def seen(body: NDArray[np.float64], shape: tuple[int, int, int], pose: Pose) -> NDArray[np.float32]:
    """Sample spheres with soft surfaces on the voxels of a volume that lies in their frame."""
    made = np.zeros(shape, np.float32)
    at_y, at_x = pose.inside(body[:, 1], body[:, 2], ((shape[1] - 1) / 2, (shape[2] - 1) / 2))
    for z, y, x, radius, value in zip(body[:, 0] - pose.z, at_y, at_x, body[:, 3], body[:, 4], strict=True):
        box = [
            slice(max(0, int(c - radius - 6)), max(0, min(n, int(c + radius + 7))))
            for c, n in zip((z, y, x), shape, strict=True)
        ]
        if any(part.start >= part.stop for part in box):
            continue
        k, j, i = np.ogrid[box[0], box[1], box[2]]
        distance = np.sqrt((k - z) ** 2 + (j - y) ** 2 + (i - x) ** 2)
        made[tuple(box)] += value / (1 + np.exp((distance - radius) / 0.7))
    return made


def volume_of(
    data: NDArray[np.float32], name: str = "part", voxel_m: float = 1e-6, unit: str = "1/cm"
) -> Volume:
    return Volume(data, tuple(Axis(axis, voxel_m, 0.0, "m") for axis in "zyx"), unit, name)


def noisy(data: NDArray[np.float32], seed: int, gain: float = 1.0, offset: float = 0.0) -> Volume:
    draw = np.random.default_rng(seed)
    return volume_of(
        (gain * (data + NOISE * draw.standard_normal(data.shape, np.float32)) + offset).astype(np.float32)
    )


INSIDE = np.hypot(*(np.mgrid[:WIDTH, :WIDTH] - (WIDTH - 1) / 2)) < 0.4 * WIDTH


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))  # ten in benchmarks/stitching.py
def test_a_tall_volume_comes_back_without_a_seam(seed: int) -> None:
    body, draw = spheres(seed), np.random.default_rng(1000 + seed)
    true = Pose(26 + draw.uniform(-1, 1), draw.uniform(-3, 3), draw.uniform(-3, 3), draw.uniform(-2, 2))
    first = noisy(seen(body, SHAPE, Pose(0, 0, 0)), seed)
    second = noisy(seen(body, SHAPE, true), 100 + seed, gain=1.05, offset=0.02)
    made = stitch_volumes([first, second])
    assert made.warnings == ()
    found = made.placed[1]
    assert max(abs(found.z - true.z), abs(found.y - true.y), abs(found.x - true.x)) < 0.1
    assert np.deg2rad(abs(found.turn_deg - true.turn_deg)) * WIDTH / 2 < 0.1  # at the rim
    assert found.gain == pytest.approx(1.05, abs=0.025)
    values = np.asarray(made.volume[:])
    assert values.shape[1:] == (WIDTH, WIDTH)
    rest = (values - seen(body, made.volume.shape, Pose(0, 0, 0)))[:, INSIDE]
    sigma = float(rest.std())
    assert np.abs(np.diff(rest.mean(axis=1))).max() < 0.1 * sigma
    # Two volumes that both see a slice have less noise there than one.
    overlap = rest[int(true.z) + 4 : SHAPE[0] - 4]
    assert overlap.std() < 0.9 * rest[: int(true.z)].std()


@pytest.fixture(scope="module")
def body() -> NDArray[np.float64]:
    return spheres(3)


@pytest.fixture(scope="module")
def pair(body: NDArray[np.float64]) -> tuple[Volume, Volume]:
    return (
        noisy(seen(body, SHAPE, Pose(0, 0, 0)), 1),
        noisy(seen(body, SHAPE, Pose(27.4, 1.3, -0.7, 0.6)), 2),
    )


@pytest.fixture(scope="module")
def stitched(pair: tuple[Volume, Volume]) -> Stitched:
    return stitch_volumes(pair)


@pytest.mark.slow
def test_any_order_gives_the_same(pair: tuple[Volume, Volume], stitched: Stitched) -> None:
    upwards, downwards = stitch_volumes(pair[::-1]).placed, stitched.placed
    assert upwards[0].z - upwards[1].z == pytest.approx(downwards[1].z - downwards[0].z, abs=0.05)
    assert upwards[1].turn_deg == pytest.approx(-downwards[1].turn_deg, abs=0.05)


def test_parts_are_as_the_whole(stitched: Stitched) -> None:
    made = stitched.volume
    whole = np.asarray(made[:])
    np.testing.assert_array_equal(made[31], whole[31])
    np.testing.assert_array_equal(made[20:40:3, 5:9, 7], whole[20:40:3, 5:9, 7])
    np.testing.assert_array_equal(np.asarray(made[46:50]), whole[46:50])


def test_places_are_taken_as_they_are_told(pair: tuple[Volume, Volume], body: NDArray[np.float64]) -> None:
    made = stitch_volumes(pair, at=[(27.4, 1.3, -0.7)], search_px=0)
    assert (made.placed[1].z, made.placed[1].turn_deg) == (27.4, 0.0)
    whole = stitch_volumes(
        [noisy(seen(body, SHAPE, Pose(k, 0, 0)), k) for k in (0, 20, 40)],
        at=[(20, 0, 0), (40, 0, 0)],
        search_px=0,
    )
    assert isinstance(whole.volume.data, StitchedVolume)
    assert all(piece.rest == (0, 0, 0) for piece in whole.volume.data.pieces)
    assert whole.volume.shape == (88, WIDTH, WIDTH)


def test_a_wide_specimen_is_seen_beside() -> None:
    size = (24, 96, 96)
    wide = spheres(5, depth=24, width=150, count=300)
    wide[:, 1:3] -= 27  # the middle of the whole lies in the middle of the four
    true = [Pose(0, 0, 0), Pose(1.2, 0.4, 55.6), Pose(-0.8, 56.3, 0.7), Pose(0.3, 55.8, 56.2)]
    draw = np.random.default_rng(0)
    outside = np.hypot(*(np.mgrid[:96, :96] - 47.5)) > 48
    parts = []
    for pose in true:
        values = seen(wide, size, pose) + 0.1 * draw.standard_normal(size).astype(np.float32)
        values[:, outside] = 9.0  # what is outside the circle of a reconstruction says nothing
        parts.append(volume_of(values.astype(np.float32)))
    made = stitch_volumes(parts, at=[(0, 0, 60), (0, 52, 0), (0, 60, 58)], search_px=8, turns=False)
    first = made.placed[0]
    found = [(one.z - first.z, one.y - first.y, one.x - first.x) for one in made.placed]
    np.testing.assert_allclose(found, [(one.z, one.y, one.x) for one in true], atol=0.1)
    assert made.volume.shape[1] in (152, 153)
    values = np.asarray(made.volume[:])
    assert values.max() < 3
    assert made.unseen > 0.05  # beyond the circles
    moved = wide.copy()
    moved[:, :3] -= [
        axis.offset / axis.scale for axis in made.volume.axes
    ]  # from the first part's first voxel
    exact = seen(moved, values.shape, Pose(0, 0, 0))
    held = values != 0
    assert float(np.std((values - exact)[4:-4][held[4:-4]])) < 0.12


def test_what_is_nowhere_alike_is_refused(body: NDArray[np.float64]) -> None:
    one = noisy(seen(body, SHAPE, Pose(0, 0, 0)), 1)
    with pytest.raises(InputError, match="is nowhere like"):
        stitch_volumes([noisy(np.zeros(SHAPE, np.float32), 7), noisy(np.zeros(SHAPE, np.float32), 8)])
    with pytest.raises(InputError, match="shares no eight slices"):
        stitch_volumes([one, noisy(seen(body, SHAPE, Pose(60, 0, 0)), 2)], at=[(60, 0, 0)], search_px=0)


def test_a_rod_without_structure_along_z_is_doubted() -> None:
    y, x = np.mgrid[:WIDTH, :WIDTH] - (WIDTH - 1) / 2
    rod = np.broadcast_to((np.hypot(y - 5, x + 3) < 12).astype(np.float32), SHAPE)
    made = stitch_volumes([noisy(rod, 1), noisy(rod, 2)], turns=False)
    assert any("as alike elsewhere" in said for said in made.warnings)


def test_what_cannot_be_stitched_is_said(pair: tuple[Volume, Volume], tmp_path: Path) -> None:
    one, other = pair
    axes = tuple(Axis(axis, 2e-6, 0.0, "m") for axis in "zyx")
    with pytest.raises(InputError, match="a voxel is 2e-06 m, and 1e-06 m"):
        stitch_volumes([one, replace(other, axes=axes)])
    with pytest.raises(InputError, match="values are in counts"):
        stitch_volumes([one, replace(other, unit="counts")])
    with pytest.raises(InputError, match="tells no voxel size"):
        stitch_volumes([one, replace(other, axes=tuple(Axis(axis) for axis in "zyx"))])
    with pytest.raises(ParameterError, match="one volume alone"):
        stitch_volumes([one])
    with pytest.raises(ParameterError, match="1 places for 2"):
        stitch_volumes([one, other, other], at=[(0, 0, 0)])
    with pytest.raises(ParameterError, match="a search begins at a place"):
        stitch_volumes([one, other], search_px=4)
    with pytest.raises(InputError, match="no volume"):
        demand_volume(replace(one), tmp_path) and demand_volume("scan", tmp_path)


def test_casts_are_read_as_the_values_they_were(
    pair: tuple[Volume, Volume], stitched: Stitched, tmp_path: Path
) -> None:
    paths = []
    for k, (volume, limits) in enumerate(zip(pair, ((-1.5, 2.5), (-2.0, 3.0)), strict=True)):
        paths.append(tmp_path / f"{k}.tif")
        convert_cast(volume, paths[-1], "uint8", limits)
    cast = stitch_volumes([demand_volume(formats.open(path), path) for path in paths])
    exact = stitched
    assert cast.volume.unit == "1/cm"
    assert cast.placed[1].gain == pytest.approx(exact.placed[1].gain, abs=0.01)
    assert cast.placed[1].z == pytest.approx(exact.placed[1].z, abs=0.02)
    assert float(np.abs(np.asarray(cast.volume[20:30]) - np.asarray(exact.volume[20:30])).max()) < 0.1


def test_a_run_that_stopped_goes_on_only_with_the_same_choices(
    pair: tuple[Volume, Volume], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k, volume in enumerate(pair):
        convert(volume, tmp_path / f"{k}.ome.zarr")
    again = [demand_volume(formats.open(tmp_path / f"{k}.ome.zarr"), tmp_path) for k in range(2)]
    plain, matched = (
        stitch_volumes(again, at=[(27.4, 1.3, -0.7)], search_px=0, levels=levels)
        for levels in ("none", "linear")
    )
    target, read = tmp_path / "out.ome.zarr", StitchedVolume._blended

    def stopped(self: StitchedVolume, first: int, last: int) -> NDArray[np.float32]:
        if first:
            raise KeyboardInterrupt
        return read(self, first, last)

    monkeypatch.setattr(StitchedVolume, "_blended", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_stitched(plain, target)
    monkeypatch.setattr(StitchedVolume, "_blended", read)
    write_stitched(matched, target)
    np.testing.assert_array_equal(np.asarray(tm.open(target)[:]), np.asarray(matched.volume[:]))


@pytest.mark.slow
def test_it_stands_in_a_command(
    pair: tuple[Volume, Volume], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, volume in enumerate(pair):
        folder = tmp_path / f"part{k}"
        convert(volume, folder / "volume.ome.zarr")
        file_record(folder, title=f"Part {k}", creators=["Curie, Marie"], licence="CC-BY-4.0")
    words = ["stitch", str(tmp_path / "part0"), str(tmp_path / "part1")]
    assert execute([*words, str(tmp_path / "tall"), "--find", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["volumes"][1]["z"] == pytest.approx(27.4, abs=0.1)
    assert not (tmp_path / "tall").exists()
    words += ["--at", "27.4,1.3,-0.7", "--search", "0"]
    assert execute([*words, str(tmp_path / "tall")]) == 0
    record = read_record(tmp_path / "tall")
    known = [read_record(tmp_path / f"part{k}") for k in range(2)]
    assert [one.identifier for one in record.related] == [one.id for one in known]
    assert {one.relation for one in record.related} == {"IsDerivedFrom"}
    assert [one["record"] for one in record.provenance["stitched"]["volumes"]] == [one.id for one in known]
    assert record.title == "Stitched: Part 0"
    assert [one.name for one in record.creators] == ["Curie, Marie"]
    assert str(tmp_path) not in (tmp_path / "tall" / "ro-crate-metadata.json").read_text()
    (
        tmp_path / "tall" / "ro-crate-metadata.json"
    ).unlink()  # as after a stop between the volume and its crate
    assert execute([*words, str(tmp_path / "tall"), "--levels", "none"]) == 2
    assert execute([*words, str(tmp_path / "tall")]) == 0
    made = tm.open(tmp_path / "tall")
    assert made.shape == (75, WIDTH, WIDTH)
    assert made.voxel_m == pytest.approx((1e-6,) * 3)  # type: ignore[union-attr]
    assert execute([*words, str(tmp_path / "tall.tif")]) == 0
    np.testing.assert_array_equal(np.asarray(tm.open(tmp_path / "tall.tif")[:]), np.asarray(made[:]))
    assert execute([*words, str(tmp_path / "part0")]) == 2
    assert execute([*words, str(tmp_path / "tall.tif")]) == 2
    assert execute([*words, str(tmp_path / "new.tif"), "--at", "1,2"]) == 2
    assert not (tmp_path / "new.tif").exists()
    assert execute([words[0], words[1], str(tmp_path / "new.tif")]) == 2
