"""The night at the beamline: the last six slices, how old they are, and whether all is well."""

from __future__ import annotations

from time import time
from typing import Annotated

from fastapi import Query, Request

from tomarium.beamtime.live_file import NAME
from tomarium.portal.identity import identify
from tomarium.portal.live import asks_name, demand_member, live_folder, state_now
from tomarium.portal.live_view import LivePage, Remarks, live_page
from tomarium.portal.page import Page
from tomarium.portal.request_context import CurrentRequest


def content(
    request_context: CurrentRequest,
    hold: Annotated[bool, Query(description="Whether the page stays as it is.")] = False,
    day: Annotated[bool, Query(description="Whether the page is light.")] = False,
) -> LivePage:
    """Show how the watch of this portal goes: the last slices with their age, warnings, queue and failures."""
    demand_member(request_context)
    folder = live_folder(request_context.request)
    seen = state_now(folder)  # before the rest is read: what changes in between is told
    return live_page(
        folder,
        time(),
        lambda file, version: request_context.link("live.picture", {"file": file}, {"v": version}),
        events=request_context.link("live.events", query={"seen": seen}),
        remarks=Remarks(request_context.link("live.remark"), asks_name(request_context.reader)),
        day=day,
        hold=hold,
    )


def _is_shown(request: Request) -> bool:
    """Tell whether there is a watch, and who asks may see it."""
    folder = live_folder(request)
    return folder is not None and (folder / NAME).is_file() and identify(request).reader.role != "visitor"


LIVE = Page(
    name="live",
    path="/live",
    json_path="/live.json",
    template="live.html",
    content=content,
    menu="Live",
    order=16,
    own=True,
    shown=_is_shown,
)
