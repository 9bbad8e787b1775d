"""Plans and their steps as plain data, for JSON and for provenance."""

from __future__ import annotations

from typing import Any

from tomarium.pipeline.plan.planner import Plan
from tomarium.pipeline.plan.section import Section
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.steps.core.values import spell


def plan_data(plan: Plan) -> dict[str, Any]:
    """Write a plan as plain data for JSON.

    Parameters
    ----------
    plan : Plan
        The plan.

    Returns
    -------
    dict
        `stages`, `sections`, `recomputed`, `slabs`, `halo_rows`, `peak_bytes`, `device_bytes`, `device`, `read_bytes`,
        `decompressed_bytes`, `write_bytes`, `seconds`, `fits` and more.
    """
    return {
        "stages": [_stage_data(section) for section in plan.stages],
        "sections": [_section_data(section) for section in plan.sections],
        "recomputed": plan.recomputed,
        "output": plan.output,
        "slabs": len(plan.cuts),
        "slab_rows": plan.slab_rows,
        "halo_rows": plan.halo_rows,
        "rows": [plan.rows.start, plan.rows.stop],
        "workers": plan.workers,
        "threads": plan.threads,
        "shape": list(plan.shape),
        "unit": plan.unit,
        "peak_bytes": plan.peak_bytes,
        "device_bytes": plan.device_bytes,
        "device": _device_data(plan),
        "read_bytes": sum(section.read_bytes for section in plan.stages),
        "decompressed_bytes": sum(section.decompressed_bytes for section in plan.stages),
        "write_bytes": plan.write_bytes,
        "seconds": plan.seconds,
        "memory_bytes": plan.resources.memory_bytes,
        "disk_bytes": plan.resources.disk_bytes,
        "fits": plan.fits,
        "refusals": list(plan.refusals),
        "warnings": list(plan.warnings),
    }


def _device_data(plan: Plan) -> dict[str, Any]:
    """Tell the device that is used, or why none is."""
    room = next((section.device for section in plan.sections if section.device is not None), None)
    if room is None:
        return {"name": None, "why": plan.resources.no_device or "no step of the protocol is done there"}
    return {
        "name": room.name,
        "index": room.index,
        "others": list(room.others),
        "driver": room.driver,
        "memory_bytes": room.memory_bytes,
    }


def _section_data(section: Section) -> dict[str, Any]:
    return {
        "cut": section.direction,
        "steps": [item.step.name for item in section.items],
        "slabs": section.slabs,
        "halo": section.halo,
        "spool_bytes": section.spool_bytes,
        "recomputed": section.recomputed,
        "workers": section.workers,
        "threads": section.threads,
        "peak_bytes": section.peak_bytes,
        "device_bytes": section.device_bytes,
        "on_device": list(section.on_device),
        "seconds": section.seconds,
    }


def _stage_data(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "cut": section.direction,
        "steps": [resolved_data(item) for item in section.items],
        "slabs": section.slabs,
        "halo_rows": section.halo,
        "peak_bytes": section.peak_bytes,
        "read_bytes": section.read_bytes,
        "decompressed_bytes": section.decompressed_bytes,
        "write_bytes": section.write_bytes,
    }


def resolved_data(item: Resolved) -> dict[str, Any]:
    """Write a step with its values and their origins as plain data.

    Parameters
    ----------
    item : Resolved
        The step.

    Returns
    -------
    dict
        `step`, and `parameters`: name → {`value`, `origin`, `source`}.
    """
    parameters = {parameter.name: parameter for parameter in item.step.parameters}
    return {
        "step": item.step.name,
        "parameters": {
            name: {
                "value": spell(parameters[name], value.value),
                "origin": value.origin,
                "source": value.source,
            }
            for name, value in item.values.items()
        },
    }
