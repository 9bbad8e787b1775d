"""Parameter files of nabu, httomo and PyHST2: no protocol, and told by name, with what says the same here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any, Final

from tomarium.errors import InputError, ParameterError
from tomarium.formats.pyhst.par_corrections import corrections
from tomarium.formats.pyhst.par_frames import TypedPar
from tomarium.formats.pyhst.par_syntax import parse_par
from tomarium.steps.core.serialization import ELSEWHERE, find_step

_WINDOWS: Final = {"ramlak": "ramp", "ram-lak": "ramp", "shepp-logan": "shepp-logan", "cosine": "cosine"} | {
    name: name for name in ("hamming", "hann")
}
_RINGS: Final = {"munch": "wavelet", "vo": "all"}
_SET: Final = {"1", "true", "yes", "on"}


def demand_ours(text: str, where: str) -> None:
    """Refuse the parameter file of another program, and say what says the same here.

    Parameters
    ----------
    text : str
        The file.
    where : str
        Its name, for the message.

    Raises
    ------
    InputError
        It is a configuration of nabu or a `.par` of PyHST2.
    """
    if re.search(r"^\s*\[(dataset|reconstruction)\]\s*$", text, re.M):
        across = re.search(r"^\s*(start_y\s*=\s*[1-9]|end_y\s*=\s*\d)", text, re.M)
        raise InputError(
            f"{where}: a configuration of nabu, which is no protocol; what of it is known says here: "
            f"{shlex.join(_words_of_nabu(text))}. "
            + (
                "Rows of a slice run the other way here, so count start_y and end_y from the other end. "
                * bool(across)
            )
            + "The page “Coming from nabu” names what does the same for other keys"
        )
    if re.search(r"^\s*FILE_PREFIX\s*=", text, re.M):
        asked = corrections(TypedPar(Path(where), parse_par(text.encode("utf-8", "surrogateescape"), where)))
        words = ["tomarium", "run", where, *(word for correction in asked for word in correction.words)]
        lacking = ", ".join(correction.key for correction in asked if not correction.words)
        raise InputError(
            f"{where}: a parameter file of PyHST2, which is no protocol but opens as a scan, with its axis, angles and "
            f"pixel; what of it is known says here: {shlex.join(words)}"
            + (f"; nothing here does {lacking}" if lacking else "")
            + ". The page “Coming from PyHST2” names the steps of its options"
        )


def demand_no_methods(data: Any, where: str) -> None:
    """Refuse a pipeline of httomo, and say which steps do the same.

    Parameters
    ----------
    data : object
        What the YAML file holds.
    where : str
        Its name, for the message.

    Raises
    ------
    InputError
        It is a list of methods with their modules.
    """
    if not isinstance(data, Sequence) or isinstance(data, str) or not data:
        return
    if not all(isinstance(entry, Mapping) and "method" in entry for entry in data):
        return
    told = "; ".join(f"{entry['method']}: {_ours(str(entry['method']))}" for entry in data)
    raise InputError(
        f"{where}: a pipeline of httomo, which is no protocol; its methods here: {told}. Write one with `tomarium "
        f"protocol new mine.yaml`; the page “Coming from httomo” tells what differs"
    )


def _ours(method: str) -> str:
    if method.lower() in ELSEWHERE:
        return ELSEWHERE[method.lower()]
    with suppress(ParameterError):
        return f"the step {find_step(method).name}"
    return "nothing that is known"


def _words_of_nabu(text: str) -> list[str]:
    """Write a configuration of nabu as a command, as far as its values are said by words of ours."""
    parser = ConfigParser(
        strict=False, interpolation=None, inline_comment_prefixes=("#", ";"), allow_no_value=True
    )
    try:
        parser.read_string(text)
    except ConfigError:
        return ["tomarium", "run", "SCAN"]

    def told(section: str, key: str) -> str:
        return (parser.get(section, key, fallback="") or "").strip()

    words = ["tomarium", "run", told("dataset", "location") or "SCAN"]
    columns, rows = (max(1, _whole(told("dataset", key)) or 1) for key in ("binning", "binning_z"))
    words += _binning_of_nabu(columns, rows)
    every, _, first = told("dataset", "projections_subsampling").partition(":")
    if (_whole(every) or 1) > 1 or _whole(first):
        words += [
            "--step",
            "select_views",
            "--set",
            f"select_views.keep={_whole(first) or ''}::{_whole(every) or 1}",
        ]
    if told("preproc", "normalize_srcurrent").lower() in _SET:
        words += ["--step", "normalise_beam"]
    if told("preproc", "flatfield").lower() == "pca":
        words += ["--step", "dynamic_flat_field"]
    for key, step in (("ccd_filter_enabled", "remove_spikes"), ("double_flatfield", "double_flat_field")):
        if told("preproc", key).lower() in _SET:
            words += ["--step", step]
    if method := _RINGS.get(told("preproc", "sino_rings_correction").lower()):
        words += ["--step", "remove_stripes", "--set", f"remove_stripes.method={method}"]
    if told("phase", "method").lower() == "paganin":
        words += ["--step", "paganin", "--set", f"paganin.delta_beta={told('phase', 'delta_beta') or '100'}"]
        if (coefficient := told("phase", "unsharp_coeff")) and float_of(coefficient):
            words += ["--set", f"paganin.unsharp_coefficient={coefficient}"]
            words += ["--set", f"paganin.unsharp_sigma_px={told('phase', 'unsharp_sigma') or '0'}"]
    if float_of(axis := told("reconstruction", "rotation_axis_position")) is not None:
        words += ["--axis", axis]
    if window := _WINDOWS.get(told("reconstruction", "fbp_filter_type").lower()):
        words += ["--set", f"fbp.window={window}"]
    if movements := told("reconstruction", "translation_movements_file"):
        words += ["--shifts", movements]
    for axis, binned, option, before in (("z", rows, "--rows", ""), ("x", columns, "--roi", ":,")):
        start, end = (_whole(told("reconstruction", f"{name}_{axis}")) for name in ("start", "end"))
        part = _part_of_nabu(start, end, binned)
        words += [option, before + part] if part else []
    return words


def _part_of_nabu(first: int | None, last: int | None, binned: int) -> str:
    """Say which pixels are wanted: nabu's last one is included, from -1 on backwards, and pixels are the file's."""
    first, last = first or 0, -1 if last is None else last
    if first < 0 or last < -1 or (last != -1 and last < first) or (first, last) == (0, -1):
        return ""
    return f"{first // binned}:{'' if last == -1 else max(first // binned, last // binned) + 1}"


def _binning_of_nabu(columns: int, rows: int) -> list[str]:
    if columns == rows:
        return ["--bin", str(columns)] if columns > 1 else []
    return ["--step", "bin", "--set", f"bin.columns={columns}", "--set", f"bin.rows={rows}"]


def _whole(text: str) -> int | None:
    number = float_of(text)
    return int(number) if number is not None and isfinite(number) else None


def float_of(text: str) -> float | None:
    """Read a number; None where the text is none, such as the name of a method that finds the axis.

    Parameters
    ----------
    text : str
        A value of a configuration.

    Returns
    -------
    float or None
        The number.
    """
    try:
        return float(text)
    except ValueError:
        return None
