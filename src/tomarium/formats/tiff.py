"""TIFF: a folder of projections with its flats, darks and angles, or one file of many pages.

A folder says by its names what a file shows; the tables below hold the words. Pages that lie in one piece are
read row by row from the file, others page by page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.angles import default_angles, in_degrees, without_references
from tomarium.formats.format import Format, Match
from tomarium.formats.stacks import JoinedFrames
from tomarium.model import FrameKind, Scan, Value
from tomarium.model.scan import Reference

if TYPE_CHECKING:
    from tifffile import TiffFile

SUFFIXES: Final = (".tif", ".tiff")
# TIFF 6.0 section 2 and the BigTIFF design: byte order and the number 42 or 43.
SIGNATURES: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Words of a file's or folder's name that say what the frames show.
WORDS: Final = {
    FrameKind.DARK: ("dark", "darks", "drk", "darkfield"),
    FrameKind.FLAT: ("flat", "flats", "white", "ref", "refs", "bak", "ob", "openbeam", "flatfield", "bright"),
}
# Words that say that references were taken after the projections; otherwise they were before.
AFTER: Final = ("post", "after", "end")
ANGLE_NAMES: Final = re.compile(
    r"(?:.*[_\W])?(?:angles?|theta|rotation)(?:[_\W].*)?\.(?:txt|csv|dat)", re.IGNORECASE
)


@dataclass(frozen=True)
class Page:
    """One frame in a file.

    Attributes
    ----------
    file : Path
        The file.
    number : int
        Page of the file, from 0.
    """

    file: Path
    number: int


@dataclass(frozen=True)
class _Place:
    """Where the pixels of a page lie: at `offset` in one piece, or where tifffile finds them."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int | None


