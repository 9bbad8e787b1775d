"""Files of strangers are read in processes that can do nothing else: which code reads files at all is a table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tomarium
from tomarium.beamtime.work_jobs import work_kinds
from tomarium.catalogue.work import KINDS
from tomarium.formats import formats
from tomarium.portal.harvest_jobs import harvest_kinds
from tomarium.registry import collect
from tomarium.viewers.viewer import Viewer

SOURCE = Path(tomarium.__file__).parent
FLOORS = ("portal", "catalogue", "viewers")
READS = {
    "h5py": {"File"},
    "zarr": {"open", "open_group", "open_array", "open_consolidated"},
    "tifffile": {"TiffFile", "imread", "memmap"},
    "Pillow": {"open"},
    "Image": {"open"},
    "openpyxl": {"load_workbook"},
    "np": {"load", "fromfile", "memmap", "genfromtxt", "loadtxt"},
    "ElementTree": {"parse", "fromstring", "iterparse"},
    "formats": {"open"},
    "ome_zarr": {"read"},
    "pickle": {"load", "loads"},
    "zipfile": {"ZipFile"},
    "tarfile": {"open"},
}  # fmt: skip
NAMES = {
    "open_volume",
    "open_here",
    "open_record_volume",
    "open_source",
    "ZarrArray",
    "kept_array",
    "read_image",
}

CHILD = "a confined process"
PORTAL = "the portal, whose volumes a confined process reads: confined_volumes.py"
COMMAND = "a command, by whoever gives it"
OURS = "what this program wrote itself a moment ago"
WHO = {
    "portal/confined_volumes.py": "the portal, of records in an object store; a confined process else",
    "portal/markdown.py": "the portal, only pictures that came with tomarium",
    "portal/notebook_file.py": PORTAL,
    "portal/pages/download.py": PORTAL,
    "portal/viewer_state.py": PORTAL,
    "portal/webp.py": CHILD,
    "catalogue/align_job.py": CHILD,
    "catalogue/aligned_record.py": COMMAND,
    "catalogue/backup.py": COMMAND,
    "catalogue/checkup.py": PORTAL,
    "catalogue/child_process.py": "the process that confines, of the portal's own question",
    "catalogue/confined_volumes.py": CHILD,
    "catalogue/copy_parameters.py": COMMAND,
    "catalogue/demo_specimen.py": COMMAND,
    "catalogue/export.py": COMMAND,
    "catalogue/filing.py": CHILD,
    "catalogue/fused_record.py": COMMAND,
    "catalogue/fusion_sources.py": COMMAND,
    "catalogue/make_from_files.py": CHILD,
    "catalogue/make_record.py": COMMAND,
    "catalogue/make_series.py": COMMAND,
    "catalogue/mesh_part.py": OURS,
    "catalogue/model_jobs.py": CHILD,
    "catalogue/record_pictures.py": CHILD,
    "catalogue/record_patches.py": CHILD,
    "catalogue/repair.py": COMMAND,
    "catalogue/specimen_space.py": PORTAL,
    "catalogue/stitched_record.py": COMMAND,
    "catalogue/volume_part.py": PORTAL,
    "catalogue/workbook.py": COMMAND,
    "viewers/body_preview.py": CHILD,
    "viewers/make_a_slice.py": CHILD,
    "viewers/series_pictures.py": COMMAND,
    "viewers/shown_image.py": CHILD,
    "viewers/slice_parts.py": OURS,
    "viewers/slices.py": CHILD,
    "viewers/small_volume.py": CHILD,
    "viewers/terminal.py": COMMAND,
    "viewers/volume.py": PORTAL,
}
"""File → who runs what reads in it. What is new here says so in docs/explanation/security.md, too."""


PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "security.md"


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("the job `file upload`", set(formats())),
        ("what viewers draw", {name for name, one in collect("viewers", Viewer).items() if one.picture}),
        ("", {*KINDS, *work_kinds(), *harvest_kinds()}),
    ],
    ids=["formats", "viewers", "jobs"],
)
def test_every_reader_has_its_row(row: str, names: set[str]) -> None:
    """What is new among formats, viewers and jobs says on the page where it is read, and within which limits."""
    rows = [one for one in PAGE.read_text("utf-8").splitlines() if one.count(" | ") == 2 and row in one]
    assert rows
    told = {name for one in rows for name in re.findall(r"`([^`]+)`", one)}
    assert names - told == set()


def reads(text: str) -> set[str]:
    """The calls of a file that read a file of some format."""
    found = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            asked = node.func
            if isinstance(asked, ast.Attribute) and isinstance(asked.value, ast.Name):
                found |= {asked.value.id} & {name for name, calls in READS.items() if asked.attr in calls}
            elif isinstance(asked, ast.Name):
                found |= {asked.id} & NAMES
    return found


def test_who_reads_files_is_known() -> None:
    """A file that is new here says in the table who runs it."""
    found = {
        path.relative_to(SOURCE).as_posix()
        for floor in FLOORS
        for path in (SOURCE / floor).rglob("*.py")
        if reads(path.read_text("utf-8"))
    }
    assert found == WHO.keys()
