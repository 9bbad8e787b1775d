"""`tomarium demo`: from a scan to a page, in one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tomarium.cli import scan_options, show
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.catalogue import Catalogue

DELTA_BETA: Final = 60.0
"""Of the simulated sample: its edges have fringes, as those of a real scan have."""

STEPS: Final = ("remove_spikes", "paganin", "remove_stripes", "double_flat_field")
"""What removes the zingers, fringes and rings of the simulated scan; of the rings the last takes a quarter of what
`remove_stripes` leaves."""


@click.command("demo")
@click.argument("path", metavar="[SCAN]", type=click.Path(path_type=Path), required=False)
@scan_options.opening
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where all goes.",
)
@click.option(
    "--serve/--no-serve", default=True, show_default=True, help="Open the portal, or end after filing."
)
@click.option("--port", default=0, show_default=True, help="Port of the portal; 0 takes a free one.")
@click.option("--size", default=512, show_default=True, help="Detector size of the simulated scan.")
@click.option("--views", default=900, show_default=True, help="Views of the simulated scan.")
@click.option(
    "--specimen", is_flag=True, help="A rock by five techniques in place of a scan: to align, ask and fuse."
)
def command(
    path: Path | None,
    opening: scan_options.Opening,
    folder: Path,
    serve: bool,
    port: int | None,
    size: int,
    views: int,
    specimen: bool,
) -> None:
    """Simulate a scan or take SCAN, reconstruct it, file its record and serve the portal on this machine.

    \b
    tomarium demo
    tomarium demo scan.h5 --folder first --no-serve
    tomarium demo --specimen
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.ingest import ingest
    from tomarium.catalogue.make_record import make_record
    from tomarium.pipeline.protocol.choice import Choice
    from tomarium.pipeline.protocol.self_check import self_check
    from tomarium.standards.ro_crate import FILENAME

    progress = show.progress()
    if specimen:
        if path is not None:
            raise click.UsageError("--specimen draws its own images; leave SCAN out")
        _specimen(folder, serve, port, progress)
        return
    show.warnings(f"{finding.name}: {finding.why}" for finding in self_check() if finding.state != "there")
    scan = opening.open_scan(path or _simulated(folder, size, views, progress))
    simulated = Choice(steps=STEPS, assignments=(f"paganin.delta_beta={DELTA_BETA:g}",))
    choice = Choice() if path else simulated
    record = folder / "records" / scan.name
    if (record / FILENAME).exists():
        click.echo(f"{record}: there already; remove it to make it anew")
    else:
        words = [f"--step {step}" for step in choice.steps] + [f"--set {text}" for text in choice.assignments]
        click.echo(f"tomarium run {scan.path} {' '.join([*words, f'-o {record}'])}")
        protocol = choice.protocol(scan.domain)
        show.warnings(make_record(scan, protocol, record, on_progress=progress).provenance["warnings"])
    with open_catalogue(folder / "catalogue.sqlite") as catalogue:
        filed = ingest(catalogue, record)
        click.echo(f"filed: {filed.title} as {filed.id} in {folder / 'catalogue.sqlite'}")
        if path is None and filed.publication is None:
            _publish(catalogue, filed.id)
            click.echo(f"published: {filed.id}, under the licence CC0-1.0, its files open at once")
        if serve:
            _serve(catalogue, filed.id, port)


def _serve(catalogue: Catalogue, id: str, port: int | None) -> None:
    from tomarium.portal.serve import serve as serve_portal

    tell = _announcer(id)
    try:
        serve_portal(catalogue, port=8000 if port is None else port, announce=tell)
    except InputError:
        if port is not None:
            raise
        serve_portal(catalogue, port=0, announce=tell)


def _specimen(folder: Path, serve: bool, port: int | None, progress: Any) -> None:
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.demo_specimen import FOLDER, make_demo_specimen

    folder.mkdir(parents=True, exist_ok=True)
    with open_catalogue(folder / "catalogue.sqlite") as catalogue:
        ids = make_demo_specimen(catalogue, folder, tell=progress)
        click.echo(
            f"filed: {', '.join(ids)} in {folder / 'catalogue.sqlite'}; their files: {folder / FOLDER}"
        )
        if serve:
            _serve(catalogue, ids[0], port)


def _publish(catalogue: Catalogue, id: str) -> None:
    """Publish the simulated specimen, which is nobody's, as its owner would."""
    from tomarium.catalogue.edit import Changes, edit
    from tomarium.catalogue.life import Request, publish
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.model import Person

    changes = Changes(
        creators=(Person("tomarium"),),
        licence="CC0-1.0",
        techniques=("PaNET01207",),
        description="A rod with inclusions, fibres and pores that does not exist: its scan was simulated with rings, "
        "hits of stray radiation and phase contrast, then reconstructed with a protocol that removes them.",
    )
    edit(catalogue, LOCAL_OWNER, id, changes)
    publish(catalogue, LOCAL_OWNER, id, Request(embargo="0"))


def _announcer(id: str) -> Callable[[str], None]:
    return lambda address: click.echo(f"portal: {address}records/{id} (stop it with Ctrl-C)")


def _simulated(folder: Path, size: int, views: int, progress: Any) -> Path:
    from tomarium.synth.config import SimulationConfig
    from tomarium.synth.scan import simulate

    path = folder / f"specimen_{size}x{views}.h5"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        config = SimulationConfig(columns=size, rows=size, views=views, delta_beta=DELTA_BETA, zingers=20.0)
        simulate(
            path, config, to="data-exchange", on_progress=lambda done, all: progress("simulate", done, all)
        )
    return path
