"""The catalogue: a disposable index of record folders in a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DatabaseError

from tomarium.catalogue import sqlite
from tomarium.catalogue.home import catalogue_file
from tomarium.errors import FormatError, InputError


@dataclass(frozen=True)
class Catalogue:
    """An open catalogue; a resource with a life: `close` it, or use it in a `with` statement.

    Attributes
    ----------
    engine : Engine
        The database.
    name : str
        Where it is, for messages.
    """

    engine: Engine
    name: str

    @property
    def home(self) -> Path:
        """The folder in which its records and uploads lie where nobody says otherwise."""
        return (catalogue_file() if self.name == "memory" else Path(self.name)).absolute().parent

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Hold a connection that sees one state of the catalogue."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold the one connection that may write; all of it happens, or nothing."""
        with self.engine.connect().execution_options(write=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()


def open_catalogue(place: Path | str | None = None, *, make: bool = True) -> Catalogue:
    """Open a catalogue, make it where there is none, and bring it up to date.

    Parameters
    ----------
    place : Path or str, optional
        A file, or an address such as "sqlite:///catalogue.sqlite"; `catalogue_file()` by default. A folder
        is made where it is missing.
    make : bool
        Whether one is made where there is none; what only reads asks for one that is there, so that a mistyped
        name is not answered with an empty catalogue.

    Returns
    -------
    Catalogue
        Open; its tables are those of this version of tomarium.

    Raises
    ------
    InputError
        The database is of a kind that is not known, cannot be opened or written, or is not there and not made.
    FormatError
        The file is no catalogue, is damaged, or belongs to a newer version.
    """
    path = _path(place)
    if path and not make and not path.exists():
        raise InputError(_absent(path, place))
    if path:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise InputError(f"{path.parent}: cannot be made ({problem}); give another place") from problem
    engine = sqlite.connect(path)
    catalogue = Catalogue(engine, str(path or "memory"))
    try:
        _migrate(catalogue)
    except DatabaseError as problem:
        catalogue.close()
        if isinstance(problem.orig, sqlite3.OperationalError):
            raise InputError(
                f"{path}: the catalogue cannot be opened ({problem.orig}); check that it is a file you may "
                f"write and that the disk is not full"
            ) from problem
        raise FormatError(
            f"{path}: is no catalogue ({problem.orig}); give another file, or delete it and make the "
            f"index anew with: tomarium index rebuild DIR --new, which loses nothing"
        ) from problem
    except BaseException:
        catalogue.close()
        raise
    return catalogue


def _path(place: Path | str | None) -> Path | None:
    if place is None:
        return catalogue_file()
    kind, separator, rest = str(place).partition("://")
    if not separator:
        return Path(place).absolute()
    if kind != "sqlite" or not rest.startswith("/"):
        raise InputError(f"{kind}://…: this version keeps its catalogue in SQLite only; give a file")
    return Path(rest[1:]).absolute() if rest != "/" else None


def _absent(path: Path, place: Path | str | None) -> str:
    if place is None:
        return "nothing has been filed yet; file a record with: tomarium ingest RECORD, or begin with: tomarium demo"
    return (
        f"{path}: there is no catalogue of this name; check its spelling, or make one by filing a record: "
        f"tomarium ingest RECORD --catalogue {place}"
    )


def _migrate(catalogue: Catalogue) -> None:
    """Bring the tables up to date with the migrations that came with this version."""
    home = Path(__file__).parent / "migrations"
    newest = max(file.name.partition("_")[0] for file in (home / "versions").glob("[0-9]*.py"))
    with catalogue.reading() as connection:
        kept = inspect(connection).has_table("alembic_version")
        if kept and connection.scalar(text("SELECT version_num FROM alembic_version")) == newest:
            return
    from alembic import command  # as slow to import as all else together, and seldom needed
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(home).replace("%", "%%"))
    try:
        # The writer's lock is taken first: of two programs that start at once, the second finds all done.
        with catalogue.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as problem:
        raise FormatError(
            f"{catalogue.name}: belongs to another version of tomarium ({problem}); use that one, or delete "
            f"the file and make the index anew with: tomarium index rebuild DIR --new, which loses nothing"
        ) from problem
