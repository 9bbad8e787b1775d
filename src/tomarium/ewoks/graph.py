"""A protocol as a workflow of ewoks: a node for the scan, one for each step, one that reconstructs.

The steps' nodes hand on the list of steps, not arrays: the last node runs them all at once as `tomarium run` does, slab
by slab, so that a scan larger than memory can be done and the voxels are the same.
"""

from __future__ import annotations

from typing import Any, Final

from tomarium import __version__
from tomarium.pipeline.protocol.protocol import Protocol, to_data

SCAN: Final = "scan"
RECONSTRUCT: Final = "reconstruct"
STEPS: Final = "steps"
"""Input and output by which a step's node adds itself."""
_TASKS: Final = "tomarium.ewoks.tasks"


def to_graph(protocol: Protocol, name: str) -> dict[str, Any]:
    """Write a protocol as a workflow.

    Parameters
    ----------
    protocol : Protocol
        The steps, in their order.
    name : str
        Identifier of the workflow.

    Returns
    -------
    dict
        As ewoks specifies it: `graph`, `nodes`, `links`, JSON-ready. The first node takes `scan` and whatever is told
        of it, such as `pixel_m`; each step's node its parameters by their names; the last one gives `record` and
        `volume`.
    """
    nodes: list[dict[str, Any]] = [
        {
            "id": SCAN,
            "label": "Scan",
            "task_type": "class",
            "task_identifier": f"{_TASKS}.OpenScan",
        }
    ]
    links: list[dict[str, Any]] = []
    before = SCAN
    for entry in to_data(protocol)["steps"]:
        step, values = _split_step(entry)
        id = _node_name(step, {node["id"] for node in nodes})
        nodes.append(
            {
                "id": id,
                "label": step.replace("_", " "),
                "task_type": "generated",
                "task_identifier": step,
                "task_generator": f"{_TASKS}.step_task",
                "default_inputs": [{"name": key, "value": value} for key, value in values.items()],
            }
        )
        links.append(_link(before, id, STEPS))
        before = id
    nodes.append(
        {
            "id": RECONSTRUCT,
            "label": "Reconstruct",
            "task_type": "class",
            "task_identifier": f"{_TASKS}.Reconstruct",
        }
    )
    links += [_link(before, RECONSTRUCT, STEPS), _link(SCAN, RECONSTRUCT, "scan", "told", "output")]
    graph = {
        "id": name,
        "label": f"{name}, reconstructed by tomarium {__version__}",
        "schema_version": "1.2",
        "requirements": ["tomarium[ewoks]"],
    }
    return {"graph": graph, "nodes": nodes, "links": links}


def _split_step(entry: Any) -> tuple[str, dict[str, Any]]:
    """Part the name of a step from its values, in the spelling of protocols."""
    if isinstance(entry, str):
        return entry, {}
    ((step, values),) = entry.items()
    return step, dict(values or {})


def _node_name(step: str, names_taken: set[str]) -> str:
    """Name the node of a step: by the step, with a number behind it where it is not the first."""
    names = (step if number == 1 else f"{step}-{number}" for number in range(1, len(names_taken) + 2))
    return next(name for name in names if name not in names_taken)


def _link(source: str, target: str, *names: str) -> dict[str, Any]:
    mapping = [{"source_output": name, "target_input": name} for name in names]
    return {"source": source, "target": target, "data_mapping": mapping}
