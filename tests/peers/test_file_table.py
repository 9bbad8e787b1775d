"""The table of a published record's files, read by Apache Arrow."""

from __future__ import annotations

from io import BytesIO

import pytest

from tomarium.catalogue.checksums import Sum
from tomarium.catalogue.file_table import write_table

parquet = pytest.importorskip("pyarrow.parquet")


def test_arrow_reads_every_row() -> None:
    files = {f"raw/größe #{number}.tif": Sum(number, f"{number:064x}") for number in range(300)}
    table = parquet.read_table(BytesIO(write_table(files)))
    assert [str(field.type) for field in table.schema] == ["string", "int64", "fixed_size_binary[32]"]
    rows = {one["path"]: (one["bytes"], one["sha256"].hex()) for one in table.to_pylist()}
    assert rows == {path: (number, f"{number:064x}") for number, path in enumerate(files)}
