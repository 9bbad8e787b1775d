"""The files of a batch that people and programs read: its state, and the table of results as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from tomarium.atomic_files import write_json, write_whole
from tomarium.errors import InputError
from tomarium.pipeline.run.journal import read_json

STATE: Final = "batch.json"
"""What the batch must know when it goes on: names, the axis for all, what is to be made anew."""
RESULTS: Final = "results.json"
TABLE: Final = "results.csv"
PAGE: Final = "index.html"
LOCK: Final = "lock"
RECORDS: Final = "records"
SLICES: Final = "slices"

RowState = Literal["waiting", "at work", "finished", "warnings", "failed", "differs"]

WORDS: Final[Mapping[str, str]] = {
    "failed": "failed",
    "differs": "made otherwise",
    "warnings": "finished with warnings",
    "finished": "finished",
    "at work": "at work",
    "waiting": "waiting",
}
"""State of a scan → what people are told, the worst first."""


@dataclass(frozen=True)
class Row:
    """What is known of one scan of a batch.

    Attributes
    ----------
    scan : str
        Path of the scan.
    name : str
        Name of its result.
    state : str
        One of `WORDS`. "differs" is a result that was made of another scan or by another protocol, and was left.
    axis_column : float or None
        Column of the rotation axis that was used, 0-based, pixel centres at integers, in the pixels of the file where
        it has one there, as `--axis` counts; else in those of the scan with the views of the protocol.
    axis_origin : str
        "derived" where a probe found it, "user" where it was given or copied, "read" where the file tells it.
    confidence : str
        What the probe says of it, "high", "medium" or "low"; empty where none was asked.
    warnings : tuple of str
        What the run warns of.
    seconds : float or None
        Time the run took.
    record : str
        Folder or picture that was made, relative to the batch; empty where there is none.
    picture : str
        Picture of the middle slice, likewise.
    error : str
        Why there is no result.
    draft, filed_in : str
        Identifier of the record that it became in a catalogue, and the name of that; empty where it is in none.
    not_filed : str
        Why it could not be put there.
    """

    scan: str
    name: str
    state: RowState = "waiting"
    axis_column: float | None = None
    axis_origin: str = ""
    confidence: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    record: str = ""
    picture: str = ""
    error: str = ""
    draft: str = ""
    filed_in: str = ""
    not_filed: str = ""


COLUMNS: Final = tuple(field.name for field in fields(Row) if field.name != "picture")


@dataclass
class State:
    """What a batch writes down to be resumed.

    Attributes
    ----------
    names : dict of str to str
        Path of a scan → name of its result.
    axis : dict or None
        The axis that was found in one scan for all, with `key`, which tells scan and protocol.
    anew : dict of str to bool
        Names whose results are to be made again, of a batch with --redo that has not come to its end → whether the old
        one is removed already.
    begun : dict of str to int
        Name → how often work on it was begun without coming to an end of any kind.
    limits : dict
        Limits of grey values that all volumes share, as `tomarium.beamtime.common_limits.CommonLimits` keeps them.
    """

    names: dict[str, str] = field(default_factory=dict)
    axis: dict[str, Any] | None = None
    anew: dict[str, bool] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)


def read_state(folder: Path) -> State:
    """Read what a batch left.

    Parameters
    ----------
    folder : Path
        Folder of the batch.

    Returns
    -------
    State
        Empty where there is none.

    Raises
    ------
    InputError
        The file is damaged, or the folder holds something else.
    """
    path = folder / STATE
    try:
        content = read_json(path)
        if content is None:
            foreign = [path.name for path in folder.iterdir() if path.name != LOCK] if folder.is_dir() else []
            if foreign or (folder.exists() and not folder.is_dir()):
                raise InputError(
                    f"{folder} exists and is no folder of a batch; choose another with -o, or empty it"
                )
            return State()
        return State(**content)
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"{path}: the state of the batch cannot be read ({problem}); remove that file alone: finished records are "
            f"known by what they tell of themselves"
        ) from problem


def write_state(folder: Path, state: State) -> None:
    """Write the state by which a batch is resumed, whole or not at all."""
    write_json(folder / STATE, asdict(state))


def write_results(folder: Path, rows: Iterable[Row]) -> None:
    """Write the table of results, as JSON and as CSV, each whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder of the batch.
    rows : iterable of Row
        One for each scan.
    """
    rows_as_data = [asdict(row) for row in rows]
    write_json(folder / RESULTS, {"scans": rows_as_data})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows_as_data:
        cells = {**row, "warnings": " | ".join(row["warnings"])}
        table.writerow(["" if cells[name] is None else cells[name] for name in COLUMNS])
    write_whole(folder / TABLE, text.getvalue().encode("utf-8", "backslashreplace"))


def read_results(folder: Path) -> list[Row]:
    """Read the table of results.

    Parameters
    ----------
    folder : Path
        Folder of a batch.

    Returns
    -------
    list of Row
        Empty where there is none.
    """
    content = read_json(folder / RESULTS) or {"scans": []}
    return [Row(**{**row, "warnings": tuple(row["warnings"])}) for row in content["scans"]]


def drafts_in_words(rows: Iterable[Row]) -> str:
    """Say how many volumes are drafts, and how many could not be filed; "" where none was to be."""
    filed_rows = [row for row in rows if row.draft or row.not_filed]
    if not filed_rows:
        return ""
    lost = sum(bool(row.not_filed) for row in filed_rows)
    count = len(filed_rows) - lost
    text = f"{count} of {len(filed_rows)} volumes {'is a draft' if count == 1 else 'are drafts'} in the catalogue"
    return f"{text}, {lost} could not be filed" if lost else text
