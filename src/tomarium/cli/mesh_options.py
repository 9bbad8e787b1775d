"""What `tomarium mesh` and `tomarium print` share: what the body is, and where its files go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tomarium import units
from tomarium.cli import scan_options
from tomarium.cli.record_place import folder_of_record
from tomarium.errors import InputError

if TYPE_CHECKING:
    from tomarium.catalogue.catalogue import Catalogue
    from tomarium.catalogue.keep_mesh import Target
    from tomarium.catalogue.mesh_files import About
    from tomarium.model import Volume
    from tomarium.pipeline.mesh.body import Wish

F = TypeVar("F", bound=Callable[..., Any])
SOURCE = click.argument("source", metavar="RECORD|VOLUME")
OPTIONS = (
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FOLDER|FILE",
        help="Folder for the files, or a file .stl, .3mf or .ply; what belongs to it lies beside it under its name.",
    ),
    click.option("--name", default="", help="Name of the files, and of the part of the record."),
    click.option("--overwrite", is_flag=True, help="Replace files of that name."),
    click.option(
        "--threshold", type=float, help="Limit of the body, in the volume's unit; found by default."
    ),
    click.option("--dark", is_flag=True, help="The body is what is darker, such as pores."),
    click.option("--label", type=int, help="VOLUME holds labels: the one that is the body."),
    click.option(
        "--smooth",
        type=float,
        default=1.0,
        show_default=True,
        help="Smoothing before, σ in voxels; 0: none.",
    ),
    click.option("--whole", is_flag=True, help="The corners count too, outside of the inscribed circle."),
    click.option("--level", type=click.IntRange(0), help="Level of the pyramid; chosen by default."),
    click.option("--memory", metavar="SIZE", help="Memory that may be used, such as 4GB."),
    click.option(
        "--voxel", metavar="LENGTH", help="Size of a voxel, such as '0.65 um', where the file has none."
    ),
    click.option("--catalogue", type=click.Path(path_type=Path), help="Its file; the user's own by default."),
)


@dataclass(frozen=True)
class BodyOptions:
    """What the shared options say; as `tomarium mesh --help` tells them."""

    output: Path | None
    name: str
    overwrite: bool
    threshold: float | None
    dark: bool
    label: int | None
    smooth: float
    whole: bool
    level: int | None
    memory: str | None
    voxel: str | None
    catalogue: Path | None

    @property
    def wish(self) -> Wish:
        """What is taken for the body."""
        from tomarium.pipeline.mesh.body import Wish

        if self.label is not None and (self.threshold is not None or self.dark):
            raise click.UsageError("--label goes without --threshold and --dark")
        return Wish(self.threshold, self.dark, self.label, self.smooth, self.whole)

    @property
    def file_format(self) -> str:
        """The format of the file that was named as output; "" where that is a folder."""
        from tomarium.catalogue.mesh_files import FORMATS

        ending = "" if self.output is None or self.output.is_dir() else self.output.suffix[1:]
        return ending if ending in FORMATS else ""

    @property
    def bytes(self) -> int | None:
        """Memory that may be used."""
        return None if self.memory is None else int(units.parse(self.memory, "B"))


@dataclass(frozen=True)
class Place:
    """The record that a volume belongs to: its folder, and its identifier where that was given."""

    folder: Path | None
    id: str | None = None


def with_body_options(function: F) -> F:
    """Add the shared options; the function takes `body_options`."""

    @wraps(function)
    def packed(**options: Any) -> Any:
        values = {name: options.pop(name) for name in BodyOptions.__dataclass_fields__}
        return function(body_options=BodyOptions(**values), **options)

    decorated: Any = packed
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def open_source(
    source: str, body_options: BodyOptions, opening: scan_options.Opening
) -> tuple[Volume, Place, About]:
    """Open a volume, given by its path, its record's folder or the record's identifier."""
    from tomarium.catalogue.mesh_files import About, about_of
    from tomarium.catalogue.model_request import read_mm, with_voxel
    from tomarium.catalogue.record_folder import ID, read_record
    from tomarium.formats.opening.messages import no_volume
    from tomarium.model import Volume
    from tomarium.standards.ro_crate import FILENAME

    path, record_id = Path(source), None
    if not path.exists() and ID.fullmatch(source):
        path, record_id = folder_of_record(source, body_options.catalogue), source
    volume = opening.open(path)
    if not isinstance(volume, Volume):
        raise InputError(no_volume(source, volume))
    if body_options.voxel is not None:
        volume = with_voxel(volume, read_mm(body_options.voxel, "--voxel") * 1e-3)
    if (path / FILENAME).is_file():
        return volume, Place(path.resolve(), record_id), about_of(read_record(path))
    return volume, Place(None), About(volume.name or path.name)


@contextmanager
def demand_target(source: str, place: Place, body_options: BodyOptions, name: str) -> Iterator[Target]:
    """Tell where files go, before long work begins; refused where they are there already."""
    from tomarium.catalogue.keep_mesh import target_in_folder, target_in_record, target_of_file
    from tomarium.catalogue.mesh_files import file_name
    from tomarium.catalogue.mesh_part import CataloguedRecord
    from tomarium.catalogue.reader import LOCAL_OWNER

    if body_options.output is not None and body_options.file_format:
        if body_options.name:
            raise click.UsageError(f"-o {body_options.output} names the files; leave out --name")
        yield target_of_file(body_options.output, body_options.overwrite)
    elif body_options.output is not None or place.folder is None:
        folder = body_options.output or Path(f"{Path(source).name.split('.')[0]}-{file_name(name)}")
        yield target_in_folder(folder, name, body_options.overwrite)
    elif place.id is None:
        yield target_in_record(place.folder, name, body_options.overwrite)
    else:
        with _catalogue(body_options.catalogue) as opened:
            known_record = CataloguedRecord(opened, LOCAL_OWNER, place.id)
            yield target_in_record(place.folder, name, body_options.overwrite, known_record)


def tell_files(written_files: dict[str, Any]) -> None:
    """Print the files with their sizes, and what is to be done next."""
    for ending, name in written_files["files"].items():
        click.echo(f"  {name:<28} {units.show(written_files['bytes'][ending], 'B', digits=3)}")
    if written_files["record"]:
        click.echo(f"  part of the record {written_files['record']}")
    if written_files.get("next"):
        click.echo(f"  bring the catalogue up to date with: {written_files['next']}")


def with_next(written_files: dict[str, Any], place: Place) -> dict[str, Any]:
    """Add what is to be done next: a record that was given by its folder is not brought up to date in a catalogue."""
    keeper = written_files.pop("keeper", None)
    if keeper is None:
        return written_files
    if place.id is not None:
        return {**written_files, "filed": True}
    return {**written_files, "filed": None, "next": f"tomarium ingest {keeper}"}


def draw_preview(volume: Volume, body_options: BodyOptions, target: Path) -> None:
    """Write a picture of the middle slice with the rim of the body, and print the threshold."""
    from tomarium.atomic_files import write_whole
    from tomarium.pipeline.mesh.grid import choose_grid, grids_of
    from tomarium.viewers.threshold_picture import threshold_png

    grid = choose_grid(grids_of(volume), body_options.level, body_options.bytes)
    picture, words = threshold_png(volume, grid, body_options.wish)
    write_whole(target, picture)
    click.echo(f"{target}: {words}")


def _catalogue(place: Path | None) -> Catalogue:
    from tomarium.catalogue.catalogue import open_catalogue

    return open_catalogue(place, make=False)
