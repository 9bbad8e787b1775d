"""Records of what is there already: a finished volume, a raw scan, an image, a folder of scans."""

from __future__ import annotations

import errno
import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.atomic_files import write_whole
from tomarium.catalogue.derived_technique import KEY as DERIVED
from tomarium.catalogue.derived_technique import technique_of
from tomarium.catalogue.filing import PREVIEWS, VOLUME, file_record
from tomarium.catalogue.image_views import keep_views
from tomarium.catalogue.scan_parameters import FINGERPRINT, parameters_of
from tomarium.catalogue.scan_pictures import scan_pictures
from tomarium.catalogue.stated_facts import facts_of_scan
from tomarium.conversion.convert import convert
from tomarium.errors import InputError, TomariumError
from tomarium.model import Image, Part, Record, Scan, Value, Volume
from tomarium.pipeline.run.provenance import fingerprint_of, plain
from tomarium.standards.ro_crate import FILENAME
from tomarium.viewers.picture import png

PICTURE_PIXELS: Final = 1024
THUMBNAIL_PIXELS: Final = 512
FEW_ROWS: Final = 32
"""A scan of fewer detector rows is shown by its sinogram: a projection of it would be a line."""
SEVERAL: Final = ("microscopy", "edax")
"""Formats whose files hold several images of one thing, which become one record."""
MOST_IMAGES: Final = 64
MANY_ALIKE: Final = 10
"""Files of one ending in a folder that no format can read, which are then told as one thing and not opened singly."""
Tell = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Wish:
    """How a record is to be made of files.

    Attributes
    ----------
    records : Path
        The folder in which records lie.
    title : str
        Title of the record; by default the sample's name, or that of the file.
    in_place : bool
        Whether the folder of the data itself becomes the record, with its crate and previews added to it.
    copy : bool
        Whether files are copied; otherwise they are linked (hard links: another name of the same file), where the disk
        is the same.
    stated : mapping
        What a beamtime states of records of volumes and images, as for `with_facts`; a scan brings it by itself.
    """

    records: Path
    title: str = ""
    in_place: bool = False
    copy: bool = False
    stated: Mapping[str, Any] = field(default_factory=dict)


def make_from_files(
    path: Path, opened: Scan | Image, wish: Wish, tell: Tell | None = None
) -> tuple[Record, Path]:
    """Make a record of a file or folder.

    Parameters
    ----------
    path : Path
        The file or folder.
    opened : Scan or Image
        What it holds. A volume (three axes of length) becomes an OME-Zarr of several resolutions, block by block; a
        scan or another image stays the file it is.
    wish : Wish
        How.
    tell : callable, optional
        Told of progress: a word, how much is done, how much there is.

    Returns
    -------
    tuple of Record and Path
        The record and its folder.

    Raises
    ------
    InputError
        There is a record of this name already that holds other data, or the data lie in more files than `path`.
    FormatError
        A file cannot be read.
    StorageFull
        The disk is full; do it again to go on.
    """
    title = wish.title or title_of(opened, path)
    folder = _folder(path, opened, wish)
    if (folder / FILENAME).exists():
        raise InputError(
            f"{folder}: is a record already; file it with: tomarium ingest {folder}, or give another title with --title"
        )
    laid = lay_out(path, opened, folder, in_place=wish.in_place, copy=wish.copy, tell=tell)
    name = Path(opened.path).name if isinstance(opened, Volume) and opened.path else title
    record = file_record(
        folder,
        title=title,
        keywords=laid.keywords,
        parameters=laid.parameters,
        volume=laid.volume,
        provenance={"source": {"name": name}} if laid.volume is not None else {},
        parts=laid.parts,
        techniques=laid.techniques,
        stated=facts_of_scan(opened) if isinstance(opened, Scan) else wish.stated,
    )
    return record, folder


@dataclass(frozen=True)
class LaidOut:
    """What is told of data that lie in a record's folder now, for `file_record`.

    Attributes
    ----------
    parts : tuple of Part
        None of a volume, which is told by `volume`.
    parameters : dict of str to Value
        As the data say.
    keywords : tuple of str
        Words to be found by.
    volume : dict or None
        Of a volume: its unit.
    techniques : tuple of str
        PaNET identifiers, of a scan as far as it surely tells.
    """

    parts: tuple[Part, ...]
    parameters: dict[str, Value[Any]]
    keywords: tuple[str, ...]
    volume: dict[str, Any] | None = None
    techniques: tuple[str, ...] = ()


