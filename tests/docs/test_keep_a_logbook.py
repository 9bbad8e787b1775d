"""The guides on log books and on samples do what they say: each of their commands is run."""

import re
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue
from tomarium.catalogue.log_book import entries_of
from tomarium.catalogue.parcels import parcel_of
from tomarium.catalogue.specimen_events import events_of
from tomarium.cli import execute

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
RECORD = "scan-1a2b3c4d"


def run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run each command of a page but those of accounts, which need some."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    asked = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tomarium ")]
    assert len(asked) > 10
    for words in asked:
        if words[0] == "token":
            continue
        assert execute(words) == 0, words
        out, errors = capsys.readouterr()
        assert errors == "", words
        assert out.strip() or words[0] == "settings", words


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("current", "box"):
        Image.new("L", (8, 6), 90).save(tmp_path / f"{name}.png")
    return tmp_path


def test_log_books(home: Path, make_volume: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    make_volume(home / "records" / RECORD / "volume.ome.zarr", size=16)
    file_record(home / "records" / RECORD, title="A block", id=RECORD)
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, home / "records" / RECORD)
    (home / "beamtime").mkdir()
    (home / "beamtime" / "beamtime.toml").write_text('proposal = "es-1234"\n')
    run("keep-a-logbook.md", capsys)
    with open_catalogue(home / "catalogue.sqlite") as catalogue, catalogue.reading() as connection:
        told = entries_of(connection, LOCAL_OWNER, "proposals/es-1234")
        about = entries_of(connection, LOCAL_OWNER, "specimens/rum-7")
    assert [(one.who, len(one.files)) for one in told] == [("owner", 1), ("owner", 0), ("Ada", 1)]
    assert [one.text for one in about] == ["Sample slipped by 0.3 mm"]
    with zipfile.ZipFile(home / "logbook.zip") as archive:
        assert sum(name.startswith("logbook/files/") for name in archive.namelist()) == 1  # the same picture


def test_samples(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_catalogue(home / "catalogue.sqlite"):
        pass
    run("track-samples.md", capsys)
    with open_catalogue(home / "catalogue.sqlite") as catalogue, catalogue.reading() as connection:
        kinds = [one.kind for one in reversed(events_of(connection, LOCAL_OWNER, "rum-7-core"))]
        parcel = parcel_of(connection, LOCAL_OWNER, "to-bm05")
    assert kinds == ["moved", "handed-over", "sent", "received", "stored", "returned", "back"]
    assert parcel is not None
    assert parcel.state == "back"
    assert (home / "labels.svg").read_text().startswith("<svg")
