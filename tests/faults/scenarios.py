"""What is stopped at every step: a state before, an act that may be given again, and a state after."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from tomarium.catalogue import LOCAL_OWNER, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.backup import backup, restore
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.finish_upload import finish
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import dois, life, records
from tomarium.catalogue.uploads import Uploads
from tomarium.formats import open as open_scan
from tomarium.model import Person
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.standards.ro_crate import FILENAME

ADA = Reader("ada", "member")
CHUNK = 1500


@dataclass(frozen=True)
class Scenario:
    """What is done: `prepare(home)` once, and `act(home)`, which may be stopped and is given again."""

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]


def opened(home: Path) -> Any:
    return open_catalogue(home / "catalogue.sqlite")


def state(home: Path) -> dict[str, Any]:
    """What a catalogue knows and what lies in its folders, without times: what must be as before or as after."""
    told: dict[str, Any] = {}
    with opened(home) as catalogue, catalogue.reading() as connection:
        lives = {row.record: row for row in connection.execute(select(life))}
        doi = {row.doi: row.record for row in connection.execute(select(dois))}
        rows = connection.execute(select(records)).all()
    for row in rows:
        folder = home / "records" / row.path
        record = read_record(folder)
        told[row.id] = {
            "title": (row.title, record.title),
            "state": (row.state, lives[row.id].state, record.publication is not None),
            "owner": lives[row.id].owner,
            "wrong": [one.path for one in verify(folder) if ".part" not in one.path],
        }
    told["dois"] = doi
    backed = home / "backup.zip"
    if backed.exists():
        told["backup"] = _restored(backed, home)
    return told


def _restored(path: Path, home: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    place = home.parent / "restored"
    for old in place.glob("*") if place.is_dir() else ():
        old.unlink()
    with open_catalogue(place / "catalogue.sqlite") as fresh:
        return list(restore(fresh, path).problems)


def _filed(home: Path, id: str, *, ingested: bool = True) -> None:
    folder = home / "records" / id
    _volume(folder)
    file_record(folder, title=f"A {id}", id=id, licence="CC0-1.0", creators=(Person("Ada"),))
    with opened(home) as catalogue:
        if ingested:
            ingest(catalogue, folder, reader=ADA)
        with catalogue.writing() as connection:
            change_setting(connection, "doi_prefix", "10.5072")


def _volume(folder: Path) -> None:
    import zarr

    z, y, x = np.mgrid[-1:1:8j, -1:1:8j, -1:1:8j]
    grey = ((x**2 + y**2 < 0.7) * (1 + 0.1 * z)).astype(np.float32)
    root = zarr.open_group(folder / "volume.ome.zarr", mode="w", zarr_format=3)
    array = root.create_array("0", shape=grey.shape, chunks=(4, 8, 8), dtype=grey.dtype)
    array[...] = grey
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


# --- ingest ---


def prepare_ingest(home: Path) -> None:
    _filed(home, "kept")
    _volume(home / "records" / "tooth")


def act_ingest(home: Path) -> None:
    folder = home / "records" / "tooth"
    file_record(folder, title="A tooth", id="tooth", licence="CC0-1.0", creators=(Person("Ada"),))
    with opened(home) as catalogue:
        ingest(catalogue, folder)


# --- publish, edit ---


def prepare_publish(home: Path) -> None:
    _filed(home, "tooth")


def act_publish(home: Path) -> None:
    with opened(home) as catalogue:
        publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0", files=False))


def act_edit(home: Path) -> None:
    with opened(home) as catalogue:
        edit(catalogue, ADA, "tooth", Changes(title="Another title"))


# --- backup ---


def act_backup(home: Path) -> None:
    target = home / "backup.zip"
    if target.exists():  # the file is there when it is whole
        return
    with opened(home) as catalogue:
        backup(catalogue, target)


# --- upload ---


def prepare_upload(home: Path) -> None:
    _filed(home, "kept")
    sent = home.parent / "sent" / "tooth"
    _volume(sent)
    file_record(sent, title="A tooth", id="tooth", licence="CC0-1.0", creators=(Person("Ada"),))


def act_upload(home: Path) -> None:
    """Send a record as a client does that knows only what the server tells it, and hand it in."""
    sent = home.parent / "sent" / "tooth"
    uploads = Uploads(home / "uploads")
    with opened(home) as catalogue:
        batch = _batch(uploads)
        if batch is None:
            with catalogue.reading() as connection:
                if connection.execute(select(life.c.owner).where(life.c.record == "tooth")).first():
                    return  # it was filed, and its sender sees it in the list
            batch = uploads.begin(ADA, "A tooth")
        home_of_batch = uploads.root / batch
        if not (home_of_batch / "incoming").exists() and not _is_filing(home_of_batch):
            for path in sorted(one for one in sent.rglob("*") if one.is_file()):
                _send(uploads, batch, path.relative_to(sent).as_posix(), path.read_bytes())
        finish(catalogue, ADA, uploads, batch, home / "records", {"title": "As its sender says"})


def _batch(uploads: Uploads) -> str | None:
    return next((one.id for one in uploads.batches(ADA)), None)


def _is_filing(folder: Path) -> bool:
    return '"filing"' in (folder / "batch.json").read_text()


def _send(uploads: Uploads, batch: str, path: str, content: bytes) -> None:
    known = {one.path: one for one in uploads.files(ADA, batch)}
    one = known.get(path)
    if one is None or one.length != len(content):
        one = uploads.create(ADA, batch, path, len(content), hashlib.sha256(content).hexdigest())
    while (at := uploads.state(ADA, one.id).offset) < len(content):
        with uploads.appending(ADA, one.id, at) as taking:
            taking.write(content[at : at + CHUNK])


# --- run ---


def prepare_run(home: Path) -> None:
    from tomarium.cli import execute

    _filed(home, "kept")
    scan = home.parent / "scan.h5"
    with redirect_stdout(io.StringIO()):
        assert execute(["simulate", str(scan), "--size", "16", "--views", "24", "--rows", "8"]) == 0


def act_run(home: Path) -> None:
    folder = home / "records" / "scan"
    if not (folder / FILENAME).exists():
        make_record(open_scan(home.parent / "scan.h5"), default_protocol(), folder, title="A scan", id="scan")
    with opened(home) as catalogue:
        ingest(catalogue, folder)


SCENARIOS = {
    "ingest": Scenario(prepare_ingest, act_ingest),
    "publish": Scenario(prepare_publish, act_publish),
    "edit": Scenario(prepare_publish, act_edit),
    "backup": Scenario(prepare_publish, act_backup),
    "upload": Scenario(prepare_upload, act_upload),
    "run": Scenario(prepare_run, act_run),
}
