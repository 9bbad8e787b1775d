"""Pictures in a terminal: what is printed is the picture."""

import re
from base64 import b64decode
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.viewers.sixel import sixels
from tomarium.viewers.terminal import DARK_TO_LIGHT, kind_of, show

# Left half black, right half white, with a grey bar across the middle.
PICTURE = np.zeros((40, 60), np.uint8)
PICTURE[:, 30:] = 255
PICTURE[18:22] = 128


def as_png(picture: np.ndarray) -> bytes:
    file = BytesIO()
    Pillow.fromarray(picture).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux,1,0", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, "characters"),
        ({"TERM": "xterm-256color", "TOMARIUM_PICTURES": "kitty"}, "kitty"),
        ({"TERM": "foot-extra", "COLORTERM": "truecolor"}, "sixel"),
        ({"TERM": "foot", "TMUX": "/tmp/tmux,1,0", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "foot", "NO_COLOR": "1"}, "characters"),
        ({"TERM": "xterm-256color", "TOMARIUM_PICTURES": "sixel"}, "sixel"),
    ],
)
def test_a_terminal_is_known_by_what_it_says(environment: dict[str, str], kind: str) -> None:
    assert kind_of(environment) == kind


def test_half_blocks_hold_the_picture() -> None:
    text = show(as_png(PICTURE), "truecolor", (60, 100))
    lines = text.splitlines()
    assert len(lines) == 20
    colours = np.zeros((40, 60), int)
    for row, line in enumerate(lines):
        cells = re.findall(r"(?:\x1b\[38;2;(\d+);\d+;\d+;48;2;(\d+);\d+;\d+m)?▀", line)
        assert len(cells) == 60
        upper = lower = 0
        for column, (above, below) in enumerate(cells):
            if above:
                upper, lower = int(above), int(below)
            colours[2 * row : 2 * row + 2, column] = upper, lower
    np.testing.assert_array_equal(colours, PICTURE)


def test_a_picture_fits_its_terminal() -> None:
    for size, longest in (((20, 50), 20), ((200, 13), 30)):
        lines = show(as_png(PICTURE), "characters", size).splitlines()
        assert max(map(len, lines)) == longest
        assert len(lines) <= size[1] - 3
        assert set("".join(lines)) <= set(DARK_TO_LIGHT)
        assert lines[0].startswith("   ")
        assert lines[0].endswith("@@@")


def test_graphics_of_terminals_carry_the_png() -> None:
    png = as_png(np.random.default_rng(1).integers(0, 255, (200, 200)).astype(np.uint8))
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", show(png, "kitty", (80, 24)))
    assert b64decode("".join(piece for _, piece in pieces)) == png
    assert pieces[0][0] == "a=T,f=100,c=42,m=1"
    assert [keys[-3:] for keys, _ in pieces[1:]] == ["m=1"] * (len(pieces) - 2) + ["m=0"]
    [inline] = re.findall(
        r"\x1b\]1337;File=inline=1;size=\d+;width=42:([^\x07]*)\x07", show(png, "iterm", (80, 24))
    )
    assert b64decode(inline) == png


def drawn(text: str) -> np.ndarray:
    """Draw sixels as a terminal does: a register holds percents, a mark sets six pixels, $ goes back, - goes down."""
    told = re.fullmatch(r'\x1bPq"1;1;(\d+);(\d+)(.*)\x1b\\\n?', text, re.DOTALL)
    assert told
    width, height = int(told[1]), int(told[2])
    canvas = np.full((height, width), -1.0)
    registers: dict[int, int] = {}
    colour = column = top = 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);\d+;\d+)?|!(\d+)([?-~])|([?-~])|([$-])", told[3]):
        number, percent, count, repeated, single, move = token.groups()
        if number is not None:
            colour = int(number)
            if percent is not None:
                registers[colour] = int(percent)
        elif move is not None:
            column, top = 0, top + 6 * (move == "-")
        else:
            for _ in range(int(count or 1)):
                for bit in range(6):
                    if (ord(repeated or single) - 63) >> bit & 1:
                        assert canvas[top + bit, column] == -1  # each pixel once
                        canvas[top + bit, column] = registers[colour]
                column += 1
            assert column <= width
    return canvas


def test_sixels_are_the_picture() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (31, 23)).astype(np.uint8)
    picture[4:20] = 77
    found = drawn(sixels(picture))
    assert found.shape == picture.shape
    assert np.abs(found / 100 * 255 - picture).max() <= 255 / 63 + 255 / 200
    assert drawn(sixels(np.array([[0, 255]], np.uint8))).tolist() == [[0, 100]]
    assert drawn(show(as_png(PICTURE), "sixel", (60, 100))).shape == (320, 480)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_slice_without_a_file_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan())  # type: ignore[misc]
    words = ["slice", str(tmp_path / "disc.h5"), "--axis", "30"]
    assert execute(words) == 2
    assert "name a file for it: -o slice.png" in capsys.readouterr().err
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TOMARIUM_PICTURES", "characters")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "30")
    assert execute(words) in (0, 1)
    *picture, told = screen.getvalue().splitlines()
    assert told.startswith("row 6, 64 × 64")
    assert len(picture) == 20
    # The disc is bright, what lies around it is not.
    bright = [[DARK_TO_LIGHT.index(mark) for mark in line] for line in picture]
    assert np.mean(np.array(bright)[8:12, 16:24]) > 2 + np.mean(np.array(bright)[0])
