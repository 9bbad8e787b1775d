"""What is asked for of a mesh or a print, as a form or a program says it, and as a job keeps it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tomarium import units
from tomarium.catalogue import form_words
from tomarium.errors import ParameterError, UnitError
from tomarium.model import Volume
from tomarium.model.sentence import Sentence
from tomarium.pipeline.mesh.body import Wish
from tomarium.pipeline.mesh.make_mesh import SMALLEST_VOXELS, Limits
from tomarium.pipeline.mesh.print_body import UP, PrintWish

LABELS: Final = {
    "name": "Name",
    "overwrite": "Replace one of this name",
    "threshold": "Threshold",
    "dark": "The body is what is darker",
    "smooth": "Smoothing",
    "whole": "The corners count too",
    "voxel": "Size of a voxel",
    "level": "Level",
    "max_tri": "Triangles at most",
    "smallest": "Voxels of a piece that is kept",
    "height": "Height",
    "min_wall": "Least thickness of walls",
    "up": "Upwards",
    "keep_hollow": "Leave closed hollows",
    "largest_only": "Print the largest piece alone",
    "text": "Lines on the plate",
    "no_plate": "Without a plate",
}
"""Field of the form, which has the name of the command's option, → what stands beside it."""
OF_BOTH: Final = ("name", "overwrite", "threshold", "dark", "smooth", "whole", "voxel", "level", "max_tri")
FIELDS: Final = {
    "surface": (*OF_BOTH, "smallest"),
    "print": (*OF_BOTH, "height", "min_wall", "up", "keep_hollow", "largest_only", "text", "no_plate"),
}
"""Role → the fields of its form."""
MOST_TRIANGLES: Final = 3_000_000
"""What a page may ask for; the command takes more."""
MOST_LINES: Final = 3
LONGEST_LINE: Final = 40


@dataclass(frozen=True)
class ModelRequest:
    """A mesh or a print that is asked for.

    Attributes
    ----------
    role : str
        "surface" or "print".
    name : str
        Of the files, and of the part of the record.
    overwrite : bool
        Whether one of this name is replaced.
    wish : Wish
        What is the body.
    limits : Limits
        What it may cost.
    how : PrintWish or None
        How it is printed; its lines are empty where `lines` is None.
    lines : tuple of str or None
        What stands on the plate; None for DOI and licence, () for no plate.
    voxel_m : float or None
        Edge of a voxel, m, where the volume says nothing of it.
    """

    role: str
    name: str
    overwrite: bool
    wish: Wish
    limits: Limits
    how: PrintWish | None = None
    lines: tuple[str, ...] | None = None
    voxel_m: float | None = None


def read_model_request(role: str, fields: Mapping[str, str]) -> ModelRequest:
    """Read what a form says.

    Parameters
    ----------
    role : str
        "surface" or "print".
    fields : Mapping of str to str
        Field of `FIELDS` → its text; "" is as absent. A box that is ticked holds any other text.

    Returns
    -------
    ModelRequest
        What it asks for, defaults filled in.

    Raises
    ------
    ParameterError
        A field is unknown, or its text cannot be read.
    """
    unknown = [name for name in fields if name not in FIELDS[role]]
    if unknown:
        raise ParameterError(
            Sentence(form_words.NO_FIELD, text=repr(unknown[0][:60]), names=", ".join(FIELDS[role]))
        )
    texts = {name: text.strip() for name, text in fields.items() if text.strip()}
    triangles = read_count(texts.get("max_tri", "300k"), _label_of("max_tri"))
    if triangles > MOST_TRIANGLES:
        raise ParameterError(
            f"{_label_of('max_tri')} {triangles}: at most {MOST_TRIANGLES} can be asked for here; "
            f"`tomarium {_command(role)}` takes more"
        )
    wish = Wish(
        _number(texts, "threshold"),
        "dark" in texts,
        None,
        _number(texts, "smooth", 0, 20, 1.0) or 0.0,
        "whole" in texts,
    )
    limits = Limits(
        triangles,
        _whole_number(texts, "level", 0, 20),
        None,
        _whole_number(texts, "smallest", 1, 10**9) or SMALLEST_VOXELS,
    )
    how, lines = _print_of(texts, triangles) if role == "print" else (None, None)
    voxel = texts.get("voxel")
    return ModelRequest(
        role,
        texts.get("name", role)[:40],
        "overwrite" in texts,
        wish,
        limits,
        how,
        lines,
        None if voxel is None else read_mm(voxel, _label_of("voxel")) * 1e-3,
    )


