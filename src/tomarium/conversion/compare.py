"""Compare two scans or two images: by meaning, in SI units, and by the numbers of their pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import InputError
from tomarium.formats.data_exchange.writer import RAW_TITLE
from tomarium.formats.frames.blocks import blocks_of
from tomarium.formats.provenance.json_values import as_json
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Axis, FrameKind, Frames, Image, MotorPositions, Scan, Value
from tomarium.model.geometry import FIELDS, Field
from tomarium.model.scan import Reference

# A number that went through another unit and back may differ in its last digits.
_RELATIVE: Final = 1e-9
# So may an angle (degrees) or a shift (pixels) of a view.
_PER_VIEW: Final = 1e-9
_BLOCK_BYTES: Final = 32 << 20
_SPACE: Final = ("z", "y", "x")
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})
# What a writer says of itself, and where in the file things lie, is no difference of what was written.
_NOT_CONTENT: Final = frozenset({"writer", "shards", "processes", "detector_output_data", "why", "format"})
_RUN: Final = "provenance"
# What is told of two runs in lines of their own, and what no two runs have alike.
_TOLD_OF_RUNS: Final = frozenset(
    {"source", "frozen", "protocol", "rows", "geometry", "versions", "started", "finished", "timings_s"}
)


@dataclass(frozen=True)
class Finding:
    """One thing that was compared."""

    what: str  # "angles_deg", "projections", "sample_name" …
    same: bool  # whether both say the same
    # what each says, JSON-ready; None where it says nothing
    one: Any
    other: Any
    detail: str = ""  # how far they differ, or how exactly they agree, in words
    # Whether it counts. What an image tells besides its voxels, axes and unit does not, nor where in space a
    # volume lies: it is told as a note.
    content: bool = True


@dataclass(frozen=True)
class Comparison:
    """What became of comparing two scans or images."""

    findings: tuple[Finding, ...]  # in a fixed order

    @property
    def same(self) -> bool:
        """Whether nothing differs that counts."""
        return all(finding.same or not finding.content for finding in self.findings)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What differs and does not count."""
        return tuple(finding for finding in self.findings if not finding.same and not finding.content)


