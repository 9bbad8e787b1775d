"""Who is on shift: a file `roster.toml` in the folder of a beamtime, with the time zone that its times are in."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tomarium.atomic_files import write_whole
from tomarium.errors import InputError

ROSTER: Final = "roster.toml"

ROLES: Final = {
    "acquisition": "Acquisition",
    "reconstruction": "Reconstruction",
    "samples": "Samples and data transfer",
}
"""Key in the file → what the role is called."""


@dataclass(frozen=True)
class Shift:
    """A shift.

    Attributes
    ----------
    begins, ends : datetime
        In UTC; it begins at the first and is over at the second.
    roles : mapping of str to tuple of str
        Each of `ROLES` that somebody has → names.
    """

    begins: datetime
    ends: datetime
    roles: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Roster:
    """All shifts of a beamtime.

    Attributes
    ----------
    zone : str
        "Europe/Paris".
    shifts : tuple of Shift
        The earliest first.
    """

    zone: str
    shifts: tuple[Shift, ...] = ()

    def at(self, when: datetime) -> tuple[Shift, ...]:
        """Tell who is on shift.

        Parameters
        ----------
        when : datetime
            With its offset.

        Returns
        -------
        tuple of Shift
            None, one, or several where shifts overlap.
        """
        return tuple(shift for shift in self.shifts if shift.begins <= when < shift.ends)

    def local(self, when: datetime) -> str:
        """Write a time as the clock on the wall shows it: "2026-11-28 22:00"."""
        return when.astimezone(ZoneInfo(self.zone)).strftime("%Y-%m-%d %H:%M")


def now(roster: Roster) -> tuple[Shift, ...]:
    """Tell who is on shift now.

    Parameters
    ----------
    roster : Roster
        The roster.

    Returns
    -------
    tuple of Shift
        As `Roster.at`.
    """
    return roster.at(datetime.now(UTC))


def read_roster(folder: Path) -> Roster | None:
    """Read the roster of a beamtime.

    Parameters
    ----------
    folder : Path
        Of the beamtime.

    Returns
    -------
    Roster or None
        None where there is no `roster.toml`.

    Raises
    ------
    InputError
        The file holds what is not known, a time without a zone, or one that the clock on the wall shows twice or never.
    """
    path = folder / ROSTER
    if not path.is_file():
        return None
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: is no TOML ({problem}); correct it there") from problem
    if unknown := set(content) - {"timezone", "shift"}:
        raise InputError(
            f"{path}: has {min(unknown)!r}, which means nothing there; timezone and [[shift]] were expected"
        )
    zone = content.get("timezone")
    if not isinstance(zone, str):
        raise InputError(f'{path}: has no timezone; timezone = "Europe/Paris" was expected')
    check_zone(zone, str(path))
    shifts = content.get("shift", [])
    if not isinstance(shifts, list) or not all(isinstance(shift, dict) for shift in shifts):
        raise InputError(f"{path}: shift is {shifts!r}; tables [[shift]] were expected")
    shifts_read = [
        _read_shift(shift, zone, f"{path}: shift {number}") for number, shift in enumerate(shifts, 1)
    ]
    return Roster(zone, tuple(sorted(shifts_read, key=lambda shift: (shift.begins, shift.ends))))


def check_zone(zone: str, where: str) -> None:
    """Refuse a time zone that there is not.

    Parameters
    ----------
    zone : str
        "Europe/Paris".
    where : str
        For the message.

    Raises
    ------
    InputError
        The system knows no such zone.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise InputError(
            f"{where}: there is no time zone {zone!r}; one as Europe/Paris was expected"
        ) from problem


