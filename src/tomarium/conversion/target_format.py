"""What a path opens as, and which format a target is written in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomarium import formats
from tomarium.errors import ParameterError
from tomarium.formats.format import Format
from tomarium.model import Image, Scan, Volume

# What to do where a format holds only data of another kind.
_HINTS: Final = {
    "scan": "a scan becomes a volume by reconstruction: tomarium run SCAN -o OUT",
    "volume": "a volume becomes a scan only where it is one (axes angle, row, column): tell its angles",
    "image": "write it as NeXus (.nxs), which holds any, as OME-Zarr, OME-TIFF, PNG or MRC, or one axis as CSV",
}


# Other words for a format.
_ALIASES: Final = {"dx": "data-exchange"}


def kind_of(opened: Scan | Image) -> str:
    """Name what was opened as `Format.writes` does."""
    if isinstance(opened, Scan):
        return "scan"
    return "volume" if isinstance(opened, Volume) else "image"


def choose(target: Path, kind: str, to: str | None) -> Format:
    """Choose the format to write.

    `target`: where it goes; its ending decides where `to` is None.
    """
    writing_forms = {
        name: form
        for name, form in formats.formats().items()
        if form.write is not None and (not form.writes or kind in form.writes)
    }
    listed = ", ".join(writing_forms) or "none"
    if to is not None:
        to = _ALIASES.get(to, to)
        if to not in writing_forms:
            hint = f" {_HINTS[kind]};" if to in formats.formats() else ""
            raise ParameterError(f"there is no format {to!r} that writes a {kind};{hint} there are {listed}")
        return writing_forms[to]
    fits = [form for form in writing_forms.values() if target.suffix.lower() in form.suffixes]
    candidates = [form for form in fits if form.writes] or fits
    if len(candidates) == 1:
        return candidates[0]
    names = ", ".join(form.name for form in candidates)
    why = f"{names} all have its ending" if candidates else f"no format that writes a {kind} has its ending"
    other_forms = [
        form for form in formats.formats().values() if form.write and target.suffix.lower() in form.suffixes
    ]
    hint = "" if candidates or not other_forms else f" {_HINTS[kind]}; or"
    first = dict.fromkeys(form.suffixes[0] for form in writing_forms.values() if form.suffixes)
    endings = "" if candidates or not first else f" give it an ending, such as {' or '.join(first)}, or"
    raise ParameterError(
        f"{target}: {why};{hint}{endings} name one with --to (as_format in Python): {listed}"
    )