def compare(
    one: Scan | Image,
    other: Scan | Image,
    *,
    pixels: bool = True,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Compare two scans, or two images.

    `pixels`: whether frames or voxels are compared too, block by block; otherwise headers alone. Result:
    values agree where they differ by less than 1e-9 of themselves (angles and shifts: 1e-9 of a degree or
    pixel), pixels where their numbers are equal, whatever type they are stored in; no number equals no
    number. Images are the same where their voxels, axes and unit are: two runs on one scan tell other times,
    and a format may have no place for where in space a volume lies.
    """
    if isinstance(one, Scan) and isinstance(other, Scan):
        return Comparison((*_meaning(one, other), *(_stacks(one, other, on_progress) if pixels else [])))
    if isinstance(one, Image) and isinstance(other, Image):
        return Comparison((*_image(one, other), *(_voxels(one, other, on_progress) if pixels else [])))
    kinds = " and ".join("a scan" if isinstance(item, Scan) else "an image" for item in (one, other))
    raise InputError(f"{one.path} and {other.path} are {kinds}; compare two scans or two images")


def _meaning(first: Scan, other: Scan) -> Iterator[Finding]:
    yield Finding("shape", first.shape == other.shape, list(first.shape), list(other.shape))
    yield _types("dtype", first.projections.dtype, other.projections.dtype)
    for field in FIELDS:
        values = [getattr(scan.geometry, field.name) for scan in (first, other)]
        if field.per_view and None not in values:
            yield _per_view(field, *(value.value for value in values))
        elif field.expected or values != [None, None]:
            yield _value(field.name, *values)
    yield from _motors(first.geometry.motors, other.geometry.motors)
    if {first.domain, other.domain} != {"counts"}:
        yield Finding("domain", first.domain == other.domain, first.domain, other.domain)
    for kind in FrameKind:
        counts = first.counts.get(kind, 0), other.counts.get(kind, 0)
        if any(counts):
            yield Finding(f"frames.{kind}", counts[0] == counts[1], *counts)
    for name, a, b in (("flats", first.flats, other.flats), ("darks", first.darks, other.darks)):
        if a is not None and b is not None:
            same = np.array_equal(a.position, b.position)
            yield Finding(f"{name}.position", same, a.position.tolist(), b.position.tolist())
    names = [name for name in {**first.metadata, **other.metadata} if not name.startswith("/")]
    names = [name for name in names if name not in _NOT_CONTENT]
    for name in names:
        first_value, other_value = first.metadata.get(name), other.metadata.get(name)
        filled = (
            _is_filled_in(name, other_value, first)
            if first_value is None
            else _is_filled_in(name, first_value, other)
        )
        if (first_value is not None and other_value is not None) or not filled:
            yield _value(name, first_value, other_value)


def _motors(first: Mapping[str, MotorPositions], other: Mapping[str, MotorPositions]) -> Iterator[Finding]:
    """Compare where motors stood; that a format has no place for them is a note."""
    for name in {**first, **other}:
        first_motor, other_motor = first.get(name), other.get(name)
        a, b = (None if motor is None else motor.shown for motor in (first_motor, other_motor))
        if first_motor is None or other_motor is None:
            yield Finding(f"motor {name}", False, a, b, content=False)
            continue
        alike = first_motor.value.shape == other_motor.value.shape and first_motor.unit == other_motor.unit
        same = alike and np.allclose(first_motor.value, other_motor.value, rtol=_RELATIVE, atol=1e-12)
        yield Finding(f"motor {name}", bool(same), a, b)


def _is_filled_in(name: str, value: Value[Any] | None, lacking: Scan) -> bool:
    """Tell whether a writer put a value where its format demands one and the scan knows none."""
    if value is None:
        return False
    return (name == "sample_name" and value.value == lacking.name) or (
        name == "title" and value.value == RAW_TITLE
    )


def _types(name: str, first: Any, other: Any) -> Finding:
    a, b = np.dtype(first), np.dtype(other)
    return Finding(name, True, a.name, b.name, "" if a == b else "stored in another type")


def _per_view(field: Field, first_angles: NDArray[np.float64], other: NDArray[np.float64]) -> Finding:
    name, unit = field.name, {"deg": "°"}.get(field.unit, f" {field.unit}")
    first, second = (
        [float(angles[0]), float(angles[-1])] if len(angles) else [] for angles in (first_angles, other)
    )
    if len(first_angles) != len(other):
        words = "angles" if name == "angles_deg" else "numbers"
        return Finding(name, False, first, second, f"{len(first_angles)} {words} and {len(other)}")
    if np.array_equal(first_angles, other):
        return Finding(name, True, first, second, "to the bit")
    apart = float(np.abs(first_angles - other).max())
    return Finding(name, apart <= _PER_VIEW, first, second, f"up to {apart:.3g}{unit} apart")


def _value(name: str, first: Value[Any] | None, other: Value[Any] | None) -> Finding:
    a, b = (None if item is None else as_json(item.value) for item in (first, other))
    if a is None or b is None:
        detail = "" if a is b else f"only the {'first' if b is None else 'second'} says it"
        return Finding(name, a is b, a, b, detail)
    if _is_number(a) and _is_number(b):
        apart = abs(a - b)
        return Finding(name, _agree(a, b), a, b, f"{apart:.3g} apart" if apart else "")
    return Finding(name, _agree(a, b), a, b)


def _agree(first: Any, other: Any) -> bool:
    """Compare what JSON holds, numbers to 1e-9 of themselves wherever they stand."""
    if _is_number(first) and _is_number(other):
        return bool(abs(first - other) <= _RELATIVE * max(abs(first), abs(other)))
    if isinstance(first, list) and isinstance(other, list):
        return len(first) == len(other) and all(map(_agree, first, other))
    if isinstance(first, dict) and isinstance(other, dict):
        return first.keys() == other.keys() and all(_agree(first[name], other[name]) for name in first)
    return bool(first == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _stacks(first_scan: Scan, other: Scan, on_progress: OnProgress | None) -> Iterator[Finding]:
    pairs: list[tuple[str, Frames | None, Frames | None]] = [
        ("projections", first_scan.projections, other.projections),
        ("flats", _frames(first_scan.flats), _frames(other.flats)),
        ("darks", _frames(first_scan.darks), _frames(other.darks)),
    ]
    total = sum(_bytes(a) for _, a, b in pairs if a is not None and b is not None and a.shape == b.shape)
    bytes_before = 0
    for stack, a, b in pairs:
        if a is None and b is None:
            continue
        if a is None or b is None or a.shape != b.shape:
            first, second = (None if item is None else list(item.shape) for item in (a, b))
            yield Finding(stack, False, first, second, "not the same frames")
            continue
        yield _pixels(stack, a.shape, _reader(a), _reader(b), a.dtype, bytes_before, total, on_progress)
        bytes_before += _bytes(a)


def _frames(reference: Reference | None) -> Frames | None:
    return None if reference is None else reference.frames


def _bytes(frames: Frames) -> int:
    count, rows, columns = frames.shape
    return count * rows * columns * np.dtype(frames.dtype).itemsize


def _reader(frames: Frames) -> Callable[[int, int], NDArray[Any]]:
    return lambda start, stop: frames.read(slice(start, stop), slice(None))


def _pixels(
    name: str,
    shape: tuple[int, ...],
    read_first: Callable[[int, int], NDArray[Any]],
    other: Callable[[int, int], NDArray[Any]],
    dtype: Any,
    bytes_before: int,
    total: int,
    on_progress: OnProgress | None,
) -> Finding:
    """Compare block by block; `read_first` and `other` read from a first to a last element of the first axis."""
    bytes_of_part = max(1, int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize)
    count, first, most = 0, None, 0.0
    for part in blocks_of(shape, np.dtype(dtype).itemsize, _BLOCK_BYTES):
        start, stop = part.start, part.stop
        a, b = read_first(start, stop), other(start, stop)
        unequal = _unequal(a, b)
        if unequal.any():
            count += int(unequal.sum())
            if first is None:
                first = start + int(np.flatnonzero(unequal.reshape(stop - start, -1).any(axis=1))[0])
            wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
            with np.errstate(invalid="ignore"):  # infinity from infinity
                apart = np.abs(a[unequal].astype(wide) - b[unequal].astype(wide))
            most = max(most, float(np.nanmax(apart, initial=0.0)))
        if on_progress is not None:
            on_progress(bytes_before + stop * bytes_of_part, total)
    if first is None:
        return Finding(name, True, list(shape), list(shape), "every pixel equal")
    detail = f"{count} pixels differ, by up to {most:.6g}, first in number {first}"
    return Finding(name, False, list(shape), list(shape), detail)


def _unequal(first: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where two numbers differ; integers of 64 bits are not rounded to floats for it, as numpy does."""
    for whole, real in ((first, other), (other, first)):
        if whole.dtype.kind in "iu" and whole.dtype.itemsize == 8 and real.dtype.kind == "f":
            real = real.astype(np.float64)
            least, most = float(np.iinfo(whole.dtype).min), 2.0 * (np.iinfo(whole.dtype).max // 2 + 1)
            fits = (np.floor(real) == real) & (real >= least) & (real < most)
            return np.asarray(~fits | (np.where(fits, real, 0.0).astype(whole.dtype) != whole))
    return np.asarray((first != other) & ~((first != first) & (other != other)))


def _image(first: Image, other: Image) -> Iterator[Finding]:
    yield Finding("shape", first.shape == other.shape, list(first.shape), list(other.shape))
    yield _types("dtype", first.dtype, other.dtype)
    yield Finding("unit", first.unit == other.unit, first.unit, other.unit)
    for number in range(max(first.ndim, other.ndim)):
        yield _axes(f"axis.{number}", *(i.axes[number] if number < i.ndim else None for i in (first, other)))
    for name in {**first.metadata, **other.metadata}:
        if name not in _NOT_CONTENT:
            a, b = as_json(first.metadata.get(name)), as_json(other.metadata.get(name))
            if name == _RUN and _is_run(a) and _is_run(b):
                yield from _runs(a, b)
                continue
            is_unequal = not (a in _NOTHING and b in _NOTHING)
            yield Finding(name, not is_unequal or _agree(a, b), a, b, _unlike(a, b), content=False)


def _is_run(data: Any) -> bool:
    """Tell whether it is the provenance of a run of this program, with the steps that were done."""
    return isinstance(data, dict) and isinstance(data.get("frozen"), dict) and "steps" in data["frozen"]


def _runs(first: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Finding]:
    """Tell what differs between two runs, a line each: scan, steps and their parameters, geometry, versions."""
    one, two = _facts_of_run(first), _facts_of_run(other)
    for name in {**one, **two}:
        a, b = one.get(name), two.get(name)
        step_in_one = all(f"step {name.rpartition('.')[0]}" in facts for facts in (one, two))
        if not _agree(a, b) and ("." not in name or step_in_one):
            yield Finding(name, False, a, b, _only(name in one, name in two), content=False)
    parts = [name for name in {**first, **other} if name not in _TOLD_OF_RUNS]
    unlike = [name for name in parts if not _agree(first.get(name), other.get(name))]
    finished, later = first.get("finished"), other.get("finished")
    detail = f"finished; {', '.join(unlike)} differ too: see provenance.json" if unlike else "finished"
    same = not unlike and _agree(finished, later)
    yield Finding(_RUN, same, finished, later, detail, content=False)


def _only(in_first: bool, in_other: bool) -> str:
    return "" if in_first and in_other else f"in {'A' if in_first else 'B'} only"


def _facts_of_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what a reader compares of two runs: name → value, such as "fbp.window" → "hann"."""
    source = run.get("source") or {}
    facts = {
        "scan": source.get("name"),
        "scan's sha256": (source.get("fingerprint") or {}).get("sha256"),
        "rows": run.get("rows"),
    }
    facts |= {f"given {name}": value for name, value in (source.get("given") or {}).items()}
    counts: dict[str, int] = {}
    for entry in run["frozen"]["steps"]:
        [(step, values)] = entry.items() if isinstance(entry, dict) else [(entry, {})]
        counts[step] = counts.get(step, 0) + 1
        key = step if counts[step] == 1 else f"{step} {counts[step]}"
        facts[f"step {key}"] = "done"
        facts |= {f"{key}.{name}": value for name, value in (values or {}).items()}
    facts["order of steps"] = " → ".join(step for entry in run["frozen"]["steps"] for step in _names(entry))
    for name, value in (run.get("geometry") or {}).items():
        if isinstance(value, dict):
            facts[f"geometry {name}"] = value.get("value", [value.get("first"), value.get("last")])
    facts |= {f"version of {name}": value for name, value in (run.get("versions") or {}).items()}
    return facts


def _names(entry: Any) -> list[str]:
    return list(entry) if isinstance(entry, dict) else [entry]


def _unlike(first: Any, other: Any) -> str:
    """Name what differs in two mappings."""
    if not isinstance(first, dict) or not isinstance(other, dict):
        return ""
    names = [name for name in {**first, **other} if not _agree(first.get(name), other.get(name))]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"in {', '.join(names[:5])}{more}" if names else ""


def _axes(name: str, first: Axis | None, other: Axis | None) -> Finding:
    if first is None or other is None:
        return Finding(name, False, _axis(first), _axis(other))
    alike = (first.name, first.unit, len(first.coordinates)) == (
        other.name,
        other.unit,
        len(other.coordinates),
    )
    least = abs(first.scale)
    spaced = _near(first.scale, other.scale, least) and all(
        _near(a, b, least) for a, b in zip(first.coordinates, other.coordinates, strict=alike)
    )
    placed = _near(first.offset, other.offset, least)
    # Energies that are shifted are other energies; a volume that is moved in space is the same volume.
    moved = alike and spaced and not placed and first.name in _SPACE and first.unit in ("m", "px")
    detail = f"begins {units.show(other.offset - first.offset, first.unit)} apart" if moved else ""
    return Finding(name, alike and spaced and placed, _axis(first), _axis(other), detail, content=not moved)


def _near(first: float, other: float, least: float) -> bool:
    return abs(first - other) <= _RELATIVE * max(abs(first), abs(other), least)


def _axis(axis: Axis | None) -> str | None:
    return None if axis is None else f"{axis.name}: {axis.offset:g} + {axis.scale:g} i, {axis.unit}"


def _voxels(first: Image, other: Image, on_progress: OnProgress | None) -> Iterator[Finding]:
    if first.shape != other.shape:
        return
    total = int(np.prod(first.shape, dtype=np.int64)) * first.dtype.itemsize
    yield _pixels(
        "values",
        first.shape,
        lambda start, stop: np.asarray(first[start:stop]),
        lambda start, stop: np.asarray(other[start:stop]),
        first.dtype,
        0,
        total,
        on_progress,
    )