def lay_out(
    path: Path,
    opened: Scan | Image,
    folder: Path,
    *,
    in_place: bool = False,
    copy: bool = False,
    tell: Tell | None = None,
) -> LaidOut:
    """Put data into the folder of a record, with the pictures of it.

    Parameters
    ----------
    path : Path
        The file or folder.
    opened : Scan or Image
        What it holds.
    folder : Path
        Of the record; made where it is missing. Doing it again changes nothing.
    in_place : bool
        Whether the data lie in it already.
    copy : bool
        Whether files are copied; otherwise they get a second name, where the disk is the same.
    tell : callable, optional
        Told of progress.

    Returns
    -------
    LaidOut
        What `file_record` is to be told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(opened, Volume) and not in_place:
        return _of_volume(opened, folder, tell)
    part, parameters = _of_scan(opened) if isinstance(opened, Scan) else _of_image(opened)
    path_in_record = "." if in_place else path.name
    if not in_place:
        _place(path, folder / path.name, copy)
        _demand_whole(folder / path.name, opened)
    picture = _picture(opened)
    (folder / PREVIEWS).mkdir(parents=True, exist_ok=True)
    if isinstance(opened, Scan):
        (folder / PREVIEWS / "scan").mkdir(exist_ok=True)
        pictures = scan_pictures(opened)
        for name, content in pictures.files.items():
            write_whole(folder / PREVIEWS / "scan" / name, content)
        part = replace(part, summary={**part.summary, "pictures": plain(pictures.summary)})
    else:
        images = images_beside(path, opened)
        part = replace(part, summary={**part.summary, "shown": plain(keep_views(images, folder / PREVIEWS))})
    write_whole(folder / PREVIEWS / "picture.png", png(_smaller(picture, PICTURE_PIXELS)))
    write_whole(folder / PREVIEWS / "thumbnail.png", png(_smaller(picture, THUMBNAIL_PIXELS)))
    part_in_record = Part(part.kind, path_in_record, part.role, part.frame, part.axes, part.summary)
    technique = technique_of(opened) if isinstance(opened, Scan) else None
    if technique is None:
        return LaidOut((part_in_record,), parameters, _keywords(opened))
    return LaidOut(
        (part_in_record,), parameters | {DERIVED: technique[1]}, _keywords(opened), techniques=(technique[0],)
    )


def images_beside(path: Path, opened: Image) -> list[Image]:
    """Open the other images of a file that holds several on purpose, such as maps of one scan.

    Parameters
    ----------
    path : Path
        The file.
    opened : Image
        The one that was opened; where it is not the first, it was asked for and stands alone.

    Returns
    -------
    list of Image
        In the order of the file; of hundreds the first 64, and without those that cannot be opened.
    """
    form, match = formats.recognise(path)[0] if path.is_file() else (None, None)
    if form is None or match is None or form.name not in SEVERAL or len(match.entries) < 2:
        return [opened]
    first = formats.open(path)
    if not isinstance(first, Image) or (first.name, first.shape) != (opened.name, opened.shape):
        return [opened]
    calibration = opened.metadata.get("calibration")
    is_given = isinstance(calibration, dict) and calibration.get("origin") == "user"
    scales = [axis.scale for axis in opened.axes if axis.unit == "m"] if is_given else []
    pixel_m = scales[-1] if scales else None
    images = [_beside(path, entry, pixel_m) for entry in match.entries[1:MOST_IMAGES]]
    return [opened, *(image for image in images if image is not None)]


def _beside(path: Path, entry: str, pixel_m: float | None) -> Image | None:
    """Open one more image of a file, with the pixel size that a user told where it has any use."""
    for pixel in dict.fromkeys((pixel_m, None)):
        with suppress(TomariumError):
            opened = formats.open(path, entry=entry, pixel_m=pixel)
            return opened if isinstance(opened, Image) else None
    return None


def data_below(
    path: Path, opener: Callable[[Path], Scan | Image] = formats.open, left: list[Path] | None = None
) -> Iterator[tuple[Path, Scan | Image | TomariumError]]:
    """Find the scans and images in a folder, such as that of a beamtime.

    Parameters
    ----------
    path : Path
        A folder that is no scan itself.
    opener : callable
        What opens each, for a user who tells something of all of them.
    left : list of Path, optional
        Gets the files of no known format.

    Yields
    ------
    tuple
        A path, and what it holds or why it cannot be opened. Hidden files, and files of no known format, are passed
        over; folders that are no scan and no volume, such as those of a single picture, are looked into.
    """
    for child in sorted(path.iterdir()):
        if child.name.startswith(".") or child.is_symlink():
            continue
        if child.is_dir() and (child / FILENAME).exists():
            continue  # a record
        if child.is_dir() and not any(child.iterdir()):
            continue
        matches = formats.recognise(child)
        if not matches or (child.is_dir() and not any(m.score for _, m in matches) and _holds_few(child)):
            if child.is_dir():
                yield from data_below(child, opener, left)
            elif left is not None:
                left.append(child)
            continue
        try:
            yield child, opener(child)
        except TomariumError as problem:
            yield child, problem


def _holds_few(folder: Path) -> bool:
    """Tell whether files of no ending are so many that they are rather one thing that cannot be read."""
    endings = Counter(path.suffix.lower() for path in folder.iterdir() if path.is_file())
    return max(endings.values(), default=0) < MANY_ALIKE


def beside_slices(folder: Path) -> list[Path]:
    """Find the files beside the slices of a volume, such as notes, which are none of its slices.

    Parameters
    ----------
    folder : Path
        Of the slices.

    Returns
    -------
    list of Path
        Files of no known format, without hidden ones.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    endings = Counter(path.suffix.lower() for path in files)
    common = max(endings, key=lambda ending: endings[ending], default="")
    return [path for path in files if path.suffix.lower() != common and not formats.recognise(path)]


