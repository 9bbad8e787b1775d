"""Writes what later versions must be able to read of this one: records, a backup, a database; once for each release.

`python tests/upgrades/make.py` makes `tests/upgrades/VERSION`; it is kept as it is from then on.
"""

import gzip
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

CREATED = datetime(2026, 11, 29, tzinfo=UTC)


def main() -> None:
    """Publish a small record with all that belongs to it, and back its catalogue up."""
    from faults.scenarios import _volume
    from tomarium import __version__
    from tomarium.catalogue import LOCAL_OWNER, Reader, file_record, ingest, open_catalogue
    from tomarium.catalogue.accounts import make_account
    from tomarium.catalogue.backup import backup
    from tomarium.catalogue.comments import comment
    from tomarium.catalogue.life import Request, publish
    from tomarium.catalogue.log_book import write_entry
    from tomarium.catalogue.settings import change_setting
    from tomarium.model import Person, Value

    target, ada = HERE / __version__, Reader("ada", "member")
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        os.environ["TOMARIUM_HOME"] = str(home)
        with open_catalogue(home / "catalogue.sqlite") as opened:
            with opened.writing() as connection:
                change_setting(connection, "doi_prefix", "10.5072")
                make_account(connection, LOCAL_OWNER, "root", "administrator")
                make_account(connection, LOCAL_OWNER, "ada", "member")
            for id in ("tooth", "draft"):
                folder = home / "records" / id
                _volume(folder)
                energy = {"energy_kev": Value(20.0, "read", "scan.h5")}
                file_record(
                    folder,
                    title=f"A {id}",
                    id=id,
                    created=CREATED,
                    licence="CC0-1.0",
                    creators=(Person("Ada"),),
                    parameters=energy,
                )
                ingest(opened, folder, reader=ada)
            comment(opened, ada, "draft", "not yet")
            write_entry(opened, ada, "records/draft", "The beam was lost")
            publish(opened, LOCAL_OWNER, "tooth", Request(embargo="0", files=False))
            backup(opened, target / "backup.zip")
        shutil.copytree(home / "records", target / "records")
        keep_database(home / "catalogue.sqlite", target / "catalogue.sqlite.gz")
    print(f"{target}: {sum(one.stat().st_size for one in target.rglob('*') if one.is_file())} bytes")


def keep_database(path: Path, target: Path) -> None:
    """Pack a database that nobody has open, small and as one file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
