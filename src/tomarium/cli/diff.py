"""`tomarium diff`: what differs between two scans or volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tomarium.cli import scan_options, show

if TYPE_CHECKING:
    from tomarium.conversion.compare import Comparison, Finding


@click.command("diff")
@click.argument("one", metavar="A", type=click.Path(path_type=Path))
@click.argument("other", metavar="B", type=click.Path(path_type=Path))
@scan_options.opening
@click.option("--headers", is_flag=True, help="Compare what the files say, not their pixels.")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
def command(one: Path, other: Path, opening: scan_options.Opening, headers: bool, as_json: bool) -> int:
    """Compare A and B, of any formats: what they mean, in SI units, and every pixel.

    Volumes are the same where their voxels, axes and unit are; what else is told of them - how and when they were
    made, a line for each step, parameter and version that differs, and where in space they lie - is listed as notes (·)
    and does not count. A record's folder stands for its volume.
    What the options tell of a scan holds for both.

    Exit codes: 0 the same, 1 they differ, 2 they cannot be compared.

    \b
    tomarium diff scan.h5 scan.nx
    tomarium diff scan.h5 scan.nx --headers
    tomarium diff records/tooth records/tooth_again
    """
    from tomarium.conversion.compare import compare

    tell = show.progress()
    comparison = compare(
        opening.open(one),
        opening.open(other),
        pixels=not headers,
        on_progress=lambda done, total: tell("compare MB", done // 1_000_000, total // 1_000_000),
    )
    if as_json:
        findings = [vars(finding) for finding in comparison.findings]
        verdict = "same" if comparison.same else "differs"
        show.as_json({"a": str(one), "b": str(other), "verdict": verdict, "findings": findings})
    else:
        show.table(map(_table_row, comparison.findings))
        click.echo(_verdict_text(comparison))
    return 0 if comparison.same else 1


def _table_row(finding: Finding) -> tuple[str, ...]:
    texts = [show.short(finding.one)] + ([] if finding.same else [show.short(finding.other)])
    mark = "  " if finding.same else "≠ " if finding.content else "· "
    return mark, finding.what, " | ".join(texts), finding.detail


def _verdict_text(comparison: Comparison) -> str:
    if not comparison.same:
        return "they differ"
    if not comparison.notes:
        return "the same"
    count = len(comparison.notes)
    return f"the same, but for {count} note{'s' if count > 1 else ''} (·) on what is told of them"
