"""What a search that finds nothing would find with one of its conditions less, or with its words read as a range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tomarium.catalogue import search
from tomarium.catalogue.asked import Asked
from tomarium.catalogue.facets import FACETS
from tomarium.portal.facet_links import label_of_value
from tomarium.portal.request_context import RequestContext
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
        Label of the facet; "" of words and of ranges.
    condition : str
        As it was asked: "devonian", "pixel <1um", "CC-BY-4.0".
    total : int
        Records found without it.
    more : bool
        There are more than `total`.
    address : str
        Of that search.
    as_range : bool
        Whether it is not left out, but was typed among the words and is asked as a range.
    """

    facet: str
    condition: str
    total: int
    more: bool
    address: str
    as_range: bool = False


def without_one(request_context: RequestContext, asked: Asked) -> tuple[Without, ...]:
    """Find what each condition alone keeps a search from finding.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    asked : Asked
        A search that finds nothing.

    Returns
    -------
    tuple of Without
        For the conditions without which something is found, where there are several; or "<5um" among the words, where
        something is found by it as a range.
    """
    for condition, others in _typed_range(asked):
        if found := _found(request_context, others, Without("", condition, 0, False, "", as_range=True)):
            return (found,)
    conditions = [*_each_left_out(asked)]
    if not 1 < len(conditions) <= _TRIED:
        return ()
    tried = (
        _found(request_context, others, Without(facet, condition, 0, False, ""))
        for facet, condition, others in conditions
    )
    return tuple(filter(None, tried))


def _found(request_context: RequestContext, asked: Asked, told: Without) -> Without | None:
    """Count what is found; None where that is nothing."""
    page = search(
        request_context.catalogue,
        request_context.reader,
        asked.words,
        filters=asked.filters,
        ranges=asked.ranges,
        companions=asked.companions,
        limit=1,
        elsewhere=True,
    )
    address = f"{request_context.link('records')}?{asked.spelled}"
    return replace(told, total=page.total, more=page.more, address=address) if page.total else None


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


def _each_left_out(asked: Asked) -> Iterator[tuple[str, str, Asked]]:
    if words := " ".join(asked.words.split()):
        yield "", words, replace(asked, words="")
    for name in FACETS:
        if values := asked.filters.get(name):
            labels = ", ".join(label_of_value(name, value) for value in values)
            yield FACETS[name], labels, replace(asked, filters=_without(asked.filters, name))
    for name, texts in asked.ranges.items():
        yield "", f"{name} {', '.join(texts)}", replace(asked, ranges=_without(asked.ranges, name))
    if asked.companions:
        yield "", ", ".join(map(label_of, asked.companions)), replace(asked, companions=())


def _without(values: Mapping[str, tuple[str, ...]], name: str) -> dict[str, tuple[str, ...]]:
    return {other: texts for other, texts in values.items() if other != name}
