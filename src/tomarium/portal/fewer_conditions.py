"""What a search that finds nothing would find with one of its conditions less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tomarium.catalogue import search
from tomarium.catalogue.asked import Asked
from tomarium.catalogue.facets import FACETS
from tomarium.portal.facet_links import label_of_value
from tomarium.portal.request_context import RequestContext
from tomarium.standards.panet import label_of

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
    """

    facet: str
    condition: str
    total: int
    more: bool
    address: str


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
        For the conditions without which something is found; empty where there is one condition only.
    """
    conditions = [*_each_left_out(asked)]
    if not 1 < len(conditions) <= _TRIED:
        return ()
    found = []
    for facet, condition, others in conditions:
        page = search(
            request_context.catalogue,
            request_context.reader,
            others.words,
            filters=others.filters,
            ranges=others.ranges,
            companions=others.companions,
            limit=1,
            elsewhere=True,
        )
        if page.total:
            address = f"{request_context.link('records')}?{others.spelled}"
            found.append(Without(facet, condition, page.total, page.more, address))
    return tuple(found)


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
