"""Which folder is the beamtime's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomarium.catalogue.home import home
from tomarium.errors import InputError

BEAMTIME: Final = "beamtime.toml"
"""File by which the folder of a beamtime is known: name, proposal, instrument, station, people, profile."""

LEDGER: Final = "copies.sqlite"
"""File of the ledger of copies, in the folder of a beamtime."""


def find_beamtime(said: Path | None = None, start: Path | None = None) -> Path | None:
    """Find the folder of a beamtime.

    Parameters
    ----------
    said : Path, optional
        What the user named.
    start : Path, optional
        Where to begin; the current folder by default.

    Returns
    -------
    Path or None
        The folder that was named, else the nearest one upwards that holds `beamtime.toml`; None where there is none.

    Raises
    ------
    InputError
        What was named is no folder.
    """
    if said is not None:
        if not said.is_dir():
            raise InputError(f"{said}: is no folder; the folder of a beamtime was expected, make it first")
        return said
    here = (start or Path.cwd()).absolute()
    return next((folder for folder in (here, *here.parents) if (folder / BEAMTIME).is_file()), None)


def ledger_file(said: Path | None = None) -> Path:
    """Tell which ledger of copies is meant.

    Parameters
    ----------
    said : Path, optional
        The folder of a beamtime that the user named.

    Returns
    -------
    Path
        That of the beamtime, else the user's own. It need not exist yet.
    """
    found = find_beamtime(said)
    return (found or home()) / LEDGER
