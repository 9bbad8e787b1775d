"""`tomarium profile`: what a beamline says of itself once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium import units
from tomarium.cli import show
from tomarium.model.geometry import BY_NAME

if TYPE_CHECKING:
    from tomarium.beamtime.profile import Profile


@click.group("profile")
def command() -> None:
    """Show, check and convert the profile of a beamline: paths, motors, signs, scans, detectors, acknowledgements.

    PROFILE is a TOML file, tomodata's BEAMLINE_PARAMETERS.par, or the name of one that comes with tomarium: anatomix. A
    beamtime names its profile and station in beamtime.toml. Every command that opens a scan takes from it what the file
    does not tell, in the folder of the beamtime and below, or by --profile; `tomarium report` the acknowledgement.
    Records that are made there say what its table [records] and that of beamtime.toml state: licence, creators, funding
    and more.

    \b
    tomarium profile show anatomix
    tomarium profile check mine.toml
    tomarium profile convert ~/BEAMLINE_PARAMETERS.par -o mine.toml
    """


@command.command("show")
@click.argument("profile", metavar="PROFILE")
@click.option("--toml", is_flag=True, help="Print it as TOML, to be copied and changed.")
def show_one(profile: str, toml: bool) -> None:
    """Show PROFILE.

    \b
    tomarium profile show anatomix
    tomarium profile show anatomix --toml > mine.toml
    """
    from tomarium.beamtime.beamline_parameters import profile_toml
    from tomarium.beamtime.profile_file import read_profile

    profile_read = read_profile(profile)
    if toml:
        click.echo(profile_toml(profile_read), nl=False)
        return
    click.secho(
        f"{profile_read.name}{f', {profile_read.facility}' if profile_read.facility else ''}", bold=True
    )
    for name, entries in (
        ("paths", profile_read.paths),
        ("motors", profile_read.motors),
        ("signs", profile_read.signs),
    ):
        show.table((name, str(key), str(value)) for key, value in entries.items())
    show.table(
        (
            "scans",
            BY_NAME[key].words,
            f"{units.show(value.value, BY_NAME[key].unit)}{_precedence_text(profile_read, key)}",
        )
        for key, value in profile_read.scan.values.items()
    )
    for key, detector in profile_read.detectors.items():
        show.table([("detector", key, ", ".join(f"{name} {value:g}" for name, value in detector.items()))])
    for key, optics in profile_read.optics.items():
        show.table([("objective", key, ", ".join(f"{name} {value}" for name, value in optics.items()))])
    for text in profile_read.acknowledgement:
        click.echo(f"  all publications: {text}")
    for name, station in profile_read.stations.items():
        click.echo(f"  station {name}")
        for text in (*station.acknowledgement, *station.papers):
            click.echo(f"    {text}")
    show.table(
        ("records", key, value if isinstance(value, str) else "; ".join(value))
        for key, value in vars(profile_read.records).items()
        if value
    )
    show.table(("kept as it is", key, value) for key, value in profile_read.tomodata.items())


def _precedence_text(profile: Profile, name: str) -> str:
    return (
        ", goes before what a file says"
        if name in profile.scan.corrects
        else ", where a file does not tell it"
    )


@command.command("check")
@click.argument("profile", metavar="PROFILE")
def check(profile: str) -> int:
    """Read PROFILE, and say what is wrong with it, or what a beamtime would lack.

    Leaves with exit code 1 where something lacks, 2 where it cannot be read.

    \b
    tomarium profile check mine.toml
    """
    from tomarium.beamtime.profile_file import read_profile

    checked = read_profile(profile)
    lacking = []
    if "spool" not in checked.paths:
        lacking.append("[paths] has no spool")
    if not checked.acknowledgement:
        lacking.append(
            "[publication] has no acknowledgement: publications would not name who paid for the beamline"
        )
    if not checked.stations:
        lacking.append("there is no [stations.NAME]: publications would cite no paper of a station")
    if checked.tomodata:
        lacking.append(f"[tomodata] is kept and not used: {', '.join(checked.tomodata)}")
    click.echo(
        f"{profile}: {checked.name}, {len(checked.stations)} stations, {len(checked.detectors)} detectors"
    )
    show.warnings(lacking)
    return 1 if lacking else 0


@command.command("convert")
@click.argument("profile", metavar="BEAMLINE_PARAMETERS.par", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="TOML file to make; printed by default."
)
def convert(profile: Path, output: Path | None) -> int:
    """Turn tomodata's BEAMLINE_PARAMETERS.par into TOML.

    The user guide of tomodata names no key of that file. Understood are the beamline's name, the facility and the path
    of the spool; the others are kept under [tomodata] as they stand, and named here: move what you know to its place.

    \b
    tomarium profile convert ~/BEAMLINE_PARAMETERS.par -o mine.toml
    """
    from tomarium.beamtime.beamline_parameters import profile_toml, read_beamline_parameters

    parameters = read_beamline_parameters(profile)
    text = profile_toml(parameters)
    if output is None:
        click.echo(text, nl=False)
    else:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
        click.echo(f"{output}: written")
    unused = [f"{key} is kept under [tomodata] and not used" for key in parameters.tomodata]
    show.warnings(unused)
    return 1 if unused else 0
