"""Pictures: PNG, JPEG, and TIFF files of one page, of colours, or of channels and times, each as an image.

Sources: Portable Network Graphics (W3C, third edition); TIFF 6.0; the OME data model 2016-06, whose planes run along
X, Y, Z, C and T. A grey TIFF page that is told angles is a sinogram, which has a reader of its own.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.atomic_files import replacing
from tomarium.errors import FormatError, InputError, UnitError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.opening.size_limits import MOST_ELEMENTS, check_claim
from tomarium.formats.opening.unpacked import head_of, size_of
from tomarium.formats.pictures.ome_xml import ome_metadata
from tomarium.formats.tiff.frames import frames_of, guarded, opened_tiff, page_count
from tomarium.formats.tiff.ifd_check import SIGNATURES, lost_pages
from tomarium.formats.tiff.metadata import calibration_of, hyperstack_said, pixel_calibration
from tomarium.model import Axis, Image

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_AXES: Final = {"Z": "z", "Y": "y", "X": "x", "C": "channel", "T": "time", "S": "sample"}
_PLACES: Final = {name: letter for letter, name in _AXES.items()}
# What Pillow gives without changing a value, and the samples of each.
_MODES: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1, "I;16B": 1, "I": 1}


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of a picture, which are read when they are sliced, the whole at once."""

    path: Path
    shape: tuple[int, ...]  # length of each axis
    dtype: np.dtype[Any]  # type of a value
    is_colour: bool = False  # whether a page holds several samples for each pixel

    @cached_property
    def _array(self) -> NDArray[Any]:
        with guarded(self.path):
            if _kind(self.path) == "TIFF" and not self.is_colour:
                array = np.asarray(frames_of([self.path]).read(slice(None), slice(None)))
                array = array.reshape(self.shape) if array.size == math.prod(self.shape) else array
            elif _kind(self.path) == "TIFF":
                with opened_tiff(self.path) as tif:
                    array = np.asarray(_whole_page(self.path, tif).asarray())
            else:
                with _picture(self.path) as picture:
                    array = np.asarray(picture)
        if array.shape != self.shape:
            raise FormatError(f"{self.path}: has changed since it was opened; open it again")
        result: NDArray[Any] = array
        return result

    def __getitem__(self, key: Any) -> Any:
        return self._array[key]


def _whole_page(path: Path, tif: Any) -> Any:
    """Return a page of colours whose bytes are all there."""
    page = tif.pages[0]
    ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > size_of(path):
        raise FormatError(
            f"{path}: is truncated: its page ends at byte {max(ends, default=0)}; copy it again"
        )
    return page


def _picture(path: Path) -> Any:
    from PIL import Image as Pictures

    return Pictures.open(path, formats=["PNG", "JPEG"])


def _kind(path: Path) -> str:
    head = head_of(path, 8)
    if head == _PNG:
        return "PNG"
    if head[:3] == _JPEG:
        return "JPEG"
    return "TIFF" if head[:4] in SIGNATURES else ""


def detect(path: Path) -> Match | None:
    """Look for a picture.

    Result: None for other files; a low score for one grey TIFF page, which may be a sinogram or one of a
    series.
    """
    kind = _kind(path)
    if not kind:
        return None
    try:
        shape, axes, _ = _header(path, kind)
        if kind != "TIFF":
            return Match(0.5, kind, f"a {kind} picture of {' × '.join(map(str, shape))}")
        with guarded(path), opened_tiff(path) as tif:
            pages, planes = page_count(tif), hyperstack_said(tif)
            lost = None if "sample" in axes else lost_pages(tif, pages)  # colours count as pages there
            if lost:
                return no_match(f"{lost.removeprefix(f'{path.name} ')}; copy it again from its origin")
            if planes and "sample" in axes:
                return no_match("its planes are of several colours each, which is not read")
    except FormatError as problem:
        return no_match(str(problem))
    content = f"{', '.join(axes)} of {' × '.join(map(str, shape))}"
    if planes:
        return Match(0.5, "planes", f"a TIFF file of {content}: {planes}")
    if pages == 1 and len(shape) > 2:
        return Match(0.5, "colour", f"a TIFF page of {content}")
    return Match(0.05, "page", f"one TIFF page of {content}") if pages == 1 and len(shape) == 2 else None


