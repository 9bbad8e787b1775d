"""Where labels go: an OME-Zarr label image that is written slab by slab, or any other format made of one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.atomic_files import write_json
from tomarium.conversion.convert import convert
from tomarium.conversion.target_format import choose
from tomarium.errors import InputError
from tomarium.formats.zarr.writer import create
from tomarium.model import Volume

HEIGHT = 64

Tell = Callable[[str, int, int], None]


def demand_new(target: Path, overwrite: bool) -> None:
    """Refuse a target that is there, unless it may be replaced."""
    choose(target, "volume", None)
    if target.exists() and not overwrite:
        raise InputError(
            f"{target}: exists already; give another name, or allow to overwrite it (--overwrite)"
        )


def write_labels(
    target: Path,
    volume: Volume,
    blocks: Iterable[NDArray[Any]],
    dtype: np.dtype[Any],
    account: Mapping[str, Any],
    *,
    overwrite: bool,
    tell: Callable[[str, int, int], None],
) -> None:
    """Write labels that come in blocks of any height, in order.

    Parameters
    ----------
    target : Path
        Ends in .zarr for an OME-Zarr label image; other endings as `tomarium convert` takes them.
    volume : Volume
        What was segmented: the labels have its axes.
    blocks : iterable of array, shape (z, y, x)
        Labels.
    dtype : dtype
        Type of a label.
    account : Mapping
        How they were made, JSON-ready; kept with them.
    overwrite : bool
        Whether a target that is there is replaced, once the labels are whole.
    tell : callable
        `tell(stage, done, total)`.
    """
    demand_new(target, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.labels.zarr")
    if draft.exists():
        shutil.rmtree(draft)
    voxel = volume.voxel_m
    z, y, x = (axis.offset for axis in volume.axes)
    try:
        writer = create(
            draft,
            (volume.shape[0], volume.shape[1], volume.shape[2]),
            dtype,
            voxel_m=voxel,
            slab_rows=HEIGHT,
            unit="",
            name=f"labels of {volume.name}",
            origin_m=(0.0, 0.0, 0.0) if voxel is None else (z, y, x),
            attributes={"segmentation": dict(account)},
            labels=True,
        )
        buffered = np.zeros((0, *volume.shape[1:]), dtype)
        start = 0
        for block in blocks:
            buffered = np.concatenate([buffered, block.astype(dtype, copy=False)])
            while len(buffered) >= writer.slab_rows or (
                len(buffered) and start + len(buffered) == volume.shape[0]
            ):
                writer.write(start, buffered[: writer.slab_rows])
                start += min(writer.slab_rows, len(buffered))
                buffered = buffered[writer.slab_rows :]
        writer.finish()
        _put_in_place(draft, target, overwrite, account, tell)
    finally:
        if draft.exists():
            shutil.rmtree(draft)


def _put_in_place(
    draft: Path,
    target: Path,
    overwrite: bool,
    account: Mapping[str, Any],
    tell: Callable[[str, int, int], None],
) -> None:
    if choose(target, "volume", None).name != "ome-zarr":
        convert(
            formats.open(draft),
            target,
            overwrite=overwrite,
            on_progress=lambda done, total: tell("write MB", done // 1_000_000, total // 1_000_000),
        )
        write_json(target.with_name(f"{target.name}.json"), {"segmentation": dict(account)})
        return
    if target.exists():
        if not (target / "zarr.json").is_file():
            raise InputError(
                f"{target}: is no Zarr volume that could be replaced; remove it, or give another name"
            )
        shutil.rmtree(target)
    draft.replace(target)
    if target.parent.name == "labels" and (target.parent.parent / "zarr.json").is_file():
        _list_label(target)


def _list_label(target: Path) -> None:
    """Name the labels in the group `labels` of their image (OME-NGFF 0.5, "labels")."""
    group = target.parent / "zarr.json"
    content: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    if group.is_file():
        content = json.loads(group.read_text("utf-8"))
    ome = content["attributes"].setdefault("ome", {"version": "0.5"})
    ome["labels"] = sorted({*ome.get("labels", []), target.name})
    write_json(group, content)
