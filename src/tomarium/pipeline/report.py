"""Plans and their steps as plain data, for JSON and for provenance."""

from __future__ import annotations

from typing import Any

from tomarium.pipeline.plan import Plan, Stage
from tomarium.pipeline.protocol import Bound
from tomarium.steps.spelling import spell


def plan_data(made: Plan) -> dict[str, Any]:
    """Write a plan as plain data for JSON.

    Parameters
    ----------
    made : Plan
        The plan.

    Returns
    -------
    dict
        `stages`, `slabs`, `halo_rows`, `peak_bytes`, `read_bytes`, `decompressed_bytes`, `write_bytes`,
        `fits` and more.
    """
    return {
        "stages": [_stage_data(stage) for stage in made.stages],
        "slabs": len(made.cuts),
        "slab_rows": made.slab_rows,
        "halo_rows": made.halo_rows,
        "rows": [made.rows.start, made.rows.stop],
        "workers": made.workers,
        "threads": made.threads,
        "shape": list(made.shape),
        "unit": made.unit,
        "peak_bytes": made.peak_bytes,
        "read_bytes": sum(stage.read_bytes for stage in made.stages),
        "decompressed_bytes": sum(stage.decompressed_bytes for stage in made.stages),
        "write_bytes": made.write_bytes,
        "memory_bytes": made.resources.memory_bytes,
        "disk_bytes": made.resources.disk_bytes,
        "fits": made.fits,
        "refusals": list(made.refusals),
        "warnings": list(made.warnings),
    }


def _stage_data(stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "cut": stage.cut,
        "steps": [bound_data(b) for b in stage.steps],
        "slabs": stage.slabs,
        "halo_rows": stage.halo_rows,
        "peak_bytes": stage.peak_bytes,
        "read_bytes": stage.read_bytes,
        "decompressed_bytes": stage.decompressed_bytes,
        "write_bytes": stage.write_bytes,
    }


def bound_data(bound: Bound) -> dict[str, Any]:
    """Write a step with its values and their origins as plain data.

    Parameters
    ----------
    bound : Bound
        The step.

    Returns
    -------
    dict
        `step`, and `parameters`: name → {`value`, `origin`, `source`}.
    """
    known = {parameter.name: parameter for parameter in bound.step.parameters}
    return {
        "step": bound.step.name,
        "parameters": {
            name: {"value": spell(known[name], value.value), "origin": value.origin, "source": value.source}
            for name, value in bound.values.items()
        },
    }
