"""What a format is: how a file is recognised, read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tomarium.model import Image, Scan

ASSUMED: Final = 0.35
"""Score of a volume that nothing calls one: a scan, where its user tells what only projections have."""
TAKEN_FOR: Final = "taken_for"
"""Key of a volume's metadata: that it was assumed to be one, and what tells that it is a scan."""

CHOOSE: Final = "choose"
"""Key of an image's metadata: how one volume of it is chosen, where it has more axes than z, y and x."""


@dataclass(frozen=True)
class Match:
    """What a format says of a file it recognises.

    Attributes
    ----------
    score : float
        From 0 (no, and `why` says what is lacking) to 1 (certain); the highest of all formats wins.
    dialect : str
        Which spelling of the format it is.
    why : str
        The evidence, in words: "its root holds /exchange/data and /implements".
    entry : str
        Which scan of the file is meant, as the file calls it; "" where a file holds only one.
    entries : tuple of str
        Every scan the file holds.
    found : object
        What detection learned that reading would look for again; None where that is little.
    """

    score: float
    dialect: str
    why: str
    entry: str = ""
    entries: tuple[str, ...] = ()
    found: Any = field(default=None, compare=False, repr=False)


def no_match(why: str) -> Match:
    """Say that a file is not of a format, and what it lacks; formats that have nothing to say answer None."""
    return Match(0.0, "", why)


@dataclass(frozen=True)
class Format:
    """One format; a module of `tomarium.formats` makes itself known by holding one.

    What is said here of `detect`, `read` and `write` holds for those of all formats; theirs say what is their own.

    Attributes
    ----------
    name : str
        Word users write: "data-exchange".
    title : str
        Full name with version.
    suffixes : tuple of str
        Usual endings, lower case; detection looks at the bytes, these only order the questions.
    detect : callable
        `detect(path) -> Match | None`; opens as little as it can, never raises for a file of another kind. None where
        `path`, a file or a folder, is of another kind; a score of 0 where it is of this kind and cannot be read, or
        lacks something: `why` then says what.
    read : callable
        `read(path, match) -> Scan | Image`; lazy: headers are read, and frames, slices and chunks when they are asked
        for. `match` is what `detect` said; its `entry` names the one that is wanted. Raises FormatError where the file
        is damaged, or has no such entry.
    write : callable or None
        `write(path, scan_or_image, **what it documents)`; None where the format is only read. What it makes has its
        name when it is complete, and one block of frames or slices at a time is in memory. Raises InputError where
        the format cannot hold it, FormatError where something else is at the path already, StorageFull where the disk
        is full: nothing is left behind then, unless it is to be resumed.
    writes : frozenset of str
        What `write` takes: "scan", "volume" (an image with the axes z, y, x), "image" (any other). Empty where
        the format does not say; then its `write` refuses what it cannot.
    resumes : bool
        Whether `write` also takes `resume` (a run that stops leaves what it has, and goes on from there when it
        is repeated) and `on_progress` (told of bytes written and bytes in all).
    carries : bool
        Whether `write` also takes `side_car`, as `tomarium.formats.provenance.embedded_source` tells.
    rounds : bool
        Whether `write` also takes `lossy`: values that the format does not hold exactly may then be rounded.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    detect: Callable[[Path], Match | None]
    read: Callable[[Path, Match], Scan | Image]
    write: Callable[..., Any] | None = None
    writes: frozenset[str] = frozenset()
    resumes: bool = False
    carries: bool = False
    rounds: bool = False
