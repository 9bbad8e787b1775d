"""What the OME description of a TIFF tells: the names and colours of its channels, and all else as it stands there.

Source: the OME data model 2016-06, `Pixels/Channel`: `Name`, and `Color`, a signed integer of red, green, blue and
opacity, a byte each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from xml.etree import ElementTree

from tomarium.formats.opening.xml_text import parsed

_LONGEST: Final = 4 << 20
_MOST_PLANES: Final = 64
"""Planes and places of planes that are kept: a series has one of each for each picture."""


def ome_metadata(description: str) -> dict[str, Any]:
    """Read an OME description.

    Parameters
    ----------
    description : str
        XML; what is no XML, declares entities or is longer than 4 MiB tells nothing.

    Returns
    -------
    dict
        `channels`, a list of `name` and `colour` ("#ff0000"), where there are any, and `/original_metadata`: name of an
        element or attribute → text.
    """
    root = parsed(re.sub(r"^\s*<\?xml[^>]*\?>", "", description), _LONGEST)
    if root is None:
        return {}
    told: dict[str, Any] = {"/original_metadata": dict(_lines(root, ""))}
    pixels = next((one for one in root.iter() if _name(one) == "Pixels"), None)
    channels = [one for one in pixels if _name(one) == "Channel"] if pixels is not None else []
    if any(one.get("Name") or one.get("Color") for one in channels):
        told["channels"] = [_channel(one, number) for number, one in enumerate(channels)]
    return told


def _channel(element: ElementTree.Element, number: int) -> dict[str, str]:
    found = {"name": element.get("Name") or f"channel {number}"}
    colour = element.get("Color") or ""
    if re.fullmatch(r"-?\d{1,10}", colour, re.ASCII):
        found["colour"] = f"#{(int(colour) & 0xFFFFFFFF) >> 8:06x}"
    return found


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _lines(element: ElementTree.Element, place: str) -> Iterator[tuple[str, str]]:
    name = f"{place}/{_name(element)}" if place else _name(element)
    for key, text in element.attrib.items():
        yield f"{name}/{key.rpartition('}')[2]}", text
    if element.text and element.text.strip():
        yield name, element.text.strip()
    counted: dict[str, int] = {}
    total = Counter(_name(one) for one in element)
    for one in element:
        own = _name(one)
        number = counted[own] = counted.get(own, -1) + 1
        if number < _MOST_PLANES:
            for key, text in _lines(one, name):
                inner = key[len(name) + 1 + len(own) :]
                yield f"{name}/{own}{f' {number}' if total[own] > 1 else ''}{inner}", text
