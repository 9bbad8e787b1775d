"""Files that mean harm, of every format: refused in words, within 2 s and 500 MB, and nothing from outside is read.

All are opened by one process that makes a child for each, so that a crash, a hang or a flood is one failure here.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from formats import hostile_files as files
from processor_time import pace
from warm import Warm

LONGEST_S = 2.0
MOST_MB = 500.0

ATTEMPT = """
import json, os, resource, sys
from pathlib import Path
import numpy as np
import tomarium as tm
from tomarium.doctor import examine_path
from tomarium.errors import TomariumError
from tomarium.model import Scan

def attempt(path):
    if path.name.startswith("t."):
        return "report", " ".join(f"{one.code}: {one.found}" for one in examine_path(path).findings)
    found = tm.open(path)
    pixels = found.projections.read(slice(0, 2), slice(None)) if isinstance(found, Scan) else np.asarray(found[0])
    return "opened", f"{pixels.max():g} " + " ".join(getattr(found, "warnings", ()))

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
try:
    told = attempt(Path(sys.argv[1]))
except TomariumError as problem:
    told = "refused", str(problem)
except BaseException as problem:
    told = "raised", f"{type(problem).__name__}: {problem}"
print(json.dumps([told[0], told[1][:4000]]), flush=True)
os._exit(0)
"""


# maker → what must come of it, and words of the answer
REFUSED: dict[str, str] = {
    "enormous_dimensions": "absurd shape",
    "soft_link_ring": "is not a scan",
    "empty_strings_without_end": "holds none of them",
    "ten_thousand_groups_deep": "more than 64 groups deep",
    "angles_without_end": "holds none of them",
    "angles_that_are_a_bomb": "is no list of angles",
    "tiff_ring_of_one": "go round in a circle",
    "tiff_ring_of_two": "go round in a circle",
    "tiff_ring_later": "go round in a circle",
    "tiff_million_pages": "more than 262144 pages",
    "tiff_imagej_thousand_million": "holds 1 of the 1000000000 pages",
    "tiff_shaped_thousand_million": "is truncated",
    "tiff_ome_thousand_million": "holds 1 of the 1000000000 pages|is not a scan",
    "tiff_strips_beyond_the_end": "is truncated: page 0 ends at byte",
    "tiff_pages_of_gigapixels": "is truncated: page 0 ends at byte",
    "tiff_counts_without_end": "cannot be read as TIFF",
    "tiff_tiles_of_gigapixels": "absurd shape",
    "tiff_deflate_bomb": "cannot be read as TIFF",
    "tiff_folder_of_bombs": "cannot be read as TIFF",
    "bigtiff_of_2_63": "is truncated",
    "zarr_chunks_without_end": "1000000000000 chunks .*absurd",
    "zarr_link_to_a_chunk": "leads outside the volume's own folder",
    "zarr_link_to_an_array": "outside the volume's own folder",
    "zarr_storage_transformers": "storage transformers",
    "zarr_gzip_bomb": "decompression bomb",
    "zarr_small_chunk_large_bomb": "a chunk claims to hold",
    "zarr_deep_metadata": "cannot be read as a Zarr array",
    "zarr_deep_group": "cannot be read",
    "zarr_many_levels": "100000 levels of resolution",
    "zarr_named_above": "outside the volume's own folder",
    "zarr_named_absolute": "outside the volume's own folder",
    "zarr_named_remote": "does not exist",
    "zarr_named_zip": "does not exist",
    "zarr_named_nothing": "null byte",
    "jpeg2000_huge": "claims 4294967295 x 4294967295 pixels",
    "jpeg2000_bomb": "decompression bomb",
    "jpeg2000_many_tiles": "65536 tiles",
    "edf_header_without_end": "has no end within",
    "edf_size_without_end": "its header is wrong",
    "edf_frames_without_pixels": "it holds no frame",
    "tiff_gzip_bomb": "a bomb",
    "tiff_folder_of_gzip_bombs": "a bomb",
    "mrc_bzip2_bomb": "a bomb",
    "mrc_gzip_in_gzip": "a gzip archive",
    "edf_gzip_bomb": "a bomb",
    "edf_bzip2_bomb": "a bomb",
    "par_arrays_without_end": "more than 4194304 numbers",
    "par_indices_without_end": "more than 4194304 numbers",
    "par_images_without_end": "NUM_LAST_IMAGE is 999999999999",
    "par_format_of_a_number": "LENGTH_OF_NUMERICAL_PART is 999999999",
    "txrm_sector_ring": "as Zeiss",
    "txrm_sectors_of_2_65535": "cannot be read as OLE2",
    "txrm_tables_without_end": "cannot be read as OLE2",
    "txrm_directory_ring": "as Zeiss",
    "txrm_streams_of_2_63": "claims 2147483647 bytes|cannot be read as OLE2",
    "mrc_size_that_overflows": "is truncated",
    "mrc_size_that_overflows_to_nothing": "need 36893488147419104256 bytes",
    "mrc_extended_header_without_end": "2147483647 bytes of extended header",
    "mrc_extended_header_before_the_file": "-1000 bytes of extended header",
    "mat_bomb": "is not a scan",
    "mat_size_that_overflows": "is not a scan",
    "mat_cells_without_end": "is not a scan",
    "volume_info_without_end": "holds 0 whole slices",
    "volume_info_of_long_numbers": r"NUM_Z is '9{40}'",
    "volume_xml_entities": "declares entities",
    "csv_one_line_of_gigabytes": "bytes of zero",
    "csv_of_ten_gigabytes": "a table is shorter",
    "csv_line_without_end": "more than 1048576 characters",
}
# Strange, and still what it says it is.
OPENED: dict[str, str] = {
    "many_attributes": "^1 ",
    "large_attributes": "^1 ",
    "long_comment": "^1 ",
    "tiff_subifd_ring": "^18761 $",
    "tiff_ome_entities": "",
    "tiff_ome_other_file": "",
    "edf_folder_that_counts": "tells 999999999999 projections, 4 are there",
    "par_that_runs": "",
    "par_dictionary_without_end": "",
    "par_brackets_without_end": "",
    "par_deep_value": "",
    "csv_blank_name": "^2 ",
}
REPORTED: dict[str, str] = {
    "table_blank_value": "value-unreadable",
    "table_open_brackets": "",
    "table_deep": "cannot be read as a table",
    "table_deep_value": "",
    "table_infinite": "value-unreadable",
    "table_not_a_number": "value-unreadable",
    "table_long_number": "cannot be read as a table",
    "table_many_lines": "more than 20000 lines",
    "table_long_line": "cannot be read as a table",
    "table_many_cells": "holds no quantity",
}
EXPECTED = {name: ("refused", words) for name, words in REFUSED.items()}
EXPECTED |= {name: ("opened", words) for name, words in OPENED.items()}
EXPECTED |= {name: ("report", words) for name, words in REPORTED.items()}
MAKERS: dict[str, Callable[[Path], Path]] = {
    **{name: getattr(files, name) for name in EXPECTED if not name.startswith("zarr_named_")},
    "zarr_named_above": files.zarr_names("../../../etc"),
    "zarr_named_absolute": files.zarr_names("/etc"),
    "zarr_named_remote": files.zarr_names("http://example.org/a"),
    "zarr_named_zip": files.zarr_names("zip://../other.zip"),
    "zarr_named_nothing": files.zarr_names("0\\u0000"),
}


def answer(warm: Warm, path: Path) -> tuple[str, str, float, float]:
    """What became of it, in words; seconds of processor time and megabytes."""
    done = warm.run(ATTEMPT, path, seconds=60)
    if done.returncode:
        return "ended", f"with {done.returncode}: {done.output}", done.seconds, done.megabytes
    how, words = json.loads(done.output.splitlines()[-1])
    return how, words, done.seconds, done.megabytes


@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_file_is_answered_in_words(name: str, warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    path = MAKERS[name](tmp_path / "scan")
    how, words, seconds, megabytes = answer(warm, path)
    for _ in range(2):  # what runs beside it only ever adds to the time
        if seconds >= LONGEST_S:
            seconds = min(seconds, answer(warm, path)[2])
    assert not (tmp_path / "scan" / "ran").exists(), "a parameter file was run"
    shutil.rmtree(tmp_path / "scan")  # some have megabytes
    expected, said = EXPECTED[name]
    assert how == expected, words
    assert re.search(said, words), words
    assert str(files.CANARY) not in words
    assert seconds < LONGEST_S or seconds < LONGEST_S * pace()
    assert megabytes < MOST_MB
