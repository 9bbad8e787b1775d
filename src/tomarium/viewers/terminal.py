"""Pictures in a terminal: as its own graphics where it has them, else as half blocks of grey."""

from __future__ import annotations

import os
import shutil
import sys
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.viewers.sixel import sixels

Kind = Literal["kitty", "iterm", "sixel", "truecolor", "256", "characters"]

DARK_TO_LIGHT: Final = " .:-=+*#%@"
_CHUNK: Final = 4096
_LINES_KEPT: Final = 3
"""Lines below the picture: what it shows, and the prompt."""

_SIXEL_TERMS: Final = ("foot", "mlterm", "contour", "yaft")
"""How TERM begins of terminals that always show sixels; others, as xterm, can be told to."""

_CELL: Final = (8, 16)
"""Pixels of a character, columns and rows, at least: a picture of so many for each is never too large."""

_GREYS: Final = 24
"""Greys of a palette of 256 colours, from 232 on."""


def is_terminal() -> bool:
    """Tell whether somebody looks at what is printed.

    Returns
    -------
    bool
        Standard output is a terminal.
    """
    return sys.stdout.isatty()


def kind_of(environment: Mapping[str, str] = os.environ) -> Kind:
    """Tell how a terminal shows pictures, by what it says of itself.

    Parameters
    ----------
    environment : mapping of str to str
        Variables of the environment. `TOMARIUM_PICTURES` says it where a terminal says something else.

    Returns
    -------
    str
        "kitty" and "iterm" take a PNG, "sixel" grey pixels; "truecolor" and "256" colours of characters; "characters"
        nothing else, also where NO_COLOR is set.
    """
    setting = environment.get("TOMARIUM_PICTURES", "")
    for kind in ("kitty", "iterm", "sixel", "truecolor", "256", "characters"):
        if setting == kind:
            return kind
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    inside = environment.get("TMUX") or term.startswith("screen")  # these pass no graphics on
    if environment.get("NO_COLOR") or term == "dumb":
        return "characters"
    if not inside and ("kitty" in term or "ghostty" in term or environment.get("KITTY_WINDOW_ID")):
        return "kitty"
    if not inside and program in ("iTerm.app", "WezTerm"):
        return "iterm"
    if not inside and term.startswith(_SIXEL_TERMS):
        return "sixel"
    return "truecolor" if environment.get("COLORTERM", "") in ("truecolor", "24bit") else "256"


def show(png: bytes, kind: Kind | None = None, size: tuple[int, int] | None = None) -> str:
    """Write a grey picture for a terminal.

    Parameters
    ----------
    png : bytes
        A PNG.
    kind : str, optional
        As `kind_of` gives it, and by default.
    size : tuple of int, optional
        Columns and lines of the terminal; asked for by default.

    Returns
    -------
    str
        To be printed; ends with a line's end.
    """
    from PIL import Image

    kind = kind or kind_of()
    columns, lines = size or tuple(shutil.get_terminal_size())
    with Image.open(BytesIO(png)) as picture:
        width, height = picture.size
        # A character is about twice as high as wide: a half of it is a square.
        room = (columns, 2 * max(1, lines - _LINES_KEPT))
        scale = min(room[0] / width, room[1] / height)
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        if kind in ("kitty", "iterm"):
            return _kitty(png, across) if kind == "kitty" else _iterm(png, across)
        if kind == "sixel":
            pixels = picture.convert("L").resize(
                (across * _CELL[0], down * _CELL[1] // 2), Image.Resampling.BOX
            )
            return sixels(np.asarray(pixels)) + "\n"
        small = picture.convert("L").resize((across, down + down % 2), Image.Resampling.BOX)
        return _blocks(np.asarray(small), kind)


def _kitty(png: bytes, columns: int) -> str:
    """Write the graphics protocol of kitty: a PNG in pieces of 4096 characters."""
    text = b64encode(png).decode()
    pieces = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    keys_of_pieces = [f"a=T,f=100,c={columns},m={int(len(pieces) > 1)}"]
    keys_of_pieces += [f"m={int(k < len(pieces) - 1)}" for k in range(1, len(pieces))]
    return (
        "".join(f"\x1b_G{keys};{piece}\x1b\\" for keys, piece in zip(keys_of_pieces, pieces, strict=True))
        + "\n"
    )


def _iterm(png: bytes, columns: int) -> str:
    """Write the inline image of iTerm2."""
    return f"\x1b]1337;File=inline=1;size={len(png)};width={columns}:{b64encode(png).decode()}\x07\n"


def _blocks(grey: NDArray[np.uint8], kind: Kind) -> str:
    """Write two rows of pixels a line: the upper as the colour of a half block, the lower as that behind it."""
    upper, lower = grey[::2], grey[1::2]
    if kind == "characters":
        steps = (upper.astype(int) + lower) * len(DARK_TO_LIGHT) // 511
        return "".join("".join(DARK_TO_LIGHT[step] for step in line) + "\n" for line in steps)
    lines = []
    for above, below in zip(upper, lower, strict=True):
        line, last = [], ""
        for a, b in zip(above.tolist(), below.tolist(), strict=True):
            colour = f"\x1b[38;{_colour(a, kind)};48;{_colour(b, kind)}m"
            line.append(("" if colour == last else colour) + "▀")
            last = colour
        lines.append("".join(line) + "\x1b[0m\n")
    return "".join(lines)


def _colour(grey: int, kind: Kind) -> str:
    return f"2;{grey};{grey};{grey}" if kind == "truecolor" else f"5;{232 + grey * (_GREYS - 1) // 255}"
