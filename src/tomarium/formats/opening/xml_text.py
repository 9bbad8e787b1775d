"""XML that a file of strangers holds."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree

_LONGEST: Final = 16 << 20


def declares_entities(text: str) -> bool:
    """Tell whether XML declares entities, which may unfold to any length; no program of the field writes them."""
    return "<!DOCTYPE" in text or "<!ENTITY" in text


def parsed(text: str, longest: int = _LONGEST) -> ElementTree.Element | None:
    """Parse XML; None where it is none, declares entities, or is longer than so many characters."""
    if len(text) > longest or declares_entities(text):
        return None
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None
