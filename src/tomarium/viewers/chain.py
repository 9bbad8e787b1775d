"""The way from the scan to the volume: what went in, the steps in their order, what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tomarium import units
from tomarium.model import Record, parameter
from tomarium.model.wording import brief, day, in_words
from tomarium.viewers.viewer import View
from tomarium.viewers.volume import volume_path

SHOWN: Final = 7
"""Steps that stand in the open; more are folded."""

_WORDS: Final = {
    "fbp": "Filtered back projection",
    "paganin": "Paganin phase retrieval",
    "ctf": "Phase retrieval, contrast transfer function",
    "minus_log": "Minus logarithm",
    "tv": "Total variation",
    **{name: name.upper() for name in ("cgls", "mlem", "osem", "sart", "sirt")},
}


@dataclass(frozen=True)
class ChainBox:
    """A box of the chain.

    Attributes
    ----------
    over, title : str
        What it is, and its name or size.
    lines : tuple of str
        What is known of it.
    address, link : str
        Where it is, and the words of the link; "" where it cannot be had here.
    here : bool
        Whether it is what the page shows.
    """

    over: str
    title: str
    lines: tuple[str, ...] = ()
    address: str = ""
    link: str = ""
    here: bool = False


@dataclass(frozen=True)
class ChainStep:
    """A step on the arrow between two boxes.

    Attributes
    ----------
    number : int
        From 1.
    title, detail : str
        What was done, and what was chosen for it; "" where nothing was.
    """

    number: int
    title: str
    detail: str


@dataclass(frozen=True)
class Chain:
    """Scan, steps, volume.

    Attributes
    ----------
    start : ChainBox
        The scan.
    steps : tuple of ChainStep
        At least one.
    end : ChainBox
        The volume.
    """

    start: ChainBox
    steps: tuple[ChainStep, ...]
    end: ChainBox


def chain_of(record: Record, view: View) -> Chain | None:
    """Tell how a record was made, as far as its provenance says it.

    Parameters
    ----------
    record : Record
        Its provenance may hold anything.
    view : View
        For the address of the volume.

    Returns
    -------
    Chain or None
        None where no step is told: a chain without steps would say that nothing was done.
    """
    steps = tuple(
        ChainStep(number, brief(title, 80), brief(detail, 120))
        for number, (title, detail) in enumerate(steps_told(record.provenance), start=1)
    )
    if not steps:
        return None
    return Chain(_scan(record), steps, _volume(record, view))


def steps_told(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name the steps of a provenance's plan, else those of its protocol, with what was chosen for each."""
    stages = _list(_part(provenance, "plan", "stages"))
    steps = [step for stage in stages if isinstance(stage, Mapping) for step in _list(stage.get("steps"))]
    steps = (
        steps or _list(_part(provenance, "frozen", "steps")) or _list(_part(provenance, "protocol", "steps"))
    )
    for step in steps:
        if isinstance(step, str):
            yield _title(step), ""
        elif isinstance(step, Mapping) and isinstance(step.get("step"), str):
            yield (
                _title(step["step"]),
                _probe_text(provenance, step["step"]) or _chosen_text(step.get("parameters")),
            )
        elif isinstance(step, Mapping) and len(step) == 1:
            [(name, settings)] = step.items()
            yield _title(str(name)), in_words(settings) if settings else ""


def _chosen_text(parameters: Any) -> str:
    """Word what a person or a file chose; what is a step's default is no news."""
    if not isinstance(parameters, Mapping):
        return ""
    chosen = {
        name: parameter.get("value")
        for name, parameter in parameters.items()
        if isinstance(parameter, Mapping)
        and parameter.get("origin") == "user"
        and parameter.get("value") is not None
    }
    return ", ".join(f"{parameter.label(str(name))}: {in_words(value)}" for name, value in chosen.items())


def _probe_text(provenance: Mapping[str, Any], name: str) -> str:
    """Word what a probe found."""
    probe = _part(provenance, "probes", name)
    column = probe.get("column") if isinstance(probe, Mapping) else None
    if not isinstance(column, (int, float)):
        return ""
    confidence = probe.get("confidence")
    sure = f", confidence {confidence}" if isinstance(confidence, str) else ""
    return f"{units.show(column, 'px', digits=6)}{sure}"


def _scan(record: Record) -> ChainBox:
    source = record.provenance.get("source")
    source = source if isinstance(source, Mapping) else {}
    projections = _part(source, "frames", "projection")
    shape, path, size = source.get("shape"), source.get("path"), _part(source, "fingerprint", "bytes")
    lines = []
    if isinstance(shape, Sequence) and len(shape) == 3 and all(isinstance(part, int) for part in shape):
        lines.append(f"{shape[2]} × {shape[1]} px")
    if isinstance(size, int):
        lines.append(units.show(size, "B", digits=3))
    start = record.parameters.get("start_time")
    if start is not None and isinstance(start.value, str):
        lines.append(_date_text(start.value))
    title = f"{projections} projections" if isinstance(projections, int) else ""
    name = path if isinstance(path, str) else ""
    lines = [", ".join(lines)] if lines else []
    return ChainBox(
        "Raw scan",
        brief(title or name or "Not named", 80),
        (*lines, *([brief(name, 120)] if title and name else [])),
    )


def _volume(record: Record, view: View) -> ChainBox:
    shape, voxel = record.volume.get("shape") or (), record.volume.get("voxel_m")
    path = volume_path(record)
    entry = next((entry for entry in record.files if path and entry.path.rstrip("/") == path), None)
    facts = [parameter.show_voxel(voxel)] if voxel else []
    facts += [units.show(entry.bytes, "B", digits=3)] if entry else []
    version, finished = _part(record.provenance, "versions", "tomarium"), record.provenance.get("finished")
    origin = [f"tomarium {version}"] if isinstance(version, str) else []
    origin += [_date_text(finished)] if isinstance(finished, str) else []
    return ChainBox(
        "Volume, this record",
        " × ".join(str(length) for length in shape[::-1]) or record.title,
        tuple(", ".join(line) for line in (facts, origin) if line),
        view.file(entry.path) if entry else "",
        entry.path if entry else "",
        here=True,
    )


def _title(name: str) -> str:
    words = _WORDS.get(name) or name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _date_text(moment: str) -> str:
    """Write the day of a moment; what is no moment stays as it is."""
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        return brief(moment, 40)
    return day(when)


def _part(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
