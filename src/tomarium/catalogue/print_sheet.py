"""The sheet that goes with a print: one page that a class can read."""

from __future__ import annotations

from base64 import b64encode

from tomarium.catalogue.mesh_files import About, licence_words
from tomarium.model.wording import brief
from tomarium.pipeline.mesh.print_body import PrintFigures, scale_words
from tomarium.viewers.viewer import fill


def sheet_html(about: About, figures: PrintFigures, picture: bytes, files: dict[str, str]) -> str:
    """Write the sheet.

    Parameters
    ----------
    about : About
        Where the print comes from.
    figures : PrintFigures
        What is stated of it.
    picture : bytes
        A PNG.
    files : dict of str to str
        Ending → name of the files for a printer.

    Returns
    -------
    str
        HTML that needs no other file and fits an A4 page.
    """
    x, y, z = figures.size_mm
    return str(
        fill(
            "print_sheet.html",
            {
                "about": about,
                "description": brief(about.card.what or about.description, 420),
                "why": brief(about.card.why, 220),
                "look_for": brief(about.card.look_for, 300),
                "heading": brief(about.card.title or about.title, 120),
                "figures": figures,
                "files": files,
                "picture": f"data:image/png;base64,{b64encode(picture).decode()}",
                "size": f"{x:.0f} × {y:.0f} × {z:.0f} mm",
                "scale": scale_words(figures.scale),
                "licence": licence_words(about.licence),
                "changes": changes(figures),
                "supports": figures.overhang > 0.005,
                "grams": round(1.24 * figures.volume_cm3),
                "nozzle": "0.4 mm" if figures.wall_mm >= 0.8 else "0.25 mm, or a printer with resin",
            },
        )
    )


def changes(figures: PrintFigures) -> tuple[str, ...]:
    """Say in plain words how the print differs from the specimen.

    Parameters
    ----------
    figures : PrintFigures
        What is stated of it.

    Returns
    -------
    tuple of str
        Sentences.
    """
    sentences = []
    if figures.thin_before > 0:
        sentences.append(
            f"{100 * figures.thin_before:.2g} % of the surface was thinner than {figures.wall_mm:g} mm and would have "
            f"broken; it was made thicker, which adds {100 * figures.volume_change:.2g} % to the volume."
        )
    if figures.thin_after > 0.0005:
        sentences.append(f"{100 * figures.thin_after:.2g} % of the surface is still thinner than that.")
    if figures.dropped:
        sentences.append(
            f"{figures.dropped} loose {'piece was' if figures.dropped == 1 else 'pieces were'} left out "
            f"({100 * figures.dropped_share:.2g} % of the body), which would have floated in the air."
        )
    if figures.filled:
        sentences.append(
            f"{figures.filled} closed {'hollow was' if figures.filled == 1 else 'hollows were'} filled "
            f"({100 * figures.filled_share:.2g} % of the body); they cannot be seen from outside."
        )
    if figures.at_edge > 0.02:
        sentences.append(
            f"The scan ends before the specimen does: {100 * figures.at_edge:.0f} % of the surface is where it was cut."
        )
    sentences.append(
        f"Details smaller than {figures.pitch_mm:.2g} mm in the print are not in the scan that was used."
    )
    return tuple(sentences)
