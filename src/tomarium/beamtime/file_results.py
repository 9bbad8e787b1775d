"""What a batch or a watch has finished becomes a draft of a catalogue by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from tomarium.catalogue.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.facts_of_drafts import link_entities
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.raw_scan_of import link_raw_scan
from tomarium.catalogue.reader import LOCAL_OWNER
from tomarium.catalogue.record_pictures import ask_for_pictures
from tomarium.errors import InputError
from tomarium.model import Image, Record, Scan
from tomarium.pipeline.run.provenance import fingerprint
from tomarium.standards.ro_crate import FILENAME

RAW_SCANS: Final = "raw_scans"
"""Folder beside a catalogue in which a watch makes the records of raw scans, where no other is named."""


@dataclass(frozen=True)
class Drafts:
    """Where drafts are filed.

    Attributes
    ----------
    catalogue : Path, str or None
        Its file or address; None for the user's own.
    records : Path or None
        Folder in which records of raw scans are made; `raw_scans` beside the catalogue by default.
    opener : callable or None
        What opens a raw scan, with what the user and the profile tell of it.
    """

    catalogue: Path | str | None = None
    records: Path | None = None
    opener: Callable[[Path], Scan | Image] | None = field(default=None, compare=False)

    @cached_property
    def name(self) -> str:
        """Name of the catalogue, which is opened for it once, and made where the user's own is absent.

        Raises
        ------
        TomariumError
            It cannot be opened; told before the night and not in it.
        """
        with open_catalogue(self.catalogue) as opened:
            return opened.name

    def demand_apart(self, spool: Path) -> Path:
        """Refuse to make records of raw scans among the raw data; return the folder in which they are made.

        Raises
        ------
        InputError
            It lies in the folder in which scans arrive.
        TomariumError
            The catalogue cannot be opened.
        """
        folder = self._folder()
        if folder.resolve().is_relative_to(spool.resolve()):
            raise InputError(
                f"{folder} lies in {spool}, where raw data are, and nothing is written there; choose another folder "
                f"with --records"
            )
        return folder

    def shares_disk(self, spool: Path) -> bool:
        """Tell whether files of the spool can get a second name in the records, for both lie on one disk."""
        folder = self._folder().resolve()
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        return not spool.exists() or existing.stat().st_dev == spool.stat().st_dev

    def _folder(self) -> Path:
        if self.records is not None:
            return self.records
        with open_catalogue(self.catalogue) as opened:
            return opened.home / RAW_SCANS

    def file_record(self, folder: Path) -> str:
        """File the finished record of a run.

        Parameters
        ----------
        folder : Path
            Of the record. Filing it again brings it up to date.

        Returns
        -------
        str
            Its identifier. It is linked to the record of its raw scan, to its proposal and to its instrument, as far as
            the catalogue has them.

        Raises
        ------
        TomariumError
            It cannot be filed.
        """
        with open_catalogue(self.catalogue) as opened:
            [record] = file_path(opened, folder, Wish(folder.parent), checksums=False).records
            return self._finish(opened, record)

    def file_scan(self, path: Path, name: str) -> str:
        """File a raw scan, which becomes a record of its own; its file gets a second name in it where it can.

        Parameters
        ----------
        path : Path
            File or folder of the scan.
        name : str
            What the scan is called; the folder of its record has that name.

        Returns
        -------
        str
            Its identifier. A scan that became a record there before is filed as it is, and not made again.

        Raises
        ------
        TomariumError
            It cannot be filed.
        """
        assert self.opener is not None
        with open_catalogue(self.catalogue) as opened:
            # A file that was replaced by another of its name is another scan.
            mark = str(fingerprint(path)["sha256"])[:8]
            place = (self.records or opened.home / RAW_SCANS) / f"{name.replace('/', '_')}-{mark}"
            filed = file_path(
                opened, _made_before(place) or path, Wish(place), opener=self.opener, checksums=False
            )
            if len(filed.records) != 1:
                raise InputError(
                    "; ".join(filed.problems) or f"{path}: became no record; file it with tomarium ingest"
                )
            return self._finish(opened, filed.records[0])

    def _finish(self, opened: Catalogue, record: Record) -> str:
        record, _ = link_entities(opened, LOCAL_OWNER, record)
        record = link_raw_scan(opened, LOCAL_OWNER, record)
        ask_for_pictures(opened, LOCAL_OWNER, [record])
        return record.id


def _made_before(place: Path) -> Path | None:
    """Find the record that a raw scan became there before."""
    folders = sorted(place.iterdir()) if place.is_dir() else []
    return next((folder for folder in folders if (folder / FILENAME).is_file()), None)
