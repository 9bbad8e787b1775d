"""A worksheet as a piece of a page, and as a file that needs no other."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup, escape

from tomarium.model import Record
from tomarium.viewers import slices
from tomarium.viewers.viewer import fill
from tomarium.viewers.worksheet import Worksheet, worksheet

SHEET = Path(__file__).parent / "static" / "worksheet.css"


def worksheet_html(
    sheet: Worksheet, where: Callable[[int], str], *, source: str = "", answers: bool = True
) -> Markup:
    """Write the tasks, and on a second sheet the answers.

    Parameters
    ----------
    sheet : Worksheet
        Of a record.
    where : callable
        Index along z → address of the picture of that slice.
    source : str
        Where the record is found.
    answers : bool
        Whether the answers are written too.

    Returns
    -------
    Markup
        Two sections, or one.
    """
    return fill("worksheet.html", {"sheet": sheet, "where": where, "source": source, "answers": answers})


def worksheet_file(
    record: Record, folder: Path, level: str, *, parts: str = "", source: str = "", answers: bool = True
) -> str:
    """Write a worksheet as a page that needs no other file.

    Parameters
    ----------
    record : Record
        With a volume of known voxel size.
    folder : Path
        Its folder.
    level : str
        "pupil" or "student".
    parts : str
        As for `viewers.worksheet.worksheet`.
    source : str
        Where the record is found.
    answers : bool
        Whether the answers are written too.

    Returns
    -------
    str
        HTML for two A4 pages, or one.

    Raises
    ------
    InputError
        As `viewers.worksheet.worksheet`.
    """
    sheet = worksheet(record, folder, level, parts)

    def where(index: int) -> str:
        png = slices.picture(record, folder, f"z-{index}.png", {})
        return f"data:image/png;base64,{b64encode(png).decode()}"

    body = worksheet_html(sheet, where, source=source, answers=answers)
    title = escape(f"{sheet.title}: a worksheet")
    style = SHEET.read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>\n'
        f'body {{ font-family: "Source Sans 3", "Helvetica Neue", Arial, sans-serif; margin: 0; }}\n'
        f".ws-head {{ max-width: 182mm; margin: 0 auto; }}\n{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
