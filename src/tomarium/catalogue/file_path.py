"""Filing whatever is at a path: a record, a volume, a scan, an image, a series, or a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from tomarium import formats
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.make_from_files import Tell, Wish, beside_slices, data_below, make_from_files
from tomarium.catalogue.passed_over import in_one_line
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.catalogue.series_records import file_moment, file_series, is_series
from tomarium.errors import DatabaseUnavailable, FormatError, InputError, TomariumError
from tomarium.model import Image, Record, Scan, Volume
from tomarium.pipeline.run.journal import FOLDER as JOURNAL
from tomarium.standards.ro_crate import FILENAME


@dataclass(frozen=True)
class Filed:
    """What came of it.

    Attributes
    ----------
    records : tuple of Record
        Those that are in the catalogue now.
    problems : tuple of str
        What could not be filed, each with its reason.
    passed_over : tuple of Path
        Files of no known format, which are in no record.
    """

    records: tuple[Record, ...]
    problems: tuple[str, ...] = ()
    passed_over: tuple[Path, ...] = ()


def file_path(
    catalogue: Catalogue,
    path: Path,
    wish: Wish,
    *,
    opener: Callable[[Path], Scan | Image] = formats.open,
    checksums: bool = True,
    reader: Reader = LOCAL_OWNER,
    tell: Tell | None = None,
) -> Filed:
    """File what is at a path in the catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    path : Path
        A record, a volume, a scan, an image, a series of records, or a folder of scans, volumes and images.
    wish : Wish
        How records are made of what is none yet; of several, each has a title of its own.
    opener : callable
        What opens it, for a user who tells something of it.
    checksums : bool
        Whether the files of a record are compared with their checksums.
    reader : Reader
        Whose the records become.
    tell : callable, optional
        Told of progress: a word, how much is done, how much there is.

    Returns
    -------
    Filed
        What is in the catalogue now. In a folder of several, what cannot be filed is named and the others are.

    Raises
    ------
    InputError
        It is one thing, and cannot be filed.
    """
    if (path / FILENAME).exists() or not path.exists() or _is_unfinished(path):
        return Filed((file_moment(catalogue, path, checksums=checksums, reader=reader),))
    if is_series(path):
        return Filed(*file_series(catalogue, path, checksums=checksums, reader=reader))
    left: list[Path] = []
    made = ingest_folders(catalogue, make_folders(path, wish, opener=opener, tell=tell, left=left), reader)
    return replace(made, passed_over=tuple(left))


def ingest_folders(
    catalogue: Catalogue, folders: Iterable[Path | TomariumError], reader: Reader = LOCAL_OWNER
) -> Filed:
    """Put the records that `make_folders` made into the catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    folders : iterable of Path or TomariumError
        Folders of records, and why others could not be made.
    reader : Reader
        Whose the records become.

    Returns
    -------
    Filed
        What is in the catalogue now, and what is not.

    Raises
    ------
    InputError
        It is one record, and cannot be put there.
    """
    records: list[Record] = []
    refused: list[TomariumError] = []
    problems = []
    for folder in folders:
        if isinstance(folder, TomariumError):
            problems.append(str(folder))
            continue
        try:
            records.append(ingest(catalogue, folder, checksums=False, reader=reader))
        except DatabaseUnavailable:
            raise
        except TomariumError as problem:
            problems.append(str(problem))
            refused.append(problem)
    if not records and len(problems) == len(refused) == 1:
        raise refused[0]
    return Filed(tuple(records), tuple(problems))


def make_folders(
    path: Path,
    wish: Wish,
    *,
    opener: Callable[[Path], Scan | Image] = formats.open,
    tell: Tell | None = None,
    left: list[Path] | None = None,
) -> Iterator[Path | TomariumError]:
    """Make the folders of records of what is none yet; nothing is told to a catalogue.

    Parameters
    ----------
    path : Path
        A volume, a scan, an image, or a folder of them.
    wish : Wish
        How; of several, each has a title of its own.
    opener : callable
        What opens it, or each of several.
    tell : callable, optional
        Told of progress.
    left : list of Path, optional
        Gets the files of no known format, which are in no record.

    Yields
    ------
    Path or TomariumError
        The folder of a record; of what cannot be one in a folder of several, why.

    Raises
    ------
    InputError
        It is one thing, and cannot be a record.
    """
    refused = None
    if path.is_file() or formats.recognise(path):
        try:
            opened = opener(path)
        except FormatError as problem:
            if path.is_file():
                raise
            refused = problem  # a folder of other things, perhaps
        else:
            yield make_from_files(path, opened, wish, tell)[1]
            if left is not None and path.is_dir() and isinstance(opened, Volume):
                left += beside_slices(path)
            return
    any_made, problems = False, []
    left = [] if left is None else left
    below = data_below(path, opener, left)
    first = list(islice(below, 2))
    if len(first) > 1:  # one title is none of several
        wish = replace(wish, title="")
    for place, opened_or_error in chain(first, below):
        try:
            if isinstance(opened_or_error, TomariumError):
                raise opened_or_error
            folder = make_from_files(place, opened_or_error, wish, tell)[1]
        except TomariumError as problem:
            problems.append(problem)
            continue
        any_made = True
        yield folder
    if not any_made and refused is not None:
        raise refused
    if not any_made and not problems:
        raise InputError(
            f"{path}: holds no record, volume, scan or image{f', but {in_one_line(left, path)}' if left else ''}; give "
            f"one, or the folder above them"
        )
    yield from problems


def _is_unfinished(path: Path) -> bool:
    """Tell whether a folder is that of a run that did not finish, which `ingest` refuses with what to do."""
    return path.is_dir() and ((path / JOURNAL).exists() or (path / "volume.ome.zarr").is_dir())
