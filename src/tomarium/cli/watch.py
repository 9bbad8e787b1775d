"""`tomarium watch`: a slice of every scan as it arrives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import interrupts, scan_options, show
from tomarium.cli.catalogue_place import PLACE

if TYPE_CHECKING:
    from tomarium.beamtime.file_results import Drafts
    from tomarium.pipeline.protocol.choice import Choice


@click.command("watch")
@click.argument("spool", metavar="[SPOOL]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for live.json and the pictures; live in the folder of the beamtime by default, ./live without one. It "
    "must not lie in SPOOL.",
)
@click.option(
    "--serve",
    "address",
    is_flag=False,
    flag_value="127.0.0.1:8000",
    metavar="[HOST:PORT]",
    help="Show the page /live; heard on this machine only (port 8000), unless a host is given.",
)
@click.option(
    "--row",
    default="middle",
    show_default=True,
    metavar="middle|N|LENGTH",
    help="Detector row: its number, negative from the end, or its distance from the first row, such as 1.2mm.",
)
@click.option(
    "--match",
    default="*",
    show_default=True,
    metavar="GLOB",
    help="Only scans whose names are so, 'sampleA_*'.",
)
@click.option("--once", is_flag=True, help="End when everything that is there was looked at.")
@click.option(
    "--every", default="0.25s", show_default=True, help="Time between two looks at SPOOL, with its unit."
)
@click.option(
    "--ingest",
    "ingest_them",
    is_flag=True,
    help="File each scan that is whole and checked in the catalogue as a draft of the raw scan; what cannot be filed "
    "is told, stops nothing, and is tried again.",
)
@click.option(
    "--catalogue", type=PLACE, help="With --ingest: its file or address; the user's own by default."
)
@click.option(
    "--records",
    type=click.Path(path_type=Path),
    help="With --ingest: folder in which records are made; raw_scans beside the catalogue by default. Files get a "
    "second name there; on another disk than SPOOL they are copied.",
)
@scan_options.opening
@scan_options.steps
def command(
    spool: Path | None,
    output: Path | None,
    address: str | None,
    row: str,
    match: str,
    once: bool,
    every: str,
    ingest_them: bool,
    catalogue: Path | str | None,
    records: Path | None,
    opening: scan_options.Opening,
    choice: Choice,
) -> int:
    """Reconstruct one slice of every scan that arrives in SPOOL, the newest first, until Ctrl-C.

    Scans are files (NXtomo, Data Exchange and all other formats of `tomarium formats`) or folders (Flyscan, EDF, TIFF).
    One that is still being written is shown from the angles that are there. Older ones wait until there is time. Each
    slice comes with its rotation axis, how sure that is, and what is wrong with the scan: look before the sample is
    taken off. Nothing is written to SPOOL. What failed is named with its reason; given again, the command goes on.
    Without SPOOL the profile of the beamline tells it. In a beamtime, scans that were reconstructed, that failed and
    that have warnings are written into its log book, once each.

    \b
    tomarium watch /nfs/spool
    tomarium watch /nfs/spool -p protocol.txt --serve
    tomarium watch /nfs/spool --serve 0.0.0.0:8000 --row 1.2mm --match 'sampleA_*'
    tomarium watch /nfs/spool --once -o night/live
    tomarium watch --beamtime /data/20260001 --serve --ingest --records /data/20260001/raw_scans
    """
    from tomarium import units
    from tomarium.beamtime.beamtime_folder import LIVE
    from tomarium.beamtime.log_file import MachineLog
    from tomarium.beamtime.look_at_scan import LookSettings
    from tomarium.beamtime.watch import WatchRequest, watch
    from tomarium.errors import ParameterError

    every_s = units.parse(every, "s")
    if every_s <= 0:
        raise ParameterError(f"--every {every}: must be more than nothing; try --every 0.25s")
    choice.demand_none_of("like")
    choice.protocol()  # what is wrong with it is said before anything starts
    if not ingest_them and (catalogue is not None or records is not None):
        raise click.UsageError(
            "--catalogue and --records are those of --ingest; give it, too, or leave them out"
        )
    place = opening.in_use.folder
    folder = output or (place or Path()) / LIVE
    spool = spool if spool is not None else opening.in_use.demand_spool("SPOOL")
    request = WatchRequest(
        spool=spool,
        folder=folder,
        settings=LookSettings(choice.protocol, row, opening.arguments),
        protocol=_protocol_text(choice),
        match=match,
        once=once,
        every_s=every_s,
        log=None if place is None else MachineLog(place, "tomarium watch"),
        drafts=_drafts(catalogue, records, spool, opening) if ingest_them else None,
    )

    def work() -> int:
        try:
            state = watch(request, tell=_print_line, stop=interrupts.ASKED.is_set)
        except KeyboardInterrupt:
            click.echo(f"stopped; {folder / 'live.json'} holds what was found, and the same command goes on")
            return 0
        told = any(slice_["warnings"] or slice_.get("not_filed") for slice_ in state.slices)
        return 1 if state.failed or told else 0

    if address is None:
        return work()
    from tomarium.portal.live_server import serving_live

    with serving_live(folder, address) as page:
        if not page.startswith(("http://127.", "http://localhost", "http://[::1]")):
            click.secho(
                "! whoever reaches this machine sees the page: it asks for no account", fg="yellow", err=True
            )
        click.echo(f"live page: {page}")
        return work()


def _drafts(
    catalogue: Path | str | None, records: Path | None, spool: Path, opening: scan_options.Opening
) -> Drafts:
    """Read where drafts are filed; what is wrong with it is told before the watch begins."""
    from tomarium.beamtime.file_results import Drafts

    drafts = Drafts(catalogue, records, opening.open)
    folder = drafts.demand_apart(spool)
    if not drafts.shares_disk(spool):
        show.warnings([f"{folder} lies on another disk than {spool}: raw scans are copied into it, whole"])
    return drafts


def _print_line(text: str) -> None:
    for line in text.splitlines():
        if line.startswith("!"):
            click.secho(line, fg="yellow", err=True)
        else:
            click.echo(line)


def _protocol_text(choice: Choice) -> str:
    """Say which protocol it is, in a few words."""
    protocol_name = choice.path.name if choice.path else choice.preset or "default"
    material = [] if choice.material is None else [f"material={choice.material}"]
    return " ".join([protocol_name, *(f"+{step}" for step in choice.steps), *material, *choice.assignments])