@dataclass(frozen=True, eq=False)
class TiffFrames:
    """A stack of TIFF pages of one size.

    Attributes
    ----------
    pages : tuple of Page
        The frames in order.
    size : tuple of int
        Rows and columns.
    dtype : numpy.dtype
        Type of a pixel.
    whole : bool
        Whether reading one row costs the whole page, because it is compressed.
    stored : float
        Bytes on disk for each byte of pixels.
    """

    pages: tuple[Page, ...]
    size: tuple[int, int]
    dtype: np.dtype[Any]
    whole: bool = False
    stored: float = 1.0
    # What was learnt of each page's place, so that its header is parsed once and not for every slab.
    _known: dict[Page, _Place] = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (len(self.pages), *self.size)

    def read(self, frames: slice | NDArray[np.intp], rows: slice) -> NDArray[Any]:
        """Read detector rows of some frames.

        Parameters
        ----------
        frames : slice or array of int
            Which frames, in the order wanted.
        rows : slice
            Detector rows.

        Returns
        -------
        array, shape (frame, row, column)
            In the stored type and this machine's byte order.

        Raises
        ------
        FormatError
            A file is damaged, absent, or its page differs from the first in size or type.
        """
        wanted = np.arange(len(self.pages))[frames]
        first, last, step = rows.indices(self.size[0])
        result = np.empty((len(wanted), max(0, last - first), self.size[1]), self.dtype)
        for file, run in groupby(range(len(wanted)), key=lambda out: self.pages[wanted[out]].file):
            with guarded(file), ExitStack() as stack:
                tif: TiffFile | None = None
                for out in run:
                    page = self.pages[wanted[out]]
                    place = self._known.get(page)
                    if place is None or place.offset is None:
                        tif = tif or stack.enter_context(_opened(file))
                        place = self._known.setdefault(page, _place(tif, page.number))
                        self._check(page, place)
                    result[out] = self._pixels(page, place, tif, slice(first, max(first, last)))
        return result if step == 1 else result[:, ::step]

    def _pixels(self, page: Page, place: _Place, tif: TiffFile | None, rows: slice) -> NDArray[Any]:
        if place.offset is None and tif is not None:
            whole: NDArray[Any] = np.reshape(tif.asarray(key=page.number), self.size)
            return whole[rows]
        count = rows.stop - rows.start
        start = (place.offset or 0) + rows.start * self.size[1] * place.dtype.itemsize
        return np.fromfile(page.file, place.dtype, count * self.size[1], offset=start).reshape(
            count, self.size[1]
        )

    def _check(self, page: Page, place: _Place) -> None:
        if place.shape != self.size or place.dtype.newbyteorder("=") != self.dtype:
            raise FormatError(
                f"{page.file}: its page {page.number} has {_words(place.shape, place.dtype)}, the first "
                f"frame, {self.pages[0].file.name}, {_words(self.size, self.dtype)}; all frames of a "
                f"scan must be alike, so take it out of the scan"
            )

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        """Return what `read` costs for that many frames and these rows.

        Parameters
        ----------
        frames : int
            How many frames.
        rows : slice
            Detector rows.

        Returns
        -------
        tuple of int
            Bytes read from disk, and bytes decompressed: a compressed page is always decoded whole.
        """
        count = len(range(*rows.indices(self.size[0])))
        row_bytes = self.size[1] * self.dtype.itemsize
        if not self.whole or not count:
            return frames * count * row_bytes, 0
        touched = frames * self.size[0] * row_bytes
        return round(touched * self.stored), touched


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn what a damaged TIFF makes its decoder raise into a FormatError that names the file.

    Parameters
    ----------
    path : Path
        The file being read.

    Raises
    ------
    FormatError
        Anything went wrong below.
    """
    try:
        yield
    except FormatError:
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
def _opened(path: Path) -> Iterator[TiffFile]:
    import logging

    import tifffile

    # tifffile tells of damage by logging and reads on; what matters shows in the shapes, which are checked.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(path) as tif:
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
    if dtype.kind not in "iuf" or rows * columns == 0:
        raise FormatError(
            f"{tif.filehandle.path}: page {number} holds {_words((rows, columns), dtype)}, no frame"
        )
    dtype = dtype.newbyteorder(tif.byteorder)
    size = tif.filehandle.size
    if offset is not None and offset + rows * columns * dtype.itemsize > size:
        raise FormatError(
            f"{tif.filehandle.path}: is truncated: page {number} ends at byte "
            f"{offset + rows * columns * dtype.itemsize}, the file at {size}; copy it again"
        )
    return _Place((int(rows), int(columns)), dtype, None if offset is None else int(offset))


def _words(shape: tuple[int, int], dtype: np.dtype[Any]) -> str:
    return f"{shape[0]} x {shape[1]} pixels of {dtype.newbyteorder('=')}"


def frames_of(files: list[Path]) -> TiffFrames:
    """Make a lazy stack of files, in their order.

    Parameters
    ----------
    files : list of Path
        One or many, each of one page or more.

    Returns
    -------
    TiffFrames
        The stack. Headers are parsed of the first file, and of the others where they differ from it in size;
        the rest are checked when they are read.

    Raises
    ------
    FormatError
        A file is damaged, or its frames differ from the first.
    """
    first = _pages(files[0])
    size = files[0].stat().st_size
    known = {files[0]: first}
    for file in files[1:]:
        if len(first) > 1 or file.stat().st_size != size:
            known[file] = _pages(file)
    place = first[Page(files[0], 0)]
    pixels = place.shape[0] * place.shape[1] * place.dtype.itemsize * len(first)
    frames = TiffFrames(
        tuple(page for file in files for page in known.get(file, (Page(file, 0),))),
        place.shape,
        place.dtype.newbyteorder("="),
        whole=place.offset is None,
        stored=min(1.0, size / pixels),
        _known={page: one for places in known.values() for page, one in places.items()},
    )
    for page, one in list(frames._known.items()):
        frames._check(page, one)
    return frames


def _pages(file: Path) -> dict[Page, _Place]:
    with guarded(file), _opened(file) as tif:
        return {Page(file, number): _place(tif, number) for number in range(_count(tif))}


def _count(tif: TiffFile) -> int:
    return int(tif.series[0].shape[0]) if _is_one_directory(tif) else len(tif.pages)


def _is_one_directory(tif: TiffFile) -> bool:
    """Tell whether one directory stands for a whole stack, as ImageJ writes those of more than 4 GB."""
    if len(tif.pages) != 1 or not tif.series:
        return False
    series, page = tif.series[0], tif.pages[0]
    return len(page.shape) == 2 and series.ndim == 3 and series.dataoffset is not None


def detect(path: Path) -> Match | None:
    """Look for TIFF files in a folder and its sub-folders, or for a file of several pages.

    Parameters
    ----------
    path : Path
        Any path.

    Returns
    -------
    Match or None
        None where there is no TIFF; a score of 0 says what is lacking.
    """
    if path.is_dir():
        files = _files(path)
        if not files:
            return None
        named = ", ".join(sorted({file.parent.name for file in files}))
        if len(files) < 3:
            return Match(
                0.0, "", f"it holds only {len(files)} TIFF files; a scan has projections at several angles"
            )
        return Match(0.6, "series", f"{len(files)} TIFF files lie in {named}")
    if not _is_tiff(path):
        return None
    try:
        with guarded(path), _opened(path) as tif:
            pages = _count(tif)
    except FormatError as problem:
        return Match(0.0, "", str(problem))
    if pages < 2:
        return Match(0.0, "", "it holds one page; open the folder of the series it belongs to")
    return Match(0.6, "stack", f"a TIFF file of {pages} pages")


def _is_tiff(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4) in SIGNATURES
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    """List a folder's TIFF files and those one level below, hidden ones left out."""
    found = [*folder.iterdir(), *(item for sub in folder.iterdir() if sub.is_dir() for item in sub.iterdir())]
    return [
        file
        for file in found
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith(".")
    ]


