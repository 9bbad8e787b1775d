"""The report of a beamtime says what records, watch, ledger and log know, and no more."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from unicodedata import normalize

import pytest
from pypdf import PdfReader

from contracts.test_steps import make_scan
from tomarium.beamtime.beamline_parameters import profile_toml
from tomarium.beamtime.beamtime_folder import read_beamtime
from tomarium.beamtime.copy_ledger import open_ledger
from tomarium.beamtime.copy_scans import copy_scans, list_all, open_disk
from tomarium.beamtime.profile_file import read_profile
from tomarium.beamtime.report import LogEntry, gather, key_of
from tomarium.beamtime.report_file import BROWSERS, print_pdf, report_html
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.errors import EngineUnavailable, InputError
from tomarium.pipeline.protocol.protocol import default_protocol


@pytest.fixture(scope="module")
def beamtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("beamtime")
    folder = top / "teeth"
    (folder / "live" / "slices").mkdir(parents=True)
    (top / "disk1").mkdir()
    (folder / "beamtime.toml").write_text(
        'name = "Teeth & <jaws>"\nproposal = "20260001"\nprofile = "anatomix"\nstation = "microtomography"\n'
        'people = ["A. Lovelace"]\n'
    )
    scan = make_scan(angles=60)
    make_record(scan, default_protocol(), folder / "batches" / "night" / "tooth_01")
    raw = top / "tooth_02.nxs"
    raw.write_bytes(b"raw")
    picture = folder / "batches" / "night" / "tooth_01" / "previews" / "thumbnail.png"
    shutil.copy(picture, folder / "live" / "slices" / "tooth_02.png")
    live = {
        "spool": "/nfs/spool",
        "slices": [
            {"scan": "tooth_02.nxs", "row": 16, "picture": "tooth_02.png", "axis_column": 31.5,
             "confidence": "low",
             "arrived_at": "2026-11-28T03:00:00+00:00", "complete": False,
             "warnings": [{"kind": "moved", "title": "Sample moved", "text": "by 3 px", "level": "warn"}]}
        ],
        "failed": [{"scan": "broken.nxs", "reason": "it has no frames"}], "skipped": [],
    }  # fmt: skip
    (folder / "live" / "live.json").write_text(json.dumps(live))
    with open_ledger(folder / "copies.sqlite") as ledger, open_disk(top / "disk1") as disk:
        copy_scans(list_all([raw], top / "disk1"), disk, ledger)
    (folder / "not_a_record").mkdir()
    (folder / "not_a_record" / "ro-crate-metadata.json").write_text("{")
    return folder


def test_every_source_is_in_the_report(beamtime: Path) -> None:
    report = gather(beamtime, [LogEntry("2026-11-28T02:50:00+00:00", "ada", "beam lost", machine=True)])
    cards = {card.scan: card for card in report.cards}
    assert "broken" in cards
    assert "tooth_02" in cards
    (reconstructed,) = [card for card in report.cards if card.results]
    (result,) = reconstructed.results
    assert result.where == "batches/night/tooth_01"
    assert result.picture.startswith("data:image/png;base64,")
    assert result.steps.startswith("find_axis")
    assert result.axis == "30.5 px (user: test)"
    assert cards["tooth_02"].warnings == ["Sample moved: by 3 px"]
    assert cards["broken"].warnings == ["not reconstructed by the watch: it has no frames"]
    assert cards["tooth_02"].copies[0].places == 1  # both lie on the disk of the test
    assert len(report.problems) == 1
    assert "not_a_record" in report.problems[0]
    assert report.station.papers == (
        "Weitkamp et al. (2022), https://doi.org/10.1088/1742-6596/2380/1/012122",
    )
    assert "ANR-11-EQPX-0031" in report.station.acknowledgement[0]


def test_the_page_is_whole_and_needs_no_other_file(
    beamtime: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["report", str(beamtime)]) == 1, "one record cannot be read"
    assert "3 scans" in capsys.readouterr().out
    page = (beamtime / "report.html").read_text()
    assert "Teeth &amp; &lt;jaws&gt;" in page
    assert "31.5 px, confidence low" in page
    assert "<script" not in page
    assert page.count("<img") == page.count("<figcaption>")
    assert 'content: "Page " counter(page) " of " counter(pages)' in page
    sources: list[str] = []

    class Pictures(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            sources.extend(str(value) for name, value in attrs if name in ("src", "href"))

    Pictures().feed(page)
    assert sources
    assert all(one.startswith(("data:image/png;base64,", "#scan-")) for one in sources)


def many(beamtime: Path, top: Path, scans: int) -> Path:
    """Make the folder of a beamtime with many scans, which the watch saw, and a long log."""
    folder = top / "many"
    shutil.copytree(beamtime, folder)
    live = json.loads((folder / "live" / "live.json").read_text())
    [first] = live["slices"]
    for k in range(scans):
        warnings = first["warnings"] * (k % 3)
        live["slices"].append({**first, "scan": f"{'jaw_of_a_vole_' * 5}{k:02d}.nxs", "warnings": warnings})
    (folder / "live" / "live.json").write_text(json.dumps(live))
    return folder


@pytest.mark.slow
def test_the_pdf_page_by_page(beamtime: Path, tmp_path: Path) -> None:
    if not any(shutil.which(name) for name in BROWSERS):
        pytest.skip("no Chromium")
    log = [
        LogEntry(f"2026-11-28T02:{k:02d}:00+00:00", "ada", f"entry {k} ends", machine=True) for k in range(60)
    ]
    page = tmp_path / "report.html"
    page.write_text(report_html(gather(many(beamtime, tmp_path, 11), log)))
    print_pdf(page, tmp_path / "report.pdf")
    with PdfReader(tmp_path / "report.pdf") as printed:
        # Some fonts have letters of their own for "fi", which NFKC takes apart.
        pages = [" ".join(normalize("NFKC", one.extract_text()).split()) for one in printed.pages]
        sizes = {tuple(round(float(side) / 72 * 25.4) for side in one.mediabox[2:]) for one in printed.pages}
    assert sizes == {(210, 297)}
    assert [f"Page {k + 1} of {len(pages)}" in text for k, text in enumerate(pages)] == [True] * len(pages)
    assert min(len(text) for text in pages) > 300, "a page is all but empty"
    # 14 scans: three of the watch fit on a page, and none is cut in two.
    assert 6 <= len(pages) <= 9
    assert "Scan Reconstructions Warnings Copies" in pages[0]
    for k in range(11):
        name = f"{'jaw_of_a_vole_' * 5}{k:02d}"
        (at,) = [text for text in pages[1:] if name in text.replace(" ", "")]
        card = at.replace(" ", "").partition(name)[2].partition("jaw_of")[0]
        assert "Rotationaxis31.5px,confidencelow" in card
        assert "Scancompleteno" in card
    told = " ".join(pages)
    assert all(told.count(f"entry {k} ends") == 1 for k in range(60))
    heads = [text for text in pages if "entry " in text]
    assert len(heads) > 1
    assert all("When, UTC Who What" in text for text in heads), "a page of a table that goes on has its head"


def test_without_a_browser_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="print it"):
        print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


def test_a_wrong_beamtime_file_and_station_are_named(tmp_path: Path) -> None:
    (tmp_path / "beamtime.toml").write_text('nmae = "x"\n')
    with pytest.raises(InputError, match="did you mean 'name'"):
        read_beamtime(tmp_path)
    (tmp_path / "beamtime.toml").write_text('profile = "anatomix"\nstation = "microtomografy"\n')
    with pytest.raises(InputError, match="but 'microtomography'"):
        gather(tmp_path)
    (tmp_path / "beamtime.toml").unlink()
    empty = report_html(gather(tmp_path))
    assert "No scan is known" in empty


def test_names_of_scans() -> None:
    assert [key_of(one) for one in ("a/tooth_01.nxs", "tooth_1.5mm", "x.tar.h5", ".h5")] == [
        "tooth_01", "tooth_1.5mm", "x.tar", ".h5",
    ]  # fmt: skip


def test_profiles_are_checked(tmp_path: Path) -> None:
    profile = read_profile("ANATOMIX")
    assert profile.station("nanotomography-fiber").acknowledgement[1].endswith("DIM RESPORE.")
    path = tmp_path / "mine.toml"
    for text, told in (
        ('name = "x"\n[path]\nspool = "/a"\n', "did you mean 'paths'"),
        ('name = "x"\n[paths]\nspool = "/a/{propsal}"\n', "did you mean 'proposal'"),
        ('name = "x"\n[signs]\nx = 2\n', "1 or -1 was expected"),
        ('name = "x"\n[detectors.a]\nsensor_pixel_m = 6.5\n', "metres were expected"),
        ("[paths]\n", "has no name"),
        ("name = \n", "is no TOML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=told):
            read_profile(str(path))
    path.write_text('name = "x"\n[paths]\nspool = "/spool/{year}/{proposal}"\n')
    mine = read_profile(str(path))
    assert str(mine.folder("spool", {"year": "2026", "proposal": "1"})) == "/spool/2026/1"
    with pytest.raises(InputError, match="wants proposal"):
        mine.folder("spool", {"year": "2026"})


PAR = """\
# beamline specific info
BEAMLINE = PSICHE
SPOOLDIR = /nfs/srv3/spool11   # where data arrive
ROTATION_MOTOR = "rz # 1"
PIXEL_OFFSET=3
"""


def test_beamline_parameters_become_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    par, toml = tmp_path / "BEAMLINE_PARAMETERS.par", tmp_path / "mine.toml"
    par.write_text(PAR.replace(' "rz # 1"', " rz"))
    assert execute(["profile", "convert", str(par), "-o", str(toml)]) == 1
    assert "ROTATION_MOTOR is kept" in capsys.readouterr().err
    made = read_profile(str(toml))
    assert (made.name, made.paths) == ("PSICHE", {"spool": "/nfs/srv3/spool11"})
    assert made.tomodata == {"ROTATION_MOTOR": "rz", "PIXEL_OFFSET": "3"}
    assert execute(["profile", "check", str(toml)]) == 1
    assert execute(["profile", "show", str(par)]) == 0
    assert execute(["profile", "convert", str(par), "-o", str(toml)]) == 2, "it is there already"
    for text, told in (
        ("nonsense\n", "line 1"),
        ("A = 1\nA = 2\n", "line 2"),
        ("A_SPOOL=/a\nB_SPOOL=/b\n", "different"),
    ):
        par.write_text(text)
        with pytest.raises(InputError, match=told):
            read_profile(str(par))


def test_a_profile_is_written_as_it_is_read(tmp_path: Path) -> None:
    for text in (profile_toml(read_profile("anatomix")), 'name = "a\\"\\u007f\\\\"\n\n[signs]\n"x y" = -1\n'):
        path = tmp_path / "again.toml"
        path.write_text(text)
        first = read_profile(str(path))
        path.write_text(profile_toml(first))
        assert read_profile(str(path)) == first
    assert execute(["profile", "check", "anatomix"]) == 0
