"""Which beamtime a command belongs to, and the profile of the beamline that holds for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from tomarium.beamtime.beamtime_folder import BEAMTIME, Beamtime, find_beamtime, read_beamtime
from tomarium.beamtime.profile import Profile
from tomarium.beamtime.profile_file import read_profile
from tomarium.beamtime.record_facts import RecordFacts
from tomarium.errors import InputError
from tomarium.formats.opening.profile_values import ProfileValues
from tomarium.model import Value

NONE: Final = "none"
"""Said in place of a profile: none is used, whatever the beamtime names."""


@dataclass(frozen=True)
class ProfileInUse:
    """The beamtime and the profile that hold for a command.

    Attributes
    ----------
    folder : Path or None
        Folder of the beamtime; None outside of any.
    beamtime : Beamtime or None
        What it says of itself.
    profile : Profile or None
        Of the beamline; None where none is named.
    states : bool
        Whether beamtime and profile state facts of the records that are made; not where none was asked for.
    """

    folder: Path | None = None
    beamtime: Beamtime | None = None
    profile: Profile | None = None
    states: bool = True

    @property
    def scan(self) -> ProfileValues | None:
        """What the profile and the beamtime tell of all scans, for `tomarium.open`; None without either."""
        values = ProfileValues() if self.profile is None else self.profile.scan
        facts = self._facts() if self.states else {}
        if self.profile is None and not facts:
            return None
        is_stated = self.beamtime is not None and bool(self.beamtime.instrument)
        return replace(
            values,
            facts=facts,
            files=self._files() if facts else (),
            assumed=() if is_stated else ("instrument",),
        )

    def _facts(self) -> dict[str, Value[Any]]:
        """Put together what records are to say; the beamtime goes before the profile of its beamline."""
        beamtime, profile = self.beamtime, self.profile
        texts: list[tuple[str, Any, str]] = []
        if profile is not None:
            source = f"{profile.source} of {profile.name}"
            station = profile.station(beamtime.station if beamtime is not None else "")
            texts += [("instrument", profile.name, source), ("facility", profile.facility, source)]
            texts += [("acknowledgement", " ".join(station.acknowledgement), source)]
            texts += [(name, value, source) for name, value in _stated(profile.records)]
        if beamtime is not None:
            source = f"{BEAMTIME} of {beamtime.name}"
            texts += [
                (name, getattr(beamtime, name), source)
                for name in ("proposal", "session", "instrument", "station")
            ]
            texts += [(name, value, source) for name, value in _stated(beamtime.records)]
        facts: dict[str, Value[Any]] = {}
        for name, value, source in texts:
            if not value:
                continue
            before = facts.get(name)
            if name == "keywords" and before is not None:
                value = list(dict.fromkeys([*before.value, *value]))
                source = f"{before.source}, {source}"
            facts[name] = Value(value, "profile", source)
        return facts

    def _files(self) -> list[dict[str, str]]:
        """Name the files that state something, each with its checksum."""
        files = []
        if self.profile is not None:
            profile = self.profile
            files.append({"profile": profile.name, "file": profile.source, "sha256": profile.sha256})
        if self.beamtime is not None and self.beamtime.sha256:
            beamtime = self.beamtime
            files.append({"beamtime": beamtime.name, "file": BEAMTIME, "sha256": beamtime.sha256})
        return files

    @property
    def axis_motor(self) -> str | None:
        """Name of the motor that moves the rotation axis, in the files of the beamline."""
        return None if self.profile is None else self.profile.motors.get("axis")

    @property
    def axis_sign(self) -> int | None:
        """1 where the axis moves to higher columns with that motor's position, -1 to lower ones; None: not told."""
        return None if self.profile is None else self.profile.signs.get("axis")

    def demand_spool(self, word: str) -> Path:
        """Return the folder in which scans arrive, by the profile.

        Parameters
        ----------
        word : str
            What the user may give in its place, such as "SPOOL".

        Returns
        -------
        Path
            As the profile's path `spool` tells it; a relative one from the folder of the beamtime.

        Raises
        ------
        InputError
            No profile tells it, or its path wants what `beamtime.toml` does not say.
        """
        if self.profile is None or "spool" not in self.profile.paths:
            reason = (
                "no profile holds here"
                if self.profile is None
                else f"{self.profile.source} has no path spool"
            )
            raise InputError(f"{word} was left out, and {reason}; give the folder in which scans arrive")
        facts = {} if self.beamtime is None else asdict(self.beamtime)
        texts = {key: str(value) for key, value in facts.items() if isinstance(value, str)}
        return (self.folder or Path()) / self.profile.folder("spool", texts)


def profile_in_use(
    profile: str | None = None, beamtime: Path | None = None, start: Path | None = None
) -> ProfileInUse:
    """Tell which beamtime and which profile hold.

    Parameters
    ----------
    profile : str, optional
        A profile that the user named: a file, the name of one that comes with tomarium, or "none"; that of the beamtime
        by default.
    beamtime : Path, optional
        The folder of a beamtime that the user named; the nearest one upwards that holds `beamtime.toml` by default.
    start : Path, optional
        Where to begin; the current folder by default.

    Returns
    -------
    ProfileInUse
        Empty outside of any beamtime, without a profile.

    Raises
    ------
    InputError
        The folder is none, or `beamtime.toml` or the profile is wrong.
    """
    folder = find_beamtime(beamtime, start)
    beamtime_read = None if folder is None else read_beamtime(folder)
    profile_name = profile or (beamtime_read.profile if beamtime_read is not None else "")
    if not profile_name or profile_name == NONE:
        return ProfileInUse(folder, beamtime_read, states=profile_name != NONE)
    try:
        return ProfileInUse(folder, beamtime_read, read_profile(profile_name))
    except InputError as problem:
        if profile is not None or folder is None:
            raise
        raise InputError(f"{folder / BEAMTIME} names the profile {profile_name}: {problem}") from problem


def _stated(facts: RecordFacts) -> list[tuple[str, Any]]:
    """List the facts that a table [records] states; lists of texts as lists."""
    values = ((field.name, getattr(facts, field.name)) for field in fields(facts))
    return [(name, list(value) if isinstance(value, tuple) else value) for name, value in values]