def _header(path: Path, kind: str) -> tuple[tuple[int, ...], tuple[str, ...], np.dtype[Any]]:
    """Return shape, names of axes and type."""
    with guarded(path):
        if kind == "TIFF":
            with opened_tiff(path) as tif:
                series: Any = tif.pages[0] if page_count(tif) == 1 else tif.series[0]
                shape, letters, dtype = tuple(map(int, series.shape)), str(series.axes), series.dtype
        else:
            with _picture(path) as picture:
                samples, mode = _MODES.get(picture.mode, 0), picture.mode
                shape = (picture.height, picture.width, samples)[: 3 if samples > 1 else 2]
                letters, dtype = "YXS", np.dtype(np.uint8)
                if mode.startswith("I"):
                    dtype = np.dtype(np.uint16 if mode.startswith("I;16") else np.int32)
            if not samples:
                raise FormatError(f"{path}: a picture of the mode {mode} is not read; save it as grey or RGB")
    if dtype is None or int(np.prod(shape, dtype=np.float64)) > MOST_ELEMENTS or len(letters) < len(shape):
        raise FormatError(f"{path}: its pages are not alike, or larger than any picture; copy it again")
    check_claim(str(path), shape, np.dtype(dtype).itemsize, size_of(path), block=shape)
    names = [_AXES.get(letter, f"axis_{number}") for number, letter in enumerate(letters[: len(shape)])]
    return shape, tuple(names), np.dtype(dtype)


def read(path: Path, match: Match) -> Image:
    """Read the header of a picture.

    Result: axes y, x; after them "sample" of a colour picture; before them those of its planes. In m where
    the description of a TIFF tells the size of a pixel.
    """
    kind = _kind(path)
    shape, names, dtype = _header(path, kind)
    steps: dict[str, float] = {}
    details: dict[str, Any] = {}
    unit = ""
    notes: tuple[str, ...] = ()
    if kind == "TIFF":
        with guarded(path), opened_tiff(path) as tif:
            calibration = calibration_of(tif)
            first: Any = tif.pages[0]
            description = str(first.description or "")
            pixel, notes = pixel_calibration(tif)
        if calibration is not None and calibration.voxel_m is not None:
            steps = dict(zip("zyx", calibration.voxel_m, strict=True))
        elif "<OME" in description[:4096]:
            steps = _ome_steps(description)
        elif pixel is not None:
            steps = dict(zip("yx", pixel, strict=True))
        if "<OME" in description[:4096]:
            details = ome_metadata(description)
        unit = calibration.unit if calibration is not None else ""
    axes = tuple(Axis(name, steps.get(name, 1.0), 0.0, "m" if name in steps else "px") for name in names)
    metadata: dict[str, Any] = {"why": match.why, **details}
    if not steps:
        metadata["uncalibrated"] = True
    if match.dialect == "page":
        advice = "it is one page: open the folder of the series it belongs to; or, if it is a sinogram, give its angles"
        notes = (advice, *notes)
    if notes:
        metadata["notes"] = list(notes)
    return Image(
        Pixels(path, shape, dtype, "sample" in names), axes, unit, path.name.split(".")[0], path, metadata
    )


def _ome_steps(description: str) -> dict[str, float]:
    """Read the size of a pixel from the OME description of a page, in m; µm where it gives no unit (OME 2016-06)."""
    steps: dict[str, float] = {}
    for axis in "zyx":
        size = re.search(rf'PhysicalSize{axis.upper()}="([^"]{{1,40}})"', description)
        unit = re.search(rf'PhysicalSize{axis.upper()}Unit="([^"]{{1,40}})"', description)
        if size is None:
            continue
        with suppress(ValueError, UnitError):
            step = float(size[1]) * units.factor(unit[1] if unit else "um", "m")
            if 0 < step < math.inf:
                steps[axis] = float(f"{step:.12g}")
    return steps


