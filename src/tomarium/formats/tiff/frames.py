"""Lazy frames in TIFF pages: read row by row where pixels lie in one piece, else page by page."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, TomariumError
from tomarium.formats.frames.per_frame import PerFrame, by_file, plain_cost
from tomarium.formats.opening.size_limits import check_claim
from tomarium.formats.opening.unpacked import UnpackedStream, is_packed, mapped
from tomarium.formats.tiff.ifd_check import chain_of, lost_pages
from tomarium.formats.tiff.same_header import Surroundings, surroundings

if TYPE_CHECKING:
    from tifffile import TiffFile
# Parsing a header takes 0.1 ms; these are enough to see what a file is.
_KEPT: Final = 1024
_ONE_DIRECTORY: Final[dict[tuple[int, int, int, int], bool]] = {}
_PARSED: Final = 256
# TIFF 6.0 section 8: PhotometricInterpretation and Orientation, which neither tifffile nor ImageJ applies to numbers.
_WHITE_IS_ZERO, _PALETTE = 0, 3
_UPRIGHT: Final = 1
USUAL: Final = "has black as zero and its first row on top"


@dataclass(frozen=True)
class Page:
    """One frame in a file."""

    file: Path
    number: int  # page of the file, from 0


@dataclass(frozen=True)
class _Place:
    """Where the pixels of a page lie: at `offset` in one piece, or where tifffile finds them; and what they mean."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int | None
    meaning: str = ""


@dataclass(frozen=True, eq=False)
class TiffFrames(PerFrame):
    """A stack of TIFF pages of one size."""

    pages: tuple[Page, ...]  # the frames in order
    size: tuple[int, int]  # rows and columns
    dtype: np.dtype[Any]  # type of a pixel
    whole: bool = False  # whether reading one row costs the whole page, because it is compressed
    stored: float = 1.0  # bytes on disk for each byte of pixels
    notes: tuple[str, ...] = ()  # files that tell of more pages than they hold
    # What was learnt of each page's place, so that its header is parsed once and not for every slab.
    _known: dict[Page, _Place] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.pages), *self.size)

    @property
    def meaning(self) -> str:
        """What the first page's tags tell of its pixels, as `meaning_of` says it."""
        return self._known[self.pages[0]].meaning

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        for file, run in by_file([self.pages[frame].file for frame in wanted]):
            with guarded(file), ExitStack() as stack:
                tif: TiffFile | None = None
                for out in run:
                    page = self.pages[wanted[out]]
                    place = self._known.get(page) or self._as_the_first(page)
                    if place is None or place.offset is None:
                        tif = tif or stack.enter_context(opened_tiff(file))
                        if place is None:
                            self._check_single(page, tif)
                        place = self._known.setdefault(page, _place(tif, page.number))
                        self._check(page, place)
                    result[out] = self._pixels(page, place, tif, rows)

    @cached_property
    def _around_first(self) -> Surroundings | None:
        first, place = self.pages[0], self._known[self.pages[0]]
        if first.number or place.offset is None or is_packed(first.file):
            return None
        return surroundings(first.file, place.offset, math.prod(place.shape) * place.dtype.itemsize)

    def _as_the_first(self, page: Page) -> _Place | None:
        """Return the place of a page whose file differs from the first in its pixels only; else None."""
        if page.number or self._around_first is None or not self._around_first.are_of(page.file):
            return None
        return self._known.setdefault(page, self._known[self.pages[0]])

    def _pixels(self, page: Page, place: _Place, tif: TiffFile | None, rows: slice) -> NDArray[Any]:
        if place.offset is None and tif is not None:
            whole: NDArray[Any] = np.reshape(tif.asarray(key=page.number), self.size)
            return whole[rows]
        count = rows.stop - rows.start
        start = (place.offset or 0) + rows.start * self.size[1] * place.dtype.itemsize
        if is_packed(page.file):
            return mapped(page.file, place.dtype, start, (count, self.size[1]))
        return np.fromfile(page.file, place.dtype, count * self.size[1], offset=start).reshape(
            count, self.size[1]
        )

    def _check_single(self, page: Page, tif: TiffFile) -> None:
        """Refuse a packed file of several pages that was taken for one of a single page."""
        if page.number == 0 and is_packed(page.file) and (count := page_count(tif)) > 1:
            raise FormatError(
                f"{page.file}: holds {count} pages, the first file of the scan, {self.pages[0].file.name}, one; all "
                f"files of a scan must be alike, so take it out of the scan"
            )

    def _check(self, page: Page, place: _Place) -> None:
        if place.shape != self.size or place.dtype.newbyteorder("=") != self.dtype:
            raise FormatError(
                f"{page.file}: its page {page.number} has {pixel_words(place.shape, place.dtype)}, the first "
                f"frame, {self.pages[0].file.name}, {pixel_words(self.size, self.dtype)}; all frames of a "
                f"scan must be alike, so take it out of the scan"
            )
        if place.meaning != self.meaning:
            raise FormatError(
                f"{page.file}: its page {page.number} {place.meaning or USUAL}, and the first frame, "
                f"{self.pages[0].file.name}, {self.meaning or USUAL}; all frames of a scan must mean the same, "
                f"so convert it as the others"
            )

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs for that many frames and these rows.

        Result: bytes read from disk, and bytes decompressed: a compressed page is always decoded whole.
        """
        if not self.whole or not range(*rows.indices(self.size[0])):
            return plain_cost(self, frames, rows)
        touched, _ = plain_cost(self, frames, slice(None))
        return round(touched * self.stored), touched


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what a damaged TIFF makes its decoder raise into a FormatError that names the file."""
    try:
        yield
    except TomariumError:
        raise
    except FileNotFoundError as problem:
        raise FormatError(
            f"{path}: this file of the scan is gone; restore it or open the scan again"
        ) from problem
    except Exception as problem:  # tifffile and its codecs raise whatever their parsing runs into
        raise FormatError(
            f"{path}: cannot be read as TIFF ({type(problem).__name__}: {problem}); it is damaged or of a "
            f"kind of TIFF that is not known here, so copy it again or convert it"
        ) from problem


