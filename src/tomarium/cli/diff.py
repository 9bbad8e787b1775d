"""`tomarium diff`: what differs between two scans or volumes."""

from __future__ import annotations

from pathlib import Path

import click

from tomarium.cli import scan_options, show


@click.command("diff")
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("other", metavar="B", type=click.Path(path_type=Path))
@click.option("--headers", is_flag=True, help="Compare what the files say, not their pixels.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(one: Path, other: Path, headers: bool, as_json: bool) -> int:
    """Compare A and B, of any formats: what they mean, in SI units, and every pixel.

    Exit codes: 0 the same, 1 they differ, 2 they cannot be compared.

    \b
    tomarium diff scan.h5 scan.nx
    tomarium diff scan.h5 scan.nx --headers
    """
    from tomarium.pipeline.compare import compare

    tell = show.progress()
    found = compare(
        scan_options.open_any(one),
        scan_options.open_any(other),
        pixels=not headers,
        tell=lambda done, total: tell("compare MB", done // 1_000_000, total // 1_000_000),
    )
    if as_json:
        findings = [vars(finding) for finding in found.findings]
        verdict = "same" if found.same else "differs"
        show.as_json({"a": str(one), "b": str(other), "verdict": verdict, "findings": findings})
    else:
        show.table(
            (
                "  " if finding.same else "≠ ",
                finding.what,
                show.short(finding.one)
                if finding.same
                else f"{show.short(finding.one)} | {show.short(finding.other)}",
                finding.detail,
            )
            for finding in found.findings
        )
        click.echo("the same" if found.same else "they differ")
    return 0 if found.same else 1
