"""A plate on which a body stands, with raised lines of text that a nozzle of 0.4 mm prints legibly."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.isosurface import mesh_of, solid_of
from tomarium.model import Mesh
from tomarium.optional_packages import optional_import

LETTER_MM: Final = 6.5
"""Size of the font."""
STROKE_MM: Final = 0.9
"""Least width of a stroke: two lines of a nozzle of 0.4 mm."""
FONT_STROKE: Final = 0.075
"""Width of a stroke of Pillow's own font over its size."""
TRACKING_MM: Final = 0.6
LINE_MM: Final = 8.0
RAISED_MM: Final = 0.8
MARGIN_MM: Final = 4.0
PLATE_MM: Final = 4.0
CORNER_MM: Final = 3.0
LEAST_WIDTH_MM: Final = 60.0
PIXELS_A_MM: Final = 20
TOLERANCE_MM: Final = 0.03


def on_plate(mesh: Mesh, lines: tuple[str, ...], sunk_mm: float) -> tuple[Mesh, float]:
    """Stand a body on a plate with text in front of it.

    Parameters
    ----------
    mesh : Mesh
        Closed, z upwards.
    lines : tuple of str
        What is embossed; long ones are broken. Letters that are not ASCII are spelled in it.
    sunk_mm : float
        How deep the body's lowest point lies in the plate, mm.

    Returns
    -------
    Mesh
        One closed body; its lowest point is at z = 0, and its middle at x = y = 0.
    float
        Area on which the body stands, mm².

    Raises
    ------
    EngineUnavailable
        manifold3d or scikit-image is not installed.
    """
    low, high = mesh.box_mm
    middle = (low + high) / 2
    body: Any = solid_of(mesh.moved((-middle[0], -middle[1], PLATE_MM - sunk_mm - low[2])))
    width, depth = (float(length) for length in (high - low)[:2])
    wide = max(width, LEAST_WIDTH_MM)
    broken = [part for line in lines for part in _break_line(_ascii(line), wide)]
    raster = [_raster(line) for line in broken]
    strip = LINE_MM * len(raster) + (MARGIN_MM if raster else 0.0)
    text_width = max((image.shape[1] / PIXELS_A_MM for image in raster), default=0.0)
    plate = _plate(max(width, text_width) + 2 * MARGIN_MM, depth + 2 * MARGIN_MM + strip)
    plate = plate.translate((0.0, -strip / 2, 0.0))
    front = -depth / 2 - MARGIN_MM
    whole = body + plate
    for number, image in enumerate(raster):
        top = front - LINE_MM * number
        whole = whole + _letters(image, top)
    on = body.slice(PLATE_MM).area()
    placed = mesh_of(whole)
    shift = placed.box_mm
    return placed.moved(
        (-(shift[0][0] + shift[1][0]) / 2, -(shift[0][1] + shift[1][1]) / 2, -shift[0][2])
    ), float(on)


def _plate(width: float, depth: float) -> Any:
    engine = optional_import("manifold3d", "mesh")
    inner = engine.CrossSection.square((width - 2 * CORNER_MM, depth - 2 * CORNER_MM), True)
    return inner.offset(CORNER_MM, engine.JoinType.Round, 2.0, 48).extrude(PLATE_MM)


def _letters(image: NDArray[np.uint8], top_mm: float) -> Any:
    """Raise a line of text on the plate; it reaches into it, so that both are one body."""
    engine, measure = optional_import("manifold3d", "mesh"), optional_import("skimage.measure", "mesh")
    padded = np.pad(image, 2)
    outlines = [
        np.stack(
            [
                (line[:, 1] - padded.shape[1] / 2) / PIXELS_A_MM,
                top_mm - line[:, 0] / PIXELS_A_MM,
            ],
            axis=1,
        )[:-1]
        for line in measure.find_contours(padded.astype(np.float32), 127.5)
    ]
    flat = engine.CrossSection(outlines, engine.FillRule.EvenOdd).simplify(TOLERANCE_MM)
    return flat.extrude(RAISED_MM + 0.5).translate((0.0, 0.0, PLATE_MM - 0.5))


def _raster(line: str) -> NDArray[np.uint8]:
    """Draw a line of text, its strokes as wide as a nozzle needs and its letters apart."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(LETTER_MM * PIXELS_A_MM)
    grown = max(0, round((STROKE_MM - FONT_STROKE * LETTER_MM) / 2 * PIXELS_A_MM))
    advance = [font.getlength(letter) + TRACKING_MM * PIXELS_A_MM for letter in line]
    image = Pillow.new("L", (int(sum(advance)) + 4 * grown + 4, int(LINE_MM * PIXELS_A_MM)))
    draw, x = ImageDraw.Draw(image), float(2 * grown)
    for letter, step in zip(line, advance, strict=True):
        draw.text(
            (x, LETTER_MM * PIXELS_A_MM * 0.95), letter, fill=255, font=font, anchor="ls", stroke_width=grown
        )
        x += step
    return np.asarray(image, np.uint8)


def _break_line(line: str, width_mm: float) -> list[str]:
    """Break a line where it is wider than the plate: at spaces, else after a slash or anywhere."""
    most = max(8, int(width_mm / (0.62 * LETTER_MM)))
    parts: list[str] = []
    remaining = line.strip()
    while len(remaining) > most:
        place = max(remaining.rfind(" ", 0, most + 1), remaining.rfind("/", 0, most) + 1)
        place = place if place > most // 3 else most
        parts.append(remaining[:place].strip())
        remaining = remaining[place:].strip()
    return [*parts, remaining] if remaining else parts


def _ascii(line: str) -> str:
    spelled = unicodedata.normalize("NFKD", line.replace("µ", "u").replace("©", "(c)").replace("ß", "ss"))
    return " ".join("".join(text for text in spelled if 32 <= ord(text) < 127).split())
