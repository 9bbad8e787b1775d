"""What a user asks of a run besides the scan: a protocol, changed by a few words of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tomarium.errors import InputError, ParameterError
from tomarium.model import Domain
from tomarium.pipeline.protocol.protocol import (
    Item,
    Protocol,
    default_protocol,
    for_domain,
    from_steps,
    preset,
)
from tomarium.pipeline.protocol.read import instructions_in, protocol_of, read
from tomarium.pipeline.protocol.tomodata import Instructions
from tomarium.steps.core.serialization import find_step
from tomarium.steps.core.step import View
from tomarium.steps.core.values import check, from_form


@dataclass(frozen=True)
class Choice:
    """A protocol in the words of a command line.

    Attributes
    ----------
    path : Path or None
        File of a protocol.
    preset : str or None
        Name of one that comes with the program.
    steps : tuple of str
        Steps to put in their natural places among those.
    assignments : tuple of str
        ``step.parameter=value``.
    binning : int
        Detector pixels that are averaged, along rows and columns alike; 1 for none.
    region : str or None
        Part of the volume in voxels: "Y0:Y1,X0:X1", or "Z0:Z1,Y0:Y1,X0:X1".
    material : str or None
        Formula and density of the sample, such as "SiO2 2.65": the phase is retrieved for it.
    """

    path: Path | None = None
    preset: str | None = None
    steps: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    binning: int = 1
    region: str | None = None
    material: str | None = None

    @cached_property
    def instructions(self) -> Instructions | None:
        """What a file of instructions of tomodata asks for; None for a protocol of another spelling."""
        return instructions_in(self.path)

    def told(self, option: str) -> Any:
        """Return an option of the run that the file of the protocol sets, or None; see `Instructions.run`."""
        return self.instructions.run.get(option) if self.instructions else None

    def demand_none_of(self, *options: str) -> None:
        """Refuse options of the protocol's file that the command does not follow."""
        for option in options:
            if self.told(option) is not None:
                raise ParameterError(
                    f"{self.path} sets {option} = {self.told(option)}, which this command does not follow; "
                    "leave the line out, or use tomarium run"
                )

    def demand_scan(self, path: Path) -> None:
        """Refuse the choice of a protocol for a volume, which none is carried out on."""
        if self != Choice():
            raise ParameterError(
                f"{path} holds a volume, and a protocol is carried out on a scan; give the scan, or leave out "
                f"--protocol, --preset, --step, --set, --bin, --roi and --material"
            )

    def protocol(self, domain: Domain = "counts", base: Protocol | None = None) -> Protocol:
        """Make the protocol.

        Parameters
        ----------
        domain : Domain
            What the scan's numbers are, for presets and the default.
        base : Protocol, optional
            What the words change in place of a preset or the default, such as the protocol of another record.

        Returns
        -------
        Protocol
            The checked protocol.

        Raises
        ------
        InputError, ParameterError
            It cannot be read, or the words do not fit together.
        """
        if self.path is not None and (self.preset or self.steps):
            raise ParameterError(
                "a protocol's file was given together with --preset or --step; give either the file, or a preset and "
                "steps"
            )
        if base is not None and (self.preset or (self.path is not None and self.instructions is None)):
            raise ParameterError(
                "the protocol of another record was asked for together with --preset or a protocol's file; give one "
                "of them, and change it by --step and --set"
            )
        if self.path is not None:
            protocol = protocol_of(self.instructions, base) if self.instructions else read(self.path)
        else:
            # A view may give other numbers than the scan's, as one that corrects several scans by their flats.
            named = [find_step(name) for name in self.steps]
            domain = next((step.gives for step in named if isinstance(step, View) and step.gives), domain)
            chosen = for_domain(preset(self.preset), domain) if self.preset else default_protocol(domain)
            protocol = from_steps(self.steps, base or chosen, domain)
        if self.binning != 1:
            step = find_step("bin")
            values = check(step, {"rows": self.binning, "columns": self.binning})
            protocol = Protocol((Item(step, values), *protocol.items))
        if self.material is not None:
            protocol = _with_material(protocol, self.material, domain)
        for assignment in self.assignments:
            protocol = with_parameter(protocol, assignment)
        plane = self._parts()[-2:]
        return with_parameter(protocol, f"fbp.region={','.join(plane)}") if plane else protocol

    def rows(self) -> slice | None:
        """Return the slices that `region` asks for; None where it asks for none of its own."""
        parts = self._parts()
        return _range(parts[0]) if len(parts) == 3 else None

    def _parts(self) -> Sequence[str]:
        region = self.region or self.told("roi")
        if region is None:
            return []
        parts = [part.strip() for part in region.split(",")]
        if len(parts) not in (2, 3) or not all(":" in part for part in parts):
            raise InputError(
                f"--roi {region!r}: write Y0:Y1,X0:X1 or Z0:Z1,Y0:Y1,X0:X1 in voxels, such as 100:200,300:900"
            )
        return parts


def _range(text: str) -> slice:
    first, _, last = text.partition(":")
    try:
        return slice(int(first) if first.strip() else None, int(last) if last.strip() else None)
    except ValueError as problem:
        raise InputError(f"{text!r} is no range; write A:B with whole numbers, such as 100:200") from problem


def _with_material(protocol: Protocol, material: str, domain: Domain) -> Protocol:
    """Tell the steps that retrieve the phase what the sample is; add paganin where there is none."""
    if not any(parameter.name == "material" for item in protocol.items for parameter in item.step.parameters):
        protocol = from_steps(("paganin",), protocol, domain)
    items = []
    for item in protocol.items:
        if any(parameter.name == "material" for parameter in item.step.parameters):
            kept = {
                name: value for name, value in item.given.items() if name not in ("delta_beta", "length_px")
            }
            item = replace(item, given={**kept, **check(item.step, {"material": material})})
        items.append(item)
    return Protocol(tuple(items))


def with_parameter(protocol: Protocol, assignment: str) -> Protocol:
    """Set one parameter of a protocol from a command line's ``step.parameter=value``.

    Parameters
    ----------
    protocol : Protocol
        The protocol.
    assignment : str
        For example ``fbp.window=hann``.

    Returns
    -------
    Protocol
        A protocol with that parameter, in every item of that step.

    Raises
    ------
    ParameterError
        The text has another form, the protocol lacks the step, or the value is not allowed.
    """
    target, equals, text = assignment.partition("=")
    name, dot, parameter = target.partition(".")
    if not (equals and dot and parameter.strip()):
        raise ParameterError(f"{assignment!r}: write STEP.PARAMETER=VALUE, such as fbp.window=hann")
    step = find_step(name)
    values = from_form(step, {parameter.strip(): text.strip()})
    if step not in [item.step for item in protocol.items]:
        raise ParameterError(
            f"{assignment!r}: the protocol has no step {step.name}; add it with --step {step.name}, "
            f"or set one that it has: {', '.join(item.step.name for item in protocol.items)}"
        )
    return Protocol(
        tuple(replace(i, given={**i.given, **values}) if i.step is step else i for i in protocol.items)
    )


def describe_presets() -> list[dict[str, Any]]:
    """List the protocols that come with the program: `name`, `summary`, `steps`."""
    from tomarium.pipeline.protocol.protocol import PRESETS, to_data

    return [
        {"name": name, "summary": summary, "steps": to_data(preset(name))["steps"]}
        for name, (summary, _) in PRESETS.items()
    ]
