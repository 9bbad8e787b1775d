"""Several slabs at a time over a GPU, which has to be there."""

from __future__ import annotations

from dataclasses import replace

from tomarium.errors import EngineUnavailable
from tomarium.executors.executor import Executor
from tomarium.executors.threads import map_threads
from tomarium.pipeline.plan.section import Resources


def resources(measured: Resources) -> Resources:
    """Demand the GPU that was found.

    Parameters
    ----------
    measured : Resources
        Of this computer.

    Returns
    -------
    Resources
        The same; a plan whose slabs do not fit on the GPU is refused.

    Raises
    ------
    EngineUnavailable
        There is none.
    """
    if measured.device is None:
        raise EngineUnavailable(
            f"--on gpu asks for a GPU, but {measured.no_device}; without --on gpu the processors do the work"
        )
    return replace(measured, device=replace(measured.device, demanded=True))


GPU = Executor(
    "gpu",
    "several slabs at a time over a GPU: one comes, one is worked on, one leaves",
    map_threads,
    resources=resources,
)
