"""Sheets of labels for specimens: a QR code that leads to the specimen's page, its name, identifier and safety remarks.

Source: ISO/IEC 18004 (QR codes, by segno); sizes of sheets as Avery prints them on their packages (L7651, 3474, L7160).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from xml.sax.saxutils import escape

from tomarium.errors import ParameterError

PAGE_MM: Final = (210.0, 297.0)
_QUIET: Final = 4
"""Modules of white around a QR code, as ISO/IEC 18004 wants them."""
_LETTER: Final = 0.56
"""Width of a letter in its size, on the average and generously: no font is measured."""
_LINE: Final = 1.2


@dataclass(frozen=True)
class Sheet:
    """A sheet of labels.

    Attributes
    ----------
    name, words : str
        "38x21"; for people.
    width_mm, height_mm : float
        Of a label.
    columns, rows : int
        Labels of a sheet.
    left_mm, top_mm : float
        Where the first label begins.
    step_x_mm, step_y_mm : float
        From one label to the next.
    """

    name: str
    words: str
    width_mm: float
    height_mm: float
    columns: int
    rows: int
    left_mm: float
    top_mm: float
    step_x_mm: float
    step_y_mm: float

    @property
    def count(self) -> int:
        """Labels of a sheet."""
        return self.columns * self.rows


SHEETS: Final = {
    sheet.name: sheet
    for sheet in (
        Sheet("38x21", "38.1 × 21.2 mm, 65 a sheet (L7651)", 38.1, 21.2, 5, 13, 4.75, 10.7, 40.6, 21.2),
        Sheet("70x37", "70 × 37 mm, 24 a sheet (3474)", 70.0, 37.0, 3, 8, 0.0, 0.5, 70.0, 37.0),
        Sheet("63x38", "63.5 × 38.1 mm, 21 a sheet (L7160)", 63.5, 38.1, 3, 7, 7.25, 15.15, 66.0, 38.1),
    )
}
"""Name → sheet, on A4."""


@dataclass(frozen=True)
class Label:
    """What stands on a label.

    Attributes
    ----------
    id, name : str
        Of the specimen.
    address : str
        Whole, of its page.
    hazards : str
        Safety remarks; "" for none.
    """

    id: str
    name: str
    address: str
    hazards: str = ""


@dataclass(frozen=True)
class Line:
    """A line of text on a label: where it begins, mm from its corner; its size in mm; whether it is bold."""

    x_mm: float
    y_mm: float
    size_mm: float
    text: str
    bold: bool


@dataclass(frozen=True)
class Drawn:
    """A label that is laid out.

    Attributes
    ----------
    modules : tuple of tuple of bool
        Of the QR code, without its quiet zone: rows of dark modules.
    module_mm : float
        Edge of a module.
    x_mm, y_mm : float
        Where the first module lies, from the corner of the label.
    lines : tuple of Line
        Texts.
    """

    modules: tuple[tuple[bool, ...], ...]
    module_mm: float
    x_mm: float
    y_mm: float
    lines: tuple[Line, ...]


def draw_label(label: Label, sheet: Sheet) -> Drawn:
    """Lay out a label.

    Parameters
    ----------
    label : Label
        What stands on it.
    sheet : Sheet
        How large it is.

    Returns
    -------
    Drawn
        The code at the left, texts beside it. Safety remarks that do not fit are never cut: the label then says that
        there are some, and where.
    """
    modules = _modules(label.address)
    side = min(sheet.height_mm - 1.0, sheet.width_mm * 0.52)
    module = side / (len(modules) + 2 * _QUIET)
    left = side + 1.0
    room = sheet.width_mm - left - 1.0
    size = min(3.0, sheet.height_mm / 9)
    hazards = _broken(f"⚠ {label.hazards}", room, size, bold=True) if label.hazards else []
    most = int((sheet.height_mm - 3.0) / (size * _LINE))
    if len(hazards) > most - 2:
        hazards = _broken("⚠ Safety remarks: scan the code", room, size, bold=True)
    id = _cut(_broken(label.id, room, size * 0.85), most - len(hazards) - 1)
    name = _cut(_broken(label.name, room, size, bold=True), most - len(hazards) - len(id))
    texts = [(text, size, True) for text in name]
    texts += [(text, size * 0.85, False) for text in id] + [(text, size, True) for text in hazards]
    lines, y = [], 1.5
    for text, height, bold in texts:
        y += height * _LINE
        lines.append(Line(left, y, height, text, bold))
    return Drawn(
        modules, module, _QUIET * module, (sheet.height_mm - side) / 2 + _QUIET * module, tuple(lines)
    )


def label_pages(labels: Sequence[Label], sheet: Sheet, skip: int = 0) -> list[str]:
    """Draw sheets of labels as SVG.

    Parameters
    ----------
    labels : sequence of Label
        In their order, row by row.
    sheet : Sheet
        Size of labels and sheet.
    skip : int
        Labels of the first sheet that are used already.

    Returns
    -------
    list of str
        One SVG a sheet, A4, in millimetres; to be printed at 100 %.

    Raises
    ------
    ParameterError
        There are no labels, or no label is left on the first sheet.
    """
    pages = _placed(labels, sheet, skip)
    width, height = PAGE_MM
    drawn = []
    for page in pages:
        body = "".join(_svg_of(draw_label(label, sheet), x, y) for label, x, y in page)
        drawn.append(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
            f'viewBox="0 0 {width:g} {height:g}" font-family="Helvetica, Arial, sans-serif">'
            f'<rect width="{width:g}" height="{height:g}" fill="#fff"></rect>{body}</svg>\n'
        )
    return drawn


def label_html(pages: Sequence[str]) -> str:
    """Put sheets as SVG into one page that is printed without margins."""
    style = (
        "@page{size:A4;margin:0}html,body{margin:0}"
        "svg{display:block;break-after:page}svg:last-child{break-after:auto}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Labels</title><style>{style}</style></head>'
        f"<body>{''.join(pages)}</body></html>\n"
    )


def label_pictures(labels: Sequence[Label], sheet: Sheet, skip: int = 0, dpi: int = 300) -> list[Any]:
    """Draw sheets of labels as pictures.

    Parameters
    ----------
    labels, sheet, skip
        As `label_pages` takes them.
    dpi : int
        Pixels an inch.

    Returns
    -------
    list of PIL.Image.Image
        One a sheet, black on white; raises ParameterError where a text has letters that this font lacks.
    """
    from PIL import Image, ImageDraw

    scale = dpi / 25.4
    pictures = []
    for page in _placed(labels, sheet, skip):
        picture = Image.new("1", (round(PAGE_MM[0] * scale), round(PAGE_MM[1] * scale)), 1)
        pen = ImageDraw.Draw(picture)
        for label, x, y in page:
            drawn = draw_label(label, sheet)
            edge = drawn.module_mm * scale
            left, top = (x + drawn.x_mm) * scale, (y + drawn.y_mm) * scale
            for row, dark in enumerate(drawn.modules):
                for column in (at for at, is_dark in enumerate(dark) if is_dark):
                    first = round(left + column * edge), round(top + row * edge)
                    last = round(left + (column + 1) * edge) - 1, round(top + (row + 1) * edge) - 1
                    pen.rectangle((first, last), fill=0)
            for line in drawn.lines:
                text = line.text.replace("⚠", "!")
                font = _font(round(line.size_mm * scale))
                _demand_letters(font, text)
                at = (x + line.x_mm) * scale, (y + line.y_mm) * scale
                pen.text(at, text, 0, font, anchor="ls", stroke_width=int(line.bold))
        pictures.append(picture)
    return pictures


def _placed(labels: Sequence[Label], sheet: Sheet, skip: int) -> list[list[tuple[Label, float, float]]]:
    if not labels:
        raise ParameterError("there is no specimen to make a label for; give the identifier of one")
    if not 0 <= skip < sheet.count:
        raise ParameterError(
            f"skip {skip}: a sheet of {sheet.name} has {sheet.count} labels; give 0 to {sheet.count - 1}"
        )
    pages: list[list[tuple[Label, float, float]]] = []
    for number, label in enumerate(labels, skip):
        row, column = divmod(number % sheet.count, sheet.columns)
        if number == skip or (row, column) == (0, 0):
            pages.append([])
        x, y = sheet.left_mm + column * sheet.step_x_mm, sheet.top_mm + row * sheet.step_y_mm
        pages[-1].append((label, x, y))
    return pages


def _svg_of(drawn: Drawn, x: float, y: float) -> str:
    edge, path = drawn.module_mm, []
    for row, dark in enumerate(drawn.modules):
        start = None
        for column, is_dark in enumerate((*dark, False)):
            if is_dark and start is None:
                start = column
            elif not is_dark and start is not None:
                path.append(f"M{start} {row}h{column - start}v1h{start - column}z")
                start = None
    code = (
        f'<path transform="translate({x + drawn.x_mm:.3f} {y + drawn.y_mm:.3f}) scale({edge:.4f})" '
        f'd="{"".join(path)}" shape-rendering="crispEdges"></path>'
    )
    texts = "".join(
        f'<text x="{x + line.x_mm:.2f}" y="{y + line.y_mm:.2f}" font-size="{line.size_mm:.2f}" '
        f'font-weight="{700 if line.bold else 400}">{escape(line.text)}</text>'
        for line in drawn.lines
    )
    return code + texts


@lru_cache(maxsize=256)
def _modules(address: str) -> tuple[tuple[bool, ...], ...]:
    import segno

    code = segno.make_qr(address, error="m")
    return tuple(tuple(bool(value) for value in row) for row in code.matrix)


def _broken(text: str, room_mm: float, size_mm: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines that fit; a word that is too long is broken, too."""
    most = max(4, int(room_mm / (size_mm * _LETTER * (1.06 if bold else 1.0))))
    lines = [""]
    for word in text.split():
        remaining = word
        while remaining:
            if not lines[-1]:
                lines[-1], remaining = remaining[:most], remaining[most:]
            elif len(lines[-1]) + 1 + len(remaining) <= most:
                lines[-1], remaining = f"{lines[-1]} {remaining}", ""
            if remaining:
                lines.append("")
    return lines


def _cut(lines: list[str], most: int) -> list[str]:
    """Keep the first lines, and say where more were."""
    if len(lines) <= most:
        return lines
    kept_lines = lines[: max(1, most)]
    return [*kept_lines[:-1], f"{kept_lines[-1][:-1]}…"]


@lru_cache(maxsize=8)
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _demand_letters(font: Any, text: str) -> None:
    """Refuse a text with letters that the font would draw as empty boxes."""
    absent = bytes(font.getmask("\uffff"))
    missing = [sign for sign in text if not sign.isspace() and bytes(font.getmask(sign)) == absent]
    if missing:
        raise ParameterError(
            f"{text[:60]!r}: the font for pictures has no {missing[0]!r}; write a .svg or a .pdf, which take any "
            f"letters"
        )
