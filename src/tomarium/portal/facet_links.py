"""Facets with the addresses that choose their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tomarium.catalogue.companions import NAME as COMPANIONS
from tomarium.catalogue.facet_counts import FacetCounts
from tomarium.catalogue.facets import ACCESS, ACCESS_WORDS, CATALOGUE, HERE, HOLDS
from tomarium.standards.panet import label_of

OF_TECHNIQUES: Final = ("technique", COMPANIONS)
"""Facets whose values may be identifiers of PaNET."""

Chosen = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Choice:
    """One value of a facet.

    Attributes
    ----------
    value, label : str
        As records have it, and for people.
    count : int
        Records that are found with it.
    chosen : bool
        Whether it was asked for.
    address : str
        Where it is chosen, or no longer chosen.
    """

    value: str
    label: str
    count: int
    chosen: bool
    address: str


@dataclass(frozen=True)
class Facet:
    """What records have in common.

    Attributes
    ----------
    name, label : str
        Name in addresses, and for people.
    choices : tuple of Choice
        Its values, those with most records first.
    """

    name: str
    label: str
    choices: tuple[Choice, ...]


def with_query(path: str, chosen: Chosen) -> str:
    """Build an address.

    Parameters
    ----------
    path : str
        Without a query.
    chosen : Mapping of str to tuple of str
        Name → values; empty ones are left out.

    Returns
    -------
    str
        Path and query.
    """
    pairs = [(name, value) for name, values in chosen.items() for value in values if value]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def facet_links(facets: Iterable[FacetCounts], path: str, chosen: Chosen) -> tuple[Facet, ...]:
    """Give the values of facets their addresses.

    Parameters
    ----------
    facets : iterable of FacetCounts
        As the catalogue counted.
    path : str
        Of the list.
    chosen : Mapping of str to tuple of str
        What was asked, without the place in the answer.

    Returns
    -------
    tuple of Facet
        In the same order.
    """
    return tuple(
        Facet(
            facet.name,
            facet.label,
            tuple(
                Choice(
                    choice.value,
                    label_of_value(facet.name, choice.value),
                    choice.count,
                    choice.chosen,
                    with_query(
                        path, {**chosen, facet.name: _toggled(chosen.get(facet.name, ()), choice.value)}
                    ),
                )
                for choice in facet.choices
            ),
        )
        for facet in facets
    )


def label_of_value(facet: str, value: str) -> str:
    """Name a value of a facet for people; `facet` is its name in addresses."""
    if facet in OF_TECHNIQUES:
        return label_of(value)
    if facet == "holds":
        return HOLDS.get(value, value)
    if facet == ACCESS:
        return ACCESS_WORDS.get(value, value)
    return "This catalogue" if (facet, value) == (CATALOGUE, HERE) else value


def _toggled(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(text for text in values if text != value) if value in values else (*values, value)
