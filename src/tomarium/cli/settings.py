"""`tomarium settings`: what a catalogue says of its house."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import show
from tomarium.cli.catalogue_place import PLACE


@click.command("settings")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--catalogue", type=PLACE, help="Its file or address; the user's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print them for machines.")
def command(key: str | None, value: str | None, catalogue: Path | str | None, as_json: bool) -> None:
    """Show the settings of a catalogue, or set KEY to VALUE; an empty VALUE goes back to the default.

    \b
    tomarium settings
    tomarium settings institution "European Synchrotron Radiation Facility"
    tomarium settings doi_prefix 10.1234
    """
    from tomarium.catalogue.audit import note
    from tomarium.catalogue.catalogue import open_catalogue
    from tomarium.catalogue.reader import LOCAL_OWNER
    from tomarium.catalogue.settings import SETTINGS, all_settings, change_setting

    with open_catalogue(catalogue, make=key is not None and value is not None) as opened:
        if key is not None and value is not None:
            with opened.writing() as connection:
                change_setting(connection, key, value)
                note(connection, LOCAL_OWNER, "settings", told={key: value})
        with opened.reading() as connection:
            values = all_settings(connection)
    if key is not None and key not in values:
        raise click.UsageError(f"there is no setting {key!r}; there are {', '.join(SETTINGS)}")
    values_shown = {name: text for name, text in values.items() if key in (None, name)}
    if as_json:
        show.as_json(values_shown)
        return
    show.table([(name, text or "not set", SETTINGS[name].help) for name, text in values_shown.items()])
