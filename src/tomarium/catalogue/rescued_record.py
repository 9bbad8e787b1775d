"""A record of a picture that got its scale back, and of which record it shows something."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np

from tomarium.atomic_files import write_whole
from tomarium.catalogue.aligned_record import derive
from tomarium.catalogue.filing import PREVIEWS, file_record
from tomarium.catalogue.image_views import keep_views
from tomarium.catalogue.record_folder import read_record
from tomarium.conversion.convert import convert
from tomarium.conversion.rescue import Rescued, marked
from tomarium.errors import InputError
from tomarium.model import Part, Record, Value
from tomarium.pipeline.run.provenance import fingerprint, plain, versions
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.picture import png

CALIBRATED: Final = "calibrated.ome.tif"
CONFIRM: Final = "scale-bar.png"
PIXELS: Final = 1024


def make_rescued_record(
    rescued: Rescued,
    source: Path,
    picture: np.ndarray,
    folder: Path,
    *,
    title: str = "",
    of: Path | None = None,
) -> Record:
    """Write a picture with its scale into a record.

    Parameters
    ----------
    rescued : Rescued
        As `rescue` made it.
    source : Path
        The picture's file, which is copied as it is.
    picture : array
        All its pixels.
    folder : Path
        Folder to make.
    title : str
        Title of the record; by default the name of the file.
    of : Path, optional
        Folder of the record that the picture was made of: the new one "IsDerivedFrom" it, and is of its specimen.

    Returns
    -------
    Record
        Holds the file, the calibrated image as OME-TIFF, and a picture of the bar that was measured.

    Raises
    ------
    InputError
        The folder is there already, or `of` is no record.
    """
    if folder.exists():
        raise InputError(f"{folder}: exists already; give another name for the record")
    if of is not None and not (of / FILENAME).is_file():
        raise InputError(f"{of}: is no folder of a record; give that of the record the picture was made of")
    (folder / PREVIEWS).mkdir(parents=True)
    write_whole(folder / source.name, source.read_bytes())
    image = replace(rescued.image, path=source)
    convert(image, folder / CALIBRATED)
    file = BytesIO()
    from PIL import Image as Pillow

    Pillow.fromarray(marked(picture, rescued.bar)).save(file, format="PNG")
    write_whole(folder / CONFIRM, file.getvalue())
    grey = np.asarray(image)
    grey = grey if grey.ndim == 2 else grey[..., :3].mean(axis=2)
    step = -(-max(grey.shape) // PIXELS)
    write_whole(folder / PREVIEWS / "picture.png", png(grey[::step, ::step]))
    write_whole(folder / PREVIEWS / "thumbnail.png", png(grey[:: 2 * step, :: 2 * step]))
    axes = tuple(
        {"name": axis.name, "length": n, "step": axis.scale, "unit": axis.unit}
        for axis, n in zip(image.axes, image.shape, strict=True)
    )
    shown = plain(keep_views([image], folder / PREVIEWS))
    part = Part(
        "image", CALIBRATED, "raw", axes=axes, summary={"dtype": image.dtype.name, "unit": "", "shown": shown}
    )
    record = file_record(
        folder,
        title=title or source.stem,
        keywords=("image", "figure"),
        parameters={"pixel_m": Value(rescued.pixel_m, "derived", rescued.by)},
        provenance={
            "source": {"name": source.name, "fingerprint": fingerprint(source)},
            "rescued": dict(image.metadata["rescued"]),
            "versions": versions(),
            "finished": datetime.now(UTC).replace(microsecond=0).isoformat(),
        },
        parts=(part,),
    )
    return record if of is None else derive(record, read_record(of), folder)
