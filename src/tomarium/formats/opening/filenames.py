"""What the names of a folder's TIFF files say: their order, their series, and whether they are slices."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from tomarium.errors import FormatError
from tomarium.formats.opening.unpacked import bare

# Words that programs of the field give to reconstructed slices (nrecon, tomopy, nabu, Octopus, Dragonfly …).
SLICES: Final = frozenset(
    ("rec", "recs", "recon", "recons", "reconstructed", "reconstruction", "nrec", "slice", "slices", "slc", "vol",
     "volume", "nabuslice")
)  # fmt: skip
# Words of radiographs, which outweigh them: "recon_of_proj_0001".
PROJECTIONS: Final = frozenset(
    (
        "proj",
        "projs",
        "projection",
        "projections",
        "radio",
        "radios",
        "radiograph",
        "radiographs",
        "raw",
        "view",
    )
)
_NUMBERS: Final = re.compile(r"(\d+)")
# How many absent numbers are named.
_NAMED: Final = 5
_LAST_NUMBER: Final = re.compile(r"\d+(?=[^\d/\\]*$)")


def natural(file: Path) -> tuple[int | str, ...]:
    """Return the key that sorts frame_2 before frame_10."""
    return _natural(str(file))


@lru_cache(maxsize=1 << 16)
def _natural(text: str) -> tuple[int | str, ...]:
    """Split a name; a folder of thousands is sorted several times on the way to a scan."""
    return tuple(int(part) if part.isdigit() else part.lower() for part in _NUMBERS.split(text))


def series_of(files: list[Path]) -> list[list[Path]]:
    """Group files whose names differ only in their last number.

    `files`: in any order, which is kept in each group.
    """
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(_LAST_NUMBER.sub("#", str(bare(file).with_suffix(""))), []).append(file)
    return sorted(groups.values(), key=len, reverse=True)


def gaps(series: list[Path]) -> list[int]:
    """List the numbers that a series leaves out.

    `series`: files whose names differ only in their last number.
    """
    present = sorted({int(digits[-1]) for file in series if (digits := re.findall(r"\d+", bare(file).stem))})
    absent: list[int] = []
    for number, following in pairwise(present):
        absent.extend(range(number + 1, min(following, number + 1001 - len(absent))))
    return absent


def gap_warnings(series: list[Path], what: str) -> list[str]:
    """Say which numbers a series of slices leaves out; `what` it is: "series", "pages". Nothing where it has all."""
    absent = gaps(series)
    if not absent:
        return []
    numbers_text = ", ".join(map(str, absent[:_NAMED])) + (" …" if len(absent) > _NAMED else "")
    return [
        f"{len(absent)} numbers are absent from the {what}: {numbers_text}; what follows lies closer than it should"
    ]


def one_series(folder: Path, files: list[Path], what: str, remedy: str) -> list[list[Path]]:
    """Cut files into series, the longest first; refuse two that are equally long, and one number twice in it.

    `what`: "frame" or "slice", for messages, as `remedy`.
    """
    ranked = series_of(files)
    if len(ranked) > 1 and len(ranked[1]) == len(ranked[0]) > 1:
        raise FormatError(
            f"{folder}: holds two series of {len(ranked[0])} files, {ranked[0][0].name} … and "
            f"{ranked[1][0].name} …; {remedy}"
        )
    if len(ranked[0]) > 1:
        check_numbers(folder, ranked[0], what)
    return ranked


def check_numbers(folder: Path, series: list[Path], what: str) -> None:
    """Refuse two files of a series that have one number, as frame_7 and frame_0007, or frame_7.tif and frame_7.tiff.

    `series`: files whose names differ only in their last number. `what`: "frame" or "slice", for the message.
    """
    seen: dict[int, Path] = {}
    for file in series:
        digits = re.findall(r"\d+", bare(file).stem)
        before = seen.setdefault(int(digits[-1]), file) if digits else file
        if before is not file:
            raise FormatError(
                f"{folder}: {before.name} and {file.name} have the same number, so one of them would be a {what} too "
                f"many; keep one of the two"
            )


def name_of_slices(files: list[Path], home: Path) -> str | None:
    """Say which name calls the longest series of a folder slices.

    `files`: TIFF files of the folder, or of one below it. Result: the name, in words; None where it says
    nothing, or speaks of projections.
    """
    first = min(series_of(files)[0], key=natural)
    names = (
        [bare(first).stem, first.parent.name]
        if first.parent == home
        else [bare(first).stem, first.parent.name, home.name]
    )
    words = [_words(name) for name in names]
    if is_named_projection(first):
        return None
    called = next((name for name, meaning in zip(names, words, strict=True) if meaning & SLICES), None)
    return None if called is None else f"the name {called} speaks of slices"


def taken_for_slices(pages: int) -> str:
    """Say that slices were assumed, and what tells that they are projections instead.

    `pages`: how many there are. Result: in words.
    """
    return (
        f"nothing says whether they are slices or projections, and they are taken for slices: if they are projections, "
        f"say so by --angles, such as --angles 0:180:{pages}, by --flats or by --domain"
    )


def is_named_projection(file: Path) -> bool:
    """Tell whether a file's name speaks of projections.

    Result: whether it holds one of the words of radiographs.
    """
    return bool(_words(bare(file).stem) & PROJECTIONS)


def _words(name: str) -> set[str]:
    return set(re.split(r"[\W_\d]+", name.lower()))
