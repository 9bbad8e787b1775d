"""What a metadata standard is: a record's other spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tomarium.model import Record


class Export(Protocol):
    """What writes a record in a standard."""

    def __call__(self, record: Record, address: str = "") -> str:
        """Write the whole document.

        Parameters
        ----------
        record : Record
            Any record.
        address : str, optional
            Address of the record's page, "https://tomo.example.org/records/tooth-1"; its files are at
            "<address>/files/<path>". Where it is not given, what needs it is left out.

        Returns
        -------
        str
            The document.

        Raises
        ------
        FormatError
            The record holds what JSON, or this standard, cannot hold.
        """
        ...


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
        `export(record, address="") -> str`: the whole document, as `Export` says.
    export_in : callable or None
        `export_in(record, address, catalogue) -> str`: as `export`, and it tells by its name the catalogue that the
        record is in. None where the standard names no catalogue.
    read : callable or None
        `read(text) -> Record`; gives back the very record that was exported, raises FormatError for any other
        text. None where the standard cannot hold a whole record.
    """

    name: str
    title: str
    filename: str
    media_type: str
    export: Export
    read: Callable[[str], Record] | None = None
    export_in: Callable[[Record, str, str], str] | None = None

    def export_from(self, catalogue: str, record: Record, address: str) -> str:
        """Write the document of a record that a catalogue holds.

        Parameters
        ----------
        catalogue : str
            Its name.
        record : Record
            Any record.
        address : str
            As for `export`.

        Returns
        -------
        str
            The document.
        """
        if self.export_in is None:
            return self.export(record, address)
        return self.export_in(record, address, catalogue)
