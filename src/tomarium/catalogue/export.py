"""A record's volume once more, in another format or type."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from tomarium import formats
from tomarium.atomic_files import write_json
from tomarium.conversion.cast import CastReport, convert_cast
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError, ParameterError
from tomarium.model import Volume
from tomarium.model.image import metadata_without_run
from tomarium.pipeline.protocol.protocol import Item, Protocol
from tomarium.pipeline.run.result_files import VOLUME
from tomarium.pipeline.run.runner import Outcome
from tomarium.steps.core.values import check
from tomarium.steps.volume.cast import cast
from tomarium.steps.volume.statistics import statistics

FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "tiff": ("tiff-volume", ".tif"),
    "hdf5": ("nxtomoproc", ".h5"),
    "vol": ("pyhst-volume", ".vol"),
    "mrc": ("mrc", ".mrc"),
    "nrrd": ("nrrd", ".nrrd"),
    "metaimage": ("metaimage", ".mha"),
    "zarr": ("ome-zarr", ".ome.zarr"),
    "jpeg2000": ("jpeg2000", ".jp2"),
    "raw": ("raw-volume", ".raw"),
}
"""Word of the command line → name of the format, ending of the file."""

TYPES: Final = ("float32", "uint16", "uint8")

EXPORTS: Final = "exports.json"


COMMON: Final = "common"
"""Word of the command line for limits that all volumes of a batch share."""


class SharedLimits(typing.Protocol):
    """Limits that several volumes share."""

    def of(
        self, volume: Volume, dtype: str, on_progress: Callable[[str, int, int], None]
    ) -> tuple[float, float]:
        """Return the limits, found in this volume where they are not known yet.

        Raises
        ------
        InputError
            They are known in another unit.
        """
        ...

    def known(self, dtype: str) -> tuple[float, float] | None:
        """Return the limits where they are known."""
        ...

    @property
    def source(self) -> str:
        """Say where they come from."""
        ...


@dataclass(frozen=True)
class Export:
    """What is written besides the record's own volume.

    Attributes
    ----------
    word : str
        One of `FORMATS`.
    dtype : str
        One of `TYPES`.
    low, high : float or None
        Values that become the least and the greatest number of a whole type; None takes those of
        `tomarium.conversion.cast.auto_limits`.
    common : bool
        Whether the limits are those that all volumes of a batch share.
    shared : SharedLimits or None
        What knows these.
    """

    word: str
    dtype: str = "float32"
    low: float | None = None
    high: float | None = None
    common: bool = False
    shared: SharedLimits | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Name of the file in the record."""
        return f"volume_{self.dtype}{FORMATS[self.word][1]}"

    @property
    def is_own(self) -> bool:
        """Whether it is the record's own volume: an OME-Zarr volume of whole numbers within limits that are given."""
        return self.word == "zarr" and self.dtype != "float32" and self.low is not None


def parse_export(text: str, *, of_batch: bool = False) -> Export:
    """Read what a user wants written.

    Parameters
    ----------
    text : str
        "volume:tiff,uint16", "volume:vol", "volume:tiff,uint8,-0.1:2.5", of a batch "volume:tiff,uint16,common".
    of_batch : bool
        Whether there are several volumes, which can share their limits.

    Returns
    -------
    Export
        Checked.

    Raises
    ------
    ParameterError
        Another form, format or type, or limits that are none.
    """
    kind, _, words_after = text.partition(":")
    words = [word.strip() for word in words_after.split(",")]
    if kind != "volume" or words[0] not in FORMATS or len(words) > 3:
        raise ParameterError(
            f"--output {text!r}: write volume:FORMAT, volume:FORMAT,TYPE or volume:FORMAT,TYPE,LOW:HIGH, such as "
            f"volume:tiff,uint16; formats are {', '.join(FORMATS)}, types {', '.join(TYPES)}"
        )
    dtype = words[1] if len(words) > 1 else "float32"
    if dtype not in TYPES:
        raise ParameterError(f"--output {text!r}: there is no type {dtype!r}; there are {', '.join(TYPES)}")
    if len(words) < 3:
        return Export(words[0], dtype)
    if words[2].lower() == COMMON:
        if not of_batch or dtype == "float32":
            raise ParameterError(
                f"--output {text!r}: common limits are shared by the volumes of `tomarium batch`, of uint16 or uint8; "
                f"write LOW:HIGH here"
            )
        return Export(words[0], dtype, common=True)
    first, _, last = words[2].partition(":")
    try:
        low, high = float(first), float(last)
    except ValueError as problem:
        raise ParameterError(f"--output {text!r}: {words[2]!r} are no limits; write LOW:HIGH") from problem
    if not (dtype != "float32" and np.isfinite([low, high]).all() and low < high):
        raise ParameterError(
            f"--output {text!r}: limits {words[2]} cannot be used; LOW must be below HIGH, and float32 has none"
        )
    return Export(words[0], dtype, low, high)