def _kind(file: Path, home: Path) -> FrameKind:
    """Tell what a file shows by the words of its name, else by those of its folder below `home`."""
    for name in (file.stem, file.parent.name if file.parent != home else ""):
        words = set(re.split(r"[\W_\d]+", name.lower()))
        for kind, known in WORDS.items():
            if words & set(known):
                return kind
    return FrameKind.PROJECTION


def natural(file: Path) -> list[int | str]:
    """Return the key that sorts frame_2 before frame_10.

    Parameters
    ----------
    file : Path
        A file.

    Returns
    -------
    list
        Text and numbers of its path in turn.
    """
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", str(file))]


def read(path: Path, match: Match) -> Scan:
    """Read the header of a TIFF scan.

    Parameters
    ----------
    path : Path
        Folder of a series, or file of many pages.
    match : Match
        What `detect` said of it.

    Returns
    -------
    Scan
        Frames are read when asked for.

    Raises
    ------
    FormatError
        A file is damaged, frames differ in size, or the angles cannot be read.
    """
    files = [path] if path.is_file() else sorted(_files(path), key=natural)
    home = path if path.is_dir() else path.parent
    warnings: list[str] = []
    repaired: list[str] = []
    kinds = {kind: [file for file in files if _kind(file, home) == kind] for kind in FrameKind}
    if path.is_file():
        kinds = {kind: [] for kind in FrameKind} | {FrameKind.PROJECTION: files}
    series = _series(path, kinds[FrameKind.PROJECTION], warnings)
    projections = frames_of(series)
    references = {
        kind: _reference(path, kinds[kind], kind, projections, warnings)
        for kind in (FrameKind.FLAT, FrameKind.DARK)
    }
    angles = _angles(home if path.is_dir() else None, projections.shape[0], warnings, repaired)
    flats, darks = references[FrameKind.FLAT], references[FrameKind.DARK]
    return Scan(
        path=path,
        name=path.stem if path.is_file() else path.name,
        format=FORMAT.name,
        dialect=match.dialect,
        why=match.why,
        projections=projections,
        angles_deg=angles,
        flats=flats,
        darks=darks,
        counts={
            FrameKind.PROJECTION: projections.shape[0],
            FrameKind.FLAT: flats.frames.shape[0] if flats else 0,
            FrameKind.DARK: darks.frames.shape[0] if darks else 0,
        },
        repaired=tuple(repaired),
        warnings=tuple(warnings),
    )


