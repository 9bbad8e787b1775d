"""`tomarium specimen claim` and `check-claims`: that a specimen is the same sample as one described elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import show
from tomarium.cli.entity import CATALOGUE

if TYPE_CHECKING:
    from tomarium.model.same_sample import SameSampleClaim

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it for machines.")


@click.command("claim")
@click.argument("specimen")
@click.argument("target", metavar="[URL|DOI|IGSN]", required=False, default="")
@click.option("--evidence", default="", metavar="TEXT", help="How that is known, in one line.")
@click.option(
    "--withdraw", "reason", default="", metavar="TEXT", help="Withdraw the claim, and why, in one line."
)
@AS_JSON
@CATALOGUE
def claim(
    specimen: str, target: str, evidence: str, reason: str, as_json: bool, catalogue: Path | None
) -> None:
    """Claim that SPECIMEN is the same sample as one elsewhere: the address of its page, its DOI or its IGSN.

    It is shown as a claim, with its evidence, who made it and when, until the other side claims the same: see
    `tomarium specimen check-claims`. DataCite is told of it as IsIdenticalTo, where SPECIMEN has a DOI. Without a
    target, the claims are listed.

    \b
    tomarium specimen claim rum-7 https://tomo.example.org/specimens/rum-block --evidence "halves of one core, label 7"
    tomarium specimen claim rum-7 10.60510/abc --evidence "the number on the sample bag"
    tomarium specimen claim rum-7 10.60510/abc --withdraw "the bags were mixed up"
    tomarium specimen claim rum-7
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.same_sample import claims_of
    from tomarium.catalogue.same_sample_edit import claim_same, withdraw_claim

    if (evidence or reason) and not target:
        raise click.UsageError("say which: give the address, DOI or IGSN of the other after SPECIMEN")
    if bool(evidence) == bool(reason) and target:
        raise click.UsageError(
            'say how it is known: --evidence "the same label"; or withdraw it: --withdraw "why"'
        )
    with open_catalogue(catalogue, make=False) as opened:
        if reason:
            withdraw_claim(opened, LOCAL_OWNER, specimen, target, reason)
        elif target:
            claim_same(opened, LOCAL_OWNER, specimen, target, evidence)
        with opened.reading() as connection:
            same_sample_claims = claims_of(connection, LOCAL_OWNER, specimen)
    _print_claims(same_sample_claims, as_json)
    if not same_sample_claims and not as_json:
        click.echo(f"{specimen}: nothing is claimed of it")


@click.command("check-claims")
@click.argument("specimens", metavar="[SPECIMEN...]", nargs=-1)
@click.option(
    "--address",
    default="",
    metavar="URL",
    help="Of this portal, as others name it; that of the settings by default.",
)
@click.option(
    "--datacite",
    default="https://api.datacite.org",
    show_default=True,
    metavar="URL",
    help="DataCite's REST API.",
)
@click.option(
    "--resolver", default="https://doi.org", show_default=True, metavar="URL", help="What resolves DOIs."
)
@click.option("--private", is_flag=True, help="Ask machines of private nets, too.")
@AS_JSON
@CATALOGUE
def check_claims(
    specimens: tuple[str, ...],
    address: str,
    datacite: str,
    resolver: str,
    private: bool,
    as_json: bool,
    catalogue: Path | None,
) -> None:
    """Ask the other side of each claim of SPECIMENs, or of all, whether it claims the same.

    Of a page of another tomarium its JSON is read, by the typed links that the page gives to programs; of a DOI or an
    IGSN the metadata at DataCite, and the page behind it. A claim is then confirmed, still claimed by this side alone,
    or the other side could not be reached. The portal itself asks nobody: run this now and then, as by cron.

    \b
    tomarium specimen check-claims
    tomarium specimen check-claims rum-7 --json
    """
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.entities import demand_entity
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.same_sample import own_names, standing_claims
    from tomarium.catalogue.same_sample_edit import note_checked
    from tomarium.errors import InputError
    from tomarium.portal.check_claims import Asking, check_claim

    def tell(asked_address: str) -> None:
        if not as_json:
            click.echo(f"asking {show.line(asked_address)}", err=True)

    asking = Asking(datacite, resolver, private, tell)
    claims = []
    with open_catalogue(catalogue, make=False) as opened:
        with opened.reading() as connection:
            for id in specimens:
                demand_entity(connection, LOCAL_OWNER, id)
            standing = [
                standing_claim
                for id in specimens or ("",)
                for standing_claim in standing_claims(connection, id)
            ]
            names = {
                same_sample_claim.specimen: own_names(connection, same_sample_claim.specimen, address)
                for same_sample_claim in standing
            }
        if nameless := [id for id, name in names.items() if not name]:
            raise InputError(
                f"{nameless[0]}: has no DOI, and this portal no address by which another could name it; give --address "
                f"https://…, or set it once with: tomarium settings address https://…"
            )
        for same_sample_claim in standing:
            state, answer = check_claim(same_sample_claim, names[same_sample_claim.specimen], asking)
            claims.append(note_checked(opened, LOCAL_OWNER, same_sample_claim, state, answer))
    _print_claims(claims, as_json)
    if not claims and not as_json:
        click.echo("no claim stands here")


def _print_claims(claims: list[SameSampleClaim], as_json: bool) -> None:
    from dataclasses import asdict

    from tomarium.model.same_sample import STATES

    if as_json:
        show.as_json([asdict(same_sample_claim) for same_sample_claim in claims])
        return
    for same_sample_claim in claims:
        click.secho(f"{same_sample_claim.specimen} = {show.line(same_sample_claim.target)}", bold=True)
        rows = [
            ("state", STATES[same_sample_claim.state]),
            ("evidence", same_sample_claim.evidence),
            ("claimed", f"{same_sample_claim.when[:10]} by {same_sample_claim.who}"),
            (
                "asked",
                f"{same_sample_claim.checked[:10]}: {same_sample_claim.told}"
                if same_sample_claim.checked
                else "",
            ),
            ("withdrawn", same_sample_claim.withdrawn),
        ]
        show.table([row for row in rows if row[1]])
