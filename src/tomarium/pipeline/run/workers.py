"""Who has done which slabs of a section, told while it runs: how many each, and who is much slower than the others."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from tomarium.atomic_files import replacing

MUCH_SLOWER: Final = 2.0
"""A worker is named whose slabs take so many times what those of the others do."""
LEAST_SLABS: Final = 2
"""Slabs from which on that is said: the first of a worker reads flats and darks, too."""
WORKERS: Final = "workers.json"
SHOWN: Final = 6
"""Workers that a line names."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """What a worker has done.

    Attributes
    ----------
    worker : str
        A node; where all work is done on one, a worker there.
    slabs : int
        How many.
    seconds : float
        Median of the time of one.
    last_at : float
        When its last slab was told of, seconds since 1970; 0 where that is not known.
    slower : float
        How many times as long its slabs take as those of the others, where that is much; else 0.
    """

    worker: str
    slabs: int
    seconds: float
    last_at: float
    slower: float = 0.0


def shares_of(slabs: Iterable[Mapping[str, Any]]) -> tuple[Share, ...]:
    """Share out slabs that are done to who has done them.

    Parameters
    ----------
    slabs : iterable of mapping
        Lines of the journal: `worker`, "node, worker"; `seconds`; `at`. Those that name no worker are passed over.

    Returns
    -------
    tuple of Share
        By node, or by worker where there is one node; by name. None where fewer than two have done something.
    """
    told = [slab for slab in slabs if slab.get("worker")]
    nodes = {str(slab["worker"]).partition(", ")[0] for slab in told}
    by: dict[str, list[Mapping[str, Any]]] = {}
    for slab in told:
        node, _, worker = str(slab["worker"]).partition(", ")
        by.setdefault(node if len(nodes) > 1 else worker, []).append(slab)
    if len(by) < 2:
        return ()
    medians = {
        name: median(sum(slab.get("seconds", {}).values()) for slab in done) for name, done in by.items()
    }
    return tuple(
        Share(
            name,
            len(by[name]),
            medians[name],
            max(float(slab.get("at", 0.0)) for slab in by[name]),
            _times_slower(name, by, medians),
        )
        for name in sorted(by)
    )


def _times_slower(
    name: str, by: Mapping[str, list[Mapping[str, Any]]], medians: Mapping[str, float]
) -> float:
    others = [medians[other] for other, done in by.items() if other != name and len(done) >= LEAST_SLABS]
    if len(by[name]) < LEAST_SLABS or not others or median(others) <= 0:
        return 0.0
    times = medians[name] / median(others)
    return times if times >= MUCH_SLOWER else 0.0


def note_workers(folder: Path, there: Iterable[str], lost: Mapping[str, float]) -> None:
    """Keep which workers of a cluster are there, for who asks how a run stands.

    Parameters
    ----------
    folder : Path
        That of the journal.
    there : iterable of str
        Addresses.
    lost : mapping of str to float
        Address of a worker that was lost → when, seconds since 1970.
    """
    with suppress(OSError), replacing(folder / WORKERS) as draft:  # the run does not need it
        draft.write_text(json.dumps({"there": sorted(there), "lost": lost}), encoding="utf-8")


def read_workers(folder: Path) -> tuple[list[str], dict[str, float]]:
    """Read what `note_workers` has kept: workers that are there, and when others were lost; none where it kept none."""
    try:
        content = json.loads((folder / WORKERS).read_bytes())
        return list(map(str, content["there"])), {str(k): float(v) for k, v in content["lost"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return [], {}


def in_words(shares: Iterable[Share]) -> str:
    """Write how many slabs each has done: "n1 12 slabs, n2 11 slabs"; the most first, and not more than fit a line."""
    most_first = sorted(shares, key=lambda share: (-share.slabs, share.worker))
    words = [f"{share.worker} {share.slabs} slab{'' if share.slabs == 1 else 's'}" for share in most_first]
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def slow_in_words(share: Share) -> str:
    """Say of a worker that it is slow."""
    return (
        f"{share.worker} takes {share.seconds:.3g} s a slab, {share.slower:.1f} times as long as the others; see what "
        f"else it has to do"
    )


@dataclass
class Teller:
    """Tells of the workers of a section, by the log, while it runs.

    Attributes
    ----------
    total : int
        Slabs of the section.
    """

    total: int
    _slow: set[str] = field(default_factory=set)
    _tenth: int = 0

    def tell(self, slabs: Mapping[int, Mapping[str, Any]], newest: Mapping[str, Any]) -> None:
        """Take a slab that is done: at each tenth how many each has done is told, and once who is slow."""
        tenth = 10 * len(slabs) // max(1, self.total)
        if not newest.get("worker") or (tenth == self._tenth and len(slabs) % max(1, self.total // 50)):
            return
        shares = shares_of(slabs.values())
        for share in shares:
            if share.slower and share.worker not in self._slow:
                self._slow.add(share.worker)
                _LOG.info("%s", slow_in_words(share))
        if shares and tenth != self._tenth:
            _LOG.info("done by: %s", in_words(shares))
        self._tenth = tenth
