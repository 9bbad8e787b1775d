"""Plans and their steps as plain data, for JSON and for provenance."""

from __future__ import annotations

from typing import Any

from tomarium.pipeline.plan.planner import Plan
from tomarium.pipeline.plan.section import Section
from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.steps.core.values import spell


def plan_data(made: Plan) -> dict[str, Any]:
    """Write a plan as plain data for JSON.

    Parameters
    ----------
    made : Plan
        The plan.

    Returns
    -------
    dict
        `stages`, `sections`, `recomputed`, `slabs`, `halo_rows`, `peak_bytes`, `device_bytes`, `device`, `read_bytes`,
        `decompressed_bytes`, `write_bytes`, `seconds`, `fits` and more.
    """
    return {
        "stages": [_stage_data(section) for section in made.stages],
        "sections": [_section_data(section) for section in made.sections],
        "recomputed": made.recomputed,
        "output": made.output,
        "slabs": len(made.cuts),
        "slab_rows": made.slab_rows,
        "halo_rows": made.halo_rows,
        "rows": [made.rows.start, made.rows.stop],
        "workers": made.workers,
        "threads": made.threads,
        "shape": list(made.shape),
        "unit": made.unit,
        "peak_bytes": made.peak_bytes,
        "device_bytes": made.device_bytes,
        "device": _device_data(made),
        "read_bytes": sum(section.read_bytes for section in made.stages),
        "decompressed_bytes": sum(section.decompressed_bytes for section in made.stages),
        "write_bytes": made.write_bytes,
        "seconds": made.seconds,
        "memory_bytes": made.resources.memory_bytes,
        "disk_bytes": made.resources.disk_bytes,
        "fits": made.fits,
        "refusals": list(made.refusals),
        "warnings": list(made.warnings),
    }


def _device_data(made: Plan) -> dict[str, Any]:
    """Tell the device that is used, or why none is."""
    room = next((section.device for section in made.sections if section.device is not None), None)
    if room is None:
        return {"name": None, "why": made.resources.no_device or "no step of the protocol is done there"}
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
    known = {parameter.name: parameter for parameter in item.step.parameters}
    return {
        "step": item.step.name,
        "parameters": {
            name: {"value": spell(known[name], value.value), "origin": value.origin, "source": value.source}
            for name, value in item.values.items()
        },
    }
