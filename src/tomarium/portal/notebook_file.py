"""A notebook that opens a record's volume: it needs NumPy and Matplotlib, and nothing of tomarium."""

from __future__ import annotations

import html
import json
import re
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from tomarium import units
from tomarium.formats.zarr.reader import level_axes
from tomarium.model import Record
from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route
from tomarium.standards.citation import cite
from tomarium.viewers.volume import open_volume, volume_path, volume_window

MEDIA_TYPE: Final = "application/x-ipynb+json"
MOST_BYTES: Final = 64 << 20
"""Bytes that the notebook fetches at first: the finest level that has no more, else the coarsest."""


def add_routes(app: FastAPI) -> None:
    """Add the route of notebooks of records to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route.
    """
    add_get_route(app, "/records/{id}/notebook.ipynb", notebook, name="notebook", kind=Response)


def notebook(request_context: CurrentRequest, id: str) -> Response:
    """Give a Jupyter notebook that fetches the record's volume at a coarse level and shows it."""
    record, folder = request_context.record(id)
    path = volume_path(record)
    if path is None:
        raise HTTPException(
            404, f"The record {id} has no volume to open in a notebook; its files are on its page."
        )
    volume = open_volume(folder / path)
    sizes = [int(np.prod(level.shape)) * np.dtype(level.dtype).itemsize for level in volume.levels]
    level = next((k for k, size in enumerate(sizes) if size <= MOST_BYTES), len(sizes) - 1)
    shape = [int(length) for length in volume.levels[level].shape]
    axes = level_axes(folder / path, level)
    voxel_um = (
        [1e6 * axis.scale for axis in axes[-3:]] if all(axis.unit == "m" for axis in axes[-3:]) else None
    )
    address = request_context.address("record", {"id": id})
    cells = [
        _text(_heading(record, address)),
        _code(_fetch(address, level, shape, sizes[level])),
        _code(_show(voxel_um, volume_window(record, folder), volume.unit)),
        _code(_metadata()),
        _text(
            f"All levels and files, checked by their checksums, with tomarium:\n\n"
            f"```\npip install tomarium\ntomarium pull {address}\n```\n"
        ),
    ]
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [{"id": f"cell-{k}", **cell} for k, cell in enumerate(cells)],
    }
    name = quote(f"{id}.ipynb", safe="")
    return Response(
        json.dumps(content, indent=1),
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Cache-Control": "private, no-cache",
        },
        media_type=MEDIA_TYPE,
    )


def _heading(record: Record, address: str) -> str:
    licence = f"\n\nLicence: {_plain(record.licence)}" if record.licence else ""
    return f"# {_plain(record.title)}\n\n{_plain(cite(record, address))}{licence}\n\n<{address}>"


def _plain(text: str) -> str:
    """Write a text so that Markdown shows it as it stands, on one line: no link, no picture, no HTML."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~$^-])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _fetch(address: str, level: int, shape: list[int], size: int) -> str:
    times = " × ".join(map(str, shape))
    return f"""import io
import json
import urllib.request

import numpy as np

record = {json.dumps(address)}
level = {level}  # 0 is the finest; this one has {times} voxels (z, y, x), {units.show(size, "B", digits=3)}
headers = {{}}  # of a record that is not open: {{"Authorization": "Bearer YOUR_TOKEN"}}


def fetch(path):
    return urllib.request.urlopen(urllib.request.Request(record + path, headers=headers)).read()


# A region: "/volume.npy?level=0&z=100:140&y=200:400&x=200:400"
volume = np.load(io.BytesIO(fetch(f"/volume.npy?level={{level}}")))
volume.shape, volume.dtype"""


def _show(voxel_um: list[float] | None, window: tuple[float, float], unit: str) -> str:
    step = [1.0, 1.0, 1.0] if voxel_um is None else [float(f"{length:.6g}") for length in voxel_um]
    length = "voxels" if voxel_um is None else "µm"
    label = json.dumps(f"grey value, {unit}" if unit else "grey value")
    return f"""import matplotlib.pyplot as plt

step = {step}  # of neighbouring voxels (z, y, x), {length}
low, high = {window[0]:.6g}, {window[1]:.6g}  # grey values drawn black and white
figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
for axis, plane, (down, across) in zip(axes, range(3), [(1, 2), (0, 2), (0, 1)]):
    middle = volume.shape[plane] // 2
    extent = [0, volume.shape[across] * step[across], volume.shape[down] * step[down], 0]
    image = axis.imshow(volume.take(middle, plane), cmap="gray", vmin=low, vmax=high, extent=extent)
    axis.set(title=f"{{'zyx'[plane]}} = {{middle}}", xlabel="{length}", ylabel="{length}")
figure.colorbar(image, ax=axes, label={label})
plt.show()"""


def _metadata() -> str:
    return """parameters = json.loads(fetch(".json"))["parameters"]
for name, told in parameters.items():
    print(f"{name}: {told['value']} {told['unit']} ({told['origin']})")"""


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}


def _code(source: str) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": lines}


DOOR = Door("notebook", add_routes)
