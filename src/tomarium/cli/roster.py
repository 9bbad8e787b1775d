"""`tomarium roster`: who is on shift."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from tomarium.cli import show
from tomarium.errors import InputError

BEAMTIME = click.option("--beamtime", type=click.Path(path_type=Path), help="Folder of the beamtime.")


@click.group("roster")
def command() -> None:
    """Say who acquires, who reconstructs, and who sees to samples and disks, on which shift.

    It is roster.toml in the folder of the beamtime, which can be edited as well. Times are those of the clock on the
    wall in its time zone; one that the clock shows twice or never, in the night when it is changed, wants its offset.

    \b
    timezone = "Europe/Paris"
    [[shift]]
    from = 2026-11-28T22:00:00
    to = 2026-11-29T06:00:00
    acquisition = ["Ada"]
    reconstruction = ["Ben"]
    samples = ["Chloe"]

    \b
    tomarium roster set '2026-11-28 22:00' '2026-11-29 06:00' --zone Europe/Paris --acquisition Ada --samples Ben
    tomarium roster show
    """


@command.command("show")
@BEAMTIME
@click.option("--at", metavar="TIME", help="As '2026-11-29 03:00'; now by default.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def show_all(beamtime: Path | None, at: str | None, as_json: bool) -> int:
    """Show the roster, and who is on shift. Says what overlaps and what lacks, with exit code 1.

    \b
    tomarium roster show
    tomarium roster show --at '2026-11-29 03:00'
    """
    from tomarium.beamtime.roster import ROLES, ROSTER, moment, problems, read_roster

    folder = _folder(beamtime)
    roster = read_roster(folder)
    if roster is None:
        raise InputError(f"{folder / ROSTER}: there is none yet; tomarium roster set writes it")
    when = datetime.now(UTC) if at is None else moment(at, roster.zone, "--at")
    on_shift, problems_found = roster.at(when), problems(roster)
    if as_json:
        rows = [
            {
                "from": shift.begins.isoformat(),
                "to": shift.ends.isoformat(),
                "now": shift in on_shift,
                **{key: list(shift.roles.get(key, ())) for key in ROLES},
            }
            for shift in roster.shifts
        ]
        show.as_json(
            {"timezone": roster.zone, "at": when.isoformat(), "shifts": rows, "problems": problems_found}
        )
        return 1 if problems_found else 0
    for shift in roster.shifts:
        mark = "  on shift" if shift in on_shift else ""
        click.secho(f"{roster.local(shift.begins)} to {roster.local(shift.ends)}{mark}", bold=bool(mark))
        show.table((name, ", ".join(shift.roles.get(key, ("nobody",)))) for key, name in ROLES.items())
    if not on_shift:
        click.echo(f"nobody is on shift at {roster.local(when)} ({roster.zone})")
    show.warnings(problems_found)
    return 1 if problems_found else 0


@command.command("set")
@click.argument("begins", metavar="FROM")
@click.argument("ends", metavar="TO")
@click.option("--acquisition", multiple=True, metavar="NAME", help="Who acquires; may be repeated.")
@click.option("--reconstruction", multiple=True, metavar="NAME", help="Who reconstructs; may be repeated.")
@click.option(
    "--samples", multiple=True, metavar="NAME", help="Who sees to samples and disks; may be repeated."
)
@click.option("--zone", help="Time zone of a new roster, as Europe/Paris.")
@BEAMTIME
def set_one(
    begins: str,
    ends: str,
    acquisition: tuple[str, ...],
    reconstruction: tuple[str, ...],
    samples: tuple[str, ...],
    zone: str | None,
    beamtime: Path | None,
) -> int:
    """Put the shift from FROM to TO into the roster, in the place of one of the same times; without names, take it out.

    \b
    tomarium roster set '2026-11-28 22:00' '2026-11-29 06:00' --acquisition Ada --reconstruction Ben --samples Chloe
    """
    from tomarium.atomic_files import alone
    from tomarium.beamtime.roster import (
        ROSTER,
        Roster,
        check_zone,
        make_shift,
        moment,
        problems,
        read_roster,
        set_shift,
        write_roster,
    )

    folder = _folder(beamtime)
    with alone(folder, f"{folder}: another command writes here just now; give this one again"):
        roster = read_roster(folder)
        if roster is None:
            if zone is None:
                raise InputError(
                    f"{folder / ROSTER}: is new, so its time zone is wanted: --zone Europe/Paris"
                )
            check_zone(zone, "--zone")
            roster = Roster(zone)
        elif zone not in (None, roster.zone):
            raise InputError(
                f"{folder / ROSTER}: is in {roster.zone}; leave --zone out, or change it in the file"
            )
        roles = {"acquisition": acquisition, "reconstruction": reconstruction, "samples": samples}
        times = (moment(begins, roster.zone, "FROM"), moment(ends, roster.zone, "TO"))
        changed = set_shift(roster, make_shift(*times, roles, "the shift"))
        if not any(roles.values()) and changed == roster:
            raise InputError(f"there is no shift from {begins} to {ends}; tomarium roster show lists them")
        path = write_roster(folder, changed)
    click.echo(f"{path}: {len(changed.shifts)} shifts")
    problems_found = problems(changed)
    show.warnings(problems_found)
    return 1 if problems_found else 0


def _folder(beamtime: Path | None) -> Path:
    from tomarium.beamtime.beamtime_folder import find_beamtime

    path = find_beamtime(beamtime)
    if path is None:
        raise InputError("no folder here or above holds beamtime.toml; name the folder with --beamtime")
    return path
