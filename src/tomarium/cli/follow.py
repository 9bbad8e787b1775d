"""`tomarium follow`: from a persistent identifier to metadata and files, as a program finds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tomarium.cli import show

if TYPE_CHECKING:
    from tomarium.portal.follow import Step

SHOWN: Final = 20
"""Links of one relation that are shown."""


@click.command("follow")
@click.argument("identifier", metavar="PID")
@click.option(
    "--depth",
    default=1,
    show_default=True,
    type=click.IntRange(1, 5),
    help="Pages after one another: 2 for the collections that the page is in, too.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="A further host that may be asked; may be repeated.",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the metadata there, with their source and time.",
)
@click.option(
    "--resolver", default="https://doi.org", show_default=True, metavar="URL", help="What resolves DOIs."
)
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(
    identifier: str, depth: int, hosts: tuple[str, ...], save: Path | None, resolver: str, as_json: bool
) -> None:
    """Follow PID, a DOI or the address of a page, by the typed links that the page gives to programs (Signposting).

    Shown are who made it, its licence, its metadata in each form, and its files, which are not fetched. Only the page's
    own host and doi.org are asked, others where --host names them; what leads from the public net into a private one
    is refused. Metadata are fetched, of at most 16 MiB each.

    \b
    tomarium follow 10.5281/zenodo.7729905
    tomarium follow https://data.example.org/records/tooth --save tooth-metadata
    tomarium follow https://data.example.org/records/tooth --depth 2 --host other.example.org --json
    """
    from tomarium.portal.follow import follow

    tell = (lambda address: click.echo(f"asking {show.line(address)}", err=True)) if not as_json else None
    step = follow(identifier, depth=depth, hosts=hosts, resolver=resolver, save=save, tell=tell)
    if as_json:
        from dataclasses import asdict

        show.as_json(asdict(step))
        return
    _print_step(step, "")
    if save is not None:
        click.echo(f"{save}: metadata and followed.json, which tells where each came from and when")


def _print_step(step: Step, indent: str) -> None:
    from tomarium import units

    size = f"  {units.show(step.bytes, 'B', 3)}" if step.fetched else ""
    name = "" if step.relation == "start" else f"{step.relation:12s} "
    kind = f"  {step.type}" if step.type else ""
    written_to = f"  → {step.file}" if step.file else ""
    remark = (
        f"  ({step.state if step.state in ('seen', 'refused', 'failed') else 'note'}: {step.told})"
        if step.told
        else ""
    )
    click.echo(indent + show.line(f"{name}{step.address}{kind}{size}{written_to}{remark}"))
    counts: dict[str, int] = {}
    for link in step.links:
        counts[link.relation] = counts.get(link.relation, 0) + 1
        if counts[link.relation] <= SHOWN:
            _print_step(link, f"{indent}  ")
    for relation, count in counts.items():
        if count > SHOWN:
            click.echo(f"{indent}  {relation:12s} … {count - SHOWN} more; --json tells all")
