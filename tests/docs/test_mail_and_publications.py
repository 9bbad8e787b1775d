"""The guides on mail, feeds, publications and use do what they say: each of their commands is run."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tomarium.catalogue import ANYBODY, file_record, ingest, open_catalogue, read_record
from tomarium.catalogue.cited_by import publications_about
from tomarium.cli import execute

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
RECORD = "tooth-1a2b3c4d"
BIBTEX = """@article{a, title = {Teeth of bears}, author = {Lovelace, Ada}, year = 2026, doi = {10.1038/abc},
  note = {https://data.example.org/records/tooth-1a2b3c4d}}
"""
RIS = "TY  - JOUR\nTI  - More teeth\nPY  - 2025\nER  - \n"
JSON = '{"message": {"title": ["Teeth again"], "DOI": "10.1038/def", "type": "journal-article"}}'


def commands(page: str) -> list[list[str]]:
    """Read the words of each command of a page, `tomarium` left out."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("tomarium ")]


def test_their_commands_do_what_they_say(
    tmp_path: Path,
    make_volume: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_volume(tmp_path / "records" / RECORD / "volume.ome.zarr", size=8)
    file_record(tmp_path / "records" / RECORD, title="Tooth", id=RECORD)
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        ingest(catalogue, tmp_path / "records" / RECORD)
    for name, text in (("papers.bib", BIBTEX), ("papers.ris", RIS), ("crossref.json", JSON)):
        Path(name).write_text(text)
    asked = commands("mail-and-feeds.md") + commands("publications-and-use.md")
    assert {words[0] for words in asked} == {"settings", "mail", "newsletter", "publications"}
    assert {words[1] for words in asked if words[0] == "publications"} == {"import", "link", "list", "report"}
    for words in asked:
        assert execute(words) == 0, words
        out, errors = capsys.readouterr()
        assert errors == "", words
        assert out.strip(), words
    assert "Tooth" in Path("use.csv").read_text()
    assert "Tooth" in Path("use.html").read_text()
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        related = read_record(tmp_path / "records" / RECORD).related
        assert [(one.relation, one.identifier) for one in related] == [("IsCitedBy", "10.1038/abc")]
        with catalogue.reading() as connection:
            assert [one.name for one in publications_about(connection, ANYBODY, RECORD)] == ["Teeth of bears"]
    Path("papers.bib").write_text(BIBTEX.replace("2026", "2025"))
    assert execute(["publications", "import", "papers.bib"]) == 0
    out = capsys.readouterr().out
    shown = (DOCS / "publications-and-use.md").read_text(encoding="utf-8")
    assert all(f"    {line}\n" in shown for line in out.replace("same:", "changed:").splitlines()[:2]), out
