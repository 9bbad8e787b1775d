"""What a search that finds nothing would find with one of its conditions less, or with its words read as a range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tomarium.catalogue.asked import Asked
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.facets import FACETS
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.search import search
from tomarium.standards.panet import label_of

_TYPED: Final = re.compile(
    r"(?:\b(?P<name>voxel|pixel|energy) *)?(?P<bound>[<>]=? *\d+(?:\.\d+)?) *(?P<unit>nm|[uµμ]m|mm|keV)\b",
    re.IGNORECASE,
)
_TRIED: Final = 6  # conditions at most: each is a search


@dataclass(frozen=True)
class Without:
    """A condition, and what is found without it.

    Attributes
    ----------
    facet : str
        Key of the facet; "" of words, ranges and companions.
    values : tuple of str
        The condition as it was asked: ("devonian",), ("pixel <1um",), ("CC-BY-4.0", "CC0-1.0").
    asked : Asked
        The search without it.
    total : int
        Records found so.
    more : bool
        There are more than `total`.
    as_range : bool
        Whether it is not left out, but was typed among the words and is asked as a range.
    """

    facet: str
    values: tuple[str, ...]
    asked: Asked
    total: int = 0
    more: bool = False
    as_range: bool = False


def without_one(catalogue: Catalogue, reader: Reader, asked: Asked) -> tuple[Without, ...]:
    """Find what each condition alone keeps a search from finding.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who asks.
    asked : Asked
        A search that finds nothing.

    Returns
    -------
    tuple of Without
        For the conditions without which something is found, where there are several; or "<5um" among the words, where
        something is found by it as a range.
    """
    for condition, others in _typed_range(asked):
        if found := _found(catalogue, reader, "", (condition,), others, as_range=True):
            return (found,)
    conditions = [*_each_left_out(asked)]
    if not 1 < len(conditions) <= _TRIED:
        return ()
    tried = (_found(catalogue, reader, facet, values, others) for facet, values, others in conditions)
    return tuple(filter(None, tried))


def _found(
    catalogue: Catalogue,
    reader: Reader,
    facet: str,
    values: tuple[str, ...],
    asked: Asked,
    as_range: bool = False,
) -> Without | None:
    """Count what is found; None where that is nothing."""
    page = search(
        catalogue,
        reader,
        asked.words,
        filters=asked.filters,
        ranges=asked.ranges,
        companions=asked.companions,
        limit=1,
        elsewhere=True,
    )
    return Without(facet, values, asked, page.total, page.more, as_range) if page.total else None


def _typed_range(asked: Asked) -> Iterator[tuple[str, Asked]]:
    """Read "<5um" among the words as a range of the voxel size, or of the pixel size, and "<20 keV" of the energy."""
    match = _TYPED.search(asked.words)
    if match is None:
        return
    sizes = ("energy",) if match["unit"].lower() == "kev" else ("voxel", "pixel")
    name = (match["name"] or "").lower()
    words = " ".join((asked.words[: match.start()] + asked.words[match.end() :]).split())
    text = match["bound"] + ("keV" if sizes == ("energy",) else match["unit"].lower())
    for size in sizes:
        if name in ("", size):
            ranges = {**asked.ranges, size: (*asked.ranges.get(size, ()), text)}
            yield f"{size} {text}", replace(asked, words=words, ranges=ranges)


def _each_left_out(asked: Asked) -> Iterator[tuple[str, tuple[str, ...], Asked]]:
    if words := " ".join(asked.words.split()):
        yield "", (words,), replace(asked, words="")
    for name in FACETS:
        if values := asked.filters.get(name):
            yield name, tuple(values), replace(asked, filters=_without(asked.filters, name))
    for name, texts in asked.ranges.items():
        yield "", (f"{name} {', '.join(texts)}",), replace(asked, ranges=_without(asked.ranges, name))
    if asked.companions:
        yield "", tuple(map(label_of, asked.companions)), replace(asked, companions=())


def _without(values: Mapping[str, tuple[str, ...]], name: str) -> dict[str, tuple[str, ...]]:
    return {other: texts for other, texts in values.items() if other != name}
