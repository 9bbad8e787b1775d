"""What every page has at hand: the catalogue, the records, and addresses built by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Request

from tomarium.catalogue import Catalogue, read_record
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.record_folder import folders_told
from tomarium.errors import FormatError
from tomarium.model import Record
from tomarium.standards.ro_crate import FILENAME


@dataclass(frozen=True)
class RequestContext:
    """One request's view of the house.

    Attributes
    ----------
    catalogue : Catalogue
        Open.
    request : Request
        As it came.
    """

    catalogue: Catalogue
    request: Request

    def link(
        self, name: str, parts: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> str:
        """Build an address by the name of its route.

        Parameters
        ----------
        name : str
            Name of a page or of another route.
        parts : Mapping of str to str, optional
            Parameters in the path.
        query : Mapping of str to str, optional
            What stands behind the question mark; empty texts are left out.

        Returns
        -------
        str
            Path and query, without scheme and host.
        """
        path = self.request.scope.get("root_path", "") + self.request.app.url_path_for(name, **(parts or {}))
        kept = {key: text for key, text in (query or {}).items() if text}
        return f"{path}?{urlencode(kept)}" if kept else path

    def record(self, id: str) -> tuple[Record, Path]:
        """Find a record and its folder.

        Parameters
        ----------
        id : str
            Identifier from the address; any text.

        Returns
        -------
        tuple of Record and Path
            As its folder says now.

        Raises
        ------
        HTTPException
            404: no such record. 503: its folder is gone or damaged.
        """
        with self.catalogue.reading() as connection:
            folder = folder_of(connection, id)
        if folder is None:
            raise HTTPException(
                404, f"There is no record “{id[:80]}” in this catalogue. Search for it by a word."
            )
        try:
            state = (folder / FILENAME).stat()
            return _read(folder, state.st_mtime_ns, state.st_size), folder
        except (OSError, FormatError) as problem:
            raise HTTPException(
                503,
                "The folder of this record cannot be read now: it was moved or is damaged. Whoever runs this "
                "catalogue can bring it back, or rebuild the index.",
            ) from problem

    def folders_told(self, folder: Path) -> re.Pattern[str]:
        """Describe the folders of a machine that a record's files tell and that nobody else is told.

        Parameters
        ----------
        folder : Path
            Of a record, as `record` gives it.

        Returns
        -------
        re.Pattern
            For `without_folders`.
        """
        state = (folder / FILENAME).stat()
        return _folders(folder, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _folders(folder: Path, _changed_ns: int, _bytes: int) -> re.Pattern[str]:
    return folders_told(folder)


@lru_cache(maxsize=64)
def _read(folder: Path, _changed_ns: int, _bytes: int) -> Record:
    return read_record(folder)


def _context(request: Request) -> RequestContext:
    return RequestContext(request.app.state.catalogue, request)


CurrentRequest = Annotated[RequestContext, Depends(_context)]
