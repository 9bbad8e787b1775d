"""What a source tells in its own words: kept with the record, without what is a person's own affair."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from tomarium.catalogue.quantity import words_of
from tomarium.model.parameter import is_private

NAME: Final = "original-metadata.json"
"""File of a record."""
WITHHELD: Final = "withheld"
"""What stands in that file in place of a private value."""
_Names = tuple[frozenset[str], frozenset[str]]
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def without_private(
    content: Any, also: frozenset[str] = frozenset(), containers: frozenset[str] = frozenset()
) -> tuple[Any, dict[str, Any]]:
    """Part what everybody may read from what is private.

    Parameters
    ----------
    content : JSON value
        All that a source tells.
    also : frozenset of str
        Names that are private in this source besides those whose words say so.
    containers : frozenset of str
        Names of blocks of which each field is looked at, though the block's own words say that it is private.

    Returns
    -------
    public : JSON value
        The same, with "withheld" in place of what is private.
    private : dict of str to JSON value
        `original_` and the path of each private value, its words with "_" between → the value.
    """
    private: dict[str, Any] = {}
    return _part(content, "original", (also, containers), private), private


def original_text(public: Any) -> bytes:
    """Write the file, the same for the same metadata."""
    return (json.dumps(public, indent=1, ensure_ascii=False, default=str) + "\n").encode()


def _part(content: Any, path: str, names: _Names, private: dict[str, Any]) -> Any:
    if isinstance(content, Mapping):
        return {key: _member(str(key), value, path, names, private) for key, value in content.items()}
    if isinstance(content, list):
        return [_part(value, f"{path}_{k}", names, private) for k, value in enumerate(content)]
    if isinstance(content, str) and _MAIL.search(content):
        private[path] = content
        return _MAIL.sub(WITHHELD, content)
    return content


def _member(key: str, value: Any, path: str, names: _Names, private: dict[str, Any]) -> Any:
    words = words_of(key)
    path_here = f"{path}_{words}"
    also, containers = names
    whole = not (key in containers and isinstance(value, Mapping))
    if value not in (None, "", [], {}) and whole and (is_private(words) or key in also):
        private[path_here] = value
        return WITHHELD
    return _part(value, path_here, names, private)