def moment(value: object, zone: str, where: str) -> datetime:
    """Read a time.

    Parameters
    ----------
    value : object
        A time of TOML, or text as "2026-11-28 22:00"; without an offset it is what the clock on the wall shows.
    zone : str
        Where that clock is.
    where : str
        For the message.

    Returns
    -------
    datetime
        With its offset.

    Raises
    ------
    InputError
        It is no time, or the clock shows it twice, or never, in the night when it is changed.
    """
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        read = None
    if not isinstance(read, datetime):
        raise InputError(f'{where} is {value!r}; a day and a time were expected, as "2026-11-28 22:00"')
    if read.tzinfo is not None:
        return read
    first, second = (read.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        shown_by_clock = first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        how_often = "twice" if shown_by_clock == read else "never"
        raise InputError(
            f"{where} is {value}, which the clock shows {how_often} in {zone} that night; write the offset: +01:00"
        )
    return first


def problems(roster: Roster) -> list[str]:
    """Tell of shifts that overlap, of times between shifts, and of roles that nobody has.

    Parameters
    ----------
    roster : Roster
        The roster.

    Returns
    -------
    list of str
        Empty where all is well.
    """
    texts = []
    for number, shift in enumerate(roster.shifts):
        texts += [
            f"two shifts overlap from {roster.local(other.begins)} to {roster.local(min(shift.ends, other.ends))}"
            for other in roster.shifts[number + 1 :]
            if other.begins < shift.ends
        ]
        lacking = [name for key, name in ROLES.items() if not shift.roles.get(key)]
        if lacking:
            texts.append(
                f"from {roster.local(shift.begins)} to {roster.local(shift.ends)} nobody has: {', '.join(lacking)}"
            )
    covered: datetime | None = None
    for shift, after in pairwise(roster.shifts):
        covered = max(covered or shift.ends, shift.ends)
        if after.begins > covered:
            texts.append(f"nobody is on shift from {roster.local(covered)} to {roster.local(after.begins)}")
    return texts


def set_shift(roster: Roster, shift: Shift) -> Roster:
    """Add a shift, or replace the one of the same times.

    Parameters
    ----------
    roster : Roster
        The roster.
    shift : Shift
        What is to be in it; one without names takes the old one out.

    Returns
    -------
    Roster
        Another one.
    """
    times = (shift.begins, shift.ends)
    shifts = [shift for shift in roster.shifts if (shift.begins, shift.ends) != times]
    added = [*shifts, shift] if shift.roles else shifts
    return Roster(roster.zone, tuple(sorted(added, key=lambda entry: (entry.begins, entry.ends))))


def write_roster(folder: Path, roster: Roster) -> Path:
    """Write the roster of a beamtime.

    Parameters
    ----------
    folder : Path
        Of the beamtime.
    roster : Roster
        The roster.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        It cannot be written; the old one is untouched.
    """
    lines = [
        "# Who is on shift. Times are those of the clock on the wall in this zone.",
        f"timezone = {json.dumps(roster.zone)}",
    ]
    for shift in roster.shifts:
        lines += [
            "",
            "[[shift]]",
            f"from = {_time_text(shift.begins, roster.zone)}",
            f"to = {_time_text(shift.ends, roster.zone)}",
        ]
        lines += [
            f"{key} = {json.dumps(list(names), ensure_ascii=False)}" for key, names in shift.roles.items()
        ]
    path = folder / ROSTER
    write_whole(path, ("\n".join(lines) + "\n").encode())
    return path


def _read_shift(content: Mapping[str, Any], zone: str, where: str) -> Shift:
    if unknown := set(content) - {"from", "to", *ROLES}:
        raise InputError(f"{where} has {min(unknown)!r}; from, to, {', '.join(ROLES)} were expected")
    begins, ends = (moment(content.get(key), zone, f"{where}: {key}") for key in ("from", "to"))
    return make_shift(begins, ends, {key: content[key] for key in ROLES if key in content}, where)


def make_shift(begins: datetime, ends: datetime, roles: Mapping[str, Any], where: str) -> Shift:
    """Make a shift.

    Parameters
    ----------
    begins, ends : datetime
        With their offsets.
    roles : mapping of str to str or list of str
        Role → name or names.
    where : str
        For the message.

    Returns
    -------
    Shift
        Checked.

    Raises
    ------
    InputError
        It ends before it begins, lasts longer than two days, or a name is none.
    """
    begins, ends = (
        begins.astimezone(UTC),
        ends.astimezone(UTC),
    )  # those of one zone are compared by the clock on the wall
    if not timedelta() < ends - begins <= timedelta(days=2):
        raise InputError(
            f"{where} goes from {begins} to {ends}; an end after its beginning, within two days, was expected"
        )
    names_by_role = {}
    for key, names in roles.items():
        listed = [names] if isinstance(names, str) else names
        if not isinstance(listed, list | tuple) or not all(
            isinstance(name, str) and name.strip() for name in listed
        ):
            raise InputError(f"{where}: {key} is {names!r}; a name or a list of names was expected")
        if listed:
            names_by_role[key] = tuple(name.strip() for name in listed)
    return Shift(begins, ends, names_by_role)


def _time_text(when: datetime, zone: str) -> str:
    """Write a time as on the wall; with its offset where the wall would be ambiguous."""
    wall = when.astimezone(ZoneInfo(zone))
    both = {wall.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)}
    return (
        wall.isoformat(timespec="seconds")
        if len(both) > 1
        else wall.replace(tzinfo=None).isoformat(timespec="seconds")
    )
