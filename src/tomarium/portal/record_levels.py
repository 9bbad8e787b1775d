"""What the page of a record leaves out for pupils and students."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tomarium.portal.pages.record import RecordPage

ROWS: Final = frozenset(("Facility", "Beamline", "Instrument", "Scanned", "Voxel", "Volume"))
"""Rows of the label that pupils see."""


def for_readers(page: RecordPage) -> RecordPage:
    """Leave out of a record's page what is too much for the level that it is shown at.

    Parameters
    ----------
    page : RecordPage
        With everything but viewers of other levels.

    Returns
    -------
    RecordPage
        For scientists the page itself. For students without log book and metadata in other standards; for pupils also
        without the description and keywords of the scientists, downloads, who paid, what it is related to and cited by,
        versions and all rows of the label but where and when it was scanned and how large it is.
    """
    if page.level == "scientist":
        return page
    page = replace(page, log=(), changes=(), mine=False, exports=(), exports_and_json=())
    if page.level == "student":
        return page
    return replace(
        page,
        description="",
        keywords=(),
        parameters={},
        facts=tuple(row for row in page.facts if row[0] in ROWS),
        downloads=(),
        opens=False,
        slips=(),
        related=(),
        cited_by=(),
        funding=(),
        entities=(),
    )
