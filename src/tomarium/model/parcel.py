"""Parcels of specimens, and what becomes of a specimen: the words for their states and events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tomarium.errors import ParameterError
from tomarium.model.entity import Fact

STATES: Final = {
    "announced": "announced",
    "sent": "on its way",
    "received": "received",
    "stored": "stored",
    "returned": "on its way back",
    "back": "back with its sender",
    "cancelled": "cancelled",
}
"""State of a parcel → words for people."""
NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "announced": ("sent", "cancelled"),
    "sent": ("received",),
    "received": ("stored", "returned"),
    "stored": ("returned",),
    "returned": ("back",),
    "back": (),
    "cancelled": (),
}
"""State → those that follow as a rule; another one corrects what was said."""
DONE: Final = {
    "sent": "Sent",
    "received": "Received",
    "stored": "Stored",
    "returned": "Sent back",
    "back": "Arrived back",
    "cancelled": "Cancel it",
    "announced": "Announced",
}
"""State → what somebody says who brings a parcel there."""
EVENTS: Final = {
    "moved": "moved",
    "handed-over": "handed over",
    "received": "received",
    "stored": "stored",
    "sent": "sent",
    "returned": "sent back",
    "back": "arrived back",
    "examined": "examined",
}
"""What becomes of a specimen → words for people."""
BY_HAND: Final = ("moved", "handed-over", "received", "examined")
"""Events that people tell of one specimen; the others come with a parcel."""
FACTS: Final = (
    Fact("title", "What it is"),
    Fact("sender", "Sender"),
    Fact("sender_address", "Address of the sender", private=True),
    Fact("sender_phone", "Telephone of the sender", private=True),
    Fact("receiver", "Receiver"),
    Fact("address", "Address of the receiver", private=True),
    Fact("phone", "Telephone of the receiver", private=True),
    Fact("carrier", "Carrier"),
    Fact("tracking", "Tracking number"),
    Fact("hazards", "Safety remarks"),
    Fact("note", "Remarks"),
)
"""What can be told of a parcel; what is private is seen by its sender, its receiver and curators alone."""
LONG: Final = ("sender_address", "address", "hazards", "note")
"""Facts of several lines."""
_LONGEST: Final = 2000
_LONGEST_PLACE: Final = 200
_DEEPEST: Final = 8


def read_place(text: str) -> str:
    """Read a place: parts from the largest to the smallest, with "/" between.

    Parameters
    ----------
    text : str
        "lab 3/shelf B"; "" for none.

    Returns
    -------
    str
        "lab 3 / shelf B".

    Raises
    ------
    ParameterError
        It is too long, or has more than eight parts.
    """
    parts = [" ".join(word.split()) for word in text.split("/")]
    read = " / ".join(part for part in parts if part)
    if len(read) > _LONGEST_PLACE or read.count("/") >= _DEEPEST:
        raise ParameterError(
            f"{text[:60]!r} is no place; write at most {_DEEPEST} parts with '/' between, {_LONGEST_PLACE} "
            f"characters in all: lab 3 / shelf B / box 7"
        )
    return read


def read_parcel_facts(given: Mapping[str, str]) -> dict[str, str]:
    """Read facts of a parcel as people type them.

    Parameters
    ----------
    given : mapping of str to str
        Key of a fact → text.

    Returns
    -------
    dict of str to str
        The same without needless spaces.

    Raises
    ------
    ParameterError
        There is no such fact, or a text is too long.
    """
    keys = {fact.key for fact in FACTS}
    for key, text in given.items():
        if key not in keys:
            raise ParameterError(f"a parcel has no fact {key[:60]!r}; there are {', '.join(sorted(keys))}")
        if len(text) > _LONGEST:
            raise ParameterError(f"{key}: has {len(text)} characters; at most {_LONGEST} were expected")
    return {
        key: re.sub(r"[ \t]+", " ", text.strip()) if key in LONG else " ".join(text.split())
        for key, text in given.items()
    }
