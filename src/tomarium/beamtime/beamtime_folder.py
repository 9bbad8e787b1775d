"""Which folder is the beamtime's."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from tomarium.beamtime.record_facts import RecordFacts, read_record_facts
from tomarium.errors import InputError

BEAMTIME: Final = "beamtime.toml"
"""File by which the folder of a beamtime is known: name, proposal, instrument, station, people, profile, records."""

LIVE: Final = "live"
"""Folder of the watch in the folder of a beamtime."""

BATCHES: Final = "batches"
"""Folder in which each batch has a folder of its own."""

LEDGER: Final = "copies.sqlite"
"""File of the ledger of copies, in the folder of a beamtime."""


def find_beamtime(beamtime: Path | None = None, start: Path | None = None) -> Path | None:
    """Find the folder of a beamtime.

    Parameters
    ----------
    beamtime : Path, optional
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
    if beamtime is not None:
        if not beamtime.is_dir():
            raise InputError(
                f"{beamtime}: is no folder; the folder of a beamtime was expected, make it first"
            )
        return beamtime
    current = (start or Path.cwd()).absolute()
    return next((folder for folder in (current, *current.parents) if (folder / BEAMTIME).is_file()), None)


def ledger_file(beamtime: Path | None = None) -> Path:
    """Tell which ledger of copies is meant.

    Parameters
    ----------
    beamtime : Path, optional
        The folder of a beamtime that the user named.

    Returns
    -------
    Path
        That of the beamtime, else the user's own. It need not exist yet.
    """
    folder = find_beamtime(beamtime)
    from tomarium.catalogue.home import home  # the catalogue takes half a second to import

    return (folder or home()) / LEDGER


@dataclass(frozen=True)
class Beamtime:
    """What `beamtime.toml` says.

    Attributes
    ----------
    name : str
        Of the experiment; the folder's name where the file says none.
    proposal, session, instrument, station : str
        "" where the file does not say; the session is one visit of several of a proposal.
    year : str
        Of the beamtime, for paths of a profile.
    people : tuple of str
        Names.
    profile : str
        A profile of a beamline: a file, relative to the folder, or a name.
    records : RecordFacts
        What records say that are made in it; goes before what the profile says.
    sha256 : str
        Checksum of the file, hexadecimal; "" where there is none.
    """

    name: str
    proposal: str = ""
    session: str = ""
    instrument: str = ""
    station: str = ""
    year: str = ""
    people: tuple[str, ...] = ()
    profile: str = ""
    records: RecordFacts = field(default_factory=RecordFacts)
    sha256: str = ""


def read_beamtime(folder: Path) -> Beamtime:
    """Read what the folder of a beamtime says of itself.

    Parameters
    ----------
    folder : Path
        The folder; where it has no `beamtime.toml` its name is all that is known.

    Returns
    -------
    Beamtime
        Checked.

    Raises
    ------
    InputError
        The file is no TOML, or holds what is not known.
    """
    path = folder / BEAMTIME
    if not path.is_file():
        return Beamtime(folder.resolve().name)
    text = path.read_bytes()
    try:
        content = tomllib.loads(text.decode("utf-8").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: is no TOML ({problem}); correct it there") from problem
    names = {field.name for field in fields(Beamtime)} - {"sha256"}
    for key, value in content.items():
        if key not in names:
            near = get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]!r}" if near else f"one of {', '.join(sorted(names))} was expected"
            raise InputError(f"{path}: has {key!r}, which means nothing there; {hint}")
        if key == "people" and not (
            isinstance(value, list) and all(isinstance(person, str) for person in value)
        ):
            raise InputError(f"{path}: people is {value!r}; a list of names was expected")
        if key not in ("people", "records") and not isinstance(value, str | int):
            raise InputError(f"{path}: {key} is {value!r}; text in quotes was expected")
    words = {key: str(value) for key, value in content.items() if key not in ("people", "records")}
    profile = words.pop("profile", "")
    if profile and (folder / profile).is_file():
        profile = str(folder / profile)
    name = words.pop("name", "") or folder.resolve().name
    return Beamtime(
        name,
        people=tuple(content.get("people", ())),
        profile=profile,
        records=read_record_facts(content.get("records", {}), str(path)),
        sha256=hashlib.sha256(text).hexdigest(),
        **words,
    )
