"""Pictures of a series, for `tomarium picture --series`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.viewers.series_pictures import Frame
    from tomarium.viewers.volume import Plane

ENDINGS: Final = (".mp4", ".webm", ".webp", ".png")


def series_picture(
    source: str,
    catalogue: Path | str | None,
    plane: Plane,
    index: int | None,
    speed: float,
    output: Path,
    force: bool,
) -> bytes:
    """Draw one slice of every moment as the ending of a file says: a film, an animated picture or a sheet."""
    from tomarium.viewers import series_pictures as pictures

    demand_output(output, ENDINGS, "picture of a series", force)
    frames = _frames(source, catalogue)
    ending = output.suffix.lower()
    if ending == ".png":
        return pictures.series_sheet(frames, plane, index)
    if ending == ".webp":
        return pictures.series_webp(frames, plane, index, speed)
    return pictures.series_film(frames, plane, index, speed, ending)


def demand_output(output: Path, endings: Sequence[str], what: str, force: bool) -> None:
    """Refuse a file that cannot be written, before anything is drawn."""
    if output.suffix.lower() not in endings:
        raise InputError(
            f"{output}: a {what} is written as {' or '.join(endings)}; name the file so: -o {output.stem}{endings[0]}"
        )
    if output.exists() and not force:
        raise InputError(f"{output}: is there already; give another name, or --force to replace it")
    if not output.parent.is_dir():
        raise InputError(f"{output}: the folder {output.parent} does not exist; make it first")


def _frames(source: str, catalogue: Path | str | None) -> list[Frame]:
    """Find the moments of a series by its folder, or by a record of it; those that are missing are said."""
    from tomarium.catalogue import LOCAL_OWNER
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.series_records import filed_moments, finished_moments, is_series, when
    from tomarium.viewers.series_pictures import Frame

    path = Path(source)
    if is_series(path):
        moments = finished_moments(path)
    elif path.exists():
        raise InputError(
            f"{path}: holds no series.json; give the folder that `tomarium series` made, or the identifier of a "
            f"record of the series"
        )
    else:
        with open_catalogue(catalogue, make=False) as opened:
            moments = filed_moments(opened, LOCAL_OWNER, source)
        if not moments:
            raise InputError(
                f"{source}: no such folder, and no record of a series in {opened.name}; file the series with "
                f"`tomarium ingest FOLDER`, or give its folder"
            )
    if moments and len(moments) < moments[0][0].count:
        present = {place.number for place, _, _ in moments}
        lost = [str(k) for k in range(1, moments[0][0].count + 1) if k not in present]
        click.echo(
            f"moments that are missing: {', '.join(lost[:20])}{' …' if len(lost) > 20 else ''}", err=True
        )
    return [
        Frame(" · ".join(filter(None, (f"{place.number} of {place.count}", when(place)))), record, folder)
        for place, record, folder in moments
    ]
