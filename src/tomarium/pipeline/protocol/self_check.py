"""What works in this installation, and why the rest does not."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from tomarium import array, units
from tomarium.confinement import Means, means
from tomarium.kernels.cuda.modules import gpus, why_not
from tomarium.kernels.engines import engines
from tomarium.registry import BROKEN
from tomarium.steps.core.serialization import all_steps


@dataclass(frozen=True)
class Finding:
    """One part of the installation.

    Attributes
    ----------
    name : str
        What it is.
    state : str
        "there"; "missing", where its absence makes the work slower, or where another package brings it and it cannot be
        used; "optional", absent and not needed.
    why : str
        What it is for, and why it is absent.
    """

    name: str
    state: Literal["there", "missing", "optional"]
    why: str


def self_check() -> tuple[Finding, ...]:
    """Look at the engines, the devices and the optional parts.

    Returns
    -------
    tuple of Finding
        Engines first.
    """
    findings = [
        Finding(f"engine {status.name}", "there" if status.available else "missing", status.why)
        for status in engines().values()
    ]
    findings.append(Finding("processors", "there", f"{array.processors()} may be used"))
    findings.append(Finding("memory", "there", f"{units.show(array.available_memory(), 'B', 3)} available"))
    findings.append(_gpu())
    confinement = means()
    findings.append(
        Finding(
            "confined readers", "there" if confinement.landlock else "missing", _readers_text(confinement)
        )
    )
    findings += _broken_parts()
    findings.append(_part("nexusformat", "the doctor's second opinion on NXtomo files (nxvalidate)"))
    return tuple(findings)


def _readers_text(confinement: Means) -> str:
    """Say how files of strangers are read."""
    if confinement.landlock:
        return f"a process that reads files of strangers: {confinement.why}"
    return f"{confinement.why}: pages show no HDF5 files and no pictures unless the setting unconfined_reading is yes"


def _broken_parts() -> list[Finding]:
    """Name what other packages bring and cannot be used, of the families that were loaded, and of the steps."""
    all_steps()
    return [
        Finding(name, "missing", f"is left out: {why.splitlines()[0]}; update or remove that package")
        for name, why in BROKEN.items()
    ]


def _gpu() -> Finding:
    """Name the GPUs; where there is a driver of NVIDIA's and none can be used, that is missing."""
    why = why_not()
    if why is not None:
        has_driver = shutil.which("nvidia-smi") is not None
        return Finding("GPU", "missing" if has_driver else "optional", f"{why}; the processors do the work")
    descriptions = (
        f"{gpu.number}: {gpu.name}, {units.show(gpu.memory, 'B', 3)} of which {units.show(gpu.free, 'B', 3)} are free, "
        f"{gpu.architecture}, driver for CUDA {gpu.driver}"
        for gpu in gpus()
    )
    return Finding("GPU", "there", "; ".join(descriptions))


def _part(name: str, purpose: str) -> Finding:
    if find_spec(name) is None:
        return Finding(name, "optional", f"not installed; it serves {purpose}")
    return Finding(name, "there", f"serves {purpose}")