def _series(path: Path, files: list[Path], warnings: list[str]) -> list[Path]:
    """Choose the longest numbered series among the files that are no references."""
    if not files:
        raise FormatError(f"{path}: holds flats and darks but no projections; give the folder above it")
    groups: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        groups.setdefault((file.parent, re.sub(r"\d+(?=\D*$)", "#", file.stem)), []).append(file)
    ranked = sorted(groups.values(), key=len, reverse=True)
    if len(ranked) > 1 and len(ranked[1]) == len(ranked[0]) > 1:
        raise FormatError(
            f"{path}: holds two series of {len(ranked[0])} files, {ranked[0][0].name} … and "
            f"{ranked[1][0].name} …; put each scan into a folder of its own, "
            f"or call its references flat_… and dark_…"
        )
    others = [file.name for group in ranked[1:] for file in group]
    if others:
        warnings.append(
            f"{len(others)} TIFF files are of no series and were left out: {', '.join(others[:5])}"
        )
    series = ranked[0]
    numbers = [int(found[-1]) for file in series if (found := re.findall(r"\d+", file.stem))]
    absent = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))[:5] if numbers else []
    if absent:
        warnings.append(f"the series has gaps: no number {', '.join(map(str, absent))}")
    return series


def _reference(
    path: Path, files: list[Path], kind: FrameKind, projections: TiffFrames, warnings: list[str]
) -> Reference | None:
    if not files:
        warnings.append(f"no {kind} fields were found; their names would hold {' or '.join(WORDS[kind][:3])}")
        return None
    stacks = [frames_of([file]) for file in files]
    for stack in stacks:
        if stack.size != projections.size:
            raise FormatError(
                f"{path}: {stack.pages[0].file.name} has frames of {_words(stack.size, stack.dtype)}, "
                f"the projections {_words(projections.size, projections.dtype)}; both must be "
                f"equal, so crop or replace them"
            )
    after = [
        bool(set(re.split(r"[\W_\d]+", str(file.relative_to(path)).lower())) & set(AFTER)) for file in files
    ]
    position = [np.full(stack.shape[0], float(projections.shape[0]) if late else -1.0)
                for stack, late in zip(stacks, after, strict=True)]  # fmt: skip
    return Reference(stacks[0] if len(stacks) == 1 else JoinedFrames(tuple(stacks)), np.concatenate(position))


def _angles(
    home: Path | None, count: int, warnings: list[str], repaired: list[str]
) -> Value[NDArray[np.float64]]:
    files = sorted(file for file in home.iterdir() if ANGLE_NAMES.fullmatch(file.name)) if home else []
    if not files:
        warnings.append("no file of angles was found: 0° to 180° in equal steps, 180° left out, were assumed")
        return default_angles(count)
    if len(files) > 1:
        warnings.append(f"{files[0].name} was read; {', '.join(file.name for file in files[1:])} was not")
    value, said = in_degrees(_numbers(files[0]), "degree", files[0].name, guess=False)
    kept, mended = without_references(value.value, count)
    repaired.extend(text for text in (said, mended and f"{files[0].name}: {mended}") if text)
    return Value(kept, value.origin, value.source)


def _numbers(file: Path) -> NDArray[np.float64]:
    """Read angles in degrees, separated by lines, blanks or commas; `#` begins a comment."""
    numbers: list[float] = []
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as problem:
        raise FormatError(f"{file}: is no text; a file of angles has one number a line") from problem
    for line_number, line in enumerate(lines, 1):
        words = re.split(r"[\s,;]+", line.split("#")[0].strip())
        if words == [""]:
            continue
        try:
            numbers.extend(float(word) for word in words if word)
        except ValueError as problem:
            raise FormatError(
                f"{file}: line {line_number} is {line.strip()[:40]!r}, no number; "
                f"write one angle in degrees a line"
            ) from problem
    return np.asarray(numbers, dtype=np.float64)


FORMAT = Format(
    name="tiff",
    title="TIFF series or stack",
    suffixes=SUFFIXES,
    detect=detect,
    read=read,
)
