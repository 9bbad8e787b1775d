"""What each letter of the menu does."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from tomarium.atomic_files import take_lock, write_whole
from tomarium.beamtime import quick_look
from tomarium.beamtime.menu_letters import LETTERS, Letter, find_letter, in_words, kind_of, nearest_letter
from tomarium.beamtime.scan_folder import demand_alike, scan_named, scans_in
from tomarium.beamtime.scan_parameters import (
    ENDING,
    ScanParameters,
    parameters_file,
    read_parameters,
    write_parameters,
)
from tomarium.catalogue.make_record import demand_apart
from tomarium.cli import menu_words, show
from tomarium.cli.menu_console import YES_OR_NO, Console
from tomarium.cli.scan_options import Opening
from tomarium.cli.slice import columns_of
from tomarium.errors import InputError
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.tomodata_functions import FUNCTIONS
from tomarium.pipeline.run.crop import centred_crop, find_crop
from tomarium.pipeline.run.journal import is_unfinished
from tomarium.viewers.slice_file import Plane, draw_slices

NOTHING_TOLD: Final = Opening()
_BELOW_PICTURE: Final = 2
"""Lines that a picture leaves free: where it lies, its file, and the prompt."""


_WITHOUT_SCAN: Final = ("s", "n", "u", "h", "hh", "")
"""Options that need no scan."""


class Menu:
    """A scan that is chosen, its parameters, and what the letters do with them."""

    def __init__(self, folder: Path, output: Path, console: Console, opening: Opening = NOTHING_TOLD) -> None:
        self.folder, self.output, self.console, self.opening = folder, output, console, opening
        self._held: tuple[Path, int] | None = None
        self.unit = "mm"
        self.chosen: Scan | None = None
        self.parameters = ScanParameters("")
        self.code = 0
        self._typed = ""
        self._actions: Mapping[str, Callable[[], None]] = {
            "s": self._by_path, "n": self._by_name, "c": self._copy, "a": self._axis, "b": self._sweep,
            "v": self._view, "d": self._half, "r": self._region, "crop": self._crop, "l": self._launch,
            "x": self._cast, "A": self._all, "live": self._live, "advise": self._advise, "u": self._units,
            "hh": self._extended,
            "h": lambda: menu_words.short_help(self._known()), "": lambda: menu_words.short_help(self._known()),
        }  # fmt: skip

    def do(self, typed: str) -> None:
        """Do what was typed.

        Parameters
        ----------
        typed : str
            A letter, or the name of its function.

        Raises
        ------
        TomariumError
            It cannot be done; nothing has changed.
        """
        letter = find_letter(typed)
        self._typed = typed
        if typed and letter is None:
            nearest = nearest_letter(typed)
            raise InputError(
                f"there is no option {typed!r}; the nearest is {nearest.letter} ({nearest.words}); h lists the options"
            )
        name = letter.letter if letter else ""
        if name in self._actions:
            if name not in _WITHOUT_SCAN:
                self._demand_scan()
            self._actions[name]()
        elif letter is not None and letter.step:
            self._demand_scan()
            self._set(letter)
        elif letter is not None:
            raise InputError(f"{letter.words}: {FUNCTIONS[letter.function].refused}")
        self.console.demand_no_more(typed)

    @property
    def scan(self) -> Scan:
        """The scan that is chosen."""
        self._demand_scan()
        assert self.chosen is not None
        return self.chosen

    def _demand_scan(self) -> None:
        """Refuse what needs a scan before it asks anything."""
        if self.chosen is None:
            raise InputError("no scan is chosen yet; n chooses one of this folder, s one by its path")

    @property
    def file(self) -> Path:
        """Where the parameters of the scan are kept."""
        return parameters_file(self.output, self.scan.name)

    def state(self) -> None:
        """Print the state of the scan."""
        menu_words.state(self.scan, self.parameters, self.file, self._newest_record())

    def choose(self, path: Path) -> None:
        """Take a scan, with the parameters it had when it was chosen last.

        Parameters
        ----------
        path : Path
            File or folder.
        """
        opened = self.opening.open_scan(path)
        file = parameters_file(self.output, opened.name)
        demand_apart(opened.path, file)
        scan_path = str(opened.path.resolve())
        lock = self._lock(file)
        try:
            scan_parameters = read_parameters(file)
            assert scan_parameters.protocol  # raises where the lines do not fit together
        except BaseException:
            if lock != self._held:
                _release(lock)
            raise
        if scan_parameters.scan not in ("", scan_path):
            show.warnings(
                [f"{file} holds the parameters of {scan_parameters.scan}, which are taken for {scan_path}"]
            )
            scan_parameters = replace(scan_parameters, axis=None)
        if lock != self._held:
            self.close()
        self._held = lock
        self.chosen, self.parameters = opened, replace(scan_parameters, scan=scan_path)
        write_parameters(file, self.parameters)
        show.warnings(opened.warnings)
        self.state()

    def close(self) -> None:
        """Let others work on the scan."""
        if self._held is not None:
            _release(self._held)
        self._held = None

    def _lock(self, file: Path) -> tuple[Path, int]:
        """Keep other menus off the parameters of a scan."""
        path = file.with_name(f".{file.name}.lock")
        if self._held is not None and self._held[0] == path:
            return self._held
        busy = f"{file}: another menu works on this scan; leave it by q, or give another folder with --output"
        while (descriptor := take_lock(path, busy)) is None:  # who held it has just let go of it
            pass
        return path, descriptor

    def _known(self) -> ScanParameters | None:
        return None if self.chosen is None else self.parameters

    def _keep(self, changed: ScanParameters) -> None:
        """Take parameters that fit together, and print the state."""
        self.console.demand_no_more(self._typed)
        assert changed.protocol  # raises where they do not
        write_parameters(self.file, changed)
        self.parameters = changed
        self.state()

    def _set(self, letter: Letter) -> None:
        current = self.parameters.calls.get(letter.function, {})
        if not letter.questions and self.console.ask("on or off", "on") == "off":
            self._keep(self.parameters.without_call(letter.function))
            return
        values: dict[str, Any] = {}
        for question in letter.questions:
            default = (
                in_words(current[question.flag]) if question.flag in current else question.default_in_words()
            )
            answer = self.console.ask(question.words + ("" if values else ", or off"), default.split(" ")[0])
            if answer == "off" and not values:
                self.console.words.clear()
                self._keep(self.parameters.without_call(letter.function))
                return
            yes = kind_of(letter, question.flag)[0] == "yes"
            values[question.flag] = YES_OR_NO.get(answer.lower(), answer) if yes else answer
        self._keep(self.parameters.with_call(letter.function, values))

    def _by_path(self) -> None:
        path = self.console.ask("path of the scan", "")
        if not path:
            raise InputError("s takes the path of a scan; n lists those of this folder")
        self.choose(Path(path).expanduser())
        current = self.parameters.calls.get("preprocess_all", {}).get("-b", (1, 1, 1))
        answer = self.console.ask("bin by (columns, rows and views alike; 1 for none)", in_words(current[0]))
        binned = self.parameters.without_call("preprocess_all")
        if answer != "1":
            binned = binned.with_call("preprocess_all", {"-b": (answer, answer, answer)})
        if binned.calls != self.parameters.calls:
            self._keep(binned)

    def _by_name(self) -> None:
        name = self.console.words.popleft() if self.console.words else ""
        if not name:
            names = scans_in(self.folder)
            for number, path in enumerate(names, start=1):
                click.echo(f"  {number:3d}  {path.name}")
            if not names:
                raise InputError(f"{self.folder} holds no scan; s takes one by its path")
            name = self.console.ask("name or number", "none")
        self.console.demand_no_more(self._typed)
        if name != "none":
            self.choose(scan_named(self.folder, name))

    def _copy(self) -> None:
        name = self.console.ask("scan whose parameters are taken", "none")
        if name == "none":
            raise InputError("c takes the name of a scan that has parameters here")
        file = parameters_file(
            self.output, Path(name).stem if not parameters_file(self.output, name).exists() else name
        )
        if not file.exists():
            scan_names = sorted(path.name.removesuffix(ENDING) for path in self.output.glob(f"*{ENDING}"))
            raise InputError(
                f"{file} does not exist; these scans have parameters: {', '.join(scan_names) or 'none'}"
            )
        other = read_parameters(file)
        if other.scan:
            demand_alike(self.scan, self.opening.open(Path(other.scan)))
        else:
            show.warnings([f"{file} does not tell its scan: whether its pixels are the same is not known"])
        scan_parameters = replace(self.parameters, calls=other.calls, axis=None)
        if other.axis is not None and "-m" not in other.calls.get("rotation_axis", {}):
            column = other.axis.column
            if self.console.ask_yes(f"its axis too, column {column:.2f}", True):
                scan_parameters = scan_parameters.with_call("rotation_axis", {"-m": column + 0.5})
        self._keep(scan_parameters)

    def _axis(self) -> None:
        answer = self.console.ask("column from 0, 'm MOTOR' to guess, or find", "find")
        if answer in ("find", "a", "auto"):
            self._find_axis()
            return
        motor, estimate = "", ""
        if answer == "m" or answer.startswith("m "):
            use = self.opening.in_use
            motor = answer[1:].strip() or self.console.ask("motor", use.axis_motor or "")
            sign = use.axis_sign if motor == use.axis_motor else None
            column, estimate = quick_look.column_by_motor(self.scan, motor, sign)
        else:
            try:
                column = float(answer)
            except ValueError as problem:
                raise InputError(f"a {answer}: a column, 'm MOTOR' or find was expected") from problem
        width = self.scan.shape[2]
        if not -width <= column <= 2 * width:
            raise InputError(
                f"column {column:g} lies far from the frames, which have the columns 0 to {width - 1}"
            )
        if estimate:
            click.echo(f"column {column:.2f}, {estimate}")
        self._keep(self.parameters.with_call("rotation_axis", {"-m": column + 0.5}))

    def _find_axis(self) -> None:
        scan_parameters = self.parameters.without_call("rotation_axis").with_call("rotation_axis", {})
        found_axis, notes = quick_look.find_axis(
            self.scan, scan_parameters.protocol, on_progress=show.progress()
        )
        for note in notes:
            click.echo(f"  {note}")
        if found_axis.confidence == "low":
            show.warnings(
                ["the axis was found with low confidence: look at slices with v, try columns with b"]
            )
        self._keep(replace(scan_parameters, axis=found_axis))

    def _sweep(self) -> None:
        if "preprocess_all" in self.parameters.calls:
            raise InputError(
                "b tries columns of frames that are not binned; choose the scan without binning by s first"
            )
        middle = self._column()
        columns = columns_of(self.console.ask("columns, FIRST:LAST:STEP", f"{middle - 4:g}:{middle + 4:g}:1"))
        row = self._row()
        items = self.parameters.protocol.items
        free = Protocol(
            tuple(replace(i, given={k: v for k, v in i.given.items() if k != "axis_column"}) for i in items)
        )
        images, row_used, pixel = quick_look.look_at_axes(
            self.scan, free, columns, row, on_progress=show.progress()
        )
        planes = [Plane(image, f"axis {column:g}") for image, column in zip(images, columns, strict=True)]
        self._picture("axes", planes, pixel)
        listed = ", ".join(f"{column:g}" for column in columns)
        click.echo(f"z {row_used + 1} from 1, from left to right and then down about column {listed}")
        answer = self.console.ask("column to take, or keep", "keep")
        if answer != "keep":
            self.console.words.appendleft(answer)
            self._axis()

    def _column(self) -> float:
        """Return the column of the axis as far as it is known, whole."""
        column = self.parameters.calls.get("rotation_axis", {}).get("-m")
        if column is not None:
            return float(round(column - 0.5))
        if self.scan.axis_column is not None:
            return float(round(self.scan.axis_column.value))
        if self.parameters.axis is not None:
            return float(round(self.parameters.axis.column))
        return float(self.scan.shape[2] // 2)

    def _row(self) -> int | None:
        """Ask for a slice; the middle one of the region by default."""
        region = self.parameters.calls.get("roi", {}).get("-r")
        middle = None if region is None else (region[2] + region[5]) // 2
        answer = self.console.ask("slice from 1", "middle" if middle is None else str(middle))
        if answer == "middle":
            return None
        if not answer.isdigit() or int(answer) < 1:
            raise InputError(f"slice {answer!r}: a whole number from 1 was expected, or middle")
        return int(answer) - 1

    def _view(self) -> None:
        row = self._row()
        self.console.demand_no_more(self._typed)
        picture = quick_look.look(
            self.scan, self.parameters.protocol, row, self.parameters.axis, on_progress=show.progress()
        )
        self._picture("slice", [Plane(picture.image)], picture.pixel_m)
        region = self.parameters.calls.get("roi", {}).get("-r")
        start = (0, 0) if region is None else (region[1] - 1, region[0] - 1)
        menu_words.sentence(quick_look.axes_in_words(picture, self.unit, start))
        motors = quick_look.motors_in_words(self.scan) if self.unit == "mm" else ""
        if motors:
            menu_words.sentence(f"motors: {motors}")
        if picture.axis_column is not None:
            in_file = picture.axis_in_file
            moved = in_file is not None and abs(in_file - picture.axis_column) > 1e-6
            column = {"value": picture.axis_column, **({"column_in_file": in_file} if moved else {})}
            click.echo(f"axis at {show.axis_column(column)}, {picture.axis_source}")
        show.warnings(picture.warnings)
        self.code = max(self.code, 1 if picture.warnings else 0)

    def _picture(self, kind: str, planes: list[Plane], pixel_m: float | None) -> None:
        """Write a picture beside the parameters, and show it where there is a terminal."""
        from tomarium.viewers.terminal import show as in_terminal

        png = draw_slices(planes, pixel_m=pixel_m)
        path = self.output / f"{self.scan.name}_{kind}.png"
        write_whole(path, png)
        if self.console.interactive:
            columns, lines = shutil.get_terminal_size()
            click.echo(in_terminal(png, size=(columns, max(4, lines - _BELOW_PICTURE))), nl=False, color=True)
        click.echo(f"picture {path.resolve().as_uri()}")

    def _half(self) -> None:
        current = self.parameters.calls.get("half_acq")
        answer = self.console.ask(
            "auto, on or off", "auto" if current is None else "on" if current.get("-a", True) else "off"
        )
        if answer not in ("auto", "on", "off"):
            raise InputError(f"d {answer}: auto, on or off was expected")
        changed = self.parameters.without_call("half_acq")
        self._keep(changed if answer == "auto" else changed.with_call("half_acq", {"-a": answer == "on"}))

    def _region(self) -> None:
        current = self.parameters.calls.get("roi", {}).get("-r")
        answer = self.console.all_words() or self.console.ask(
            "x1 y1 z1 x2 y2 z2 from 1, or whole", "whole" if current is None else in_words(current)
        )
        if answer in ("whole", "off"):
            self._keep(self.parameters.without_call("roi"))
            return
        words = answer.replace(",", " ").split()
        if len(words) != 6:
            raise InputError(f"r {answer}: six numbers x1 y1 z1 x2 y2 z2 were expected, or whole")
        self._keep(self.parameters.with_call("roi", {"-r": tuple(words)}))

    def _crop(self) -> None:
        answer = self.console.all_words() or self.console.ask("x y z in voxels, auto, or whole", "auto")
        if answer in ("whole", "off"):
            self._keep(self.parameters.without_call("roi"))
            return
        whole = self.parameters.without_call("roi").protocol
        words = answer.replace(",", " ").split()
        if answer == "auto":
            crop = find_crop(self.scan, whole, on_progress=show.progress())
        elif len(words) == 3 and all(word.isdigit() for word in words):
            crop = centred_crop(self.scan, whole, (int(words[2]), int(words[1]), int(words[0])))
        else:
            raise InputError(f"crop {answer}: three whole numbers x y z were expected, auto, or whole")
        show.warnings(crop.warnings)
        click.echo(crop.told)
        (y, x), z = (part.split(":") for part in crop.region.split(",")), crop.rows
        corners = (int(x[0]) + 1, int(y[0]) + 1, z.start + 1, int(x[1]), int(y[1]), z.stop)
        self._keep(self.parameters.with_call("roi", {"-r": corners}))

    def _records(self) -> list[Path]:
        """List the folders of records of this scan that are there, the oldest first."""
        paths = [self.output / f"{self.scan.name}_record"]
        while paths[-1].exists():
            paths.append(self.output / f"{self.scan.name}_record_{len(paths) + 1}")
        return paths[:-1]

    def _newest_record(self) -> Path:
        records = self._records()
        return records[-1] if records else self.output / f"{self.scan.name}_record"

    def _launch(self) -> None:
        records = self._records()
        count = len(records) + 1
        new_record = self.output / f"{self.scan.name}_record{'' if count == 1 else f'_{count}'}"
        default = records[-1] if records and is_unfinished(records[-1]) else new_record
        name = self.console.ask("record", default.name)
        self._run(
            "run",
            str(self.scan.path),
            *self.opening.words,
            "-p",
            str(self.file),
            "-o",
            str(self.output / name),
        )
        self.state()

    def _cast(self) -> None:
        finished = [path for path in self._records() if not is_unfinished(path)]
        if not finished:
            raise InputError(f"{self.scan.name} has no finished volume yet; l makes it")
        bits = self.console.ask("bits, 8 or 16", "8")
        limits = self.console.ask("limits A:B, or auto", "auto")
        target = self.output / f"{finished[-1].name}_{bits}bit.tif"
        self._run("recad", str(finished[-1]), str(target), "--bits", bits, "--limits", limits)

    def _all(self) -> None:
        match = self.console.ask("names of the scans, such as sampleA_*", "*")
        words = [str(self.folder), *self.opening.words, "-p", str(self.file), "--match", match]
        self._run("batch", *words, "--output", str(self.output / "batch"))

    def _live(self) -> None:
        folder = self.console.ask("folder that is watched", str(self.folder))
        words = [folder, *self.opening.words, "-p", str(self.file)]
        self._run("watch", *words, "--output", str(self.output / "live"))

    def _advise(self) -> None:
        self._run("advise", str(self.scan.path), *self.opening.words)

    def _units(self) -> None:
        self.unit = "pixel" if self.unit == "mm" else "mm"
        click.echo(f"axes of slices are shown in {'mm' if self.unit == 'mm' else 'pixels'}")

    def _extended(self) -> None:
        if not self.console.words:
            menu_words.extended_help(self._known())
            return
        typed = self.console.words.popleft()
        letter = find_letter(typed)
        if letter is None:
            raise InputError(f"there is no option {typed!r}; the nearest is {nearest_letter(typed).letter}")
        menu_words.full_help(letter)

    def _run(self, *words: str) -> None:
        """Run a command of the program, and say which."""
        from tomarium.cli import execute

        self.console.demand_no_more(self._typed)
        click.secho(f"$ tomarium {shlex.join(words)}", dim=True)
        self.code = max(self.code, execute(list(words)))


def _release(lock: tuple[Path, int]) -> None:
    lock[0].unlink(missing_ok=True)
    os.close(lock[1])


def letters() -> list[str]:
    """List what can be typed."""
    return [letter.letter for letter in LETTERS]
