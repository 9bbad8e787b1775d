"""A run with further scans is repeated from another folder, after everything moved together."""

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from steps.motion_scans import bodies, projections
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays

VIEWS, ROWS, WIDTH = 24, 30, 48
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
WHOLE = projections(bodies(4, 10), ANGLES, (46, WIDTH), 23.4, np.zeros(VIEWS), np.zeros(VIEWS))


def write(path: Path, attenuation: np.ndarray, angles: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = attenuation.shape[1:]
    scan = scan_of_arrays(
        (40_000 * np.exp(-attenuation) + 100).astype(np.uint16),
        angles,
        flats=np.full((2, *shape), 40_100, np.uint16),
        darks=np.full((2, *shape), 100, np.uint16),
    )
    data_exchange.FORMAT.write(path, scan)  # type: ignore[misc]


CASES = {
    "stitch": (WHOLE[:, :ROWS], WHOLE[:, 16:46], ANGLES, ["stitch.starts_px=16", "stitch.search_px=0"]),
    "mosaic": (
        WHOLE[:, :ROWS, :32],
        WHOLE[:, :ROWS, 16:],
        ANGLES,
        ["mosaic.places_px=0:16", "mosaic.search_px=0"],
    ),
    "concatenate": (WHOLE[:12, :ROWS], WHOLE[12:, :ROWS], ANGLES[12:], []),
    "ctf": (
        WHOLE[:, :ROWS],
        WHOLE[:, :ROWS],
        ANGLES,
        ["ctf.distances=80 mm", "ctf.align=none", "ctf.delta_beta=100"],
    ),
}


@pytest.mark.parametrize(
    ("step", "where"),
    [("stitch", "elsewhere"), ("mosaic", "beside"), ("concatenate", "elsewhere"), ("ctf", "beside")],
)
def test_it_is_repeated_after_everything_moved(
    step: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, angles, chosen = CASES[step]
    before, after = tmp_path / "before", tmp_path / "after"
    write(before / "raw" / "a.h5", first, ANGLES[: len(first)])
    other = before / ("raw" if where == "beside" else "more/day2") / "b.h5"
    write(other, second, angles)
    monkeypatch.chdir(before)
    words = ["run", "raw/a.h5", "--pixel", "1 um", "--axis", "23.4", "--rows", "12:14", "--step", step]
    words += ["--energy", "20 keV", "--distance", "30 mm"] if step == "ctf" else []
    given = "b.h5" if where == "beside" else str(other)
    for one in (f"{step}.scans={given}", *chosen):
        words += ["--set", one]
    assert execute([*words, "-o", "records/one"]) in (0, 1)
    made = np.asarray(tm.open(before / "records" / "one")[:])
    before.rename(after)
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    assert execute(["run", "--again", str(after / "records" / "one"), "-o", "again"]) in (0, 1)
    np.testing.assert_array_equal(np.asarray(tm.open(away / "again")[:]), made)
    # Another content under the same name is not the same run.
    moved = after / other.relative_to(before)
    write(moved, second + 0.5, angles)
    assert execute(["run", "--again", str(after / "records" / "one"), "-o", "other"]) == 2
