"""Bad slabs of a finished volume: found by its slices and checksums, and made again by the record's own provenance."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tomarium import formats
from tomarium.catalogue.checksums import MANIFEST, read_manifest, sum_file
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.make_record import again_of
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.doctor.every_slice import Fault, Kind, find_faults
from tomarium.errors import FormatError, InputError
from tomarium.executors import find_executor
from tomarium.executors.resources import resources_for
from tomarium.formats.record.reader import PROVENANCE, VOLUME
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.formats.zarr import writer as ome_zarr_writer
from tomarium.formats.zarr.lost_files import height_of_files, slices_of_file
from tomarium.model import Volume
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.runner import Progress, run, silent
from tomarium.standards.ro_crate import FILENAME


@dataclass(frozen=True)
class Remade:
    """What became of the slabs that were made again.

    Attributes
    ----------
    first, last : int
        Slices of a slab, both included.
    outcome : str
        "as filed": its files have the checksums they were filed with; "same": its voxels are what they were, so that
        the cause lies in the scan or the protocol; "other": it was replaced by what differs from what was filed, or was
        never filed.
    """

    first: int
    last: int
    outcome: str

    @property
    def words(self) -> str:
        """What became of it, in a sentence."""
        sentences = {
            "as filed": "made again; every file has the checksum it was filed with",
            "same": "made again and the same as before: the cause lies in the scan or in the protocol",
            "other": "made again; it differs from what was filed, and the record was filed once more",
        }
        return f"slices {self.first} to {self.last}: {sentences[self.outcome]}"


def open_to_check(path: Path) -> tuple[Volume, Path | None]:
    """Open a volume even where files of it are lost.

    Parameters
    ----------
    path : Path
        A volume, or the folder of a record.

    Returns
    -------
    volume : Volume
        What is there.
    record : Path or None
        Folder of the record, where it is one.

    Raises
    ------
    FormatError
        It cannot be opened at all.
    InputError
        It holds no volume.
    """
    is_record = (path / VOLUME).is_dir()
    inner = path / VOLUME if is_record else path
    for form in (ome_zarr.FORMAT, ome_zarr.FORMAT_0_4):
        match = form.detect(inner)
        if match is not None and match.score:
            opened = ome_zarr.read(inner, match, in_part=True)
            break
    else:
        opened = formats.open(path)  # type: ignore[assignment]
    if not isinstance(opened, Volume) or 0 in opened.shape:
        raise InputError(f"{path}: holds no volume (z, y, x); check what a reconstruction has made")
    recorded = is_record and (path / FILENAME).is_file()
    return opened, path if recorded else None


def check(
    path: Path, *, tell: Callable[[str, int, int], None] | None = None
) -> tuple[Volume, tuple[Fault, ...]]:
    """Find the bad slabs of a volume; of a record by the checksums of its files too.

    Parameters
    ----------
    path : Path
        A volume, or the folder of a record.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    volume : Volume
        What was looked at.
    faults : tuple of Fault
        In the order of slices; empty where all is well.

    Raises
    ------
    FormatError, InputError
        It cannot be opened, or holds no volume.
    """
    volume, record = open_to_check(path)
    faults = list(find_faults(volume, on_progress=tell))
    if record is not None:
        faults += _changed(record, volume, faults)
    return volume, tuple(sorted(faults, key=lambda fault: (fault.first, fault.last, fault.kind)))


def _changed(record: Path, volume: Volume, faults: list[Fault]) -> Iterator[Fault]:
    """Name the files of the volume that are not as they were filed, and that nothing else has named."""
    prefix = f"{VOLUME}/"
    named = {fault.found.split()[2] for fault in faults if fault.kind == "slab-missing"}
    for mismatch in verify(record):
        name = mismatch.path.removeprefix(prefix)
        if (
            not mismatch.path.startswith(prefix)
            or mismatch.problem == "unlisted"
            or name in named
            or not name
        ):
            continue
        place = slices_of_file(volume, name)
        if place is None:  # the folder itself, or metadata of Zarr
            if not name.endswith("json"):
                continue
            place = (0, volume.shape[0] - 1)
        kind: Kind = "slab-missing" if mismatch.problem == "missing" else "slab-changed"
        reason = "is absent" if mismatch.problem == "missing" else "has another checksum"
        yield Fault(kind, *place, f"the file {name} {reason}", f"as in {MANIFEST}")


def repair(
    record: Path,
    faults: tuple[Fault, ...],
    scan: Path | None = None,
    *,
    memory: str | None = None,
    executor: str = "threads",
    on_progress: Progress = silent,
) -> tuple[Remade, ...]:
    """Make the bad slabs of a record again, and only these, from the same scan by the same frozen protocol.

    Sections that work on whole frames go through all of them, else the voxels would not be the same. Slabs are written
    beside the record and put in their place, file by file, when all are whole. The files are compared with the
    checksums they were filed with; where they differ, the record is filed once more.

    Parameters
    ----------
    record : Path
        Folder of a finished record.
    faults : tuple of Fault
        What `check` told of it.
    scan : Path, optional
        Where its scan lies now; by default where it lay then.
    memory : str, optional
        Limit such as "4GB".
    executor : str
        How slabs are shared out.
    on_progress : callable
        `on_progress(stage, done, total)`.

    Returns
    -------
    tuple of Remade
        One for each slab.

    Raises
    ------
    InputError
        It is no record, its scan is absent or another one, or a repair is at work on it.
    FormatError
        It has no provenance, or its volume is laid out otherwise.
    CannotFit, StepFailed, StorageFull
        As `tomarium.pipeline.run.runner.run`; the record is then as it was.
    """
    if not (record / FILENAME).is_file() or not (record / PROVENANCE).is_file():
        raise InputError(
            f"{record}: is no record, and only a record tells how its volume was made; copy the slices again from "
            f"their origin, or reconstruct the scan again with `tomarium run`"
        )
    again = again_of(record, scan)
    volume, _ = open_to_check(record)
    starts = _slabs(faults, again.slab_rows, volume.shape[0])
    scratch = record.resolve().with_name(f".{record.resolve().name}.repair")
    try:
        scratch.mkdir()
    except FileExistsError as problem:
        raise InputError(
            f"{scratch}: exists, so another repair is at work or was killed; wait for it, or remove that folder"
        ) from problem
    try:
        chosen = find_executor(executor)
        run(
            checked(again.scan, again.protocol, force=True),
            again.protocol,
            scratch / "slabs",
            resources_for(chosen, scratch, memory, again.device),
            rows=again.rows,
            slab_rows=again.slab_rows,
            split=again.split,
            mapper=chosen.map,
            crosses=chosen.crosses,
            only=frozenset(starts),
            on_progress=on_progress,
        )
        writer = ome_zarr_writer.open_writer(scratch / "slabs" / VOLUME)
        height = height_of_files(volume)
        if writer.shape != volume.shape or writer.slab_rows != height or set(writer.done()) != set(starts):
            raise FormatError(
                f"{record}: its volume of shape {volume.shape} in files of {height} slices is made again as "
                f"{writer.shape} in files of {writer.slab_rows}; make all of it again with tomarium run --again"
            )
        remade = [_replace_slab(record, writer, start) for start in starts]
    finally:
        shutil.rmtree(scratch)
    if any(slab.outcome == "other" for slab in remade):
        _file_again(record)
    return tuple(remade)


def _slabs(faults: tuple[Fault, ...], height: int, depth: int) -> list[int]:
    """List the first slices of the slabs that hold a fault."""
    starts = {z - z % height for fault in faults for z in range(fault.first, min(fault.last + 1, depth))}
    return sorted(starts)


def _replace_slab(record: Path, writer: ome_zarr_writer.VolumeWriter, start: int) -> Remade:
    """Put the files of a slab in their place, and compare them with those that were there and those that were filed."""
    filed = read_manifest(record / MANIFEST) if (record / MANIFEST).is_file() else {}
    same = as_filed = True
    for name in writer.files(start):
        new_file, place = writer.path / name, record / VOLUME / name
        checksum = sum_file(new_file).sha256 if new_file.is_file() else None
        same = same and checksum == (sum_file(place).sha256 if place.is_file() else None)
        as_filed = as_filed and checksum == filed.get(f"{VOLUME}/{name}")
        if new_file.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            new_file.replace(place)
        else:
            place.unlink(missing_ok=True)
    stop = min(start + writer.slab_rows, writer.shape[0])
    return Remade(start, stop - 1, "same" if same else "as filed" if as_filed else "other")


def _file_again(record: Path) -> None:
    """Take the checksums, previews and figures of the volume as it is now."""
    record_before = read_record(record)
    ome_zarr_writer.count_again(record / VOLUME)
    file_record(
        record,
        id=record_before.id,
        title=record_before.title,
        created=record_before.created,
        description=record_before.description,
        creators=record_before.creators,
        keywords=record_before.keywords,
        licence=record_before.licence,
        parameters=record_before.parameters,
        volume={"unit": record_before.volume.get("unit", "")},
        provenance=record_before.provenance,
    )