def _of_volume(volume: Volume, folder: Path, tell: Tell | None) -> LaidOut:
    convert(
        volume, folder / VOLUME.rstrip("/"), to="ome-zarr", on_progress=None if tell is None else _bytes(tell)
    )
    metadata = {
        key: value
        for key, value in volume.metadata.items()
        if isinstance(value, Value) and isinstance(value.value, (str, int, float, bool))
    }
    return LaidOut((), metadata, ("volume",), {"unit": volume.unit})


def _bytes(tell: Tell) -> Callable[[int, int], None]:
    def tell_converted(done: int, total: int) -> None:
        tell("convert", done, total)

    return tell_converted


def _of_scan(scan: Scan) -> tuple[Part, dict[str, Value[Any]]]:
    axes = [
        {"name": name, "length": length}
        for name, length in zip(("angle", "row", "column"), scan.shape, strict=True)
    ]
    if scan.geometry.voxel_m is not None:
        for axis, step in zip(axes[1:], scan.geometry.voxel_m, strict=False):  # a row is as high as a slice
            axis |= {"step": step, "unit": "m"}
    dtype = np.dtype(scan.projections.dtype).name
    picture = "sinogram" if scan.shape[1] < FEW_ROWS else "projection"
    part = Part(
        "projections",
        "",
        "raw",
        axes=tuple(axes),
        summary={"dtype": dtype, "format": scan.format, "picture": picture},
    )
    of_file = {}
    if scan.path.exists():
        told = fingerprint_of(scan)
        of_what = told.get("of", "names and sizes of its files")
        of_file[FINGERPRINT] = Value[Any](told["sha256"], "derived", f"SHA-256 of {of_what}")
    return part, parameters_of(scan) | of_file


def _of_image(image: Image) -> tuple[Part, dict[str, Value[Any]]]:
    axes = tuple(
        {"name": axis.name, "length": n, "step": axis.scale, "unit": axis.unit}
        for axis, n in zip(image.axes, image.shape, strict=True)
    )
    part = Part("image", "", "raw", axes=axes, summary={"dtype": image.dtype.name, "unit": image.unit})
    values = {key: value for key, value in image.metadata.items() if isinstance(value, Value)}
    return part, {
        key: value for key, value in values.items() if isinstance(value.value, (str, int, float, bool))
    }


