"""`tomarium docs`: the reference pages, written from the program itself."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("docs")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Write nothing; leave with exit code 2 where a page is out of date."
)
def command(folder: Path, check: bool) -> None:
    """Write the reference of commands, steps and formats into FOLDER as Markdown.

    \b
    tomarium docs docs/reference
    tomarium docs docs/reference --check
    """
    from tomarium.cli.reference import pages
    from tomarium.errors import InputError

    for name, text in pages().items():
        path = folder / name
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            raise InputError(f"{path} is out of date; write it anew with: make docs")
        if not check:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(path)
