"""tomodata's BEAMLINE_PARAMETERS.par read as a profile, and a profile written as TOML."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from tomarium.beamtime.profile import Profile
from tomarium.errors import InputError

_NAMES: Final = ("BEAMLINE", "BEAMLINE_NAME")
_FACILITIES: Final = ("FACILITY", "SYNCHROTRON")


def read_beamline_parameters(path: Path) -> Profile:
    """Read a BEAMLINE_PARAMETERS.par: lines of KEY = VALUE, as in the .par files of PyHST2.

    The user guide says that it holds "some beamline specific info", such as the root of the spool, and names no key.
    So only these are understood: BEAMLINE or BEAMLINE_NAME, FACILITY or SYNCHROTRON, and a key with SPOOL in it whose
    value is an absolute path. All others are kept as they stand in `tomodata`.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Profile
        Named after the beamline, or else after the file's folder.

    Raises
    ------
    InputError
        A line is no KEY = VALUE, a key stands twice with two values, or two keys name a spool.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        text = re.split(r"(?:^|\s)[#!]", line, maxsplit=1)[0].strip()
        if not text:
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not re.fullmatch(r"\w+", key):
            raise InputError(f"{path}: line {number} is {line.strip()[:80]!r}; KEY = VALUE was expected")
        value = value.strip("\"'")
        if values.setdefault(key, value) != value:
            raise InputError(
                f"{path}: {key} is {values[key]!r} and, in line {number}, {value!r}; leave one of the two"
            )
    names = {key.upper(): key for key in values}
    keys = {
        word: next((names[name] for name in choice if name in names), None)
        for word, choice in (("name", _NAMES), ("facility", _FACILITIES))
    }
    spools = [key for key, value in values.items() if "SPOOL" in key.upper() and value.startswith("/")]
    if len({values[key] for key in spools}) > 1:
        raise InputError(f"{path}: {' and '.join(spools)} name different spools; leave one of them")
    keys_used = {key for key in (*keys.values(), *spools[:1]) if key}
    return Profile(
        name=values[keys["name"]] if keys["name"] else path.resolve().parent.name,
        facility=values[keys["facility"]] if keys["facility"] else "",
        paths={"spool": values[spools[0]].replace("{", "").replace("}", "")} if spools else {},
        tomodata={key: value for key, value in values.items() if key not in keys_used},
        source=path.name,
    )


def profile_toml(profile: Profile) -> str:
    """Write a profile as TOML.

    Parameters
    ----------
    profile : Profile
        Any profile.

    Returns
    -------
    str
        What `read_profile` reads as the same profile.
    """
    lines = [f"name = {_toml(profile.name)}"]
    if profile.facility:
        lines.append(f"facility = {_toml(profile.facility)}")
    for name in ("paths", "motors", "signs", "detectors", "optics", "slurm", "globus", "tomodata"):
        table = getattr(profile, name)
        if table:
            lines += [
                "",
                f"[{name}]",
                *(f"{_toml_key(key)} = {_toml(value)}" for key, value in table.items()),
            ]
    if profile.scan.values:
        lines += ["", "[scan]"]
        lines += [f"{key} = {_toml(value.value)}" for key, value in profile.scan.values.items()]
        if profile.scan.corrects:
            lines.append(f"corrects = {_toml(list(profile.scan.corrects))}")
    if profile.acknowledgement or profile.requests:
        lines += ["", "[publication]"]
        lines += [
            f"{key} = {_toml(list(texts))}"
            for key, texts in (("acknowledgement", profile.acknowledgement), ("requests", profile.requests))
            if texts
        ]
    if stated := {key: value for key, value in vars(profile.records).items() if value}:
        lines += ["", "[records]"]
        lines += [
            f"{key} = {_toml(list(value) if isinstance(value, tuple) else value)}"
            for key, value in stated.items()
        ]
    for name, station in profile.stations.items():
        lines += ["", f"[stations.{_toml_key(name)}]"]
        lines += [f"{key} = {_toml(list(texts))}" for key, texts in vars(station).items() if texts]
    return "\n".join(lines) + "\n"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + "".join(f"\n    {_toml(element)}," for element in value) + ("\n]" if value else "]")
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_toml_key(key)} = {_toml(element)}" for key, element in value.items()) + " }"
        )
    if isinstance(
        value, str
    ):  # a string of JSON is one of TOML, but for the one control character that JSON leaves
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
