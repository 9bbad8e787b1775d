"""Links to what a search that finds nothing would find with one of its conditions less."""

from __future__ import annotations

from dataclasses import dataclass

from tomarium.catalogue.asked import Asked
from tomarium.catalogue.facets import FACETS
from tomarium.catalogue.fewer_conditions import without_one
from tomarium.portal.facet_links import label_of_value
from tomarium.portal.request_context import RequestContext


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


def without_links(request_context: RequestContext, asked: Asked) -> tuple[Without, ...]:
    """Link what each condition alone keeps a search from finding.

    Parameters
    ----------
    request_context : RequestContext
        Of the request.
    asked : Asked
        A search that finds nothing.

    Returns
    -------
    tuple of Without
        As `tomarium.catalogue.fewer_conditions.without_one` finds them.
    """
    return tuple(
        Without(
            FACETS.get(found.facet, ""),
            ", ".join(label_of_value(found.facet, value) if found.facet else value for value in found.values),
            found.total,
            found.more,
            f"{request_context.link('records')}?{found.asked.spelled}",
            found.as_range,
        )
        for found in without_one(request_context.catalogue, request_context.reader, asked)
    )