@contextmanager
def opened_tiff(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF file with tifffile, which is imported only now.

    Yields: it, open. Planes that its OME description says lie in other files are not looked for: they could
    be anyone's.
    """
    import logging

    import tifffile

    # tifffile tells of damage by logging and reads on; what matters shows in the shapes, which are checked.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    chain_of(path)
    source: Any = UnpackedStream(path) if is_packed(path) else path
    with tifffile.TiffFile(source, _multifile=False) as tif:
        yield tif


def _place(tif: TiffFile, number: int) -> _Place:
    """Find the pixels of a page, and refuse one that claims more of them than its file can hold."""
    offset: int | None
    if _is_one_directory(tif):
        series: Any = tif.series[0]
        rows, columns = series.shape[1:]
        dtype = np.dtype(series.dtype)
        offset = int(series.dataoffset) + number * rows * columns * dtype.itemsize
    else:
        page: Any = tif.pages[number]
        if page.samplesperpixel != 1 or len(page.shape) != 2:
            raise FormatError(
                f"{tif.filehandle.path}: page {number} has shape {page.shape}; a frame is grey, (row, "
                f"column), so convert colour pictures first"
            )
        rows, columns = page.shape
        dtype = np.dtype(page.dtype)
        plain = page.is_contiguous and page.compression == 1 and page.predictor == 1 and page.fillorder == 1
        plain = plain and page.bitspersample == 8 * dtype.itemsize
        offset = page.dataoffsets[0] if plain else None
    rows, columns = int(rows), int(columns)  # a tag may tell a fraction
    if dtype.kind not in "iuf" or rows < 1 or columns < 1:
        raise FormatError(
            f"{tif.filehandle.path}: page {number} holds {pixel_words((rows, columns), dtype)}, no frame"
        )
    dtype = dtype.newbyteorder(tif.byteorder)
    size = tif.filehandle.size
    meaning = meaning_of(tif.pages[number if len(tif.pages) > number else 0])
    if offset is None:
        stored = max(1, min(size, sum(page.databytecounts)))
        where = f"{tif.filehandle.path}: page {number}"
        tile = (
            (max(rows, page.tilelength), max(columns, page.tilewidth)) if page.is_tiled else (rows, columns)
        )
        check_claim(where, tile, dtype.itemsize, stored, block=tile, blocks=1)
    if offset is not None and offset + rows * columns * dtype.itemsize > size:
        raise FormatError(
            f"{tif.filehandle.path}: is truncated: page {number} ends at byte "
            f"{offset + rows * columns * dtype.itemsize}, the file at {size}; copy it again"
        )
    return _Place((rows, columns), dtype, None if offset is None else int(offset), meaning)


def meaning_of(page: Any) -> str:
    """Say what a page's tags tell of its pixels that their numbers do not.

    Result: words that follow "it"; "" where zero is black and the first row on top. The numbers are handed
    out as they are stored either way, as tifffile and ImageJ do.
    """
    keyframe = page.keyframe
    if int(keyframe.photometric) == _PALETTE:
        raise FormatError(
            f"{page.parent.filehandle.path}: page {page.index} holds places in a table of colours and no grey values, "
            f"so convert it to grey first"
        )
    meanings = ["has white as zero"] if int(keyframe.photometric) == _WHITE_IS_ZERO else []
    # Pages of a series share the tags of their keyframe, and what of this one was parsed anew is its own.
    tags = getattr(page, "tags", None) or keyframe.tags
    orientation = int(tags.valueof(274, _UPRIGHT) or _UPRIGHT)
    meanings += (
        [f"is stored turned or mirrored (Orientation {orientation})"] if orientation != _UPRIGHT else []
    )
    return " and ".join(meanings)


def _meant(file: Path, place: _Place) -> str | None:
    if not place.meaning:
        return None
    return f"{file.name} {place.meaning} by its tags; its numbers are given as they are stored"


def pixel_words(shape: tuple[int, int], dtype: np.dtype[Any]) -> str:
    """Say a frame's size and type, for messages."""
    return f"{shape[0]} x {shape[1]} pixels of {dtype.newbyteorder('=')}"


def frames_of(files: list[Path]) -> TiffFrames:
    """Make a lazy stack of files, in their order.

    `files`: one or many, each of one page or more. Result: the stack. Headers are parsed of the first file,
    and of the others where they differ from it in size; of a file of many pages, those of some and of the
    last. The rest, and packed files of one page, are checked when they are read.
    """
    count, first, lost = _pages(files[0])
    size, packed = files[0].stat().st_size, is_packed(files[0])
    counts, pages, notes = {files[0]: count}, {files[0]: first}, [lost]
    for file in files[1:]:
        if count > 1 or lost or (not packed and file.stat().st_size != size):
            counts[file], pages[file], note_of_file = _pages(file)
            notes.append(note_of_file)
    place = first[Page(files[0], 0)]
    pixels = place.shape[0] * place.shape[1] * place.dtype.itemsize * count
    frames = TiffFrames(
        tuple(Page(file, number) for file in files for number in range(counts.get(file, 1))),
        place.shape,
        place.dtype.newbyteorder("="),
        whole=place.offset is None,
        stored=min(1.0, size / pixels),
        notes=tuple(note for note in (_meant(files[0], place), *notes) if note),
        _known={page: place for places in pages.values() for page, place in places.items()},
    )
    for page, page_place in list(frames._known.items()):
        frames._check(page, page_place)
    return frames


def _pages(file: Path) -> tuple[int, dict[Page, _Place], str | None]:
    """Count the pages of a file, parse some of them, the first and the last among them, and say if some are lost."""
    with guarded(file), opened_tiff(file) as tif:
        count = page_count(tif)
        some = sorted({*range(min(count, _PARSED)), count - 1})
        places = {Page(file, number): _place(tif, number) for number in some}
        return count, places, lost_pages(tif, count)


def page_count(tif: TiffFile) -> int:
    """Count the frames of a file.

    Result: its pages, or the frames its one directory stands for.
    """
    return int(tif.series[0].shape[0]) if _is_one_directory(tif) else len(tif.pages)


def is_stack(tif: TiffFile) -> bool:
    """Tell whether a file holds several frames, or held them before it was cut.

    Result: true where it has several pages, or tells of more than it has.
    """
    pages = page_count(tif)
    return pages > 1 or lost_pages(tif, pages) is not None


def _is_one_directory(tif: TiffFile) -> bool:
    """Tell whether one directory stands for a whole stack, as ImageJ writes those of more than 4 GB.

    The answer is kept, for each format that is asked opens the file anew, and its description may be long.
    """
    if len(tif.pages) != 1:
        return False
    try:
        state = os.fstat(tif.filehandle.fileno())
    except (OSError, ValueError, AttributeError):  # in memory
        return _one_directory(tif)
    key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
    if key not in _ONE_DIRECTORY:
        if len(_ONE_DIRECTORY) >= _KEPT:
            _ONE_DIRECTORY.clear()
        _ONE_DIRECTORY[key] = _one_directory(tif)
    return _ONE_DIRECTORY[key]


def _one_directory(tif: TiffFile) -> bool:
    if not tif.series:
        return False
    series, page = tif.series[0], tif.pages[0]
    return len(page.shape) == 2 and series.ndim == 3 and series.dataoffset is not None
