"""The kinds of pictures that are drawn of a volume or a scan, for a file, for a record, by a command or by a worker."""

from __future__ import annotations

from functools import partial
from typing import Final

from tomarium.errors import InputError
from tomarium.model import Scan, Volume
from tomarium.pipeline.protocol.choice import Choice
from tomarium.pipeline.run.reconstruct import slices_at, slices_at_axes
from tomarium.pipeline.run.runner import Progress, silent
from tomarium.steps.probes.find_axis import find_axis
from tomarium.viewers import volume_pictures as pictures
from tomarium.viewers.picture import contact_sheet, for_sheet, png

OF_VOLUME: Final = ("thumbnail", "sheet", "turntable", "histogram", "rings")
OF_SCAN: Final = ("thumbnail", "axis", "rings")
ENDINGS: Final = {"turntable": ".webp"}
"""Kind → ending of its file, where that is not .png."""
AXES: Final = 9
"""Axes of the strip: that one, and four columns on either side."""


def picture_of_volume(volume: Volume, kind: str) -> bytes:
    """Draw a picture of a volume.

    Parameters
    ----------
    volume : Volume
        Any.
    kind : str
        One of `OF_VOLUME`.

    Returns
    -------
    bytes
        A PNG; of a turntable an animated WebP.

    Raises
    ------
    InputError
        This cannot be drawn of this volume.
    """
    if kind == "axis":
        raise InputError("slices about several rotation axes are reconstructed from a SCAN; give that")
    if kind == "rings":
        middle = volume.shape[0] // 2
        return pictures.rings(volume[middle], f"z {middle}", pictures.axis_of(volume))
    draw = {
        "thumbnail": pictures.thumbnail,
        "sheet": pictures.sheet,
        "turntable": pictures.turntable,
        "histogram": pictures.histogram,
    }
    return draw[kind](volume)


def picture_of_scan(scan: Scan, kind: str, choice: Choice, on_progress: Progress = silent) -> bytes:
    """Draw a picture of a scan; its middle row is reconstructed for it.

    Parameters
    ----------
    scan : Scan
        Open.
    kind : str
        One of `OF_SCAN`.
    choice : Choice
        The protocol.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InputError
        This cannot be drawn of a scan, or the protocol ends before slices are made.
    """
    if kind not in OF_SCAN:
        raise InputError(
            f"a {kind} needs a volume: `tomarium run` makes one of the scan; of a scan draw {', '.join(OF_SCAN)}"
        )
    choice.demand_none_of("like", "crop")
    protocol = choice.protocol(scan.domain)
    row = scan.shape[1] // 2
    if kind == "axis":
        value = scan.axis_column
        column = find_axis(scan).column if value is None else value.value
        columns = [column + step - AXES // 2 for step in range(AXES)]
        small = partial(for_sheet, count=len(columns))
        swept = slices_at_axes(scan, columns, row, protocol, keep=small, on_progress=on_progress)
        titles = [f"axis {column:.2f}" for column in columns]
        return contact_sheet([slices.slab.data[0] for slices in swept], titles)
    [slices] = slices_at(scan, [row], protocol)
    if slices.slab.domain != "slice":
        raise InputError(
            "the protocol ends before slices are made; end it with a reconstruction, such as fbp"
        )
    image = slices.slab.data[0]
    return png(image) if kind == "thumbnail" else pictures.rings(image, f"row {row}")
