"""The report of a beamtime as a page that needs no other file, and as PDF where a Chromium is there to print it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tomarium import __version__, units
from tomarium.beamtime.report import Card, Report
from tomarium.errors import EngineUnavailable, StepFailed

if TYPE_CHECKING:
    from jinja2 import Environment

BROWSERS: Final = (
    "chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable", "msedge",
)  # fmt: skip
_PATIENCE_S: Final = 300


def report_html(report: Report) -> str:
    """Write a report as HTML.

    Parameters
    ----------
    report : Report
        What is known.

    Returns
    -------
    str
        A page that holds its pictures; text of others is escaped, and it runs no script.
    """
    beamtime, profile = report.beamtime, report.profile
    scans = [state for card in report.cards for state in card.copies]
    once = sum(state.places < 2 for state in scans)
    facts = [
        ("Proposal", beamtime.proposal),
        ("Beamline", f"{profile.name}, {profile.facility}" if profile else beamtime.instrument),
        ("Station", beamtime.station),
        ("People", ", ".join(beamtime.people)),
        ("Scans", str(len(report.cards))),
        ("Reconstructions", str(sum(len(card.results) for card in report.cards))),
        ("Scans with warnings", str(sum(bool(card.warnings) for card in report.cards))),
        ("Copied data", units.show_bytes(sum(state.bytes for state in scans)) if scans else ""),
        (
            "On fewer than two volumes",
            f"{once} of {len(scans)} in the ledger" if scans else "no ledger of copies",
        ),
    ]
    return _templates().get_template("report.html").render(
        report=report,
        facts=[(name, value) for name, value in facts if value],
        copies_words=_copies_words,
        live_rows=_live_rows,
        version=__version__,
    )  # fmt: skip


def print_pdf(html: Path, pdf: Path, program: str | None = None) -> None:
    """Print a page as PDF by a Chromium of this machine.

    Parameters
    ----------
    html : Path
        The page.
    pdf : Path
        The file to make or to replace.
    program : str, optional
        The browser; the first one that is found by default.

    Raises
    ------
    EngineUnavailable
        There is none.
    StepFailed
        It made no PDF.
    """
    browser = program or next(
        (program_path for name in BROWSERS if (program_path := shutil.which(name))), None
    )
    if browser is None:
        raise EngineUnavailable(
            f"{pdf}: there is no Chromium or Chrome on this machine to print it; open {html} in any browser "
            f"and print it to a file"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.pdf"
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={folder}/profile", "--no-pdf-header-footer",
            f"--print-to-pdf={path}", html.resolve().as_uri(),
        ]  # fmt: skip
        try:
            process = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False)
        except subprocess.TimeoutExpired as problem:
            raise StepFailed(
                f"{pdf}: {browser} did not end in {_PATIENCE_S} s; print {html} by hand"
            ) from problem
        if not path.is_file() or not path.read_bytes().startswith(b"%PDF"):
            raise StepFailed(
                f"{pdf}: {browser} made no PDF (code {process.returncode}); print {html} by hand"
            )
        shutil.copyfile(path, pdf)


def _copies_words(card: Card) -> str:
    if not card.copies:
        return "not in the ledger"
    fewest = min(state.places for state in card.copies)
    return {0: "no whole copy", 1: "on one volume only"}.get(fewest, f"on {fewest} volumes")


def _live_rows(live: dict[str, Any]) -> list[tuple[str, str]]:
    """Word what the watch says of a slice."""
    axis, confidence = live.get("axis_column"), live.get("confidence")
    column = "" if axis is None else units.show(float(axis), "px", digits=6)
    rows = [
        ("Row", str(live.get("row", ""))),
        ("Rotation axis", f"{column}, confidence {confidence}" if column and confidence else column),
        ("Arrived", str(live.get("arrived_at", ""))[:19].replace("T", " ")),
        ("Scan complete", {True: "yes", False: "no"}.get(live.get("complete", ""), "")),
    ]
    return [(name, value) for name, value in rows if value]


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("tomarium.beamtime"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