def with_own_volume(protocol: Protocol, exports: Sequence[Export]) -> tuple[Protocol, tuple[Export, ...]]:
    """Have a protocol end in the whole numbers that are wanted of the record's own volume.

    Parameters
    ----------
    protocol : Protocol
        What is to be done with the scan.
    exports : sequence of Export
        What the user wants written.

    Returns
    -------
    protocol : Protocol
        With the statistics of the values and their cast as its last items, where `Export.is_own` is wanted.
    exports : tuple of Export
        What is written besides the record's own volume.

    Raises
    ------
    ParameterError
        Something else is wanted besides, which needs the values.
    """
    own = [request for request in exports if request.is_own]
    if not own:
        return protocol, tuple(exports)
    if len(exports) > 1:
        raise ParameterError(
            f"--output volume:zarr,{own[0].dtype},{own[0].low:g}:{own[0].high:g} makes the record's own volume of "
            f"whole numbers, of which no other volume is written; leave out the other volumes, or leave out "
            f"{own[0].low:g}:{own[0].high:g} so that the record keeps its values"
        )
    kept = [item for item in protocol.items if item.step not in (statistics, cast)]
    limits = {"dtype": own[0].dtype, "low": own[0].low, "high": own[0].high}
    return Protocol((*kept, Item(statistics), Item(cast, check(cast, limits)))), ()


def demand_values(protocol: Protocol, exports: Sequence[Export]) -> None:
    """Refuse to write a volume once more whose own numbers were cast.

    Parameters
    ----------
    protocol : Protocol
        What is to be done with the scan.
    exports : sequence of Export
        What is to be written besides the record's own volume.

    Raises
    ------
    ParameterError
        The protocol casts the slices.
    """
    if exports and any(item.step is cast for item in protocol.items):
        raise ParameterError(
            f"the protocol casts the slices to whole numbers, of which no other volume is written; leave out the step "
            f"cast, or --output volume:{exports[0].word}"
        )


def note_own_volume(folder: Path, outcome: Outcome) -> None:
    """Note in `exports.json` what became of the values of a volume that was cast as it was made.

    Parameters
    ----------
    folder : Path
        Folder of the record.
    outcome : Outcome
        Of its run. Nothing is noted where the volume holds the values themselves.
    """
    layout, quality = outcome.plan.layout, outcome.provenance["quality"]
    if layout.grey_range is None:
        return
    low, high = layout.grey_range["low"], layout.grey_range["high"]
    step = (high - low) / int(np.iinfo(layout.dtype).max)
    below, above, lost = (int(quality[f"cast.{name}"]) for name in ("below", "above", "not_finite"))
    report = CastReport(
        layout.dtype.name, low, high, layout.grey_range["unit"], "as given", step, below, above, lost, layout.values,
        largest_error=step / 2,
    )  # fmt: skip
    _note(folder, {"file": VOLUME, "format": "ome-zarr", "type": report.dtype, **_told(report)})


def export(
    folder: Path,
    request: Export,
    on_progress: Callable[[str, int, int], None],
) -> Path:
    """Write a record's volume once more.

    A whole type is cast as `tomarium convert --dtype` does: between the same limits, which are kept in the file and
    beside it, and read back.

    Parameters
    ----------
    folder : Path
        Folder of the record; its volume is whole.
    request : Export
        Format, type and limits.
    on_progress : callable
        `on_progress(stage, done, total)`.

    Returns
    -------
    Path
        What was written; `exports.json` of the record tells its limits.

    Raises
    ------
    FormatError
        The record has no volume, or what was written does not read back.
    StorageFull
        The disk is full.
    """
    volume = formats.open(folder / VOLUME)
    if not isinstance(volume, Volume):
        raise FormatError(f"{folder}: holds no volume that could be written as {request.word}")
    entry: dict[str, Any] = {"file": request.name, "format": FORMATS[request.word][0], "type": request.dtype}
    path, form = folder / request.name, FORMATS[request.word][0]
    volume = replace(volume, metadata=metadata_without_run(volume.metadata))
    if request.dtype == "float32":
        convert(
            volume,
            path,
            to=form,
            overwrite=True,
            lossy=True,
            on_progress=lambda count, total: on_progress("export", count, total),
        )
    else:
        limits = None if request.low is None or request.high is None else (request.low, request.high)
        source = "as given"
        if request.shared is not None:
            limits = request.shared.of(volume, request.dtype, on_progress)
            source = request.shared.source
        dtype: Literal["uint8", "uint16"] = "uint8" if request.dtype == "uint8" else "uint16"
        report = convert_cast(
            volume,
            path,
            dtype,
            limits,
            source=source,
            to=form,
            overwrite=True,
            constant=True,
            on_progress=on_progress,
        )[1]
        entry |= _told(report)
    _note(folder, entry)
    return path


def _told(report: CastReport) -> dict[str, Any]:
    return {
        "low": report.low,
        "high": report.high,
        "unit": report.unit,
        "value": report.formula,
        "limits": report.limits,
        "below": report.below,
        "above": report.above,
        "voxels": report.voxels,
        "not_finite": report.not_finite,
        "largest_error": report.largest_error,
    }


def exports_of(folder: Path) -> list[dict[str, Any]]:
    """Return what `exports.json` of a record tells of each file that was written besides its volume."""
    from tomarium.pipeline.run.journal import read_json

    entries: list[dict[str, Any]] = read_json(folder / EXPORTS) or []
    return entries


def _note(folder: Path, entry: Mapping[str, Any]) -> None:
    before = [entry_before for entry_before in exports_of(folder) if entry_before["file"] != entry["file"]]
    write_json(folder / EXPORTS, [*before, entry])
