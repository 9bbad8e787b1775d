"""`tomarium menu`: a text menu with the letters of tomodata."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomarium.cli import interrupts, scan_options
from tomarium.errors import TomariumError

if TYPE_CHECKING:
    from tomarium.beamtime.profile_in_use import ProfileInUse


@click.command("menu")
@click.argument("path", metavar="[SCAN | DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for records, pictures and parameters; the present folder by default.",
)
@scan_options.opening
@click.pass_context
def command(
    context: click.Context, path: Path | None, output: Path | None, opening: scan_options.Opening
) -> int:
    """Reconstruct scans of a folder by a menu of letters, for people who know tomodata.

    Values may stand behind a letter; what they leave open is asked, with the value that Enter gives in brackets. h
    lists the letters, hh all of them, hh LETTER tells all of one. Ctrl-C stops what runs and comes back to the menu; l
    goes on with a stopped reconstruction.

    The parameters of each scan are kept in NAME_protocol.txt, which `tomarium run -p` takes, and tomodata's functions
    too. From a pipe nothing is asked: defaults are taken, and the first error ends it. Options such as --pixel hold for
    every scan that is chosen. Without SCAN or DIR the scans are those of the present folder; in the folder of a
    beamtime itself, those of the spool that its profile tells.

    \b
    tomarium menu
    tomarium menu /spool/proposal -o results
    tomarium menu scan.nxs
    printf 'n scan\\na\\np 50\\nv\\nl\\nq\\n' | tomarium menu /spool/proposal
    """
    from tomarium.cli.menu_actions import Menu, letters
    from tomarium.cli.menu_console import Console

    if os.environ.get("NO_COLOR"):
        context.color = False
    folder = output or Path()
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(letters())
    if path is None:
        path = _present_folder(opening.in_use)
    is_scan = path.is_file() or _is_scan(path)
    menu = Menu(path.parent if is_scan else path, folder, console, opening)
    with closing(menu), _ended_by_a_signal() as stopped:
        if console.interactive:
            click.echo("h lists the options, q leaves")
        if is_scan:
            menu.choose(path)
        while True:
            code = _do_line(menu, stopped)
            if code is not None:
                return code


def _present_folder(use: ProfileInUse) -> Path:
    """Return where the scans lie when nobody says so."""
    at_home = use.folder is not None and use.folder.resolve() == Path.cwd()
    has_spool = at_home and use.profile is not None and "spool" in use.profile.paths
    return use.demand_spool("DIR") if has_spool else Path()


def _do_line(menu: Any, stopped: threading.Event) -> int | None:
    """Do one line; return the exit code where it is the last."""
    console = menu.console
    try:
        typed = console.command()
        if typed is None or typed in ("q", "quit", "exit"):
            return 0 if console.interactive else menu.code
        menu.do(typed)
        if console.interactive:
            menu.code = 0
        return menu.code if menu.code > 1 else None
    except TomariumError as problem:
        _print_problem(problem)
        return None if console.interactive else problem.exit_code
    except OSError as problem:
        from tomarium.cli.system_errors import explain

        if (
            console.interactive and not sys.stdin.isatty()
        ):  # the terminal was closed: nobody types or reads any more
            return 3
        _print_problem(explain(problem))
        return None if console.interactive else 2
    except KeyboardInterrupt:
        interrupts.ASKED.clear()
        if stopped.is_set() or not console.interactive:
            click.echo("stopped", err=True)
            return 3
        click.echo("stopped; q leaves the menu", err=True)
        return None
    finally:
        if console.interactive and not stopped.is_set():
            interrupts.ASKED.clear()


def _print_problem(problem: object) -> None:
    from tomarium.cli import _printable

    click.echo(f"tomarium: {_printable(str(problem))}", err=True)


def _is_scan(path: Path) -> bool:
    """Tell whether a folder is a scan itself, such as one of TIFF files, and not one that holds scans."""
    from tomarium.formats import recognise

    if not path.is_dir():
        return False
    matches = recognise(path)
    return bool(matches) and matches[0][1].score > 0


@contextmanager
def _ended_by_a_signal() -> Iterator[threading.Event]:
    """Take the termination signal as the end of the menu, and Ctrl-C as the end of what runs."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def end(number: int, frame: Any) -> None:
        stopped.set()
        interrupts.ASKED.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, before)
