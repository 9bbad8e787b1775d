"""The command line: one file a command, no logic.

Exit codes: 0 done; 1 done with warnings (doctor); 2 wrong usage or input; 3 interrupted, resumable;
4 refused because it cannot fit.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import click

from tomarium import __version__
from tomarium.cli import interrupts, lasting_stderr
from tomarium.cli.command_group import CommandGroup, load, names
from tomarium.errors import TomariumError, TomariumWarning

INTERRUPTED: Final = 3
WRONG: Final = 2
OBJECTS_OF_IMPORTS: Final = 150_000
"""What the imports of a command make at most, of the kind that is looked at for garbage."""


def commands(only: str | None = None) -> dict[str, click.Command]:
    """Import the commands.

    Parameters
    ----------
    only : str, optional
        Name of the one that is wanted; none is found where there is none of this name.

    Returns
    -------
    dict of str to click.Command
        Name → command.
    """
    return {name: load(name) for name in names() if only in (None, name)}


def group() -> click.Group:
    """Make the command `tomarium`; each of its commands is imported when it is asked for."""
    group_of_commands = CommandGroup(
        "tomarium",
        help=(
            "From the beamline's raw file to an open, citable, browsable record.\n\n"
            "Start with `tomarium info SCAN`, then `tomarium slice SCAN -o slice.png`, then "
            "`tomarium run SCAN`; `tomarium demo` shows all of it on a simulated scan."
        ),
        epilog="Exit codes: 0 done, 1 done with warnings, 2 wrong usage or input, 3 interrupted and resumable, "
        "4 refused because it cannot fit.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(__version__, prog_name="tomarium")(group_of_commands)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after `tomarium`; those of the process by default.
    """
    interrupts.install()
    lasting_stderr.install()
    warnings.showwarning = _show_warning
    _collect_later()
    code = execute(list(sys.argv[1:] if arguments is None else arguments))
    interrupts.leave()
    interrupts.end_at_once(code)
    gc.freeze()  # else Python looks for garbage among all there is before it leaves
    sys.exit(code)


def _collect_later() -> None:
    """Put the first collection of garbage off: while modules are imported, each finds none and looks at more."""
    usual = gc.get_threshold()

    def collect_as_usual(phase: str, info: dict[str, int]) -> None:
        gc.callbacks.remove(collect_as_usual)
        gc.set_threshold(*usual)

    gc.callbacks.append(collect_as_usual)
    gc.set_threshold(OBJECTS_OF_IMPORTS, *usual[1:])


def execute(arguments: list[str]) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str
        Words after `tomarium`.

    Returns
    -------
    int
        Exit code. Errors are told in one sentence; TOMARIUM_TRACEBACK=1 shows where they arose.
    """
    try:
        words = tuple(arguments)  # click takes them away one by one
        code: Any = group().main(arguments, prog_name="tomarium", standalone_mode=False, obj=words)
        return code if isinstance(code, int) else 0
    except (
        SystemExit
    ) as ending:  # click's own ends: a shell's completion, or a reader that left, as `head` does
        return int(ending.code or 0) if "_TOMARIUM_COMPLETE" in os.environ else 0
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code if isinstance(problem, click.UsageError) else WRONG
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", INTERRUPTED)
    except TomariumError as problem:
        if problem.exit_code != INTERRUPTED and _is_wish_to_stop(problem):
            return _fail("stopped", INTERRUPTED)
        return _fail(problem, problem.exit_code)
    except MemoryError:
        return _fail("memory ran out; give less with --memory, or fewer rows with --rows", 4)
    except OSError as problem:
        from tomarium.cli.system_errors import explain

        return _fail(explain(problem), WRONG)
    except Exception as problem:  # a bug of ours: the user gets a sentence, and the way to tell us
        if _is_wish_to_stop(problem):
            return _fail("stopped", INTERRUPTED)
        place = traceback.extract_tb(problem.__traceback__)[-1]
        return _fail(
            f"this is a mistake in tomarium, not yours: {type(problem).__name__}: {problem} ({place.name}, line "
            f"{place.lineno}); run it again with TOMARIUM_TRACEBACK=1 and report what it says",
            WRONG,
        )


def _is_wish_to_stop(problem: BaseException) -> bool:
    """Tell whether an error was raised from a KeyboardInterrupt, as libraries do whose calls it broke off."""
    cause: BaseException | None = problem
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    return cause is not None


def _printable(text: str) -> str:
    """Write what moves a terminal's cursor, or has no character, as an escape; names of files may hold it."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,
) -> None:
    """Show a warning of ours as the line it is, and others as Python does."""
    if issubclass(category, TomariumWarning):
        click.secho(f"! {message}", fg="yellow", err=True)
    else:
        click.echo(warnings.formatwarning(message, category, filename, lineno), err=True, nl=False)


def _fail(problem: object, code: int) -> int:
    if os.environ.get("TOMARIUM_TRACEBACK"):
        traceback.print_exc()
    elif code == INTERRUPTED:  # else zarr's tasks that were cut off tell of themselves on the way out
        logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    with suppress(OSError):  # the terminal was closed
        click.echo(f"tomarium: {_printable(str(problem))}", err=True)
    return code
