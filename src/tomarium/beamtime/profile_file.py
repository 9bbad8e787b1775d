"""A profile read from its file: TOML, tomodata's BEAMLINE_PARAMETERS.par, or one that comes with tomarium."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from tomarium.beamtime.beamline_parameters import read_beamline_parameters
from tomarium.beamtime.profile import Profile, profile_of
from tomarium.errors import InputError

PROFILES: Final = Path(__file__).parent / "profiles"
"""Profiles that come with tomarium."""


def read_profile(said: str) -> Profile:
    """Read a profile.

    Parameters
    ----------
    said : str
        A TOML file, a BEAMLINE_PARAMETERS.par, or the name of a profile that comes with tomarium.

    Returns
    -------
    Profile
        Checked.

    Raises
    ------
    InputError
        There is none, or something in it is not known or not what it should be.
    """
    path = Path(said)
    if not path.is_file():
        known = {path.stem: path for path in PROFILES.glob("*.toml")}
        if said.lower() not in known:
            raise InputError(
                f"{said}: is no file, and no profile of tomarium; one of {', '.join(sorted(known))} is"
            )
        path = known[said.lower()]
    if path.suffix.lower() == ".par":
        return read_beamline_parameters(path)
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: is no TOML ({problem}); correct it there") from problem
    return profile_of(told, path.name)
