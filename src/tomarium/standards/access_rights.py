"""Who may have the files of a record, in the words that harvesters of open archives know.

The terms are those of info:eu-repo/semantics (https://wiki.surfnet.nl/display/standards/info-eu-repo), which the
OpenAIRE guidelines for data archives and for literature repositories ask for.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from tomarium.model import Record
from tomarium.standards.citation import is_embargoed

SEMANTICS: Final = "info:eu-repo/semantics/"
EMBARGO_END: Final = "info:eu-repo/date/embargoEnd/"
WORDS: Final = {
    "openAccess": "Open access",
    "embargoedAccess": "Embargoed access",
    "closedAccess": "Closed access",
}


def access_of(record: Record, now: datetime) -> str:
    """Tell who may have the files of a record.

    Parameters
    ----------
    record : Record
        Any record.
    now : datetime
        The present moment, with its zone.

    Returns
    -------
    str
        "openAccess", "embargoedAccess" until its files open, or "closedAccess" of a draft and of what was withdrawn.
    """
    publication = record.publication
    if publication is None or publication.withdrawn:
        return "closedAccess"
    return "embargoedAccess" if is_embargoed(record, now) else "openAccess"


def access_now(record: Record) -> str:
    """Tell who may have the files of a record now, by the clock that `catalogue.reader` asks too."""
    return access_of(record, datetime.fromtimestamp(time.time(), UTC))
