"""What a record tells by itself, in plain sentences: each made by a rule from fields of the record, none invented."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import prod
from typing import Any, Final

from tomarium.model import Record
from tomarium.standards import panet
from tomarium.viewers.known_things import beside, plain_length
from tomarium.viewers.slices import voxel_m

TOMOGRAPHY: Final = "PaNET01129"
PROBES: Final = (("PaNET01012", "X-rays"), ("PaNET00101", "Neutrons"))
"""Technique of PaNET → what went through the specimen; the first that is told."""
SPELLED: Final = {"x-ray": "X-rays", "xray": "X-rays", "neutron": "Neutrons"}
"""How a scan's `probe` begins, as NeXus writes it → what went through the specimen."""
PHASE: Final = "PaNET00204"
EMISSION: Final = "PaNET00201"
LONGEST_S: Final = 30 * 86400.0


@dataclass(frozen=True)
class PlainFact:
    """A sentence that follows from a record.

    Attributes
    ----------
    text : str
        The sentence.
    source : str
        Fields of the record that it was made from.
    """

    text: str
    source: str


def plain_facts(record: Record) -> tuple[PlainFact, ...]:
    """Tell in plain sentences what follows from a record.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    tuple of PlainFact
        How it was seen, how large it is beside a known thing, how small its voxels are, of how many slices and pictures
        it is made, and how long the scan took; what the record does not tell, or only assumes, has no sentence.
    """
    return tuple(fact for rule in _RULES for fact in rule(record))


def probe_of(record: Record) -> str:
    """Tell what went through a specimen, as its techniques or its scan say it.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        "X-rays" or "Neutrons"; "" where nothing tells it, or what shines by itself was seen.
    """
    reached = frozenset[str]().union(*(panet.broader(technique) for technique in record.techniques))
    if EMISSION in reached:
        return ""
    told = next((name for id, name in PROBES if id in reached), "")
    probe = record.parameters.get("probe")
    said = "" if probe is None else str(probe.value).strip().lower()
    by_scan = next((name for word, name in SPELLED.items() if said.startswith(word)), "")
    return told or by_scan


def extent_m(record: Record) -> tuple[float, float, float] | None:
    """Tell how large what the volume of a record shows is.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    tuple of float or None
        Height, depth and width (z, y, x), m: voxels times their size. None where either is not known.
    """
    shape, size = record.volume.get("shape") or (), voxel_m(record)
    if len(shape) != 3 or size is None or not all(size):
        return None
    z, y, x = (int(n) * value for n, value in zip(shape, size, strict=True))
    return z, y, x


def plain_size(record: Record) -> str:
    """Tell in a few words how large what the volume of a record shows is.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    str
        "About as long as a grain of rice (6 mm)", or "4.4 mm at its longest" where no known thing is as long; "" where
        it is not known.
    """
    size = extent_m(record)
    if size is None:
        return ""
    comparison = beside(max(size))
    words = comparison.words if comparison else f"{plain_length(max(size))} at its longest"
    return words[0].upper() + words[1:]


def _technique(record: Record) -> Iterator[PlainFact]:
    broader = [panet.broader(technique) for technique in record.techniques]
    if not any(TOMOGRAPHY in above for above in broader):
        return
    reached = frozenset().union(*broader)
    # What shines by itself, as in fluorescence, is not told by what goes through.
    probe = probe_of(record)
    how = f"{probe} went through it from many sides" if probe else "Pictures of it were taken from many sides"
    took = ", and each time a picture was taken" if probe else ""
    yield PlainFact(f"{how}{took}; from the pictures a computer worked out what is inside.", "techniques")
    if PHASE in reached and probe:
        yield PlainFact(
            f"{probe} are bent a little at the edges of things; the computer made use of that, so that even things "
            f"show that hardly cast a shadow.",
            "techniques",
        )


def _extent(record: Record) -> Iterator[PlainFact]:
    size = extent_m(record)
    if size is None:
        return
    height, depth, width = map(plain_length, size)
    longest = max(size)
    comparison = beside(longest)
    yield PlainFact(
        f"What the scan shows is {width} wide, {depth} deep and {height} high"
        + (f"; its longest side is {comparison.words}." if comparison else "."),
        "volume: shape, voxel_m",
    )


def _voxel(record: Record) -> Iterator[PlainFact]:
    size = voxel_m(record)
    if size is None or not all(size):
        return
    comparison = beside(size[2], "wide")
    cube = max(size) <= 1.005 * min(size)
    others = "" if cube else f", {plain_length(size[1])} deep and {plain_length(size[0])} high"
    yield PlainFact(
        f"It is made of tiny blocks, called voxels; each is {plain_length(size[2])} wide{others}"
        + (f", {comparison.words}." if comparison and cube else "."),
        "volume: voxel_m",
    )


def _slices(record: Record) -> Iterator[PlainFact]:
    shape = [int(n) for n in record.volume.get("shape") or ()]
    if len(shape) == 3 and shape[0] > 1:
        voxels = prod(shape)
        yield PlainFact(
            f"The computer made {_counted(shape[0])} slices of it, like those of a loaf of bread; they have "
            f"{_counted(voxels)} voxels in all.",
            "volume: shape",
        )


def _pictures(record: Record) -> Iterator[PlainFact]:
    number = _told(record, "projections")
    if isinstance(number, int) and not isinstance(number, bool) and number > 1:
        yield PlainFact(
            f"{_counted(number)} pictures were taken for it, each from another side; such a picture is called a "
            f"projection.",
            "parameter: projections",
        )


def _duration(record: Record) -> Iterator[PlainFact]:
    try:
        began, ended = (datetime.fromisoformat(_told(record, key)) for key in ("start_time", "end_time"))
        seconds = (ended - began).total_seconds()
    except (TypeError, ValueError):  # not told, no moments, or one with a time zone and one without
        return
    if 0 < seconds < LONGEST_S:
        yield PlainFact(f"The scan took {_lasting(seconds)}.", "parameters: start_time, end_time")


def _told(record: Record, key: str) -> Any:
    """Return the value of a parameter that somebody told; None where it is only assumed."""
    value = record.parameters.get(key)
    return None if value is None or value.origin == "default" else value.value


def _counted(number: int) -> str:
    for name, size in (("million million", 10**12), ("thousand million", 10**9), ("million", 10**6)):
        if number >= size:
            return f"{float(f'{number / size:.3g}'):.12g} {name}"
    return f"{number:,}".replace(",", "\u202f")


def _lasting(seconds: float) -> str:
    if seconds < 120:
        return _of(round(seconds), "second")
    minutes = round(seconds / 60)
    if minutes < 120:
        return _of(minutes, "minute")
    return " and ".join(
        _of(n, unit) for n, unit in zip(divmod(minutes, 60), ("hour", "minute"), strict=True) if n
    )


def _of(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


_RULES: Final[tuple[Callable[[Record], Iterator[PlainFact]], ...]] = (
    _technique, _extent, _voxel, _slices, _pictures, _duration,
)  # fmt: skip
