"""The reference pages: what the program says of itself, as Markdown."""

from __future__ import annotations

import re
from inspect import getdoc
from itertools import groupby

import click

from tomarium.cli.command_group import HEADINGS
from tomarium.cli.reference_checks import sayings
from tomarium.cli.reference_formats import does, section
from tomarium.cli.reference_python import entry, overview, public
from tomarium.doctor import all_checks
from tomarium.formats.format import Format
from tomarium.registry import collect
from tomarium.standards.glossary import words
from tomarium.steps.core.serialization import all_steps, default_in_words, describe, type_in_words

_HEAD = "<!-- Written by `make docs`; change the program, not this page. -->\n"


def pages() -> dict[str, str]:
    """Write every reference page.

    Returns
    -------
    dict of str to str
        File name → Markdown.
    """
    return {
        "commands.md": _commands(),
        "steps.md": _steps(),
        "formats.md": _formats(),
        "checks.md": _checks(),
        "python.md": _python(),
        "glossary.md": _glossary(),
    }


def _commands() -> str:
    from tomarium.cli import commands, group

    tomarium = group()
    parent = click.Context(tomarium, info_name="tomarium", **tomarium.context_settings)

    contents = [
        f"- **{heading}**: " + ", ".join(f"[{name}](#tomarium-{name})" for name in listed)
        for heading, listed in HEADINGS.items()
    ]
    parts = [f"{_HEAD}\n# Commands\n", "\n".join(contents) + "\n"]
    for name, command in commands().items():
        if command.hidden:  # another name of a command that is told
            continue
        context = click.Context(command, parent, name, terminal_width=96, max_content_width=96)
        parts.append(f"## tomarium {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _steps() -> str:
    parts = [f"{_HEAD}\n# Steps\n\nWhat a protocol is made of; `tomarium steps NAME` shows the same.\n"]
    for name, step in all_steps().items():
        description = describe(step)
        also = f", also {', '.join(step.aliases)}" if step.aliases else ""
        parts.append(
            f"## {name}\n\n*{type(step).__name__}{also}.* {description.summary}\n\n{description.text}\n"
        )
        if step.parameters:
            rows = [
                f"| `{p.name}` | {type_in_words(p)} | {default_in_words(p)} | "
                f"{description.parameters.get(p.name, '')} |"
                for p in step.parameters
            ]
            parts.append(
                "| parameter | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
            )
        parts += [f"**{title}**\n\n{text}\n" for title, text in description.sections.items()]
    return "\n".join(parts)


def _formats() -> str:
    rows = [
        f"| [`{form.name}`](#{form.name.replace('.', '')}) | {form.title} | {', '.join(form.suffixes)} "
        f"| {does(form)} |"
        for form in collect("formats", Format).values()
    ]
    return (
        f"{_HEAD}\n# Formats\n\nA file is recognised by its bytes; the endings only order the questions. HDF5 of "
        "any other layout opens by [the paths of its datasets](../how-to/open-any-hdf5.md).\n\n"
        "| name | format | endings | |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
        + "\n".join(section(form) for form in collect("formats", Format).values())
    )


def _checks() -> str:
    parts = [
        f"{_HEAD}\n# Checks\n\nWhat `tomarium doctor PATH` looks at. A check is made where what it compares is known: "
        "in a scan, a volume, a record or a table of metadata alike. Below each: what it says, with … where a number "
        "or a name of yours comes, and what to do then. `tomarium doctor PATH --json` gives the same as `code`, "
        "`severity`, `where`, `found`, `expected` and `mend`.\n"
    ]
    for theme, members in groupby(
        sorted(all_checks().values(), key=lambda check: check.theme), lambda check: check.theme
    ):
        parts.append(f"## {theme}\n")
        for member in members:
            text = getdoc(member.function) or ""
            yields = re.search(r"^Yields\n-+\nFinding\n((?: +.*\n?)+)", text, re.M)
            outcome = " ".join(yields[1].split()) if yields else ""
            rows = [
                f"| {saying.severity} | {_cell(saying.found)} | {_cell(saying.expected)} | {_cell(saying.mend)} |"
                for saying in sayings(member.function)
            ]
            parts += [f"### {member.name}\n\n{text.splitlines()[0]} {outcome}\n",
                      "| severity | found | expected | mend |\n|---|---|---|---|", *rows, ""]  # fmt: skip
    return "\n".join(parts)


def _python() -> str:
    entries = [entry(name, member) for name, member in public().items()]
    return "\n".join([f"{_HEAD}\n# Python\n\n{overview()}", *entries])


def _glossary() -> str:
    parts = [
        f"{_HEAD}\n# Glossary\n\nWords of tomography as pages, cards and lessons use them; `tomarium glossary WORD` "
        "and the page `/glossary` tell the same. First plainly, then more exactly.\n"
    ]
    for word in words().values():
        also = ", ".join(f"[{words()[id].term}](#{id})" for id in word.related)
        parts.append(
            f"## {word.term} {{#{word.id}}}\n\n{word.plain}\n\n"
            f"{word.student}\n\n*More in {word.source}. See also* {also}.\n"
        )
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|") or "nothing"
