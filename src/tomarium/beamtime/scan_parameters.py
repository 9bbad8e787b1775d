"""The parameters of a scan between two looks at it: a protocol.txt of tomodata beside the output.

Each line calls a function of tomodata, so the file is a protocol that `tomarium run -p` takes, and that a person can
read and change. Comments keep which scan it is of, and the rotation axis that was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tomarium.atomic_files import write_whole
from tomarium.errors import InputError
from tomarium.pipeline.protocol.choice import with_parameter
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.read import protocol_of
from tomarium.pipeline.protocol.tomodata import Instructions, call_line, calls_in, read_instructions

ENDING: Final = "_protocol.txt"
_SCAN: Final = "# scan: "
_AXIS: Final = "# axis found: "


@dataclass(frozen=True)
class FoundAxis:
    """The rotation axis as the program found it.

    Attributes
    ----------
    column : float
        0-based, of the frames as the protocol's views leave them.
    confidence : str
        "high", "medium" or "low".
    behind : str
        The steps before it and their parameters, as text: it holds as long as they are the same.
    """

    column: float
    confidence: str
    behind: str


@dataclass(frozen=True)
class ScanParameters:
    """What is to be done with a scan.

    Attributes
    ----------
    scan : str
        Path of the scan; empty where the file does not tell it.
    calls : mapping of str to mapping
        Function of tomodata → flag → value.
    axis : FoundAxis or None
        The axis that was found last.
    """

    scan: str
    calls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    axis: FoundAxis | None = None

    @property
    def text(self) -> str:
        """The file: instructions that a reconstruction of the whole volume ends."""
        lines = [f"{_SCAN}{self.scan}"]
        if self.axis is not None:
            lines.append(_AXIS + json.dumps(vars(self.axis)))
        lines += [
            call_line(name, values) for name, values in self.calls.items() if name != "launch_reconstruction"
        ]
        region = {"-r": True} if "roi" in self.calls else {}
        launch = {**self.calls.get("launch_reconstruction", {}), **region}
        return "\n".join([*lines, call_line("launch_reconstruction", launch), ""])

    @property
    def instructions(self) -> Instructions:
        """What the calls set, as a run takes it."""
        return read_instructions(self.text, "the parameters")

    @property
    def protocol(self) -> Protocol:
        """The protocol that the calls spell, with the region of each slice."""
        instructions = self.instructions
        protocol, region = protocol_of(instructions), instructions.run.get("roi")
        if region is None:
            return protocol
        return with_parameter(protocol, f"fbp.region={','.join(region.split(',')[-2:])}")

    def with_call(self, name: str, values: Mapping[str, Any]) -> ScanParameters:
        """Call a function with these options and no others.

        Parameters
        ----------
        name : str
            Function of tomodata.
        values : mapping of str to object
            Flag → value, or its text.

        Returns
        -------
        ScanParameters
            With the values checked and read.

        Raises
        ------
        ParameterError
            There is no such option, or the value is not allowed.
        """
        read = calls_in(call_line(name, values), f"{name} {' '.join(map(str, values))}".strip())
        changed = replace(self, calls={**self.calls, name: read[name]})
        assert changed.protocol  # raises what all lines together do not allow
        return changed

    def without_call(self, name: str) -> ScanParameters:
        """Leave a function out; nothing changes where it was not called."""
        return replace(self, calls={text: values for text, values in self.calls.items() if text != name})


def parameters_file(folder: Path, name: str) -> Path:
    """Return where the parameters of a scan are kept.

    Parameters
    ----------
    folder : Path
        Folder of the output.
    name : str
        Name of the scan.

    Returns
    -------
    Path
        `NAME_protocol.txt` in it.
    """
    return folder / f"{name}{ENDING}"


def read_parameters(path: Path) -> ScanParameters:
    """Read the parameters of a scan.

    Parameters
    ----------
    path : Path
        As `parameters_file` returns it; a protocol.txt that a person wrote will do.

    Returns
    -------
    ScanParameters
        What the file says; no calls where it is absent.

    Raises
    ------
    InputError
        It cannot be read.
    ParameterError
        A line cannot be followed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ScanParameters("")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: the parameters of the scan cannot be read: {problem}") from problem
    scan, axis = "", None
    for line in text.splitlines():
        if line.startswith(_SCAN):
            scan = line.removeprefix(_SCAN).strip()
        elif line.startswith(_AXIS):
            axis = _read_axis(line.removeprefix(_AXIS))
    return ScanParameters(scan, calls_in(text, str(path)), axis)


def write_parameters(path: Path, parameters: ScanParameters) -> None:
    """Write the parameters of a scan; the file is the old one or the whole new one.

    Parameters
    ----------
    path : Path
        As `parameters_file` returns it.
    parameters : ScanParameters
        What is to be kept.
    """
    write_whole(path, parameters.text.encode())


def _read_axis(text: str) -> FoundAxis | None:
    """Read the axis that was found; None where a person changed the comment: it is looked for again."""
    try:
        content = json.loads(text)
        return FoundAxis(float(content["column"]), str(content["confidence"]), str(content["behind"]))
    except (ValueError, TypeError, KeyError):
        return None
