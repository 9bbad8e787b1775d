"""The first two lines of the words that the index keeps of a record: its keywords, and who made it.

The second is what a card of a search tells of people, so that a card needs no column and no reading of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_BETWEEN: Final = "; "  # a name may have a comma: "Lovelace, Ada"


def write_naming_lines(keywords: Iterable[str], creators: Iterable[str]) -> tuple[str, str]:
    """Write the two lines.

    Parameters
    ----------
    keywords, creators : iterable of str
        Of a record, or of what was harvested.

    Returns
    -------
    tuple of str
        Keywords with commas between, names with semicolons between.
    """
    names = (_one_line(name).replace(";", ",") for name in creators)
    return ", ".join(map(_one_line, keywords)), _BETWEEN.join(filter(None, names))


def creators_in(words: str) -> tuple[str, ...]:
    """Read who made a record from its words.

    Parameters
    ----------
    words : str
        As the index keeps them, with the two lines first.

    Returns
    -------
    tuple of str
        Their names; of what was indexed before names had semicolons between, all of them as one text.
    """
    _, _, rest = words.partition("\n")
    return tuple(name for name in rest.partition("\n")[0].split(_BETWEEN) if name)


def _one_line(text: str) -> str:
    return " ".join(text.split())
