"""The catalogue: a disposable index of record folders in a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tomarium.catalogue import postgresql, sqlite
from tomarium.catalogue.dialect import dialect_of
from tomarium.catalogue.home import catalogue_file, home
from tomarium.catalogue.written_by import needed_version, note_version
from tomarium.errors import DatabaseUnavailable, FormatError, InputError

MIGRATION_S: Final = 600
"""Seconds that a program waits while another one brings the same catalogue up to date: a large one takes long."""


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
        """The folder in which its records and uploads lie where nobody says otherwise.

        Of a file the one it lies in; of a database `tomarium.catalogue.home.home()`, which all machines must share.
        """
        if self.engine.dialect.name != "sqlite":
            return home()
        return (catalogue_file() if self.name == "memory" else Path(self.name)).absolute().parent

    def reading(self) -> AbstractContextManager[Connection]:
        """Hold a connection that sees one state of the catalogue.

        Raises
        ------
        DatabaseUnavailable
            The database does not answer.
        """
        return self._transaction(index=True)

    def writing(self) -> AbstractContextManager[Connection]:
        """Hold the one connection that may write; all of it happens, or nothing.

        What is read here cannot change before it ends: nobody else writes. SQLite and PostgreSQL take a lock for it
        when the transaction begins.

        Raises
        ------
        DatabaseUnavailable
            The database does not answer, or somebody else writes for longer than one waits.
        """
        return self._transaction(write=True)

    def changing_own_tables(self) -> AbstractContextManager[Connection]:
        """Hold a connection that changes tables which nobody else knows of; others write meanwhile.

        Raises
        ------
        DatabaseUnavailable
            The database does not answer.
        """
        return self._transaction(unlocked=True)

    @contextmanager
    def _transaction(self, **options: bool) -> Iterator[Connection]:
        """Hold a connection of some kind; all that is done with it happens, or nothing."""
        with (
            _answering(),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()


@contextmanager
def _answering() -> Iterator[None]:
    """Say in one way that a database does not answer: its connection was lost, it is full, or another one holds it."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as problem:
        message = " ".join(str(getattr(problem, "orig", None) or problem).split())
        raise DatabaseUnavailable(
            f"the catalogue's database does not answer, or is held by another program ({message}); what was asked for "
            f"was not confirmed: look whether it was done, and do it again in a moment"
        ) from problem


def open_catalogue(place: Path | str | None = None, *, make: bool = True) -> Catalogue:
    """Open a catalogue, make it where there is none, and bring it up to date.

    Parameters
    ----------
    place : Path or str, optional
        A file, or an address: "sqlite:///catalogue.sqlite", "postgresql://user:password@host/database";
        `catalogue_file()` by default. A file's folder is made where it is missing; a database is not.
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
        The file or database is no catalogue, is damaged, or belongs to a newer version.
    EngineUnavailable
        The driver of PostgreSQL is not installed.
    """
    at = _place(place)
    if isinstance(at, URL):
        catalogue = Catalogue(postgresql.connect(at), at.render_as_string(hide_password=True))
        absent = _absent(catalogue.name, place) if not make else ""
    else:
        if at and not make and not at.exists():
            raise InputError(_absent(str(at), place))
        if at:
            try:
                at.parent.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise InputError(f"{at.parent}: cannot be made ({problem}); give another place") from problem
        catalogue, absent = Catalogue(sqlite.connect(at), str(at or "memory")), ""
    try:
        _migrate(catalogue, absent)
    except DatabaseError as problem:
        catalogue.close()
        raise _refused(catalogue, problem) from problem
    except BaseException:
        catalogue.close()
        raise
    return catalogue


def _place(place: Path | str | None) -> Path | URL | None:
    """Read a place: a file, None for a catalogue in memory, or the address of a database."""
    if place is None:
        return catalogue_file()
    kind, separator, path = str(place).partition("://")
    if not separator:
        return Path(place).absolute()
    if kind in ("postgresql", "postgres"):
        try:
            return make_url(f"postgresql://{path}")
        except (ArgumentError, ValueError) as problem:
            raise InputError(
                f"{kind}://…: is no address of a database; write {kind}://user:password@host:5432/database, with "
                f"signs such as @ or / in the password as %40 or %2F"
            ) from problem
    if kind != "sqlite" or not path.startswith("/"):
        raise InputError(
            f"{kind}://…: a catalogue can be kept in SQLite or PostgreSQL; give a file, sqlite:///file or "
            f"postgresql://user:password@host/database"
        )
    return Path(path[1:]).absolute() if path != "/" else None


def _absent(name: str, place: Path | str | None) -> str:
    if place is None:
        return "nothing has been filed yet; file a record with: tomarium ingest RECORD, or begin with: tomarium demo"
    return (
        f"{name}: there is no catalogue of this name; check its spelling, or make one by filing a record: "
        f"tomarium ingest RECORD --catalogue {place if '://' not in str(place) else name}"
    )


def _refused(catalogue: Catalogue, problem: DatabaseError) -> InputError:
    """Say why a database cannot be used, and what to do."""
    name, message = catalogue.name, " ".join(str(problem.orig).split())
    if catalogue.engine.dialect.name == "postgresql":
        return InputError(
            f"{name}: the catalogue cannot be opened ({message}); check that the server runs, that the address, name "
            f"and password are right, that the database is there (createdb) and that this user may make tables in it"
        )
    if isinstance(problem.orig, sqlite3.OperationalError):
        return InputError(
            f"{name}: the catalogue cannot be opened ({message}); check that it is a file you may "
            f"write and that the disk is not full"
        )
    return FormatError(
        f"{name}: is no catalogue ({message}); give another file, or delete it and make the "
        f"index anew with: tomarium index rebuild DIR --new, which loses nothing"
    )


def _migrate(catalogue: Catalogue, absent: str) -> None:
    """Bring the tables up to date with the migrations that came with this version; or refuse where there are none."""
    home = Path(__file__).parent / "migrations"
    newest = max(file.name.partition("_")[0] for file in (home / "versions").glob("[0-9]*.py"))
    with catalogue.engine.connect() as connection, connection.begin():
        has_version = inspect(connection).has_table("alembic_version")
        if has_version and connection.scalar(text("SELECT version_num FROM alembic_version")) == newest:
            return
        if absent and not has_version:
            raise InputError(absent)
        if catalogue.engine.dialect.name == "postgresql":
            postgresql.demand_suitable(connection, catalogue.name)
    from alembic import command  # as slow to import as all else together, and seldom needed
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(home).replace("%", "%%"))
    try:
        # The writer's lock is taken first: of two programs that start at once, the second finds all done.
        waiting = catalogue.engine.connect().execution_options(write=True, patience_s=MIGRATION_S)
        with waiting as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            note_version(connection)
            dialect_of(connection).end_migration(connection)
    except CommandError as problem:
        with catalogue.engine.connect() as connection:
            needed = needed_version(connection)
        raise FormatError(
            f"{catalogue.name}: needs {needed}, and nothing was changed in it; install that version, or take a backup "
            f"with it (tomarium backup) and restore that into a new catalogue of this one"
        ) from problem
