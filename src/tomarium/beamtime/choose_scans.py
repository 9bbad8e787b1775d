"""Which scans of a folder a batch is about: found by name, or listed in a file that a person can edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tomarium import formats
from tomarium.atomic_files import write_whole
from tomarium.beamtime.arrivals import SCAN_FILES
from tomarium.beamtime.batch_files import STATE
from tomarium.errors import FormatError, InputError
from tomarium.formats.opening.unpacked import bare
from tomarium.formats.record.reader import CRATE
from tomarium.pipeline.run.journal import FOLDER as JOURNAL

REGEX: Final = "re:"
_HEAD: Final = "# Scans of a batch, one a line, below {folder}. Lines with # before them are left out.\n"


def find_scans(folder: Path) -> Iterator[Path]:
    """Find what may be a scan in a folder and those below it.

    Parameters
    ----------
    folder : Path
        Such as that of an experiment.

    Yields
    ------
    Path
        Files and folders of a known format, in the order of their names, damaged ones too. Hidden files, links to
        folders, records and the folders of batches are passed over.

    Raises
    ------
    InputError
        It is no folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: a folder with scans was expected; one scan alone is for tomarium run")
    endings = {ending for form in formats.formats().values() for ending in form.suffixes}
    yield from _candidates_in(folder, endings)


def _candidates_in(folder: Path, endings: set[str]) -> Iterator[Path]:
    for child in sorted(folder.iterdir(), key=lambda entry: _in_order(entry.name)):
        if child.name.startswith("."):
            continue
        if child.is_dir():
            names_of_results = (CRATE, JOURNAL, STATE)
            if child.is_symlink() or any((child / name).exists() for name in names_of_results):
                continue
        elif not child.is_file():
            continue
        try:
            is_scan = bool(formats.recognise(child)) or (
                child.is_file() and bare(child).suffix.lower() in SCAN_FILES
            )
        except (FormatError, OSError):  # it cannot be read; by its name it should have been a scan
            is_scan = bare(child).suffix.lower() in endings
        if is_scan:
            yield child
        elif child.is_dir():
            yield from _candidates_in(child, endings)


def _in_order(name: str) -> list[tuple[int, int | str]]:
    """Sort scan_2 before scan_10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def matching(
    paths: Iterable[Path], folder: Path, match: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[Path]:
    """Choose scans by their names.

    Parameters
    ----------
    paths : iterable of Path
        Scans below the folder.
    folder : Path
        Names are those from here on.
    match : sequence of str
        Patterns as of a shell, ``sampleA_*``, of which one must hold for the scan's name, with or without its ending,
        or that of a folder between; or ``re:`` and a regular expression that is searched for in the path. None is all.
    exclude : sequence of str
        Likewise; what one holds for is left out.

    Returns
    -------
    list of Path
        In the same order.

    Raises
    ------
    InputError
        A regular expression is none.
    """
    matches, unwanted = [_pattern_test(text) for text in match], [_pattern_test(text) for text in exclude]
    chosen = []
    for path in paths:
        names = path.relative_to(folder) if path.is_relative_to(folder) else path
        if (not matches or any(test(names) for test in matches)) and not any(
            test(names) for test in unwanted
        ):
            chosen.append(path)
    return chosen


def _pattern_test(pattern: str) -> Callable[[Path], bool]:
    if pattern.startswith(REGEX):
        try:
            expression = re.compile(pattern.removeprefix(REGEX))
        except re.error as problem:
            raise InputError(
                f"{pattern!r} is no regular expression: {problem}; write one such as 're:sampleA_\\d+'"
            ) from problem
        return lambda path: expression.search(path.as_posix()) is not None
    return lambda path: any(fnmatchcase(name, pattern) for name in (*path.parts, path.stem, path.as_posix()))


def named(text: str, scans: Sequence[Path], folder: Path) -> Path:
    """Find one scan by its path or its name.

    Parameters
    ----------
    text : str
        A path; or the name of one of the scans, with or without its ending.
    scans : sequence of Path
        Scans below the folder.
    folder : Path
        Paths are those from here too.

    Returns
    -------
    Path
        The scan.

    Raises
    ------
    InputError
        There is none, or several have that name.
    """
    paths = [scan for scan in scans if text in (scan.name, scan.stem)]
    if len(paths) == 1:
        return paths[0]
    for place in (Path(text), folder / text):
        if place.exists():
            return place
    problem = f"{len(paths)} scans are called {text}" if paths else f"no scan is called {text}"
    raise InputError(f"{folder}: {problem}; give the path of one")


def read_list(path: Path, folder: Path) -> list[Path]:
    """Read a list of scans.

    Parameters
    ----------
    path : Path
        Text, one scan a line; ``#`` begins a comment at the start of a line or after a space.
    folder : Path
        What relative paths are below.

    Returns
    -------
    list of Path
        In the order of the file, each once. They need not be there: who opens them says so.

    Raises
    ------
    InputError
        The file cannot be read, or lists nothing.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as problem:
        raise InputError(f"{path}: the list of scans cannot be read: {problem.strerror}") from problem
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    paths = list(dict.fromkeys(folder / line for line in lines if line))
    if not paths:
        raise InputError(f"{path}: no scan is listed; write one a line")
    return paths


def write_list(path: Path, scans: Sequence[Path], folder: Path) -> None:
    """Write a list of scans that `read_list` reads.

    Parameters
    ----------
    path : Path
        File to write or to replace.
    scans : sequence of Path
        The scans.
    folder : Path
        Those below it are written relative to it.

    Raises
    ------
    InputError
        A name that no line can hold.
    OSError
        It cannot be written.
    """
    lines = [
        str(scan.relative_to(folder) if scan.is_relative_to(folder) else scan.absolute()) for scan in scans
    ]
    for line in lines:
        if re.search(r"[\r\n]|(^|\s)#|^\s|\s$", line):
            raise InputError(
                f"{line!r} cannot stand in a list of scans, because of a line break, a space at an end, or # after a "
                f"space; rename it, or leave it out with --exclude"
            )
    text = _HEAD.format(folder=folder.name or folder) + "".join(f"{line}\n" for line in lines)
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def names_of(scans: Sequence[Path], names_by_scan: dict[str, str]) -> list[str]:
    """Give each scan a name of its own, under which its result is kept.

    Parameters
    ----------
    scans : sequence of Path
        The scans.
    names_by_scan : dict of str to str
        Path of a scan → the name it was given before, which it keeps; new ones are added.

    Returns
    -------
    list of str
        The stem of its file; where another has it, with the name of its folder before it, or a number behind it.
    """
    names_used = set(names_by_scan.values())
    names = []
    for scan in scans:
        key = str(scan.resolve())
        if key not in names_by_scan:
            stem = bare(scan).stem if scan.is_file() else scan.name
            wishes = (
                stem,
                f"{scan.resolve().parent.name}_{stem}",
                *(f"{stem}_{k}" for k in range(2, 2 + len(names_used) + 1)),
            )
            names_by_scan[key] = next(wish for wish in wishes if wish not in names_used)
            names_used.add(names_by_scan[key])
        names.append(names_by_scan[key])
    return names
