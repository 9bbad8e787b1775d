"""The profile of a beamline: paths, motors, signs, detectors, and what a publication has to say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from tomarium.beamtime.record_facts import RecordFacts, read_record_facts
from tomarium.errors import InputError, ParameterError, UnitError
from tomarium.formats.opening.profile_values import FROM_PROFILE, ProfileValues
from tomarium.model import Value
from tomarium.model.geometry import user_value

_PLACES: Final = {"proposal", "year", "name", "station"}


@dataclass(frozen=True)
class Station:
    """What a publication with data of a station has to say beside what all have.

    Attributes
    ----------
    acknowledgement : tuple of str
        Sentences for the acknowledgements.
    papers : tuple of str
        To cite, with their DOI.
    """

    acknowledgement: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """A beamline as its staff describe it once.

    Attributes
    ----------
    name : str
        "ANATOMIX".
    facility : str
        "Synchrotron SOLEIL".
    paths : mapping of str to str
        Templates of folders, such as `spool`, with {proposal}, {year}, {name} and {station}.
    motors : mapping of str to str
        What a motor does → its name in the files of the beamline; "axis" moves the rotation axis along columns, "x",
        "y" and "z" tell where voxels lie, as `ProfileValues` says.
    signs : mapping of str to int
        What a motor does → 1 or -1; of "axis" 1 where the axis moves to higher columns with the position.
    scan : ProfileValues
        Pixel, energy and distance of its scans, for files that do not tell them, and which of them correct a file.
    detectors : mapping of str to mapping
        Name → columns, rows, sensor_pixel_m (of the sensor, before any magnification), bits.
    optics : mapping of str to mapping
        Name of an objective → magnification (of the whole optics), scintillator.
    acknowledgement, requests : tuple of str
        Sentences that every publication carries, and what the staff ask for beside them.
    stations : mapping of str to Station
        Name → what is said of it alone.
    slurm : mapping of str to str or number
        What jobs of its cluster ask for, as for `--on slurm`: partition, account, qos, time, memory, cpus, tasks, stop,
        sbatch, setup.
    globus : mapping of str to str
        The collection of Globus that holds the spool: `collection`, its id, and `root`, the folder that is its top.
    tomodata : mapping of str to str
        What a BEAMLINE_PARAMETERS.par says that has no place here, as it stands there.
    records : RecordFacts
        What records say that are made of its scans.
    source : str
        Where it was read.
    sha256 : str
        Checksum of that file, hexadecimal; "" where it was made otherwise.
    """

    name: str
    facility: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    motors: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, int] = field(default_factory=dict)
    scan: ProfileValues = field(default_factory=ProfileValues)
    detectors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    optics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    acknowledgement: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    stations: Mapping[str, Station] = field(default_factory=dict)
    slurm: Mapping[str, str | int] = field(default_factory=dict)
    globus: Mapping[str, str] = field(default_factory=dict)
    tomodata: Mapping[str, str] = field(default_factory=dict)
    records: RecordFacts = field(default_factory=RecordFacts)
    source: str = ""
    sha256: str = field(default="", compare=False)

    def station(self, name: str) -> Station:
        """Tell what a publication with data of a station has to say.

        Parameters
        ----------
        name : str
            One of `stations`; "" for what all share.

        Returns
        -------
        Station
            With the sentences that all stations share first.

        Raises
        ------
        InputError
            The profile knows no such station.
        """
        if not name:
            return Station(self.acknowledgement)
        if name not in self.stations:
            near = get_close_matches(name, self.stations, 1)
            raise InputError(
                f"{self.source}: has no station {name!r}{f', but {near[0]!r}' if near else ''}; "
                f"one of {', '.join(sorted(self.stations)) or 'none'} was expected"
            )
        own = self.stations[name]
        return Station((*self.acknowledgement, *own.acknowledgement), own.papers)

    def folder(self, path: str, values: Mapping[str, str]) -> Path:
        """Fill the template of a folder.

        Parameters
        ----------
        path : str
            One of `paths`.
        values : mapping of str to str
            proposal, year, name, station.

        Returns
        -------
        Path
            The folder; it need not exist.

        Raises
        ------
        InputError
            The profile has no such path, or it wants something that was not told.
        """
        if path not in self.paths:
            raise InputError(f"{self.source}: has no path {path!r}; write it into [paths]")
        template = self.paths[path]
        lacking = [name for name in _names_in(template) if not values.get(name)]
        if lacking:
            raise InputError(
                f"{self.source}: the path {path} wants {', '.join(lacking)}; write it into beamtime.toml"
            )
        return Path(template.format_map(dict(values)))


def profile_of(content: Mapping[str, Any], source: str) -> Profile:
    """Make a profile of what a file says.

    Parameters
    ----------
    content : mapping
        As TOML gives it.
    source : str
        Its file, for messages.

    Returns
    -------
    Profile
        Checked.

    Raises
    ------
    InputError
        A key is not known, or a value is not what it should be.
    """
    tables = {field.name for field in fields(Profile)} - {
        "acknowledgement", "requests", "source", "sha256",
    } | {"publication"}  # fmt: skip
    _demand_allowed(content, tables, source, "the profile")
    publication = _read_table(content, "publication", source)
    _demand_allowed(publication, {"acknowledgement", "requests"}, source, "[publication]")
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f'{source}: has no name; name = "…" was expected')
    paths = {
        key: _read_text(value, source, f"paths.{key}")
        for key, value in _read_table(content, "paths", source).items()
    }
    for key, template in paths.items():
        _demand_allowed(dict.fromkeys(_names_in(template)), _PLACES, source, f"paths.{key}")
    signs = _read_table(content, "signs", source)
    for key, value in signs.items():
        if value not in (1, -1) or isinstance(value, bool):
            raise InputError(f"{source}: signs.{key} is {value!r}; 1 or -1 was expected")
    detectors = _read_table(content, "detectors", source)
    for key, entry in detectors.items():
        _demand_allowed(entry, {"columns", "rows", "sensor_pixel_m", "bits"}, source, f"detectors.{key}")
        if any(
            isinstance(value, bool) or not isinstance(value, int | float) or value <= 0
            for value in entry.values()
        ):
            raise InputError(f"{source}: detectors.{key} holds {entry}; numbers above 0 were expected")
        if not entry.get("sensor_pixel_m", 1e-6) < 1e-3:
            raise InputError(
                f"{source}: detectors.{key}.sensor_pixel_m is {entry['sensor_pixel_m']}; metres were expected"
            )
    optics = {
        key: _read_optics(entry, source, key) for key, entry in _read_table(content, "optics", source).items()
    }
    stations = {}
    for key, station in _read_table(content, "stations", source).items():
        _demand_allowed(station, {"acknowledgement", "papers"}, source, f"stations.{key}")
        stations[key] = Station(
            _read_texts(station, "acknowledgement", source, f"stations.{key}"),
            _read_texts(station, "papers", source, f"stations.{key}"),
        )
    globus = {
        k: _read_text(v, source, f"globus.{k}") for k, v in _read_table(content, "globus", source).items()
    }
    _demand_allowed(globus, {"collection", "root"}, source, "[globus]")
    motors = {
        k: _read_text(v, source, f"motors.{k}") for k, v in _read_table(content, "motors", source).items()
    }
    return Profile(
        name=name,
        facility=_read_text(content.get("facility", ""), source, "facility"),
        paths=paths,
        motors=motors,
        signs=dict(signs),
        scan=replace(
            _read_scan_table(_read_table(content, "scan", source), f"profile {name} ({source})", source),
            motors=motors,
            signs=dict(signs),
            source=f"profile {name} ({source})",
            detectors=detectors,
            optics=optics,
        ),
        detectors={key: dict(detector) for key, detector in detectors.items()},
        optics=optics,
        acknowledgement=_read_texts(publication, "acknowledgement", source, "publication"),
        requests=_read_texts(publication, "requests", source, "publication"),
        stations=stations,
        slurm=_read_slurm_table(_read_table(content, "slurm", source), source),
        globus=globus,
        tomodata={
            k: _read_text(v, source, f"tomodata.{k}")
            for k, v in _read_table(content, "tomodata", source).items()
        },
        records=read_record_facts(content.get("records", {}), source),
        source=source,
    )


def _read_scan_table(content: Mapping[str, Any], profile_name: str, source: str) -> ProfileValues:
    """Read the table [scan]: numbers in the unit of their names, or text with its unit."""
    _demand_allowed(content, {*FROM_PROFILE, "corrects"}, source, "[scan]")
    values: dict[str, Value[float]] = {}
    for name in FROM_PROFILE:
        if name not in content:
            continue
        if isinstance(content[name], bool) or not isinstance(content[name], int | float | str):
            raise InputError(
                f"{source}: scan.{name} is {content[name]!r}; a number, or text with its unit, was expected"
            )
        try:
            values[name] = Value(user_value(name, content[name]).value, "profile", profile_name)
        except (ParameterError, UnitError) as problem:
            raise InputError(f"{source}: [scan]: {problem}") from problem
    corrects = _read_texts(content, "corrects", source, "scan")
    for name in corrects:
        if name not in values:
            raise InputError(
                f"{source}: scan.corrects names {name!r}, but [scan] has no such value; one of "
                f"{', '.join(values) or 'none'} was expected"
            )
    return ProfileValues(values, corrects)


def _read_optics(entry: object, source: str, key: str) -> dict[str, Any]:
    """Read an entry of [optics]: the magnification of an objective, and the scintillator before it."""
    _demand_allowed(entry, {"magnification", "scintillator"}, source, f"optics.{key}")
    assert isinstance(entry, Mapping)
    magnification = entry.get("magnification", 1.0)
    if (
        isinstance(magnification, bool)
        or not isinstance(magnification, int | float)
        or not 0 < magnification < 1e5
    ):
        raise InputError(
            f"{source}: optics.{key}.magnification is {magnification!r}; a number above 0 was expected"
        )
    _read_text(entry.get("scintillator", ""), source, f"optics.{key}.scintillator")
    return dict(entry)


def _read_slurm_table(content: Mapping[str, Any], source: str) -> dict[str, str | int]:
    """Read the table [slurm]: options as for `--on slurm`."""
    from tomarium.executors.slurm.options import make_options

    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise InputError(f"{source}: slurm.{name} is {value!r}; text or a whole number was expected")
    make_options(content, f"{source}: [slurm]")
    return dict(content)


def _demand_allowed(table: object, allowed: set[str], source: str, where: str) -> None:
    if not isinstance(table, Mapping):
        raise InputError(f"{source}: {where} is {table!r}; a table was expected")
    for key in table:
        if key not in allowed:
            near = get_close_matches(str(key), allowed, 1)
            hint = (
                f"did you mean {near[0]!r}" if near else f"one of {', '.join(sorted(allowed))} was expected"
            )
            raise InputError(f"{source}: {where} has {key!r}, which means nothing there; {hint}")


def _read_table(content: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, Mapping):
        raise InputError(f"{source}: {key} is {table!r}; a table [{key}] was expected")
    return table


def _read_text(value: object, source: str, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{source}: {where} is {value!r}; text in quotes was expected")
    return value


def _read_texts(table: Mapping[str, Any], key: str, source: str, where: str) -> tuple[str, ...]:
    texts = table.get(key, [])
    if not isinstance(texts, list):
        raise InputError(f"{source}: {where}.{key} is {texts!r}; a list of sentences was expected")
    return tuple(_read_text(text, source, f"{where}.{key}") for text in texts)


def _names_in(template: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", template)
