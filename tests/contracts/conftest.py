"""What contract suites share: a filed record, a catalogue of some, a strict reader of HTML."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import PIL.Image
import pytest
import tifffile

from tomarium import formats
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import link_specimen, make_entity
from tomarium.catalogue.filing import refile_below
from tomarium.catalogue.harvest_sources import add_source
from tomarium.catalogue.harvested import Item, keep
from tomarium.catalogue.log_book import write_entry
from tomarium.catalogue.log_entry import EntryContent
from tomarium.catalogue.make_from_files import Wish, make_from_files
from tomarium.catalogue.mesh_files import About, write_files
from tomarium.catalogue.mesh_part import add_mesh, place_of_mesh
from tomarium.catalogue.messages import write_message
from tomarium.catalogue.page_texts import write_text
from tomarium.catalogue.parcels import make_parcel, tell_of_parcel
from tomarium.catalogue.specimen_events import EventContent, tell_of_specimen
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Image, Mesh, Record, Value
from tomarium.model.entity import KINDS
from tomarium.model.parcel import FACTS as PARCEL_FACTS
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.viewers.drawn import FOLDER as DRAWN_FOLDER

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
HOSTILE = "Zahn <script>alert('1')</script> \"&amp;' {{ 7*7 }}"
PARAMETERS = {
    "sample_name": Value(HOSTILE, "user", "typed <b>by</b> hand"),
    "pixel_m": Value(0.65e-6, "read", "tooth.h5:/measurement/instrument/detector"),
    "energy_kev": Value(20.0, "read", "tooth.h5"),
    "axis_column": Value(295.84, "derived", "correlation of 0° and 180°"),
    "delta_beta": Value(100.0, "default", "the step's default"),
    "angles_deg": Value([0.0, 0.5, 1.0, 1.5, 2.0], "read", "tooth.h5:/exchange/theta"),
    "series": Value("teeth-1", "derived", "series.json"),
    "series_moment": Value(1, "derived", "series.json"),
    "series_moments": Value(2, "derived", "series.json"),
    "operator_note": Value(None, "user", ""),
}

FUSED = {
    "form": "tomarium fusion 1",
    "phases": [
        {"number": number, "name": f"<b>phase</b> {number}", "volume_share": 0.5, "volume_interval": [0.4, None],
         "map_share": 0.5, "map_interval": [0.4, 0.6], "found": 0.9, "right": None}
        for number in (1, 2)
    ],
    "held_out": {"confusion": [[0.9, 0.1], [0.2, 0.8]], "curve": [{"confidence": 0.8, "right": 0.7}]},
    "pairs": [{"phases": [1, 2], "auc": 0.9, "mistaken": 0.1, "separable": None}],
    "separable_from": 0.85,
    "look_next": [{"through_m": [1e-4, 0.0, 2e-4], "normal": [0, 0, 1], "gain": 1.5}],
    "maps": [{"name": "<i>eds", "inside_share": 1.0, "sigma_m": None, "samples": 99, "link": "link.json"}],
    "sentences": [{"sure": True, "text": "It is <i>sure</i>."}, {"sure": False, "text": "It is not."}],
}  # fmt: skip


@dataclass
class Html(HTMLParser):
    """A strict reader: what a page says, what it points to, and what is wrong with it."""

    problems: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    buttons: int = 0
    submits: int = 0
    labelled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        if len(known) != len(attributes):
            self.problems.append(f"<{tag}> says an attribute twice: {attributes}")
        if "style" in known or any(name.startswith("on") for name in known):
            self.problems.append(f"<{tag}> has a style or a script of its own: {known}")
        if tag == "style" or (
            tag == "script"
            and not known.get("src")
            and known.get("type") not in ("application/ld+json", "application/json")
        ):
            self.problems.append(f"<{tag}> inside the page")
        if tag == "img" and "alt" not in known:
            self.problems.append(f"an image without alt: {known}")
        if tag == "a" and "a" in self.open:
            self.problems.append("a link in a link")
        named = known.get("aria-label") or known.get("id") in self.labelled or "label" in self.open
        alike = known.get("type") == "hidden" or (known.get("type") == "image" and known.get("alt"))
        if tag == "input" and not alike and not named:
            self.problems.append(f"a field without a label: {known}")
        if tag == "button":
            self.buttons += 1
            # In a form, or naming one that stands elsewhere on the page.
            self.submits += known.get("type") == "submit" and ("form" in self.open or "form" in known)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if known.get("id"):
            self.ids.append(str(known["id"]))
        if tag == "label" and known.get("for"):
            self.labelled.add(str(known["for"]))
        self.points += [str(known[key]) for key in ("for", "aria-labelledby") if known.get(key)]
        posts = known.get("method") == "post"
        links = [str(known[key]) for key in ("href", "action") if known.get(key) and not posts]
        leads_away = tag == "a" and links[:1] and links[0].startswith(("https://", "http://", "mailto:"))
        (self.outside if leads_away else self.links).extend(links)
        self.forms += [str(known["action"])] if posts else []
        self.sources += [str(known[key]) for key in ("src", "data-pattern") if known.get(key)]
        self.words += [str(known[key]) for key in ("value", "alt", "content") if known.get(key)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.problems.append(f"<{tag}/> is not closed in HTML")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All words for people, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def judge(self) -> list[str]:
        """All that is wrong."""
        if self.open:
            self.problems.append(f"never closed: {self.open}")
        if len(set(self.ids)) != len(self.ids):
            self.problems.append(f"an id twice: {sorted(self.ids)}")
        self.problems += [f"{point} points to nothing" for point in self.points if point not in self.ids]
        jumps = zip(self.headings, self.headings[1:], strict=False)
        self.problems += [
            f"h{before} is followed by h{after}" for before, after in jumps if after > before + 1
        ]
        return self.problems


@pytest.fixture(scope="session")
def read_html() -> Callable[[str], Html]:
    """Read HTML strictly; the answer's `judge()` must be empty."""

    def read(text: str) -> Html:
        reader = Html()
        reader.feed(text)
        reader.close()
        return reader

    return read