def _picture(opened: Scan | Image) -> NDArray[Any]:
    """Return what shows it in short: a projection, of few rows the sinogram; or the middle of an image."""
    if isinstance(opened, Scan) and opened.shape[1] < FEW_ROWS:
        middle = opened.shape[1] // 2
        return np.asarray(opened.projections[:, middle : middle + 1], np.float32)[:, 0]
    if isinstance(opened, Scan):
        frame = np.asarray(opened.projections[0], np.float32)
        if opened.flats is None:
            return frame
        flat = np.asarray(opened.flats.frames[0], np.float32)
        dark = np.asarray(opened.darks.frames[0], np.float32) if opened.darks else np.zeros_like(flat)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num((frame - dark) / (flat - dark), nan=1.0, posinf=1.0, neginf=1.0)
    data = opened.data
    while len(data.shape) > 2:
        data = data[data.shape[0] // 2]
    array = np.asarray(data[...])
    if array.ndim < 2:
        array = np.atleast_2d(array)
    return np.abs(array) if array.dtype.kind == "c" else array


def _smaller(image: NDArray[Any], pixels: int) -> NDArray[Any]:
    step = -(-max(image.shape) // pixels)
    return image[::step, ::step]


def _keywords(opened: Scan | Image) -> tuple[str, ...]:
    return ("X-ray tomography", "raw scan", opened.format) if isinstance(opened, Scan) else ("image",)


def title_of(opened: Scan | Image, path: Path) -> str:
    """Name a record by what the data say, else by their file."""
    for key in ("title", "sample_name"):
        value = opened.metadata.get(key)
        if isinstance(value, Value) and isinstance(value.value, str) and value.value.strip():
            return value.value
    return opened.name if isinstance(opened, Scan) else path.name.partition(".")[0]


def _folder(path: Path, opened: Scan | Image, wish: Wish) -> Path:
    if wish.in_place:
        if not path.is_dir():
            raise InputError(
                f"{path}: is a file, and only a folder can become a record in place; leave out --in-place"
            )
        if isinstance(opened, Volume):
            raise InputError(
                f"{path}: is a volume, which needs several resolutions to be shown; leave out --in-place"
            )
        return path.resolve()
    letters = unicodedata.normalize("NFKD", wish.title or path.name).encode("ascii", "ignore").decode()
    name = "-".join(re.findall(r"[A-Za-z0-9]+", letters))[:80] or "record"
    return wish.records.resolve() / name


def _place(source: Path, target: Path, copy: bool) -> None:
    """Give files a second name in the record, or copy them where that cannot be or is not wanted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        link_or_copy(source, target, copy)
        return
    for folder, _, names in os.walk(source):
        target_folder = target / Path(folder).relative_to(source)
        target_folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            link_or_copy(Path(folder, name), target_folder / name, copy)


def link_or_copy(source: Path, target: Path, copy: bool) -> None:
    """Give a file a second name in a record; copy it where that cannot be, or is wanted; again changes nothing."""
    if target.exists():
        if target.samefile(source) or (copy and target.stat().st_size == source.stat().st_size):
            return
        raise InputError(
            f"{target}: is there already and is another file; take it away, or give another --title"
        )
    real = source.resolve()
    if not copy:
        try:
            os.link(real, target)
            return
        except OSError as problem:
            if problem.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                raise
    draft = target.with_name(f".{target.name}.partial")
    shutil.copy2(real, draft)
    draft.replace(target)


def _demand_whole(path: Path, opened: Scan | Image) -> None:
    """Refuse a file whose data lie in others: the record would be a shell."""
    try:
        again = formats.open(path)
    except TomariumError as problem:
        raise InputError(
            f"{path}: cannot be read where the record lies ({problem}); its data lie in other files too: give the "
            f"folder that holds all of them"
        ) from problem
    if type(again) is not type(opened) or again.shape != opened.shape:
        raise InputError(
            f"{path}: reads differently where the record lies; its data lie in other files too: give the folder that "
            f"holds all of them"
        )
