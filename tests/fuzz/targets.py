"""What is given inputs without end: name → what reads them, the errors it may raise, and good inputs to begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from fuzz import text_targets
from fuzz.mutate import mutated, mutated_alone


@dataclass(frozen=True)
class Target:
    """Something that reads.

    `begin()` gives `read(bytes)`, which raises what is no documented error, and the good inputs.
    """

    name: str
    begin: Callable[[], tuple[Callable[[bytes], object], list[bytes]]]
    longest: int = 1 << 16

    @property
    def judges_frames(self) -> bool:
        """Whether a checksum tells what is wrong, which it does not of a whole part that is taken from elsewhere."""
        return self.name.startswith("frames-")

    def changed(self, seeds: list[bytes], random: Random) -> bytes:
        """An input that is nearly a good one."""
        seed = random.choice(seeds)
        if self.judges_frames:
            return mutated_alone(seed, random, self.longest)
        return mutated(seed, seeds, random, self.longest)


def names() -> list[str]:
    from fuzz import reader_targets

    return [*text_targets.BEGIN, *reader_targets.begin_all()]


def target(name: str) -> Target:
    if name in text_targets.BEGIN:
        return Target(name, text_targets.BEGIN[name])
    from fuzz import reader_targets

    return Target(name, reader_targets.begin_all()[name], 1 << 20)
