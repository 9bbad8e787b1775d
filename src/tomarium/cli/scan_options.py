"""Options that several commands share: how a scan is opened, and how a protocol is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from tomarium.cli import show
from tomarium.cli.given_path import PathOrAddress
from tomarium.cli.record_place import path_or_record
from tomarium.errors import InputError
from tomarium.model import Image, Scan
from tomarium.model.geometry import FIELDS
from tomarium.model.slab import RAW_DOMAINS

if TYPE_CHECKING:
    from tomarium.beamtime.profile_in_use import ProfileInUse
    from tomarium.datasets.web_files import WebPath

F = TypeVar("F", bound=Callable[..., Any])

SCAN = click.argument("path", metavar="SCAN", type=click.Path(path_type=Path))
SCAN_OR_ADDRESS = click.argument("path", metavar="SCAN", type=PathOrAddress(path_type=Path))


@dataclass(frozen=True)
class Opening:
    """What a user tells of a scan on the command line, by which it is opened.

    Attributes
    ----------
    given : Mapping of str to object
        Argument of `tomarium.open` → what was written; without what was not.
    profile : str or None
        Profile of the beamline that was named.
    beamtime : Path or None
        Folder of the beamtime that was named.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    beamtime: Path | None = None

    @cached_property
    def in_use(self) -> ProfileInUse:
        """The beamtime and the profile that hold for the command; raises InputError where one of them is wrong."""
        from tomarium.beamtime.profile_in_use import profile_in_use

        return profile_in_use(self.profile, self.beamtime)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What `tomarium.open` is given: the user's own words, and what the profile tells."""
        profile_values = self.in_use.scan
        return self.given if profile_values is None else {**self.given, "profile": profile_values}

    @property
    def words(self) -> tuple[str, ...]:
        """The options that tell the same on a command line."""
        name_of_argument = {argument: name for name, argument, _ in _options()}
        pairs = [(name_of_argument[argument], value) for argument, value in self.given.items()]
        pairs += [
            (name, text) for name in ("profile", "beamtime") if (text := getattr(self, name)) is not None
        ]
        return tuple(word for name, value in pairs for word in (f"--{name}", str(value)))

    def open(self, path: Path) -> Scan | Image:
        """Open a scan or an image, and say where nothing told which of both it is.

        Parameters
        ----------
        path : Path
            File or folder, or the identifier of a record of the user's own catalogue; or a `WebPath`.

        Returns
        -------
        Scan or Image
            What it holds.

        Raises
        ------
        FormatError
            It cannot be read.
        ParameterError, UnitError
            What the user tells of it cannot be.
        """
        import tomarium.formats as formats
        from tomarium.formats.format import TAKEN_FOR

        if not isinstance(path, Path):
            return self._open_address(path)
        opened = formats.open(path_or_record(path), **self.arguments)
        if TAKEN_FOR in opened.metadata:
            show.warnings([f"{path}: {opened.metadata[TAKEN_FOR]}"])
        return opened

    def _open_address(self, path: WebPath) -> Image:
        """Open an OME-Zarr image on the web, and tell how much of it was fetched."""
        from tomarium.datasets.open_anywhere import open_address

        return open_address(path.told_by(show.fetched()), dict(self.given))

    def open_scan(self, path: Path) -> Scan:
        """Open a scan.

        Parameters
        ----------
        path : Path
            File or folder.

        Returns
        -------
        Scan
            The scan.

        Raises
        ------
        InputError
            It holds an image, not a scan.
        FormatError, ParameterError, UnitError
            As `open`.
        """
        opened = self.open(path)
        if not isinstance(opened, Scan):
            raise InputError(
                f"{path} holds an image of shape {opened.shape}, not a tomography scan with projections; where it "
                f"holds them, {angles_advice(opened)}"
            )
        return opened


def angles_advice(image: Image) -> str:
    """Say how the angles of an image are given that may be a sinogram, or a stack of projections.

    Parameters
    ----------
    image : Image
        What was opened.

    Returns
    -------
    str
        The end of a sentence: the place of its own angles, where an axis in degrees holds them and its name tells its
        group in the file, else how any are written.
    """
    group = image.name.rpartition(" ")[2]
    for axis in image.axes:
        if axis.unit == "deg" and group.startswith("/"):
            return f"give the angles of its axis {axis.name}: --angles {group}/{axis.name}"
    return f"give their angles, such as --angles 0:180:{image.shape[0]}"


METAVARS: Final = {"m": "LENGTH", "keV": "ENERGY", "deg": "ANGLE", "px": "PIXELS", "": "RATIO"}


