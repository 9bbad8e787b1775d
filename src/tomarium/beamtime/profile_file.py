"""A profile read from its file: TOML, tomodata's BEAMLINE_PARAMETERS.par, or one that comes with tomarium."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Final

from tomarium.beamtime.beamline_parameters import read_beamline_parameters
from tomarium.beamtime.profile import Profile, profile_of
from tomarium.errors import InputError

PROFILES: Final = Path(__file__).parent / "profiles"
"""Profiles that come with tomarium."""


def read_profile(name_or_path: str) -> Profile:
    """Read a profile.

    Parameters
    ----------
    name_or_path : str
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
    path = Path(name_or_path)
    if not path.is_file():
        shipped = {path.stem: path for path in PROFILES.glob("*.toml")}
        if name_or_path.lower() not in shipped:
            raise InputError(
                f"{name_or_path}: is no file, and no profile of tomarium; one of {', '.join(sorted(shipped))} is"
            )
        path = shipped[name_or_path.lower()]
    text = path.read_bytes()
    sha256 = hashlib.sha256(text).hexdigest()
    if path.suffix.lower() == ".par":
        return replace(read_beamline_parameters(path), sha256=sha256)
    try:
        content = tomllib.loads(text.decode("utf-8").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: is no TOML ({problem}); correct it there") from problem
    return replace(profile_of(content, path.name), sha256=sha256)
