"""Frames packed one by one are unpacked once; steps that work on whole frames run before all others."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import SAME, make_scan
from tomarium.errors import InputError, ParameterError
from tomarium.formats.memory import ArrayFrames
from tomarium.model import Slab
from tomarium.pipeline.plan import Resources, plan
from tomarium.pipeline.protocol import Item, Protocol, default_protocol
from tomarium.pipeline.reconstruct import slice_at
from tomarium.pipeline.run import run
from tomarium.steps.spelling import find_step
from tomarium.steps.step import step

PLENTY = Resources(10**12, 10**12, 2, 2)


@dataclass(frozen=True, eq=False)
class PackedFrames:
    """Frames in memory that cost as if each were packed as a whole; counts how often one is unpacked."""

    inner: ArrayFrames
    unpacked: list[int]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.inner.shape

    @property
    def dtype(self) -> Any:
        return self.inner.dtype

    def read(self, frames: Any, rows: slice) -> Any:
        result = self.inner.read(frames, rows)
        self.unpacked.append(len(result))
        return result

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        size = frames * self.shape[1] * self.shape[2] * 2
        return size // 2, size


def packed_scan(tmp_path: Path) -> Any:
    scan = make_scan(angles=40, rows=600, columns=32)
    path = tmp_path / "packed.bin"
    path.write_bytes(b"packed")
    return replace(scan, path=path, projections=PackedFrames(scan.projections, []))  # type: ignore[arg-type]


def test_packed_frames_are_unpacked_once(tmp_path: Path) -> None:
    scan = packed_scan(tmp_path)
    outcome = run(scan, default_protocol(), tmp_path / "record", PLENTY, slab_rows=64)
    assert [stage.name for stage in outcome.plan.stages] == ["spool", "reconstruct"]
    assert sum(scan.projections.unpacked) == 40
    plain = replace(scan, projections=scan.projections.inner)
    run(plain, default_protocol(), tmp_path / "plain", PLENTY, slab_rows=64)
    volumes = [np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("record", "plain")]
    np.testing.assert_array_equal(*volumes)
    assert not list(tmp_path.rglob("projections.raw*")), "the spool was left behind"


@step(accepts=("counts",), cut="angle", peak=3.0)
def mirror(slab: Slab) -> Slab:
    """Turn every frame upside down."""
    return replace(slab, data=slab.data[:, ::-1].astype(np.float32))


def test_steps_on_whole_frames_run_first_on_disk_and_in_memory(tmp_path: Path) -> None:
    scan = packed_scan(tmp_path)
    row_steps = tuple(Item(find_step(name)) for name in ("minus_log", "fbp"))
    mirrored = Protocol((Item(mirror), *row_steps))
    whole = np.asarray(tm.reconstruct(scan, Protocol(row_steps)))
    in_memory = np.asarray(tm.reconstruct(scan, mirrored))
    np.testing.assert_allclose(in_memory, whole[::-1], atol=SAME * np.ptp(whole))
    run(scan, mirrored, tmp_path / "record", PLENTY)
    on_disk = np.asarray(tm.open(tmp_path / "record" / "volume.ome.zarr"))
    np.testing.assert_allclose(on_disk, in_memory, atol=SAME * np.ptp(whole))
    with pytest.raises(InputError, match="works on whole frames"):
        slice_at(scan, 3, mirrored)
    with pytest.raises(ParameterError, match="must stand before"):
        plan(Protocol((row_steps[0], Item(mirror), row_steps[1])), scan, PLENTY)
