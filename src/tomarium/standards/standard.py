"""What a metadata standard is: a record's other spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tomarium.model import Record


@dataclass(frozen=True)
class Standard:
    """One metadata standard; a module of `tomarium.standards` makes itself known by holding one.

    Attributes
    ----------
    name : str
        Word users write, and the name in addresses: "ro-crate".
    title : str
        Full name with version.
    filename : str
        Name of the file it is saved as.
    media_type : str
        IANA media type of what `export` writes.
    export : callable
        `export(record) -> str`: the whole document.
    read : callable or None
        `read(text) -> Record`; gives back the very record that was exported, raises FormatError for any other
        text. None where the standard cannot hold a whole record.
    """

    name: str
    title: str
    filename: str
    media_type: str
    export: Callable[[Record], str]
    read: Callable[[str], Record] | None = None
