"""A record of a volume whose phases were carried from maps: labels, confidence, report, and what it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tomarium import formats
from tomarium.atomic_files import write_json, write_whole
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.stitched_record import SHARED
from tomarium.catalogue.volume_summary import summarise
from tomarium.errors import InputError
from tomarium.model import Part, Record, Volume
from tomarium.model.publication import Related
from tomarium.pipeline.run.provenance import fingerprint, versions
from tomarium.specimen.fusion.class_map import ClassMap
from tomarium.specimen.fusion.fuse import CONFIDENCE, LABELS, forget_progress, fuse, memory_of
from tomarium.specimen.fusion.report import report_of
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.viewers.fusion import FOLDER, Report, content_of
from tomarium.viewers.phase_pictures import KINDS, PLANES, draw_planes
from tomarium.viewers.viewer import fill

REPORT: Final = "fusion.json"
PAGE: Final = "report.html"


@dataclass(frozen=True)
class Source:
    """A map as it was given.

    Attributes
    ----------
    map : ClassMap
        Read, with its pose.
    path : Path
        The file, or the folder of the record.
    link : str
        Which link or file said where it lies.
    """

    map: ClassMap
    path: Path
    link: str


def make_fused_record(
    volume: Volume,
    path: Path,
    sources: Sequence[Source],
    folder: Path,
    *,
    names: Mapping[int, str] | None = None,
    title: str = "",
    tell: Callable[[str, int, int], None] | None = None,
) -> tuple[Record, dict[str, Any]]:
    """Carry the phases of maps into a volume and write the result into a record of its own.

    Parameters
    ----------
    volume : Volume
        With a voxel size.
    path : Path
        Where it lies: a file, or the folder of a record.
    sources : sequence of Source
        The maps.
    folder : Path
        Folder to make; where an earlier run was stopped, it goes on.
    names : Mapping of int to str, optional
        Name of each phase.
    title : str
        Title of the record; by default "Phases of " and the volume's.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    record : Record
        "IsDerivedFrom" the records that were given.
    report : dict
        As `report_of` makes it; also in `fusion.json`, and for people in `report.html`.

    Raises
    ------
    InputError
        The folder is a record already, or as `fuse`.
    """
    if (folder / FILENAME).exists():
        raise InputError(f"{folder}: is a record already; give another name for the fused one")
    records_known = [
        read_record(source_path) if (source_path / FILENAME).is_file() else None
        for source_path in (path, *(s.path for s in sources))
    ]
    maps = [
        {
            "name": source.path.name,
            **({"record": record.id} if record is not None else {}),
            "link": source.link,
            "matrix": source.map.pose.matrix.tolist(),
            "covariance": source.map.pose.covariance.tolist(),
            "centre_m": source.map.pose.centre_m.tolist(),
            "fingerprint": fingerprint(source.path),
        }
        for source, record in zip(sources, records_known[1:], strict=True)
    ]
    account = {"volume": path.name, "fingerprint": fingerprint(path), "maps": maps}
    fusion = fuse(volume, [source.map for source in sources], folder, account=account, tell=tell)
    report = report_of(fusion, names or {}, maps)
    report["method"]["memory_bytes"] = memory_of(volume)
    title = (
        title or f"Phases of {records_known[0].title if records_known[0] else path.name.partition('.')[0]}"
    )
    labels, confidence = (_volume(folder / name) for name in (LABELS, CONFIDENCE))
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, content in draw_planes(volume, labels, confidence, fusion.learned.phases.tolist()).items():
        write_whole(folder / FOLDER / name, content)
    write_json(folder / REPORT, report)
    write_whole(folder / PAGE, _page(report, title).encode())
    forget_progress(folder)
    records = [record for record in records_known if record is not None]
    first = records_known[0]
    filed = file_record(
        folder,
        title=title,
        description=_described(report),
        keywords=("phases", "data fusion", *(str(phase["name"]) for phase in report["phases"])),
        creators=tuple(dict.fromkeys(person for record in records for person in record.creators)),
        licence=first.licence if first and len({record.licence for record in records}) == 1 else "",
        parameters={key: first.parameters[key] for key in SHARED if key in first.parameters} if first else {},
        volume={"unit": ""},
        provenance={
            "source": {
                "name": ", ".join(
                    source_path.name for source_path in (path, *(source.path for source in sources))
                )
            },
            "fused": report,
            "versions": versions(),
            "finished": datetime.now(UTC).replace(microsecond=0).isoformat(),
        },
        parts=(_confidence(confidence),),
    )
    origins = dict.fromkeys(
        (record.publication.doi or record.id) if record.publication else record.id for record in records
    )
    derived = replace(
        filed,
        related=tuple(Related("IsDerivedFrom", origin) for origin in origins),
        specimen=first.specimen if first else "",
    )
    write_whole(folder / FILENAME, export(derived).encode())
    return derived, report


def _volume(path: Path) -> Volume:
    opened = formats.open(path)
    assert isinstance(opened, Volume)
    return opened


def _confidence(volume: Volume) -> Part:
    axes = tuple(
        {"name": axis.name, "length": length, "step": axis.scale, "unit": axis.unit}
        for axis, length in zip(volume.axes, volume.shape, strict=True)
    )
    voxel = list(volume.voxel_m) if volume.voxel_m else None
    summary = {
        "shape": list(volume.shape), "dtype": str(volume.dtype), "voxel_m": voxel, "unit": volume.unit,
        "window": [0, 100], **summarise(volume.data),
    }  # fmt: skip
    return Part("volume", CONFIDENCE, role="confidence", axes=axes, summary=summary)


def _described(report: Mapping[str, Any]) -> str:
    names = ", ".join(f"{phase['number']} {phase['name']}" for phase in report["phases"])
    return f"Phases of every voxel, learned from maps: {names}. {report['sentences'][0]['text']}"


def _page(report: Mapping[str, Any], title: str) -> str:
    pictures = [
        {"plane": plane, "kind": kind, "address": f"{FOLDER}/{plane}-{kind}.png", "caption": caption}
        for plane in PLANES
        for kind, caption in KINDS.items()
    ]
    piece = fill("fusion.html", content_of(Report.model_validate(report), pictures, title))
    return str(fill("fusion_page.html", {"title": title, "piece": piece}))
