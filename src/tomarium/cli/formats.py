"""`tomarium formats`: what can be read and written."""

from __future__ import annotations

from difflib import get_close_matches

import click

from tomarium.cli import show


@click.command("formats")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them for machines.")
def command(name: str | None, as_json: bool) -> None:
    """List the formats, or tell what the format NAME holds, its traps and how to begin with it.

    A file is recognised by its bytes, whatever it is called.

    \b
    tomarium formats
    tomarium formats nxtomo
    """
    from tomarium.cli.reference_formats import does, section
    from tomarium.errors import ParameterError
    from tomarium.formats import formats

    all_formats = formats()
    if name is not None and name not in all_formats:
        alike = " or ".join(get_close_matches(name, all_formats, cutoff=0.5))
        advice = f"did you mean {alike}?" if alike else "`tomarium formats` lists them"
        raise ParameterError(f"there is no format {name!r}; {advice}")
    chosen = list(all_formats.values()) if name is None else [all_formats[name]]
    if as_json:
        show.as_json(
            [
                {"name": form.name, "title": form.title, "endings": form.suffixes, "does": does(form)}
                for form in chosen
            ]
        )
    elif name is None:
        show.table((form.name, does(form), form.title, " ".join(form.suffixes)) for form in chosen)
    else:
        click.echo(section(chosen[0]).rstrip())
