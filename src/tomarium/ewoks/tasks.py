"""The tasks that ewoks calls; this file alone needs ewokscore, and only ewoks imports it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from ewokscore import Task

from tomarium import formats
from tomarium.catalogue.make_record import make_record
from tomarium.errors import InputError
from tomarium.ewoks.graph import STEPS
from tomarium.formats.record.reader import VOLUME
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import from_data
from tomarium.steps.core.serialization import find_step

TOLD: Final = (
    "as_format", "entry", "data", "flats", "darks", "angles", "pixel_m", "energy_kev", "distance_m", "axis_column",
    "axis_roll_deg",
)  # fmt: skip
"""What may be told of a scan, by the names of `tomarium.open`."""
_RUN: Final = ("memory", "rows", "executor", "title", "force")


class OpenScan(Task, input_names=["scan"], optional_input_names=[*TOLD, "output"],
               output_names=["scan", "told", "output", STEPS]):  # fmt: skip
    """Look whether a scan can be opened; its frames are read when it is reconstructed.

    Inputs: `scan`, a file or folder; what is told of it, such as `pixel_m`: "0.65 um"; `output`, the folder to make.
    """

    def run(self) -> None:
        """Open it, and hand on where it lies and what was told."""
        inputs = self.get_input_values()
        opening = {name: inputs[name] for name in TOLD if name in inputs}
        _open(inputs["scan"], opening)
        self.outputs.scan = str(inputs["scan"])
        self.outputs.told = opening
        self.outputs.output = inputs.get("output")
        setattr(self.outputs, STEPS, [])


class Reconstruct(Task, input_names=["scan", "told", STEPS], optional_input_names=["output", *_RUN],
                  output_names=["record", "volume", "warnings"]):  # fmt: skip
    """Run all steps on the scan and write a record, as `tomarium run` does; one that was stopped is gone on with.

    Inputs: `memory`, such as "4GB"; `rows`, "100:200"; `executor`, "threads" by default; `title`; `force`, to go on
    where the frames cannot give a right volume. Outputs: the folder of the record, its volume, warnings.
    """

    def run(self) -> None:
        """Make the record."""
        inputs = self.get_input_values()
        protocol = from_data({"tomarium": 1, "steps": inputs[STEPS]}, "the workflow")
        output = inputs.get("output")
        outcome = make_record(
            _open(inputs["scan"], inputs["told"]),
            protocol,
            Path(output) if output else None,
            memory=inputs.get("memory"),
            rows=_rows(inputs.get("rows")),
            executor=inputs.get("executor") or "threads",
            title=inputs.get("title"),
            force=bool(inputs.get("force")),
        )
        assert outcome.folder is not None
        volume = outcome.folder / VOLUME
        self.outputs.record = str(outcome.folder)
        self.outputs.volume = str(volume) if volume.exists() else None
        self.outputs.warnings = list(outcome.provenance["warnings"])


@cache
def step_task(name: str) -> type[Task]:
    """Make the task of a step: it puts the step, with its parameters, behind those before it.

    Parameters
    ----------
    name : str
        Of a step, "paganin".

    Returns
    -------
    type
        A class of task whose optional inputs are the step's parameters.
    """
    step = find_step(name)
    names = [parameter.name for parameter in step.parameters]

    class StepTask(
        Task,
        input_names=[STEPS],
        optional_input_names=names,
        output_names=[STEPS],
        registry_name=f"tomarium.steps.{step.name}",
    ):
        """A step of the protocol."""

        def run(self) -> None:
            """Add it."""
            inputs = self.get_input_values()
            values = {key: inputs[key] for key in names if key in inputs}
            setattr(self.outputs, STEPS, [*inputs[STEPS], {step.name: values}])

    return StepTask


def _open(scan: str, opening: dict[str, Any]) -> Scan:
    opened = formats.open(scan, **opening)
    if not isinstance(opened, Scan):
        raise InputError(f"{scan}: holds an image or a volume; a scan was expected")
    return opened


def _rows(text: Any) -> slice | None:
    if not text:
        return None
    first, colon, last = str(text).partition(":")
    if not colon or not all(not text or text.strip().isdigit() for text in (first, last)):
        raise InputError(f"rows: {str(text)[:40]!r} names no rows; write them as 100:200")
    return slice(int(first) if first else None, int(last) if last else None)
