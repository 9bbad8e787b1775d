"""What a viewer is told of a record that it renders on a page: where things are, and what the address chooses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tomarium.catalogue.model_file import has_preview
from tomarium.model import Record
from tomarium.portal.hdf5 import is_hdf5_name
from tomarium.portal.languages import translations
from tomarium.portal.levels import level_of
from tomarium.portal.request_context import RequestContext
from tomarium.viewers.viewer import View, Viewer


def view_of(viewer: Viewer, record: Record, folder: Path, request_context: RequestContext) -> View:
    """Tell a viewer where it finds things, with the choices that stand in the page's address.

    Parameters
    ----------
    viewer : Viewer
        Whose pictures are addressed.
    record : Record
        Whose files and pages are.
    folder : Path
        Its folder.
    request_context : RequestContext
        Of the request.

    Returns
    -------
    View
        What it is rendered with.
    """
    choices = dict(request_context.request.query_params)
    level = level_of(request_context.request)

    def page(changes: Mapping[str, str | None]) -> str:
        changed = {**choices, **changes}
        return request_context.link(
            "record", {"id": record.id}, {key: text for key, text in changed.items() if text}
        )

    def file(path: str) -> str:
        name = "folder" if path.endswith("/") else "file"
        return request_context.link(name, {"id": record.id, "path": path.rstrip("/")})

    def picture(name: str, query: Mapping[str, str]) -> str:
        return request_context.link("picture", {"id": record.id, "viewer": viewer.name, "name": name}, query)

    def inside(path: str) -> str:
        return request_context.link("hdf5", {"id": record.id, "path": path}) if is_hdf5_name(path) else ""

    def term(id: str) -> str:
        return f"{request_context.link('glossary')}#{id}"

    def model(path: str) -> str:
        if not any(part.path == path and has_preview(part) for part in record.parts):
            return ""
        return request_context.link("model_page", {"id": record.id}, {"mesh": path})

    return View(
        folder,
        choices,
        page,
        file,
        picture,
        request_context.origin,
        inside,
        term,
        level,
        translations(request_context.language),
        model,
    )
