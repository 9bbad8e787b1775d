"""The NeXus authors' own validator, nxvalidate of the package nexusformat, asked where it is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import h5py

from tomarium.doctor.checks.structure import entries_of
from tomarium.doctor.core.check import check
from tomarium.doctor.core.finding import Finding, info, warning
from tomarium.doctor.core.subject import Subject, an_hdf5_file
from tomarium.errors import FormatError
from tomarium.formats.hdf5.names import visit_links
from tomarium.formats.hdf5.source import reading

SECONDS: Final = 30.0
_SHOWN: Final = 4
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
# nexusformat 2.1 marks an error with this colour and bold, a warning with another colour and bold.
_ERROR: Final = "\x1b[38;5;1m"
_MARKED: Final = "\x1b[1m"
_OBJECT: Final = re.compile(r"^\s*(?:Field|Link|Group): (\S+)")


def _may_be_asked(subject: Subject) -> bool:
    return find_spec("nexusformat") is not None and an_hdf5_file(subject)


@check(_may_be_asked)
def nxvalidate(subject: Subject) -> Iterator[Finding]:
    """Validate NXtomo entries by the NeXus definitions that nexusformat brings.

    Parameters
    ----------
    subject : Subject
        An HDF5 file; says nothing of files without an NXtomo entry, and of those that point out of their folder.

    Yields
    ------
    Finding
        A warning with the validator's errors, an information with its warnings. None is an error here: what
        makes a scan unusable is told by the other checks.
    """
    entries = entries_of(subject)
    if not entries or subject.path is None:
        return
    try:
        _refuse_links_out(subject.path)
    except FormatError as problem:
        yield info(
            subject.name, f"nxvalidate was not asked: {problem}", "links that stay in the scan's folder"
        )
        return
    for entry in entries:
        try:
            output = _ask(subject.path, entry.name)
        except subprocess.TimeoutExpired:
            yield info(
                entry.name, f"nxvalidate did not answer in {SECONDS:g} s", "an answer", "run it by hand"
            )
            continue
        for say, text, many, problems in (
            (warning, "error", "errors", parse(output, errors=True)),
            (info, "warning", "warnings", parse(output, errors=False)),
        ):
            if problems:
                more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
                yield say(
                    entry.name,
                    f"{len(problems)} {text if len(problems) == 1 else many}: {'; '.join(problems[:_SHOWN])}{more}",
                    "NXtomo as the NeXus definitions have it",
                    f"`nxvalidate {subject.name} -a NXtomo -p {entry.name}` lists all; other programs may refuse it",
                )


def parse(text: str, *, errors: bool) -> list[str]:
    """Read what nxvalidate prints.

    Parameters
    ----------
    text : str
        Its output, with its colours: they alone tell errors from warnings.
    errors : bool
        Whether its errors are wanted, else its warnings.

    Returns
    -------
    list of str
        "path: problem", each once, in the order of the file.
    """
    messages, where = [], ""
    for line in text.splitlines():
        plain = _COLOUR.sub("", line)
        match = _OBJECT.match(plain)
        if match:
            where = match[1]
        elif _MARKED in line and (_ERROR in line) == errors:
            messages.append(f"{where}: {plain.strip()}")
    return list(dict.fromkeys(messages))


def _ask(path: Path, entry: str) -> str:
    command = [sys.executable, "-c", "from nexusformat.scripts.nxvalidate import main; main()"]
    process = subprocess.run(
        [*command, str(path), "-a", "NXtomo", "-p", entry],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
        env={**os.environ, "HDF5_USE_FILE_LOCKING": "FALSE"},
    )
    return process.stdout


def _refuse_links_out(path: Path) -> None:
    """Refuse a file that would have its validator open files elsewhere."""
    with reading(path) as source:

        def visit(name: str, link: object) -> None:
            if isinstance(link, h5py.ExternalLink):
                source.locate(path, link.filename)

        visit_links(source.file, visit)
