"""The letters of the menu: which function of tomodata each one is, and what it asks.

Letters are those of the user guide of ANATOMIX (SOLEIL), section 7.3. What a step does and what its parameters are is
told by the step itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from tomarium.pipeline.protocol.tomodata_functions import FUNCTIONS
from tomarium.steps.core.serialization import default_in_words, find_step


@dataclass(frozen=True)
class Question:
    """What a letter asks for: the value of one option of its function.

    Attributes
    ----------
    flag : str
        First flag of the option.
    words : str
        The question.
    default : object
        Value that Enter gives; None for that of `parameter`, with the option left out.
    parameter : str
        ``step.parameter`` that the option sets, where there is one.
    """

    flag: str
    words: str
    default: Any = None
    parameter: str = ""

    def default_in_words(self) -> str:
        """Return what Enter gives, in words."""
        if self.default is not None or not self.parameter:
            return "" if self.default is None else in_words(self.default)
        step, _, name = self.parameter.partition(".")
        return next(
            default_in_words(parameter) for parameter in find_step(step).parameters if parameter.name == name
        )


@dataclass(frozen=True)
class Letter:
    """An option of the menu.

    Attributes
    ----------
    letter : str
        What is typed.
    function : str
        Function of tomodata; its name is understood too.
    words : str
        What it does, in half a line.
    step : str
        Step that it sets; empty for an action.
    questions : tuple of Question
        What is asked, of a step.
    more : bool
        Whether only the extended help lists it.
    """

    letter: str
    function: str
    words: str
    step: str = ""
    questions: tuple[Question, ...] = ()
    more: bool = False


_FILTER = (("-x", "columns"), ("-z", "rows"))


def _filter(step: str) -> tuple[Question, ...]:
    return tuple(
        Question(flag, f"size of the filter, {name}", parameter=f"{step}.{name}") for flag, name in _FILTER
    )


LETTERS: Final = (
    Letter("s", "preprocess_all", "choose a scan by its path, and bin it or not"),
    Letter("n", "select_name_only", "choose a scan of this folder by its name or number"),
    Letter("c", "copy_parameters", "copy the parameters of another scan"),
    Letter("a", "rotation_axis", "rotation axis: find it, give it, or guess it by a motor"),
    Letter("b", "rotation_axis_by_reconstruction", "rotation axis by slices at several columns"),
    Letter("v", "reconstruct_and_view", "reconstruct one slice and look at it"),
    Letter(
        "p",
        "paganin",
        "Paganin's phase retrieval",
        "paganin",
        (
            Question("-m", "length in pixels", 25.0, "paganin.length_px"),
            Question("--pus", "unsharp mask, sigma in pixels", 2.0, "paganin.unsharp_sigma_px"),
            Question("--puc", "unsharp mask, coefficient", 0.5, "paganin.unsharp_coefficient"),
        ),
    ),
    Letter("d", "half_acq", "half acquisition, 360 degrees: auto, on or off", "half_acquisition"),
    Letter(
        "f",
        "double_ff",
        "rings: double flat field",
        "double_flat_field",
        (
            *_filter("double_flat_field"),
            Question("-p", "only pixels off by this much, 0 for all", 0.0, "double_flat_field.pixel_mask"),
        ),
    ),
    Letter("r", "roi", "region to reconstruct"),
    Letter("crop", "auto_crop", "region: the box of the object, or of a size about the middle"),
    Letter("l", "launch_reconstruction", "launch the whole volume, or go on with a stopped one"),
    Letter("x", "recad_multi_memmap", "cast the finished volume to 8 or 16 bits"),
    Letter("A", "reconstruct_all", "reconstruct all scans of this folder with these parameters"),
    Letter("live", "live_preview", "watch this folder and show the newest slice"),
    Letter("advise", "advise", "what this scan needs: views, disk space, exposure, phase contrast"),
    Letter("u", "view_only", "show the axes of slices in mm or in pixels"),
    Letter("h", "help", "this help; Enter does the same"),
    Letter("hh", "extended_help", "all options; hh LETTER tells all of one"),
    Letter("q", "quit", "leave; the parameters are kept"),
    Letter(
        "w",
        "angle_offset",
        "turn the slices",
        "fbp",
        (Question("-a", "angle in degrees", parameter="fbp.angle_offset_deg"),),
        more=True,
    ),
    Letter("rs", "remove_spikes", "remove zingers from the frames", "remove_spikes", more=True),
    Letter(
        "z",
        "zero_clip",
        "lowest transmission before the logarithm",
        "minus_log",
        (Question("-v", "lowest transmission", parameter="minus_log.lowest_transmission"),),
        more=True,
    ),
    Letter(
        "m",
        "movement_correction",
        "movement of the sample during the scan",
        "movement_correction",
        (
            Question("-l", "linear in time", False, "movement_correction.degree"),
            Question("-f", "coarsest detail in pixels", parameter="movement_correction.coarsest_px"),
        ),
        more=True,
    ),
    Letter("mb", "mercedes_movement_correction", "movement by point-like details", "mercedes", more=True),
    Letter(
        "nc",
        "nonconstant_rings",
        "rings that vary with the angle",
        "nonconstant_rings",
        (
            Question("-n", "blocks of angles", parameter="nonconstant_rings.blocks"),
            *_filter("nonconstant_rings"),
        ),
        more=True,
    ),
    Letter(
        "ffs",
        "double_ff_special",
        "rings: flat field by reprojection",
        "double_flat_field_special",
        more=True,
    ),
    Letter("y", "utopec", "leave out views that something hides", "remove_blocked_views", more=True),
    Letter("sd", "preprocess_dimax", "scans of a ring buffer of a Dimax", more=True),
    Letter("sf", "preprocess_fast", "a fast series of scans", more=True),
    Letter("sp", "preprocess_spiral", "a spiral scan", more=True),
)


def find_letter(typed: str) -> Letter | None:
    """Find an option by its letter, or by the name of its function.

    Parameters
    ----------
    typed : str
        Such as "p", "paganin" or "paganin.py".

    Returns
    -------
    Letter or None
        None where there is none.
    """
    bare = typed.removesuffix(".py")
    return next((letter for letter in LETTERS if bare in (letter.letter, letter.function)), None)


def nearest_letter(typed: str) -> Letter:
    """Return the option whose letter or function is nearest to what was typed."""
    names = {name: letter for letter in LETTERS for name in (letter.letter, letter.function)}
    [nearest] = get_close_matches(typed, list(names), n=1, cutoff=0.0)
    return names[nearest]


def kind_of(letter: Letter, flag: str) -> tuple[str, int]:
    """Return the kind of an option of a letter's function and how many words it takes."""
    options = FUNCTIONS[letter.function].options
    return next((option.kind, option.count) for option in options if flag in option.flags)


def now_in_words(letter: Letter, values: Mapping[str, Any]) -> str:
    """Return what a letter is set to, as it is typed."""
    if letter.function == "rotation_axis":  # PyHST2 counts from the edge of the first pixel
        return f"{values['-m'] - 0.5:.7g}" if "-m" in values else "find"
    if letter.function == "half_acq":
        return "on" if values.get("-a", True) else "off"
    return ", ".join(in_words(value) for value in values.values()) or "on"


def in_words(value: Any) -> str:
    """Write a value as it is typed in the menu."""
    if isinstance(value, bool):
        return "y" if value else "n"
    if isinstance(value, tuple):
        return " ".join(map(in_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
