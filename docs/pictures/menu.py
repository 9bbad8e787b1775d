"""Make the picture of `tomarium menu` on how-to/menu.md: a terminal of 80 × 24 characters, drawn as it stood.

python docs/pictures/menu.py
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import matplotlib
import pyte
from PIL import Image, ImageDraw, ImageFont

from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

COLUMNS: Final = 80
LINES: Final = 24
CELL: Final = (9, 18)
"""Pixels of a character."""
TYPED: Final = ("n tooth_1.h5", "p 20 2 0", "v 16")
"""What is typed for the picture."""

_COLOURS: Final = {"default": "d8d8d8", "brown": "d7ba3d", "red": "e06c6c", "green": "8fc77a"}
_LONGEST_S: Final = 120.0
_SETTINGS: Final = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TOMARIUM_PICTURES": "half-blocks"}


class Terminal(pyte.HistoryScreen):
    """Keeps what was written, and answers the program that asks where the cursor stands, as terminals do."""

    written: bytes = b""
    answer: Callable[[str], object] = staticmethod(lambda text: None)

    def write_process_input(self, data: str) -> None:
        """Give an answer to the program."""
        self.answer(data)


def type_into_menu(
    folder: Path, typed: Sequence[str], environment: dict[str, str] | None = None
) -> pyte.Screen:
    """Type lines into the menu of a folder of scans, and give the terminal as it stands before the next one.

    Parameters
    ----------
    folder : Path
        Holds the scans; records and pictures go to "results" in it.
    typed : sequence of str
        The lines.
    environment : dict of str to str, optional
        Settings of the terminal besides the usual ones.

    Returns
    -------
    Terminal
        80 × 24 characters, and what was scrolled out of them.
    """
    screen = Terminal(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(_SETTINGS | (environment or {}))
        os.execv(sys.executable, [sys.executable, "-m", "tomarium", "menu", ".", "-o", "results"])
    screen.answer = lambda text: os.write(terminal, text.encode())
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        for line in (*typed, None):
            _until_asked(terminal, stream, screen)
            if line is not None:
                os.write(terminal, line.encode() + b"\r")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return screen


def _until_asked(terminal: int, stream: pyte.ByteStream, screen: Terminal) -> None:
    """Read what the program writes until it asks for a line."""
    end = time.monotonic() + _LONGEST_S
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            written = os.read(terminal, 65536)
            screen.written += written
            stream.feed(written)
        elif screen.display[screen.cursor.y].rstrip() == "menu>":
            return
    raise TimeoutError("\n".join(screen.display))


def draw(screen: pyte.HistoryScreen) -> Image.Image:
    """Draw a terminal and what was scrolled out of it; a half block is two rectangles, so that no font is between."""
    lines = [*screen.history.top, *(screen.buffer[y] for y in range(LINES))]
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    plain, bold = (
        ImageFont.truetype(str(fonts / f"DejaVuSansMono{kind}.ttf"), CELL[1] - 4) for kind in ("", "-Bold")
    )
    image = Image.new("RGB", (COLUMNS * CELL[0], len(lines) * CELL[1]), "#161616")
    pen = ImageDraw.Draw(image)
    for y, line in enumerate(lines):
        for x in range(COLUMNS):
            one = line[x]
            left, top, middle = x * CELL[0], y * CELL[1], y * CELL[1] + CELL[1] // 2
            ink = f"#{_COLOURS.get(one.fg, one.fg)}"
            if one.bg != "default":
                pen.rectangle((left, top, left + CELL[0] - 1, top + CELL[1] - 1), f"#{one.bg}")
            if one.data == "▀":
                pen.rectangle((left, top, left + CELL[0] - 1, middle - 1), ink)
            elif one.data != " ":
                pen.text((left, top + 1), one.data, ink, bold if one.bold else plain)
    return image


def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory(prefix="spool-") as name:
        config = SimulationConfig(columns=256, rows=32, views=360, delta_beta=100.0, seed=4)
        simulate(Path(name) / "tooth_1.h5", config)
        screen = type_into_menu(Path(name), TYPED)
    draw(screen).quantize(64).save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
