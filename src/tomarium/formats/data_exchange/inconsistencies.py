"""Where the Data Exchange guide 0.9.1 contradicts itself: what files write, what it is read as, what is said of it.

The readers accept every spelling; this table tells which one was met. Each row cites the tables
and listings that disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import h5py
import numpy as np

from tomarium.formats.data_exchange.fields import (
    CELSIUS,
    COLDEST_KELVIN,
    GEOMETRIES,
    ZERO_CELSIUS_K,
    instances,
)
from tomarium.formats.data_exchange.processes import DESCRIPTIONS
from tomarium.formats.hdf5.attributes import Node
from tomarium.formats.hdf5.source import NO_UNIT, Source
from tomarium.units import SPELLINGS


@dataclass(frozen=True)
class Place:
    """What is looked at."""

    source: Source  # the open file
    exchange: h5py.Group  # the exchange group that was chosen
    measurement: h5py.Group | None
    # of its frames
    columns: int
    rows: int

    def members(self, path: str) -> Iterator[Node]:
        """Find every group or dataset of the measurement that a path with numbered groups names."""
        if self.measurement is None:
            return
        for _, whole in instances(self.source, self.measurement, path):
            node = self.source.find(whole, self.measurement)
            if node is not None:
                yield node


Look: TypeAlias = Callable[[Place], Iterator[str]]
"""Yields a sentence for each place where the spelling that is not the normal one was met."""


def _spelt(path: str, normal: str, instead_of: str | None = None) -> Look:
    """Look for a member under another name; `instead_of` silences it where the normal one is there too."""

    def look(place: Place) -> Iterator[str]:
        for node in place.members(path):
            group = node.parent
            if instead_of is None or instead_of not in group:
                yield f"{node.name} was read as {normal}"

    return look


def _both(*looks: Look) -> Look:
    def look(place: Place) -> Iterator[str]:
        for check in looks:
            yield from check(place)

    return look


def _theta_units(place: Place) -> Iterator[str]:
    for name in ("theta", "theta_white", "theta_dark"):
        node = place.source.find(name, place.exchange)
        unit = None if node is None else place.source.attribute(node, "units")
        # "degrees" is the plural every acquisition program writes; nobody reads it otherwise.
        if (
            node is not None
            and unit not in (None, "degree", "degrees")
            and SPELLINGS.get(unit) == ("deg", 1.0)
        ):
            yield f"{node.name}: the unit {unit!r} was read as degree"


def _temperatures(place: Place) -> Iterator[str]:
    paths = ("sample/temperature", "sample/temperature_set", "instrument/detector*/operating_temperature")
    for node in (node for path in paths for node in place.members(path)):
        if not isinstance(node, h5py.Dataset) or node.size != 1 or node.dtype.kind not in "iuf":
            continue
        number, unit = float(np.ravel(node[()])[0]), (place.source.attribute(node, "units") or "").strip()
        bare = unit.lower() in NO_UNIT
        if unit.lower() in CELSIUS or (bare and number < COLDEST_KELVIN):
            number_text = f"{number:g} without a unit" if bare else f"{number:g} {unit}"
            yield f"{node.name}: {number_text} was read as {number + ZERO_CELSIUS_K:g} K"


def _ring_energy(place: Place) -> Iterator[str]:
    for node in place.members("instrument/source/energy"):
        unit = SPELLINGS.get(place.source.attribute(node, "units") or "", ("", 0.0))
        if (
            unit[0] == "keV"
            and isinstance(node, h5py.Dataset)
            and node.size == 1
            and node.dtype.kind in "iuf"
        ):
            kev = float(np.ravel(node[()])[0]) * unit[1]
            if kev > 1000.0:
                yield f"{node.name}: {kev / 1e6:g} GeV was read as the energy of the ring, not of the photons"


def _no_actor(place: Place) -> Iterator[str]:
    provenance = place.source.find("/provenance")
    if isinstance(provenance, h5py.Group):
        for name in place.source.numbered(provenance, "process"):
            group = place.source.find(name, provenance)
            if isinstance(group, h5py.Group) and "actor" not in group:
                yield f"{group.name} names no actor, as in the guide's own example"


def _later_acquisition(place: Place) -> Iterator[str]:
    node = place.source.find("/process/acquisition")
    if isinstance(node, h5py.Group):
        yield f"{node.name} was read as the instrument's acquisition"


def _grids(place: Place) -> Iterator[str]:
    for name in ("grid_start", "grid_end", "grid_position_for_scan"):
        for node in place.members(f"instrument/interferometer/{name}"):
            if SPELLINGS.get(place.source.attribute(node, "units") or "", ("", 0.0))[0] == "deg":
                yield f"{node.name} is an angle by its unit and was read as one; Table 22 has metres"


def _distances(place: Place) -> Iterator[str]:
    for group in GEOMETRIES:
        for node in place.members(f"{group}/geometry/translation/distances"):
            axes = (place.source.attribute(node, "axes") or "x:y:z").replace(" ", "")
            if axes != "x:y:z" and sorted(axes.split(":")) == ["x", "y", "z"]:
                yield f"{node.name}: its axes {axes} were put into the order x:y:z"


def _dots(analysis: bool) -> Look:
    def look(place: Place) -> Iterator[str]:
        for name in (
            text for word in DESCRIPTIONS for text in place.source.numbered(place.source.file, word)
        ):
            group = place.source.find(f"/{name}")
            if not isinstance(group, h5py.Group):
                continue
            for path in (text for text in place.source.walk(group) if "." in text):
                last = path.rsplit("/", 1)[-1]
                if last.startswith(("iterative", "analytic")) == analysis:
                    yield f"{path} was read as {last.replace('.', '_')}"

    return look


def _numbered_scintillators(place: Place) -> Iterator[str]:
    for node in place.members("instrument/detector*/scintillator*"):
        name = str(node.name).rsplit("/", 1)[-1]
        if name != "scintillator":
            yield f"{node.name} was read as a scintillator of its own, though Table 23 numbers none"


def _positions(place: Place) -> Iterator[str]:
    for name, count in (("x", place.columns), ("y", place.rows)):
        node = place.source.find(name, place.exchange)
        if isinstance(node, h5py.Dataset) and node.size is not None and node.size != count:
            yield f"{node.name} gives {node.size} positions for {count} pixels and was left out"
    data = place.source.find("data", place.exchange)
    if data is not None and place.source.attribute(data, "units") == "density":
        yield f"{data.name}: its unit 'density' is none and was left out"


def _regions(place: Place) -> Iterator[str]:
    for node in place.members("instrument/detector*/roi"):
        size = region(place.source, node, place.columns, place.rows)
        if size is not None:
            how = "inclusive, as the frames say" if size[2] else "exclusive"
            yield f"{node.name}: x2 and y2 were read as {how}: {size[0]} × {size[1]} pixels"


def region(source: Source, node: Node, columns: int, rows: int) -> tuple[int, int, bool] | None:
    """Tell the size of a region of interest, whose last pixel Table 24 leaves open.

    Result: columns, rows and whether x2 and y2 are inclusive: so only where the frames have exactly that
    size.
    """
    if not isinstance(node, h5py.Group):
        return None
    corners = [source.array(name, node) for name in ("x1", "y1", "x2", "y2")]
    if any(corner is None or len(corner) != 1 or not np.isfinite(corner[0]) for corner in corners):
        return None
    x1, y1, x2, y2 = (int(corner[0]) for corner in corners if corner is not None)
    inclusive = (x2 - x1 + 1, y2 - y1 + 1) == (columns, rows)
    return x2 - x1 + inclusive, y2 - y1 + inclusive, inclusive


@dataclass(frozen=True)
class Inconsistency:
    """One contradiction of the guide."""

    number: int
    where: str  # the tables (T) and listings that disagree
    variants: str  # what they say
    normal: str  # what it is read as, and what tomarium writes
    look: Look | None  # finds the other spellings; None where no file can show it


INCONSISTENCIES: Final = (
    Inconsistency(1, "T7, listing 6", "environment, enviroment", "environment",
                  _spelt("sample/enviroment", "environment")),
    Inconsistency(2, "T10, listing 6", "email, e-mail", "email", _spelt("sample/experimenter*/e-mail", "email")),
    Inconsistency(3, "T23, listing 6", "x_dimension, x_dimensions; also y", "x_dimension",
                  _both(_spelt("instrument/detector*/x_dimensions", "x_dimension"),
                        _spelt("instrument/detector*/y_dimensions", "y_dimension"))),
    Inconsistency(4, "T20, listings, A.1.1", "deg, degrees, degree, °", "degree", _theta_units),
    Inconsistency(5, "T7, listings 4–6", "K by default, 25.4 as example, celsius, Celsius", "K", _temperatures),
    Inconsistency(6, "T12, listing 6", "photon energy in J, 7.0 GeV", "the ring's above 1 MeV", _ring_energy),
    Inconsistency(7, "T12", "mode, its paragraph headed source", "mode",
                  _spelt("instrument/source/source", "mode", instead_of="mode")),
    Inconsistency(8, "T14, later files", "attenuator_transmission, transmission", "attenuator_transmission",
                  _spelt("instrument/attenuator*/transmission", "attenuator_transmission")),
    Inconsistency(9, "T15, listing 5", "type, name", "type",
                  _spelt("instrument/monochromator/name", "type", instead_of="type")),
    Inconsistency(10, "T18, T19", "actor, no actor", "actor, optional", _no_actor),
    Inconsistency(11, "T21, later files", "instrument/acquisition, /process/acquisition", "both",
                  _later_acquisition),
    Inconsistency(12, "T22", "grids at an angle, in m", "m, or the angle its unit says", _grids),
    Inconsistency(13, "T28, listing 6", "x, y, z; axes z:y:x", "x, y, z unless axes says otherwise", _distances),
    Inconsistency(14, "T32", "reconstruction.slice.start, rotation.center", "underscores", _dots(False)),
    Inconsistency(15, "T33, its text", "iterative.stop.condition, iterative_stop_condition", "underscores",
                  _dots(True)),
    Inconsistency(16, "T26", "scintillator of a numbered detector, scintillator_N", "both",
                  _numbered_scintillators),
    Inconsistency(17, "figure 6", "10 and 20 keV in its caption", "nothing in a file", None),
    Inconsistency(18, "listings", "x = arange(128) beside 256 columns; unit density", "left out", _positions),
    Inconsistency(19, "title page", "dated 2012 in the table of versions, 2013 in front", "nothing in a file", None),
    Inconsistency(20, "T24", "x2, y2 the last pixel or the one after", "the one after, unless the frames say",
                  _regions),
)  # fmt: skip


def report(place: Place) -> None:
    """Say which of the guide's contradictions a file shows, and what was made of them.

    `place`: the open file; its `source.repaired` takes the sentences.
    """
    for inconsistency in INCONSISTENCIES:
        if inconsistency.look is not None:
            place.source.repaired.extend(inconsistency.look(place))