def with_meshes(record: Record, folder: Path) -> Record:
    """Add a surface and a print, the same tetrahedron, to a record."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    mesh = Mesh(corners, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], np.uint32))
    told = {"threshold": 0.5, "threshold_source": "given by <b>", "warnings": ["its volume differs by <i>"]}
    for role in ("surface", "print"):
        keeper, target = place_of_mesh(folder, role)
        files = write_files(target, role, mesh, About(record.title), told, ("3mf", "stl"))
        record = add_mesh(folder, keeper, role, role, files)
    return record


def with_drawn(record: Record, folder: Path) -> Record:
    """Add a picture that a worker drew, and one that could not be drawn, to a record."""
    (folder / DRAWN_FOLDER).mkdir()
    picture = (folder / "previews" / "thumbnail.png").read_bytes()
    (folder / DRAWN_FOLDER / "sheet.png").write_bytes(picture)
    told = {"of": "0", "files": {"sheet": "sheet.png"}, "failed": {"turntable": "it is too <b>thin</b>"}}
    part = replace(record.parts[0], summary={**record.parts[0].summary, "drawn": told})
    changed = refile_below(folder, replace(record, parts=(part, *record.parts[1:])), DRAWN_FOLDER)
    (folder / FILENAME).write_bytes(export(changed).encode())
    return changed


@pytest.fixture(scope="session")
def records(
    tmp_path_factory: pytest.TempPathFactory,
    make_volume: Callable[..., Path],
) -> dict[str, tuple[Record, Path]]:
    """File six records: with hostile names, without voxel size, with nothing said, of an image, a scan and spectra."""
    home = tmp_path_factory.mktemp("records")
    filed = {}
    for name, voxel_um in (("full", 0.65), ("uncalibrated", None), ("bare", 20.0)):
        folder = home / name
        make_volume(folder / "volume.ome.zarr", size=32, voxel_um=voxel_um)
        if name != "bare":
            (folder / "protocol.yaml").write_text("steps:\n  - fbp: {filter: ramp}  # <script>\n")
            (folder / "provenance.json").write_text(
                '{"versions": {"tomarium": "0.1.0"}, "source": {"path": "<b>tooth.h5"},'
                ' "timings": {"read_s": 1.5}, "angles": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],'
                ' "plan": {"stages": [{"steps": ["fbp"]}, {"steps": []}], "empty": null, "fits": true}}'
            )
        if name == "uncalibrated":
            (folder / "provenance.json").write_text(json.dumps({"fused": FUSED}))
        record = file_record(
            folder,
            title=HOSTILE if name == "full" else name,
            id=name,
            description="A tooth & <i>its</i> roots." if name == "full" else "",
            creators=("Ada <Lovelace>", "Wilhelm Röntgen") if name == "full" else (),
            keywords=('"quoted" words', "enamel") if name == "full" else (),
            licence="CC-BY-4.0" if name == "full" else "",
            parameters=PARAMETERS if name == "full" else {},
            volume={"unit": "1/cm"} if name == "full" else None,
        )
        filed[name] = (
            with_drawn(with_meshes(record, folder), folder) if name == "full" else record,
            folder,
        )
    scan = home / "scan.tif"
    tifffile.imwrite(scan, np.arange(240, dtype=np.uint16).reshape(12, 20))
    filed["image"] = make_from_files(scan, formats.open(scan), Wish(home, "Image <b>"))
    raw = home / "raw.h5"
    with h5py.File(raw, "w") as file:
        file["exchange/data"] = np.random.default_rng(0).poisson(90, (20, 40, 48)).astype(np.uint16)
        file["exchange/data_white"] = np.full((2, 40, 48), 120, np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 20, endpoint=False)
    filed["scan"] = make_from_files(raw, formats.open(raw), Wish(home, "Scan <b>"))
    # As images were filed before their maps were kept.
    record, folder = filed["image"]
    bare = replace(record.parts[0], summary={"dtype": "uint16", "unit": ""})
    filed["earlier"] = (replace(record, parts=(bare,)), folder)
    slices = [{"row_px": number, "column_px": "<b>", "bad": number == 2} for number in range(5)]
    account = {"model": "<i>", "slices": slices, "slow": 3, "error_px": 0.1, "left_px": [1, 2], "bad": [2]}
    record, folder = filed["uncalibrated"]
    filed["aligned"] = (replace(record, provenance={"aligned_slices": account}), folder)
    axes = (Axis("y", 1e-7, 0.0, "m"), Axis("x", 1e-7, 0.0, "m"), Axis("energy", 0.1, 0.0, "keV"))
    cube = np.random.default_rng(0).poisson(3, (12, 20, 30)).astype(np.uint16)
    convert(Image(cube, axes, "counts", "EDS <i>map</i>"), home / "spectra.nxs")
    filed["spectra"] = make_from_files(
        home / "spectra.nxs", formats.open(home / "spectra.nxs"), Wish(home, "Spectra <b>")
    )
    return filed


@pytest.fixture(scope="session")
def catalogue(
    tmp_path_factory: pytest.TempPathFactory, records: dict[str, tuple[Record, Path]]
) -> Iterator[Catalogue]:
    """Open a catalogue of the six records."""
    with open_catalogue(tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite") as catalogue:
        for _, folder in records.values():
            ingest(catalogue, folder)
        _describe(catalogue)
        _announce(catalogue)
        _watch(catalogue.home / "live")
        _harvest(catalogue)
        yield catalogue


def _harvest(catalogue: Catalogue) -> None:
    """Keep a record of another catalogue."""
    item = Item("<1>", title="Bone of <b>a bear", created="2019", creators=("Curie, <b>Marie",), licence="CC0-1.0",
                description="A femur", address="https://example.org/1", content={"title": "Bone of <b>a bear"},
                parameters={"energy_kev": 20.0})  # fmt: skip
    with catalogue.writing() as connection:
        source = add_source(connection, "oai", "https://example.org/oai", "Else<b>where").number
        keep(connection, source, [item])


def _watch(folder: Path) -> None:
    """Write what a watch leaves, for the page /live."""
    (folder / "slices").mkdir(parents=True)
    (folder / "slices" / "a.png").write_bytes(b"\x89PNG")
    now = datetime.now(UTC).isoformat()
    warning = {"kind": "beam", "title": "Beam <lost>", "text": "12 of 128 frames are dark", "level": "stop"}
    made = {"scan": "a & b", "row": 4, "picture": "a.png", "width": 8, "height": 8, "finished_at": now,
            "arrived_at": now, "views": 9, "covered_deg": [0.0, 90.0], "complete": False,
            "axis_column": 3.5, "confidence": "low",
            "warnings": [warning], "notes": ["no darks"]}  # fmt: skip
    failed = {
        "scan": "bad.h5",
        "reason": "is truncated",
        "at": now,
        "arrived_at": now,
        "stamp": [1],
        "tries": 1,
    }
    waiting = {"scan": "c", "why": "waiting", "arrived_at": now}
    state = {"spool": "/nfs/<spool>", "protocol": "standard", "heartbeat": now, "state": "running"}
    told = {**state, "slices": [made], "failed": [failed], "queue": [waiting], "skipped": [], "running": "d"}
    (folder / "live.json").write_text(json.dumps(told), "utf-8")


def _announce(catalogue: Catalogue) -> None:
    """Write news and an event, with hostile words."""
    news = f"---\ntitle: First light {HOSTILE}\nsummary: {HOSTILE}\ndate: 2026-11-20\nrecord: full\n---\n## {HOSTILE}\n"
    event = f"---\ntitle: Open day\nstarts: 2027-06-05 10:00\nzone: Europe/Paris\nplace: {HOSTILE}\n---\n{HOSTILE}\n"
    write_text(catalogue, LOCAL_OWNER, "news/first-light", "en", news, seen=0)
    write_text(catalogue, LOCAL_OWNER, "events/open-day", "en", event, seen=0)
    write_message(catalogue, {"text": HOSTILE, "name": HOSTILE, "email": "a@example.org"}, record="full")


def _describe(catalogue: Catalogue) -> None:
    """Say what the record "full" is of, with hostile names and all facts."""
    owner = LOCAL_OWNER
    make_entity(catalogue, owner, "specimen", "Whole <b>tooth</b>", {}, "tooth")
    for kind in KINDS.values():
        typed = {"people": "Lovelace, Ada", "day": "2026-11-20", "ror": "02550n020", "doi": "10.1038/abc"}
        facts = {fact.key: typed.get(fact.form, f"{fact.label} <i>of it</i>") for fact in kind.facts}
        if "members" in facts:
            facts["members"] = "full; tooth; nothing"
        make_entity(catalogue, owner, kind.name, f"{kind.name} {HOSTILE}", facts, f"a-{kind.name}")
    link_specimen(catalogue, owner, "a-specimen", "tooth", "section")
    named = {kind: f"a-{kind}" for kind in ("specimen", "proposal", "instrument")}
    edit(catalogue, owner, "full", Changes(**named))
    picture = io.BytesIO()
    PIL.Image.new("L", (8, 6), 90).save(picture, "PNG")
    for subject in ("records/full", "proposals/a-proposal"):
        files = (("<b>.png", picture.getvalue()), ("a & b.txt", b"plain"))
        said = EntryContent(
            f"# {HOSTILE}\n\n*kept* [site](https://example.org)", ("kept",), ("specimens/tooth",), files
        )
        write_entry(catalogue, owner, subject, said)
    for number in range(4):
        write_entry(catalogue, owner, "records/full", f"motor <b>{number}</b>", machine=True)
    told = {fact.key: f"{fact.label} <i>of it</i>" for fact in PARCEL_FACTS}
    make_parcel(catalogue, owner, told, ["tooth", "a-specimen"], id="box")
    tell_of_parcel(catalogue, owner, "box", "received", place="lab <3> / shelf B", files=files)
    tell_of_specimen(
        catalogue, owner, "tooth", EventContent("moved", "lab <3>", "<b>Ben", "dry", "<i>", files)
    )