def write(path: Path, image: Image, *, lossy: bool = False) -> None:
    """Write a picture as PNG, or an image of the axes OME knows as OME-TIFF; it appears when it is complete.

    `path`: file to write: `.png`, or `.tif`, `.tiff` and any other for OME-TIFF. `image`: PNG: two axes of
    bytes or uint16, or a third of 3 or 4 bytes, the colours. OME-TIFF: y, x and any of z, channel, time
    before them, or colours after them. `lossy`: whether other numbers may be rounded: to 16 bits from the
    least to the greatest for PNG, to float32 for float64 in OME-TIFF. Raises InputError: the image does not
    fit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as hidden:
        (_write_png if path.suffix.lower() == ".png" else _write_tiff)(hidden, path, image, lossy)


def _write_png(hidden: Path, path: Path, image: Image, lossy: bool) -> None:
    from PIL import Image as Pictures

    colours = image.ndim == 3 and image.dtype == np.uint8 and image.shape[2] in (3, 4)
    if image.ndim != 2 and not colours:
        raise InputError(
            f"{path}: PNG holds one grey picture or one of 3 or 4 bytes of colour, and this is of "
            f"{_axes(image)}; write NeXus (.nxs), or OME-TIFF"
        )
    values = np.asarray(image)
    if values.dtype not in (np.uint8, np.uint16):
        least, most = float(values.min()), float(values.max())
        if not lossy or not np.isfinite([least, most]).all():
            raise InputError(
                f"{path}: PNG holds bytes and 16 bits, and values of {image.dtype} do not fit; allow it to be lossy "
                f"(--lossy) to stretch {least:.6g} … {most:.6g} over 16 bits, or write OME-TIFF"
            )
        values = np.rint((values - least) * (65535 / ((most - least) or 1.0))).astype(np.uint16)
    Pictures.fromarray(np.ascontiguousarray(values)).save(hidden, format="PNG")


def _write_tiff(hidden: Path, path: Path, image: Image, lossy: bool) -> None:
    import tifffile

    names = [axis.name for axis in image.axes]
    if names[-1] == "channel" and image.shape[-1] in (3, 4):  # OME calls colours of one page samples
        names[-1] = "sample"
    letters = "".join(_PLACES.get(name, "?") for name in names)
    plain = letters.removesuffix("S")
    if "?" in letters or plain[-2:] != "YX" or len(set(letters)) != len(letters) or "S" in plain:
        raise InputError(
            f"{path}: OME-TIFF has the axes time, channel, z before y, x, and this is of {_axes(image)}; write NeXus "
            f"(.nxs), which has any"
        )
    values = np.asarray(image)
    if values.dtype == np.float64 and lossy:
        values = values.astype(np.float32)
    if values.dtype.kind not in "iuf" or values.dtype.itemsize > (8 if values.dtype.kind == "f" else 4):
        raise InputError(f"{path}: OME-TIFF has no pixels of {image.dtype}; convert them to float32 first")
    metadata: dict[str, Any] = {"Name": image.name}
    for axis in image.axes:
        if axis.name in ("z", "y", "x") and axis.unit == "m":
            metadata[f"PhysicalSize{axis.name.upper()}"] = axis.scale * 1e6
            metadata[f"PhysicalSize{axis.name.upper()}Unit"] = "µm"
    samples = values.shape[-1] if letters.endswith("S") else 1
    plane = values.shape[len(plain) - 2 :]
    pages = values.reshape(-1, *plane)
    described = tifffile.OmeXml()
    stored = (len(pages), 1, 1, *plane[:2], samples)
    described.addimage(values.dtype, values.shape, stored, axes=letters, **metadata)
    # Before the pixels, so that a file that is cut short still says how many planes it should have.
    tifffile.imwrite(
        hidden, pages, description=described.tostring(declaration=True).encode(), metadata=None,
        photometric="rgb" if samples in (3, 4) else "minisblack",
        planarconfig="contig" if samples > 1 else None, bigtiff=values.nbytes > 1 << 31,
    )  # fmt: skip


def _axes(image: Image) -> str:
    return (
        " × ".join(f"{axis.name} {n}" for axis, n in zip(image.axes, image.shape, strict=True))
        + f" ({image.dtype})"
    )


FORMAT = Format(
    name="picture",
    title="Picture (PNG, JPEG, TIFF page, OME-TIFF planes)",
    suffixes=(".tif", ".tiff", ".png", ".jpg", ".jpeg"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"image"}),
    rounds=True,
)
