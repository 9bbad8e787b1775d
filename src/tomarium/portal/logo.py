"""The picture beside the portal's name: a file in the catalogue's folder that the setting `logo` names."""

from typing import Final

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, Response

from tomarium.portal.door import Door
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.routes import add_get_route
from tomarium.portal.security import LOCKED

# Annotations are evaluated here, not postponed: FastAPI reads them.

TYPES: Final = {"svg": "image/svg+xml", "png": "image/png", "webp": "image/webp"}
LARGEST_BYTES: Final = 1 << 20


def add_routes(app: FastAPI) -> None:
    """Add the route of the logo to an application.

    Parameters
    ----------
    app : FastAPI
        Gets the route.
    """
    add_get_route(app, "/logo", logo, name="logo", kind=Response)


def logo(request_context: CurrentRequest) -> Response:
    """Give the picture beside the portal's name."""
    name = request_context.settings["logo"]
    place = request_context.catalogue.home / name
    if not name or place.is_symlink() or not place.is_file() or place.stat().st_size > LARGEST_BYTES:
        raise HTTPException(
            404,
            f"There is no logo of at most {LARGEST_BYTES >> 20} MiB in the catalogue's folder; see the settings.",
        )
    # An SVG may hold scripts; opened at this address it may do nothing.
    headers = {
        "Content-Security-Policy": f"{LOCKED}; style-src 'unsafe-inline'",
        "Cache-Control": "max-age=3600",
    }
    return FileResponse(place, media_type=TYPES[name.rpartition(".")[2]], headers=headers)


DOOR = Door("logo", add_routes)
