"""Short texts beside a scan or a volume: lines KEY = value, or the leaves of an XML."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tomarium.errors import FormatError
from tomarium.formats.opening.xml_text import declares_entities

_LONGEST: Final = 1 << 20


def read_key_values(path: Path, what: str, below: str = "") -> dict[str, str]:
    """Read a `.info`, or a `.xml` of the same content.

    `what`: what it stands beside, for messages. `below`: name of the element whose leaves are read; all are where it is
    absent. Result: key, as it is written, → value; lines that begin with "!" are comments.
    """
    try:
        if path.stat().st_size > _LONGEST:
            raise FormatError(f"{path}: has {path.stat().st_size} bytes; the text beside {what} is shorter")
        text = path.read_text("utf-8", errors="replace")
    except OSError as problem:
        raise FormatError(
            f"{path}: cannot be read as the text beside {what} ({problem.strerror}); copy it again"
        ) from problem
    if path.suffix.lower() == ".xml":
        return _leaves(path, text, below)
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("!"))
    values: dict[str, str] = {}
    for key, value in (
        (key.strip(), value.strip()) for key, equals, value in pairs if equals and key.strip()
    ):
        if values.setdefault(key, value) != value:
            raise FormatError(
                f"{path}: {key} is {values[key]!r} and {value!r}; leave only the one that is right"
            )
    return values


def _leaves(path: Path, text: str, below: str) -> dict[str, str]:
    if declares_entities(text):
        raise FormatError(f"{path}: declares entities, which no program of the field writes; it is not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        raise FormatError(f"{path}: is no whole XML ({problem}); copy it again") from problem
    start = root.find(f".//{below}") if below else None
    leaves = (root if start is None else start).iter()
    return {node.tag: (node.text or "").strip() for node in leaves if len(node) == 0}
