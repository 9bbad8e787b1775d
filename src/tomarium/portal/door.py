"""What a door is: addresses that are no page, such as files, forms, feeds and protocols for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI


@dataclass(frozen=True)
class Door:
    """Addresses that belong together; a module of `tomarium.portal` makes them known by holding one.

    Attributes
    ----------
    name : str
        What is behind it: "uploads", "oai".
    give : callable
        `give(app)`: adds the routes to an application, by `routes.add_get_route` for GET and `forms.add_form_route`
        for POST.
    first : bool
        Whether its addresses are looked for before those of the pages, one of which would take them:
        "/events/{name}.ics" is an event to "/events/{name}".
    """

    name: str
    give: Callable[[FastAPI], None]
    first: bool = False
