"""`tomarium serve`: the portal on this machine."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("serve")
@click.argument("place", metavar="[CATALOGUE]", required=False, type=PLACE)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option(
    "--live",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that `tomarium watch` writes, for the page /live; `live` beside the catalogue by default.",
)
@click.option(
    "--scans",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder whose scans the owner of this machine may take on the page /reconstruct; may be given again.",
)
@click.option(
    "--workers/--no-workers",
    default=True,
    show_default=True,
    help="Start workers when /reconstruct is asked for a slice or a volume and none is there; only for the owner of "
    "this machine.",
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Address or network (10.0.0.0/24) of a proxy that is believed whom a request is from (X-Forwarded-For); "
    "127.0.0.1 always is. May be given again.",
)
@click.option("--catalogue", type=PLACE, help="The same as CATALOGUE.")
def command(
    place: Path | str | None,
    host: str,
    port: int,
    live: Path | None,
    scans: tuple[Path, ...],
    workers: bool,
    proxies: tuple[str, ...],
    catalogue: Path | str | None,
) -> None:
    """Serve the portal: search, record pages, files, and the same as JSON. Stop it with Ctrl-C.

    CATALOGUE is its file, or the address of a database; the user's own by default, which is made empty where there is
    none yet.

    Heard on this machine only, and without any account, whoever opens it is its owner and needs no account. With a host
    that others reach, or once there is an account (`tomarium user add`), everybody signs in; what is published is open.

    \b
    tomarium serve
    tomarium serve demo/catalogue.sqlite
    tomarium serve --port 8080
    tomarium serve --scans /spool/proposal
    tomarium serve --host 0.0.0.0 --proxy 10.0.0.5
    tomarium serve postgresql://tomarium@db.example.org/tomarium
    """
    if place is not None and catalogue is not None:
        raise click.UsageError(f"two catalogues were given, {place} and --catalogue {catalogue}; give one")
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.portal.serve import is_owners, notices, serve

    catalogue_named = place or catalogue  # a name that is mistyped is not answered with an empty catalogue
    with open_catalogue(catalogue_named, make=catalogue_named is None) as opened:
        show.warnings(notices(opened, host))
        owners = is_owners(opened, host)
        for proxy in proxies:
            _demand_network(proxy)
        if scans and not owners:
            raise click.UsageError(
                "--scans is for the owner of this machine: it goes with a catalogue without accounts, heard on this "
                "machine only; file the scans as records with tomarium ingest"
            )
        serve(
            opened,
            host=host,
            port=port,
            live=live,
            scans=scans,
            workers=workers and owners,
            proxies=proxies,
            announce=lambda address: click.echo(f"portal: {address}"),
        )


def _demand_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as problem:
        raise click.UsageError(
            f"--proxy {text[:60]}: is no address or network ({problem}); give such as 10.0.0.5 or 10.0.0.0/24"
        ) from problem