def _options() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each option by which a scan is opened: its name, the argument of `tomarium.open`, and what click takes."""
    yield "entry", "entry", {"metavar": "NAME", "help": "Which scan or image, of a file that holds several."}
    for name, help_text in (
        ("data", "Place of the frames in HDF5 of no known format: /a/b, file.h5:/a/b or /a/b[50:3051]."),
        (
            "flats",
            "Flat fields to take in place of the file's: a place in HDF5, or a folder or file of TIFF.",
        ),
        (
            "darks",
            "Dark fields to take in place of the file's: a place in HDF5, or a folder or file of TIFF.",
        ),
        ("image-key", "With --data: place of what each frame shows, numbers as in NXtomo or words."),
    ):
        yield name, name.replace("-", "_"), {"metavar": "PLACE", "help": help_text}
    for parameter in FIELDS:
        kind = "ANGLES" if parameter.unit == "deg" else "NUMBERS"
        metavar = kind if parameter.per_view else METAVARS[parameter.unit]
        yield parameter.option, parameter.name, {"metavar": metavar, "help": parameter.help}
    help_text = (
        "Both shifts at once: a correction file as PyHST2 and nabu write it, one line a view with its shift along "
        "columns and along rows, pixels."
    )
    yield "shifts", "shifts", {"metavar": "FILE", "help": help_text}
    yield (
        "domain",
        "domain",
        {
            "type": click.Choice(RAW_DOMAINS),
            "help": "What the numbers of the frames are, where it is not what the file says.",
        },
    )
    help_text = (
        "Order in which a file that does not say it stores its axes: column,angle or angle,column of a sinogram; "
        "angle, row and column of a stack, such as row,angle,column."
    )
    yield "axes", "axes", {"metavar": "NAMES", "help": help_text}


def opening(function: F) -> F:
    """Add the options by which a scan is opened.

    Parameters
    ----------
    function : callable
        Takes `opening`, an `Opening`.

    Returns
    -------
    callable
        The same with options.
    """
    options = tuple(_options())

    @wraps(function)
    def packed(**options_given: Any) -> Any:
        trust = options_given.pop("trust")
        arguments = {argument: options_given.pop(argument) for _, argument, _ in options}
        arguments_given = {argument: value for argument, value in arguments.items() if value is not None}
        opening = Opening(arguments_given, options_given.pop("profile"), options_given.pop("beamtime"))
        if not trust:
            return function(opening=opening, **options_given)
        from tomarium.formats import trusting

        with trusting(trust):  # also what a command opens besides, such as the scan of a record
            return function(opening=opening, **options_given)

    command: Any = click.option(
        "--trust",
        multiple=True,
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Folder whose files the scan may point to, besides its own; may be given often.",
    )(packed)
    command = click.option(
        "--profile",
        metavar="PROFILE",
        help="Profile of the beamline, for what neither you nor the file tells: a file, a name such as anatomix, or "
        "none; that of the beamtime by default.",
    )(command)
    command = click.option(
        "--beamtime",
        type=click.Path(path_type=Path),
        help="Folder of the beamtime; the nearest upwards that holds beamtime.toml by default.",
    )(command)
    for name, argument, settings in reversed(options):
        command = click.option(f"--{name}", argument, **settings)(command)
    decorated: F = command
    return decorated


def steps(function: F) -> F:
    """Add the options by which a protocol is chosen.

    Parameters
    ----------
    function : callable
        Takes `choice`, a `tomarium.pipeline.protocol.choice.Choice`.

    Returns
    -------
    callable
        The same with options.
    """

    @wraps(function)
    def packed(**options: Any) -> Any:
        from tomarium.pipeline.protocol.choice import Choice

        names = {field.name for field in fields(Choice)}
        path = options.pop("path_of_protocol")
        chosen = Choice(path=path, **{name: options.pop(name) for name in names - {"path"}})
        return function(choice=chosen, **options)

    command: Any = packed
    for option in (
        click.option(
            "--material",
            metavar="'FORMULA DENSITY'",
            help="Sample's material, such as 'SiO2 2.65' (g/cm³): retrieve the phase by its δ/β; adds the step paganin "
            "where the protocol has none.",
        ),
        click.option(
            "--roi",
            "region",
            metavar="Y0:Y1,X0:X1",
            help="Only this part of the slices, in voxels; with Z0:Z1 before it, only these slices.",
        ),
        click.option(
            "--bin",
            "binning",
            type=click.IntRange(min=1),
            default=1,
            metavar="N",
            help="Average N × N detector pixels first. --row, --rows and --roi then count binned pixels, --axis and "
            "--axis-sweep the file's columns.",
        ),
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="STEP.PARAMETER=VALUE",
            help="Set one parameter, such as fbp.window=hann; may be given often. `tomarium steps` lists them.",
        ),
        click.option(
            "--step",
            "steps",
            multiple=True,
            metavar="STEP",
            help="Add a step, such as paganin or remove_stripes, in its natural place; may be given often.",
        ),
        click.option(
            "--preset",
            metavar="NAME",
            help="Protocol that comes with the program: standard, quick, phase, rings; see `tomarium protocol show`.",
        ),
        click.option(
            "-p",
            "--protocol",
            "path_of_protocol",
            type=click.Path(path_type=Path),
            help="Protocol file (.yaml, .json or .txt, also a protocol.txt of tomodata); find_axis, flat_field, "
            "half_acquisition, fbp by default.",
        ),
    ):
        command = option(command)
    decorated: F = command
    return decorated


def parse_rows(text: str | None) -> slice | None:
    """Read rows as users write them.

    Parameters
    ----------
    text : str or None
        "A:B"; either may be left out.

    Returns
    -------
    slice or None
        The rows.

    Raises
    ------
    InputError
        It has another form.
    """
    if text is None:
        return None
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError(text)
        return slice(int(first) if first.strip() else None, int(last) if last.strip() else None)
    except ValueError as problem:
        raise InputError(f"--rows {text!r}: write A:B with whole numbers, such as 100:200") from problem
