"""What each function of tomodata, with its options, becomes here: one entry a function.

Names, options and defaults are those of the user guide of ANATOMIX (SOLEIL), section 7.3. A function sets steps and
their parameters, or options of the run, in `Settings`, and returns in words what it set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tomarium.errors import ParameterError

Values = Mapping[str, Any]
"""First flag of an option → its value; without those that were not given."""

NOTHING: Final = "nothing to do here"


@dataclass
class Settings:
    """What the lines of a file set, one after the other.

    Attributes
    ----------
    steps : dict of str to dict
        Steps that are asked for → their parameters.
    left_out : set of str
        Steps that a line switched off.
    run : dict of str to object
        Options of a run that no step has: `roi`, `crop`, `memory`, `volume`, `like`, `slice` (a row, or None for the
        middle), `whole` (the volume is asked for), `region_used`.
    """

    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    run: dict[str, Any] = field(default_factory=dict)

    def set(self, step: str, **values: Any) -> str:
        """Ask for a step with parameters, and return it in words."""
        self.left_out.discard(step)
        self.steps.setdefault(step, {}).update(values)
        return (
            f"{step} {{{', '.join(f'{name}: {value}' for name, value in values.items())}}}"
            if values
            else step
        )

    def switch_off(self, step: str) -> str:
        """Leave a step out, and return it in words."""
        self.steps.pop(step, None)
        self.left_out.add(step)
        return f"without {step}"


@dataclass(frozen=True)
class Option:
    """An option of a function.

    Attributes
    ----------
    flags : tuple of str
        Its spellings, the short one first.
    kind : str
        "number", "whole", "yes" (True or False) or "text".
    count : int
        Words it takes.
    """

    flags: tuple[str, ...]
    kind: str
    count: int = 1


@dataclass(frozen=True)
class Function:
    """A function of tomodata.

    Attributes
    ----------
    options : tuple of Option
        What it takes besides ``-h`` and ``-i``.
    apply : callable or None
        Sets what the values ask for and returns it in words; None for what a protocol cannot do.
    refused : str
        With `apply` None: what to do instead.
    """

    options: tuple[Option, ...] = ()
    apply: Callable[[Settings, Values], str] | None = None
    refused: str = ""


def _angle_offset(settings: Settings, values: Values) -> str:
    return settings.set("fbp", angle_offset_deg=values.get("-a", 0.0))


def _auto_crop(settings: Settings, values: Values) -> str:
    sizes = [values.get(flag) for flag in ("-z", "-y", "-x")]
    if None in sizes:
        raise ParameterError("auto_crop takes all of -x, -y and -z here: the size of the box in voxels")
    settings.run["crop"] = ",".join(map(str, sizes))
    return f"run --crop {settings.run['crop']}, about the middle"


def _copy_parameters(settings: Settings, values: Values) -> str:
    if "-s" not in values:
        raise ParameterError("copy_parameters needs -s, the scan whose parameters are taken")
    settings.run["like"] = values["-s"]
    return f"run --like {values['-s']}"


def _double_ff(settings: Settings, values: Values) -> str:
    if not values.get("-a", True):
        return settings.switch_off("double_flat_field")
    parameters: dict[str, Any] = {**_windows(values), "mean_of": "transmission"}
    if values.get("-t"):
        parameters["columns_only"] = True
    if values.get("-p"):
        parameters["pixel_mask"] = values["-p"]
    if values.get("--homogeneous"):
        parameters["background"] = "homogeneous"
    if values.get("-n", 1) > 1:
        parameters["every"] = values["-n"]
    line = settings.set("double_flat_field", **parameters)
    return line + ("; each scan of a spiral is corrected by itself" if values.get("-s") else "")


def _windows(values: Values) -> dict[str, int]:
    """Return the windows of a filter: `columns` of -x and `rows` of -z, made odd."""
    pairs = (("columns", values.get("-x")), ("rows", values.get("-z")))
    return {name: size if size % 2 else size + 1 for name, size in pairs if size is not None}


def _half_acq(settings: Settings, values: Values) -> str:
    line = settings.set("half_acquisition", mode="on" if values.get("-a", True) else "off")
    return line + ("; the slice is as wide as the views see, -p is not needed" if "-p" in values else "")


def _pentezone(settings: Settings, values: Values) -> str:
    return (
        settings.set("half_acquisition")
        + "; the weights go from 0 to 1 over the whole overlap, -v is not needed"
    )


def _launch(settings: Settings, values: Values) -> str:
    settings.run["whole"] = True
    if values.get("-r"):
        settings.run["region_used"] = True
    if "-b" in values:
        settings.run["memory"] = f"{values['-b']:g}GB"
    return "the whole volume" + (", of the region of roi" if values.get("-r") else "") + (
        f", --memory {settings.run['memory']}" if "-b" in values else ""
    )  # fmt: skip


def _slice(settings: Settings, values: Values) -> str:
    settings.run["slice"] = values.get("-s")
    return f"a picture of slice {values['-s']}" if "-s" in values else "a picture of the middle slice"


def _movement(settings: Settings, values: Values) -> str:
    if values.get("-o"):
        return settings.switch_off("movement_correction")
    if "-m" in values:
        raise ParameterError(
            f"movement_correction -m {values['-m']}: a correction file belongs to one scan; give it to the command, "
            f"as tomarium run SCAN --shifts {values['-m']}"
        )
    parameters: dict[str, Any] = {"degree": 1} if values.get("-l") else {}
    if values.get("-f"):
        parameters["coarsest_px"] = values["-f"]
    return settings.set("movement_correction", **parameters)


def _nonconstant(settings: Settings, values: Values) -> str:
    if not values.get("-a", True):
        return settings.switch_off("nonconstant_rings")
    parameters: dict[str, Any] = _windows(values)
    if "-n" in values:
        parameters["blocks"] = values["-n"]
    if values.get("-p"):
        parameters["pixel_mask"] = values["-p"]
    return settings.set("nonconstant_rings", **parameters)


def _paganin(settings: Settings, values: Values) -> str:
    if values.get("-o"):
        return settings.switch_off("paganin")
    return settings.set(
        "paganin",
        length_px=values.get("-m", 25.0),
        unsharp_sigma_px=values.get("--pus", 2.0),
        unsharp_coefficient=values.get("--puc", 0.5),
    )


def _preprocess(settings: Settings, values: Values) -> str:
    columns, rows, views = values.get("-b", (1, 1, 1))
    if (columns, rows, views) == (1, 1, 1):
        return f"{NOTHING}: scans are read where they lie"
    return settings.set("bin", columns=columns, rows=rows, angles=views)


def _recad(settings: Settings, values: Values) -> str:
    bits = values.get("-f", "8bit")
    if bits not in ("8bit", "16bit"):
        raise ParameterError(f"recad_multi_memmap -f {bits}: 8bit or 16bit was expected")
    if ("-a" in values) != ("-z" in values):
        raise ParameterError("recad_multi_memmap needs both limits, -a and -z, or none of them")
    limits = f",{values['-a']:g}:{values['-z']:g}" if "-a" in values else ""
    settings.run["volume"] = f"volume:vol,uint{bits.removesuffix('bit')}{limits}"
    return f"run --output {settings.run['volume']}" + (
        "; the volume of floats is kept" if values.get("-r") else ""
    )


def _roi(settings: Settings, values: Values) -> str:
    if values.get("-g"):
        raise ParameterError("roi -g asks for a window to draw in; write the corners: -r X1 Y1 Z1 X2 Y2 Z2")
    if values.get("-x"):
        settings.run.pop("roi", None)
        return "the whole volume, no region"
    if "-r" not in values:
        raise ParameterError("roi needs -r X1 Y1 Z1 X2 Y2 Z2, or -x True for none")
    first, last = values["-r"][:3], values["-r"][3:]
    if any(not 1 <= low <= high for low, high in zip(first, last, strict=True)):
        raise ParameterError(
            f"roi -r {' '.join(map(str, values['-r']))}: corners count from 1, the first one lower"
        )
    ranges = [f"{low - 1}:{high}" for low, high in zip(first, last, strict=True)]
    settings.run["roi"] = ",".join(reversed(ranges))
    return f"--roi {settings.run['roi']} (from 0; PyHST2 counts from 1)"


def _axis(settings: Settings, values: Values) -> str:
    if "-m" in values:
        settings.left_out.add("find_axis")
        column = values["-m"] - 0.5
        return (
            settings.set("fbp", axis_column=column) + f" (PyHST2's {values['-m']:g}, counted from the edge)"
        )
    settings.steps.get("fbp", {}).pop("axis_column", None)
    line = settings.set("find_axis")
    return line + ("; it is looked for in the frames, without a guess" if values.get("-g") else "")


def _axis_by_reconstruction(settings: Settings, values: Values) -> str:
    if values.get("-m", "std") not in ("std", "edges"):
        raise ParameterError(f"rotation_axis_by_reconstruction -m {values['-m']}: std or edges was expected")
    if values.get("-j") or values.get("-r"):
        return f"{NOTHING}: it would change no parameter"
    settings.steps.get("fbp", {}).pop("axis_column", None)
    return settings.set("find_axis") + "; by a vote of several methods, not by slices at many columns"


def _zero_clip(settings: Settings, values: Values) -> str:
    if "-v" not in values:
        raise ParameterError("zero_clip needs -v, the lowest transmission")
    settings.set("flat_field", log=False)
    return settings.set("minus_log", lowest_transmission=values["-v"])


def _plain(step: str) -> Callable[[Settings, Values], str]:
    """Return what asks for a step with its defaults."""
    return lambda settings, values: settings.set(step)


def _unneeded(why: str) -> Callable[[Settings, Values], str]:
    """Return what does nothing, and says why."""
    return lambda settings, values: f"{NOTHING}: {why}"


def _option(flags: str, kind: str, count: int = 1) -> Option:
    return Option(tuple(flags.split()), kind, count)


_ACTIVATE = _option("-a --activate", "yes")
_CORES = _option("-n --ncores", "whole")
_FILTER = (_option("-x --filtx", "whole"), _option("-z --filtz", "whole"))
_TIMEOUT = _option("-t --timeout", "number")
_SPOOL = _option("-d --spooldir", "text")
_SERIES = "it makes many scans of one recording: use tomarium series RECORDING"
_WITHIN = "it works within tomodata alone and is no line of a protocol"

FUNCTIONS: Final[Mapping[str, Function]] = {
    "angle_offset": Function((_option("-a --angle", "number"),), _angle_offset),
    "auto_crop": Function(
        (_option("-x --xsize", "whole"), _option("-y --ysize", "whole"), _option("-z --zsize", "whole")),
        _auto_crop,
    ),
    "copy_parameters": Function((_option("-s --source", "text"),), _copy_parameters),
    "double_ff": Function(
        (
            _ACTIVATE,
            _option("-t --dotubes", "yes"),
            *_FILTER,
            _option("-s --spiralsize", "number"),
            _option("-n --step", "whole"),
            _option("-p --pixelmask", "number"),
            _option("--homogeneous", "yes"),
        ),
        _double_ff,
    ),
    "double_ff_special": Function((), _plain("double_flat_field_special")),
    "half_acq": Function((_ACTIVATE, _option("-p --pad", "text")), _half_acq),
    "pentezone": Function((_option("-v --value", "number"),), _pentezone),
    "launch_reconstruction": Function(
        (_option("-b --blocksize", "number"), _option("-r --roi", "yes"), _TIMEOUT), _launch
    ),
    "reconstruct_and_view": Function((_option("-s --slice", "whole"), _TIMEOUT), _slice),
    "mercedes_movement_correction": Function((), _plain("mercedes")),
    "movement_correction": Function(
        (
            _option("-f --filt", "number"),
            _option("-o --off", "yes"),
            _option("-l --linear", "yes"),
            _option("-m --movcor", "text"),
        ),
        _movement,
    ),
    "nonconstant_rings": Function(
        (
            _ACTIVATE,
            _option("-n --nsteps", "whole"),
            _option("-c --ncores", "whole"),
            _option("-p --pixelmask", "number"),
            *_FILTER,
        ),
        _nonconstant,
    ),
    "paganin": Function(
        (
            _option("-m --manual", "number"),
            _option("--pus", "number"),
            _option("--puc", "number"),
            _option("-o --off", "yes"),
        ),
        _paganin,
    ),
    "preprocess_all": Function(
        (
            _option("-a --acc", "number"),
            _option("-f --format", "text"),
            _option("-b --bin", "whole", 3),
            _SPOOL,
            _option("--fast", "yes"),
        ),
        _preprocess,
    ),
    "preprocess_dimax": Function(
        (_option("-a --acc", "number"), _option("-f --format", "text"), _option("-b --bin", "yes"), _SPOOL),
        refused=_SERIES,
    ),
    "preprocess_fast": Function(
        (_option("-d --dir", "text"), _option("-s --step", "whole")), refused=_SERIES
    ),
    "preprocess_spiral": Function(
        (), refused="it joins several scans: use tomarium run FIRST with the step stitch"
    ),
    "stitch_spiral": Function(
        (), refused="it joins several scans: use tomarium run FIRST with the step stitch"
    ),
    "recad_multi_memmap": Function(
        (
            _option("-a --limitlow", "number"),
            _option("-z --limithigh", "number"),
            _option("-f --format", "text"),
            _option("-s --suffix", "text"),
            _CORES,
            _option("-r --remove", "yes"),
        ),
        _recad,
    ),
    "remove_spikes": Function((_CORES, _option("-k --keep_originals", "yes")), _plain("remove_spikes")),
    "roi": Function(
        (_option("-r --roi", "whole", 6), _option("-x --reset", "yes"), _option("-g --gui", "yes")), _roi
    ),
    "rotation_axis": Function(
        (_option("-m --manual", "number"), _option("-f --filter", "number"), _option("-g --guess", "yes")),
        _axis,
    ),
    "rotation_axis_by_reconstruction": Function(
        (
            _option("-m --mode", "text"),
            _option("-n --slicendx", "whole"),
            _option("-j --just_run", "yes"),
            _option("-r --read", "yes"),
            _TIMEOUT,
        ),
        _axis_by_reconstruction,
    ),
    "total_variation": Function((), _plain("tv")),
    "utopec": Function((), _plain("remove_blocked_views")),
    "zero_clip": Function((_option("-v --value", "number"),), _zero_clip),
    "view_only": Function((_option("-u --unit", "text"),), _unneeded("tomarium slice RECORD shows a slice")),
    "select_name_only": Function((), _unneeded("the command names the scan")),
    "nslices": Function(
        (_option("-n --nslices", "whole"),), _unneeded("slabs are as high as the memory lets them")
    ),
    "check_reconstructions": Function(
        (), _unneeded("tomarium check_reconstructions looks at finished volumes")
    ),
    "reconstruct_all": Function(
        (), refused="a protocol is what it is given: use tomarium batch FOLDER -p PROTOCOL"
    ),
    "live_preview": Function(
        (), refused="a protocol is what it is given: use tomarium watch FOLDER -p PROTOCOL"
    ),
    "call_pyhst": Function((), refused="nothing here calls PyHST2; launch_reconstruction makes the volume"),
    "tomodata": Function((), refused=_WITHIN),
}
"""Name without ``.py`` → what it takes and what it becomes."""
