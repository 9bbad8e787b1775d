"""That a specimen of this catalogue and something described elsewhere are the same sample: a claim, and its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CLAIMED: Final = "claimed"
CONFIRMED: Final = "confirmed"
NOT_REACHABLE: Final = "not-reachable"
WITHDRAWN: Final = "withdrawn"
STATES: Final = {
    CLAIMED: "claimed by this side alone",
    CONFIRMED: "confirmed: the other side claims the same",
    NOT_REACHABLE: "claimed by this side; the other could not be read",
    WITHDRAWN: "withdrawn",
}
"""State of a claim → words for people."""


@dataclass(frozen=True)
class SameSampleClaim:
    """That a specimen is the same sample as one that is described elsewhere.

    Attributes
    ----------
    specimen : str
        Identifier of the specimen of this catalogue.
    target : str
        Address of the other: its page, or that of its DOI or IGSN.
    evidence : str
        How that is known.
    who, when : str
        Who claims it, and since when (ISO 8601).
    state : str
        A key of `STATES`.
    checked : str
        When the other side was last asked (ISO 8601); "" where it never was.
    told : str
        What it answered, in a sentence; "" where it never was asked.
    withdrawn : str
        Why the claim was withdrawn; "" where it stands.
    """

    specimen: str
    target: str
    evidence: str
    who: str
    when: str
    state: str = CLAIMED
    checked: str = ""
    told: str = ""
    withdrawn: str = ""
