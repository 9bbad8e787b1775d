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
    metadata: dict[str, Any] = {"/original_metadata": dict(_lines(root, ""))}
    pixels = next((element for element in root.iter() if _name(element) == "Pixels"), None)
    channels = [element for element in pixels if _name(element) == "Channel"] if pixels is not None else []
    if any(channel.get("Name") or channel.get("Color") for channel in channels):
        metadata["channels"] = [_channel(channel, number) for number, channel in enumerate(channels)]
    return metadata


def _channel(element: ElementTree.Element, number: int) -> dict[str, str]:
    channel = {"name": element.get("Name") or f"channel {number}"}
    colour = element.get("Color") or ""
    if re.fullmatch(r"-?\d{1,10}", colour, re.ASCII):
        channel["colour"] = f"#{(int(colour) & 0xFFFFFFFF) >> 8:06x}"
    return channel


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _lines(element: ElementTree.Element, place: str) -> Iterator[tuple[str, str]]:
    name = f"{place}/{_name(element)}" if place else _name(element)
    for key, text in element.attrib.items():
        yield f"{name}/{key.rpartition('}')[2]}", text
    if element.text and element.text.strip():
        yield name, element.text.strip()
    counted: dict[str, int] = {}
    total = Counter(_name(child) for child in element)
    for child in element:
        own = _name(child)
        number = counted[own] = counted.get(own, -1) + 1
        if number < _MOST_PLANES:
            for key, text in _lines(child, name):
                inner = key[len(name) + 1 + len(own) :]
                yield f"{name}/{own}{f' {number}' if total[own] > 1 else ''}{inner}", text