def _print_of(texts: Mapping[str, str], triangles: int) -> tuple[PrintWish, tuple[str, ...] | None]:
    up = texts.get("up", "z")
    if up not in UP:
        raise ParameterError(f"{_label_of('up')} {up[:20]!r}: is one of {', '.join(UP)}")
    lines: tuple[str, ...] | None = None
    if "no_plate" in texts:
        lines = ()
    elif "text" in texts:
        lines = tuple(line.strip() for line in texts["text"].splitlines() if line.strip())
        if len(lines) > MOST_LINES or max(map(len, lines)) > LONGEST_LINE:
            raise ParameterError(
                f"{_label_of('text')}: has {len(lines)} lines, the longest of {max(map(len, lines))} letters; give at "
                f"most {MOST_LINES} of at most {LONGEST_LINE}"
            )
    how = PrintWish(
        height_mm=read_mm(texts.get("height", "80 mm"), _label_of("height")),
        wall_mm=read_mm(texts.get("min_wall", "1.2 mm"), _label_of("min_wall")),
        triangles=triangles,
        up=up,
        keep_hollow="keep_hollow" in texts,
        largest_only="largest_only" in texts,
    )
    return how, lines


def read_count(text: str, name: str) -> int:
    """Read a number of triangles: "300k", "2M", "50000"; `name` is told where it is none."""
    factors = {"k": 1000, "m": 1_000_000}
    try:
        number = float(text.rstrip("kKmM")) * factors.get(text[-1:].lower(), 1)
    except ValueError:
        number = 0.0
    if not 100 <= number <= 1e8:
        raise ParameterError(Sentence(form_words.NUMBER_FROM_100, name=Sentence(name), text=repr(text[:40])))
    return int(number)


def read_mm(text: str, name: str) -> float:
    """Read a length, "80mm" or "80 mm"; returns mm. `name` is told where it is none."""
    spaced = re.sub(r"^\s*([0-9.eE+-]*[0-9.])\s*([a-zA-Zµμ]+)\s*$", r"\1 \2", text[:40])
    try:
        length = 1e3 * units.parse(spaced, "m")
    except UnitError as problem:
        raise ParameterError(f"{name}: {problem}") from problem
    if not 0 < length < 1e5:
        raise ParameterError(Sentence(form_words.LENGTH_SUCH_AS, name=Sentence(name), text=repr(text[:40])))
    return length


def with_voxel(volume: Volume, voxel_m: float) -> Volume:
    """Give a volume cubic voxels of a size, m."""
    if not 1e-12 < voxel_m < 10:
        raise ParameterError(f"a voxel of {voxel_m:g} m: no voxel has that size; give it as '0.65 um'")
    return replace(volume, axes=tuple(replace(axis, scale=voxel_m, unit="m") for axis in volume.axes))


def in_form_words(message: str) -> str:
    """Name the fields of the form in a message that names options of the command."""
    message = message.replace("allow more with --memory", "let a worker with more memory do it")
    return re.sub(
        r"--([a-z]+(?:-[a-z]+)?)",
        lambda match: (
            _label_of(match[1].replace("-", "_")) if match[1].replace("-", "_") in LABELS else match[0]
        ),
        message,
    )


def _label_of(field: str) -> str:
    return f"“{LABELS[field]}”"


def _command(role: str) -> str:
    return "print" if role == "print" else "mesh"


def _number(
    texts: Mapping[str, str],
    field: str,
    low: float = -math.inf,
    high: float = math.inf,
    default: float | None = None,
) -> float | None:
    text = texts.get(field)
    if text is None:
        return default
    try:
        number = float(text.replace("\u2212", "-"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or not low <= number <= high:
        span = f" from {low:g} to {high:g}" if math.isfinite(high) else ""
        raise ParameterError(f"{_label_of(field)} {text[:40]!r}: give a number{span}")
    return number


def _whole_number(texts: Mapping[str, str], field: str, low: int, high: int) -> int | None:
    text = texts.get(field)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 12 or not low <= int(text) <= high:
        raise ParameterError(
            Sentence(
                form_words.WHOLE_NUMBER_FROM,
                name=Sentence(_label_of(field)),
                text=repr(text[:40]),
                low=low,
                high=high,
            )
        )
    return int(text)


def as_arguments(record: str, role: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Write what a form asks for as a job keeps it: the same form, sent twice, gives the same."""
    read_model_request(role, fields)
    return {
        "record": record,
        "role": role,
        "fields": {name: text.strip() for name, text in sorted(fields.items()) if text.strip()},
    }
