"""`tomarium mirror`: a copy of a growing file that can always be opened."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium import units
from tomarium.errors import ParameterError


@click.command("mirror")
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("folder", metavar="DST", type=click.Path(path_type=Path, file_okay=False))
@click.option("--once", is_flag=True, help="Make one copy and end.")
@click.option("--every", default="2s", show_default=True, help="Time between two copies, with its unit.")
def command(source: Path, folder: Path, once: bool, every: str) -> None:
    """Keep a read-only copy of SRC, an HDF5 file that is being written, in the folder DST.

    The copy is made while SRC rests, looked through by another process, and put in place in one step:
    DST/current.h5 can be opened at any moment by any program, and two generations are kept. SRC is never
    locked. It runs until Ctrl-C; given again, it goes on. DST is made, and must be empty or a mirror already.

    \b
    tomarium mirror scan.h5 mirror/
    tomarium mirror scan.h5 mirror/ --once
    """
    from tomarium.live.mirror import Generation, mirror, mirror_once

    every_s = units.parse(every, "s")
    if every_s <= 0:
        raise ParameterError(f"--every {every}: must be more than nothing; try --every 2s")

    def tell(generation: Generation) -> None:
        size = units.show(generation.source.size, "B")
        click.echo(
            f"{generation.path}  {size} in {units.show(generation.seconds, 's')}, attempt {generation.attempts}"
        )
        for name in generation.absent:
            click.secho(f"! {name}, which it points to, is absent", fg="yellow", err=True)

    if once:
        tell(mirror_once(source, folder))
        return
    try:
        mirror(
            source,
            folder,
            every_s=every_s,
            on_copy=tell,
            complain=lambda text: click.secho(f"! {text}", fg="yellow", err=True),
        )
    except KeyboardInterrupt:
        click.echo(f"stopped; {folder / 'current.h5'} stays as it is")
