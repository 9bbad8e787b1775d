"""The guide on specimens does what it says: each of its commands is run."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, open_catalogue, search
from tomarium.catalogue.entities import demand_entity, members_of, records_of
from tomarium.catalogue.log_book import entries_of
from tomarium.cli import execute

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "describe-specimens.md"
RECORD = "scan-1a2b3c4d"


def commands() -> list[list[str]]:
    """Read the words of each command of the page, `tomarium` left out; curl asks a portal and is left out too."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tomarium ")]


def test_its_commands_do_what_it_says(
    tmp_path: Path,
    make_volume: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    make_volume(tmp_path / "records" / RECORD / "volume.ome.zarr", size=16)
    file_record(tmp_path / "records" / RECORD, title="A block", id=RECORD)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        ingest(catalogue, tmp_path / "records" / RECORD)
    asked = commands()
    assert {words[0] for words in asked} == {"entity", "edit", "worker", "log", "settings"}
    assert {words[1] for words in asked if words[0] == "entity"} == {
        *("facts", "new", "link", "edit", "publish", "show", "list"),
    }
    for words in asked:
        assert execute(words) == 0, words
        out, errors = capsys.readouterr()
        assert errors == "", words
        assert out.strip() or words[0] in ("worker", "settings"), words
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue, catalogue.reading() as connection:
        heart = demand_entity(connection, LOCAL_OWNER, "heart-27").entity
        assert (heart.disclosed, heart.published is None) == (("age",), False)
        section = demand_entity(connection, LOCAL_OWNER, "heart-27-section").entity
        assert [(one.parent, one.how) for one in section.origins] == [("heart-27-block", "polished")]
        for id in ("heart-27", "heart-27-block", "md-1290", "bm18"):
            assert records_of(connection, LOCAL_OWNER, id) == [(RECORD, "A block")], id
        members = members_of(connection, LOCAL_OWNER, "hearts")
        assert [one[:2] for one in members] == [("specimen", "heart-27"), ("record", RECORD)]
        for subject in (f"records/{RECORD}", "proposals/md-1290"):
            assert len(entries_of(connection, LOCAL_OWNER, subject)) == 1, subject
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        for words in ("heart", "homo sapiens"):
            assert search(catalogue, LOCAL_OWNER, words).total == 1
