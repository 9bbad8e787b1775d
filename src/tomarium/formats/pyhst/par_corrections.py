"""Corrections that a PyHST2 parameter file asks for: what each is, and the words here that ask for the same.

A `.par` opens as a scan, and a scan holds frames as they were taken. So what PyHST2 would do to them is told, not done.

What keys mean: PyHST2's documentation at ESRF, and the files that tomwer writes.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tomarium.formats.pyhst.par_frames import TypedPar

_DELTA_BETA: Final = re.compile(r"delta\s*(?:over|/)\s*beta\D{0,20}?([\d.]+(?:[eE][+-]?\d+)?)", re.IGNORECASE)
_NOTHING: Final = "no step here does that"


@dataclass(frozen=True)
class Correction:
    """What one key of a parameter file asks for."""

    key: str
    value: str  # as the file says it
    meaning: str  # what PyHST2 would do, and what no words here do
    words: tuple[str, ...] = ()  # of `tomarium run` or `slice`

    def told(self) -> str:
        """Say it as a warning."""
        asked = f": {shlex.join(self.words)}" if self.words else ""
        return f"{self.key} is {self.value}: {self.meaning}; opening does not do it{asked and f', ask for it{asked}'}"


def corrections(par: TypedPar) -> tuple[Correction, ...]:
    """List what a parameter file asks to be done to its frames, and opening it does not do.

    `par`: the file. Result: in the order in which PyHST2 works; nothing for keys that are off.
    """
    return tuple(one for look in _LOOKS for one in look(par))


def noted_delta_beta(par: TypedPar) -> float | None:
    """Find δ/β in the comments at or above PAGANIN_Lmicron, where some writers put it; None where there is none."""
    noted = None
    for statement in par.file.statements:
        matched = _DELTA_BETA.search(statement.comment)
        if matched:
            noted = float(matched[1])
        if statement.key == "PAGANIN_Lmicron":
            break
    return noted


def _number(par: TypedPar, key: str, otherwise: float = 0.0) -> float:
    value = par.number(key)
    return otherwise if value is None else value


def _is_asked(value: Any) -> bool:
    return not (
        value is None or value is False or str(value).strip() in ("", "0", "0.0", "None", "N.A.", "{}")
    )


def _shown(par: TypedPar, key: str) -> str:
    value = par.file.values.get(key)
    return "YES" if value is True else " ".join(str(value).split())[:60]


def _switches(par: TypedPar) -> Iterator[Correction]:
    for key, meaning, words in _SWITCHES:
        if _is_asked(par.file.values.get(key)):
            yield Correction(key, _shown(par, key), meaning, words)


_SWITCHES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "CURRENT_NAME",
        "frames are to be divided by the current of the ring, of that key in the header of each",
        ("--step", "normalise_beam", "--beam-intensity", "FILE"),
    ),
    (
        "DO_CCD_FILTER",
        "spikes of single pixels are to be removed",
        ("--step", "remove_spikes"),
    ),
    (
        "DOUBLEFFCORRECTION",
        "a picture of what the flat field leaves is to be subtracted from all views; here it is made of the views",
        ("--step", "double_flat_field"),
    ),
    (
        "DOUBLEFFCORRECTION_ONTHEFLY",
        "what the flat field leaves, seen in the mean of all views, is to be subtracted",
        ("--step", "double_flat_field"),
    ),
    ("ONECLIPVALUE", f"transmission is to be clipped from above; {_NOTHING}", ()),
    (
        "BH_LUT_FILE",
        f"hardening of the beam is to be corrected by a table; {_NOTHING}, so grey values keep it",
        (),
    ),
    (
        "DO_RING_FILTER",
        "stripes of the sinograms, which make rings, are to be removed",
        ("--step", "remove_stripes"),
    ),
    (
        "DO_SINO_FILTER",
        "stripes of the sinograms, which make rings, are to be removed",
        ("--step", "remove_stripes"),
    ),
    (
        "ITERATIVE_CORRECTIONS",
        "slices are to be improved by iterations, here by total variation; dictionaries and patches are not here",
        ("--step", "tv"),
    ),
)


def _paganin(par: TypedPar) -> Iterator[Correction]:
    if not par.is_true("DO_PAGANIN", False):
        return
    length, pixel = _number(par, "PAGANIN_Lmicron"), _number(par, "IMAGE_PIXEL_SIZE_1")
    noted = noted_delta_beta(par)
    if noted is not None and math.isclose(length, noted, rel_tol=1e-6):
        told, asked = "YES", f"delta_beta={noted:g}"
    elif length > 0 and pixel > 0:
        told, asked = f"YES with a length of {length:g} µm", f"length_px={length / pixel:.6g}"
    else:
        told, asked = "YES without a length and a pixel that are known", "length_px=auto"
    words = ("--step", "paganin", "--set", f"paganin.{asked}")
    yield Correction("DO_PAGANIN", told, "the phase is to be retrieved", words)
    if coefficient := _number(par, "PUC"):
        mask = ["--set", f"paganin.unsharp_coefficient={coefficient:g}"]
        if sigma := _number(par, "PUS"):
            mask += ["--set", f"paganin.unsharp_sigma_px={sigma:g}"]
        if par.is_true("UNSHARP_LOG", False) or par.is_true("UNSHARP_LoG", False):
            mask += ["--set", "paganin.unsharp_form=log"]
        meaning = "an unsharp mask is to follow the retrieval of the phase"
        yield Correction("PUC", f"{coefficient:g} with PUS = {_number(par, 'PUS'):g}", meaning, tuple(mask))
    if _is_asked(par.file.values.get("MULTI_PAGANIN_PARS")):
        meaning = f"dense parts are to be retrieved apart, with a length of their own; {_NOTHING}"
        yield Correction("MULTI_PAGANIN_PARS", _shown(par, "MULTI_PAGANIN_PARS"), meaning)


def _filter(par: TypedPar) -> Iterator[Correction]:
    value = par.number("FBFILTER")
    if value == 1:
        meaning = "the ramp, sampled, is to be used without a window"
        yield Correction("FBFILTER", "1", meaning, ("--set", "fbp.window=ramp"))
    elif value:
        said = _FILTERS.get(value, "another filter than the ramp is to be used")
        yield Correction("FBFILTER", f"{value:g}", f"{said}; {_NOTHING}")


_FILTERS: Final = {
    -1.0: "slices are to be made without a filter",
    2.0: "views are to be integrated, as those of differential phase",
}


def _half_acquisition(par: TypedPar) -> Iterator[Correction]:
    options = par.file.values.get("OPTIONS")
    if isinstance(options, dict) and str(options.get("avoidhalftomo")) == "-1":
        meaning = (
            "the views are to be joined as those of a half acquisition, also where they do not look like one"
        )
        yield Correction("OPTIONS", "avoidhalftomo -1", meaning, ("--set", "half_acquisition.mode=on"))


def _binning(par: TypedPar) -> Iterator[Correction]:
    if (binned := _number(par, "BINNING", 1.0)) > 1:
        yield Correction("BINNING", f"{binned:g}", "pixels are to be averaged", ("--bin", f"{binned:g}"))


def _angle(par: TypedPar) -> Iterator[Correction]:
    if offset := _number(par, "ANGLE_OFFSET"):
        meaning = (
            "slices are to be turned by so many degrees (in which sense PyHST2 turns could not be compared)"
        )
        yield Correction(
            "ANGLE_OFFSET", f"{offset:g}", meaning, ("--set", f"fbp.angle_offset_deg={offset:g}")
        )


def _part(par: TypedPar) -> Iterator[Correction]:
    """Tell which voxels are wanted, where they are not all: from 1 there and the last included."""
    columns, rows = _number(par, "NUM_IMAGE_1"), _number(par, "NUM_IMAGE_2")
    if columns < 1 or rows < 1:
        return
    ends = [
        (int(_number(par, f"START_VOXEL_{axis}", 1.0)) - 1, int(_number(par, f"END_VOXEL_{axis}", length)))
        for axis, length in ((3, rows), (2, columns), (1, columns))
    ]
    if any(not 0 <= first < last for first, last in ends) or ends[0][1] > rows:
        return
    lengths = (rows, columns, columns)
    is_whole = [first == 0 and last >= length for (first, last), length in zip(ends, lengths, strict=True)]
    if all(is_whole):
        return
    z, y, x = (f"{first}:{last}" for first, last in ends)
    words = ("--rows", z) if is_whole[1] and is_whole[2] else ("--roi", f"{z},{y},{x}")
    told = " : ".join(
        ",".join(map(str, corner))
        for corner in ([first + 1 for first, _ in ends[::-1]], [last for _, last in ends[::-1]])
    )
    yield Correction("START_VOXEL_1,2,3 : END_VOXEL_1,2,3", told, "a part of the volume is wanted", words)


_LOOKS: Final[tuple[Callable[[TypedPar], Iterator[Correction]], ...]] = (
    _binning, _switches, _paganin, _half_acquisition, _filter, _angle, _part,
)  # fmt: skip
