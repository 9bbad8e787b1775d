"""Labels for specimens: which, on what sheet, and the sheet as it is printed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import HTTPException, Query
from markupsafe import Markup

from tomarium.catalogue.entities import entity_of
from tomarium.catalogue.label_sheet import SHEETS, Label, label_pages
from tomarium.errors import ParameterError
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

MOST = 500


@dataclass(frozen=True)
class LabelsPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    labels : tuple of Label
        What stands on them.
    sheets : tuple of Markup
        Drawn, A4.
    asked : str
        Identifiers of the specimens.
    size, skip : str, int
        Name of the sheet, and labels of the first one that are used already.
    sizes : tuple of (str, str)
        To choose from.
    """

    title: str
    labels: tuple[Label, ...]
    sheets: tuple[Markup, ...] = field(metadata=FOR_PEOPLE)
    asked: str = field(metadata=FOR_PEOPLE)
    size: str = field(metadata=FOR_PEOPLE)
    skip: int = field(metadata=FOR_PEOPLE)
    sizes: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    specimens: Annotated[str, Query(max_length=20_000, description="Identifiers, with spaces between")] = "",
    size: Annotated[str, Query(max_length=20, description=f"One of {', '.join(SHEETS)}")] = "38x21",
    skip: Annotated[int, Query(ge=0, le=100, description="Labels of the first sheet that are used")] = 0,
) -> LabelsPage:
    """Draw labels with QR codes for specimens that the reader may see, to be printed at 100 %."""
    ids = [word for word in re.split(r"[\s,;]+", specimens) if word]
    if len(ids) > MOST:
        raise HTTPException(400, f"{len(ids)} specimens were asked for; at most {MOST} at once.")
    if size not in SHEETS:
        raise HTTPException(400, f"There is no sheet “{size}”; there are {', '.join(SHEETS)}.")
    labels = []
    with request_context.catalogue.reading() as connection:
        for id in ids:
            held_entity = entity_of(connection, request_context.reader, id)
            if held_entity is None or held_entity.entity.kind != "specimen":
                raise HTTPException(404, f"There is no specimen “{id[:80]}” in this catalogue.")
            hazards = str(held_entity.entity.facts.get("hazards", ""))
            address = request_context.address("specimen", {"id": id})
            labels.append(Label(id, held_entity.entity.name, address, " ".join(hazards.split())))
    try:
        pages = label_pages(labels, SHEETS[size], skip) if labels else []
    except ParameterError as problem:
        raise HTTPException(400, f"{problem}.") from problem
    sizes = tuple((sheet.name, sheet.words) for sheet in SHEETS.values())
    drawn = tuple(Markup(page) for page in pages)
    return LabelsPage("Labels", tuple(labels), drawn, " ".join(ids), size, skip, sizes)


LABELS = Page("labels", "/labels", "/labels.json", "labels.html", content)
