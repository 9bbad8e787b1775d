"""`tomarium series`: a record of each moment of a series of scans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import executor_options, scan_options, show

if TYPE_CHECKING:
    from tomarium.pipeline.protocol.choice import Choice


@click.command("series")
@click.argument("paths", metavar="SERIES…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to make; '_series' behind the name."
)
@click.option(
    "--window",
    "views",
    type=click.IntRange(min=1),
    metavar="N",
    help="Projections of a moment, of one long scan.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --window: projections from one to the next.",
)
@click.option("--moments", "chosen", metavar="A:B:STEP", help="Only these moments, from 0.")
@click.option(
    "--each-axis", is_flag=True, help="Look for the rotation axis in each moment, not once for all."
)
@click.option("--memory", metavar="SIZE", help="Limit such as 4GB; by default 60 % of what is available.")
@click.option("--rows", metavar="A:B", help="Detector rows wanted.")
@executor_options.on
@click.option("--force", is_flag=True, help="Go on where the frames cannot give a right volume.")
@scan_options.opening
@scan_options.steps
def command(
    paths: tuple[Path, ...],
    output: Path | None,
    views: int | None,
    every: int | None,
    chosen: str | None,
    each_axis: bool,
    memory: str | None,
    rows: str | None,
    executor: str,
    force: bool,
    opening: scan_options.Opening,
    choice: Choice,
) -> int:
    """Reconstruct each moment of a SERIES into a record, all by one protocol and about one axis.

    A series is several scans, a file that holds several, the turns of a ring buffer, or one long scan of which windows
    are taken. series.json lists the records with their times. Where it was stopped, the same command goes on.

    \b
    tomarium series recording/ -o turns
    tomarium series long.h5 --window 500 --every 50
    tomarium series load_*.nxs --preset phase -o loading
    tomarium series recording/ --window 250 --moments ::10
    """
    from tomarium.catalogue.make_series import make_series, moments_of

    choice.demand_none_of("like", "crop", "volume")
    executor = executor_options.resolve(executor, opening)
    moments = moments_of(paths, opening.arguments, views, every)
    if chosen is not None:
        moments = moments[_moments(chosen)]
    warned = False

    def print_moment(number: int, count: int, entry: dict[str, Any]) -> None:
        nonlocal warned
        warned = warned or bool(entry["warnings"])
        show.warnings(entry["warnings"])
        state = "was there" if entry["reused"] else "finished"
        click.echo(f"{entry['record']}: {state} ({number + 1} of {count})")

    folder = output or Path(f"{paths[0].stem}_series")
    make_series(
        moments,
        None,
        folder,
        opening.arguments,
        choose=lambda scan: choice.protocol(scan.domain),
        each_axis=each_axis,
        on_moment=print_moment,
        on_progress=show.progress(),
        memory=memory,
        rows=scan_options.parse_rows(rows) or choice.rows(),
        executor=executor,
        force=force,
    )
    click.echo(f"{folder}: finished; file it with: tomarium ingest {folder}")
    return 1 if warned else 0


def _moments(text: str) -> slice:
    from tomarium.errors import InputError

    try:
        ends = [int(word) if word.strip() else None for word in text.split(":")]
        if not 1 < len(ends) < 4 or (ends[-1] == 0 and len(ends) == 3):
            raise ValueError(text)
    except ValueError as problem:
        raise InputError(f"--moments {text!r}: write A:B or A:B:STEP, such as 0:100:10") from problem
    return slice(*ends)
