"""A record in plain words, for those who are no scientists: what people write of it themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tomarium.errors import ParameterError

FIELDS: Final = {
    "title": ("Title in plain words", 120),
    "what": ("What it is", 1200),
    "why": ("Why it was scanned", 1200),
    "look_for": ("What to look for", 1200),
}
"""Field of a card → its label, and the characters that it has at most."""


@dataclass(frozen=True)
class PlainCard:
    """What is told of a record in plain words; "" for what is not told.

    Attributes
    ----------
    title : str
        One line.
    what, why, look_for : str
        What it is, why it was scanned, and what is to be seen in it: a few sentences each.
    """

    title: str = ""
    what: str = ""
    why: str = ""
    look_for: str = ""

    @property
    def told(self) -> dict[str, str]:
        """Field → text, of the fields that are told."""
        return {name: text for name in FIELDS if (text := getattr(self, name))}


def read_field(name: str, text: str) -> str:
    """Read a field of a card as people type it.

    Parameters
    ----------
    name : str
        A key of `FIELDS`.
    text : str
        Any text.

    Returns
    -------
    str
        Without white space around it; a title on one line.

    Raises
    ------
    ParameterError
        There is no such field, or the text is too long to be plain.
    """
    if name not in FIELDS:
        raise ParameterError(
            f"a card in plain words has no field {name[:40]!r}; there are {', '.join(FIELDS)}"
        )
    label, most = FIELDS[name]
    read = " ".join(text.split()) if name == "title" else text.strip().replace("\r\n", "\n")
    if len(read) > most:
        raise ParameterError(
            f"{label.lower()}: has {len(read)} characters; at most {most} were expected, for a card is read at one go"
        )
    return read
