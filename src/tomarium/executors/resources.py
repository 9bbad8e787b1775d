"""What a run may use, by the executor that shares its slabs out."""

from __future__ import annotations

from pathlib import Path

from tomarium.errors import ParameterError
from tomarium.executors.executor import Executor
from tomarium.pipeline.plan.resources import measure
from tomarium.pipeline.plan.section import Resources


def resources_for(
    executor: Executor,
    place: Path,
    memory: str | None,
    device: str | None = None,
    device_memory: str | None = None,
) -> Resources:
    """Tell what a run may use: of this computer, or of what an executor asks for elsewhere.

    Parameters
    ----------
    executor : Executor
        How slabs are shared out.
    place : Path
        Where the result goes.
    memory : str or None
        Limit such as "4GB".
    device, device_memory : str, optional
        GPU that slabs go over, and how much of its memory; as `on` and `device_memory` of
        `tomarium.pipeline.plan.resources.measure`.

    Returns
    -------
    Resources
        For the plan.

    Raises
    ------
    ParameterError
        A GPU was asked for, and the executor takes slabs to other processes.
    """
    if executor.crosses:
        if device not in (None, "auto", "none"):
            raise ParameterError(
                f"the executor {executor.name} takes slabs to other processes, which share no GPU; leave --device out, "
                f"or take --on gpu or threads"
            )
        device = "none"
    measured = measure(place, memory, on=device, device_memory=device_memory)
    return measured if executor.resources is None else executor.resources(measured)
