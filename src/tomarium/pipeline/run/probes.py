"""What the probes of a protocol tell, each asked with what reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from tomarium.array import processors
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import Protocol
from tomarium.pipeline.protocol.resolve import Resolution, resolve
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.pipeline.run.evaluate import evaluate
from tomarium.pipeline.run.journal import Journal
from tomarium.pipeline.run.provenance import plain
from tomarium.steps.core.sample import Sample
from tomarium.steps.core.step import Probe


def ask_probes(
    scan: Scan,
    protocol: Protocol,
    journal: Journal,
    on_progress: Callable[[str, int, int], None],
    demand_wanted: Callable[[], object] | None = None,
) -> dict[str, dict[str, Any]]:
    """Ask the probes of a protocol whose answers are used, each what reaches it.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        Its probes are asked, in order.
    journal : Journal
        Answers it holds already are taken; new ones are noted there.
    on_progress : callable
        Told how far it is.
    demand_wanted : callable, optional
        Called between steps; see `run`.

    Returns
    -------
    dict
        Key of a probe → what it told, JSON-ready.
    """
    answers: dict[str, dict[str, Any]] = dict(journal.notes.get("probes", {}))
    while True:
        resolution = resolve(protocol, scan, answers)
        probes = resolution.probes
        todo = [item for item in probes if item.key not in answers]
        if probes:
            on_progress("probe", len(probes) - len(todo), len(probes))
        if not todo:
            return {item.key: answers[item.key] for item in probes}
        item = todo[0]
        assert isinstance(item.step, Probe)
        with told_as_its_own(item.step):
            result = item.step(_sample(resolution, item, demand_wanted), **item.plain)
            answers[item.key] = plain({"answer": item.step.answer(result), **asdict(result)})
        journal.note("probes", answers)


def _sample(resolution: Resolution, probe: Any, demand_wanted: Callable[[], object] | None) -> Sample:
    number = resolution.items.index(probe)
    before = [item for item in resolution.items[:number] if item in resolution.work]
    reached = replace(resolution, scan=probe.scan)
    return Sample(
        probe.scan,
        probe.before,
        lambda rows: evaluate(reached, before, tuple(rows), processors(), demand_wanted),
    )
