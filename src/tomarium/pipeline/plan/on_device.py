"""Which steps of a section are done on a device, and the memory that takes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tomarium.pipeline.protocol.resolve import Resolved
from tomarium.pipeline.protocol.step_errors import told_as_its_own
from tomarium.steps.core.step import Step

LANES: Final = 3
"""Slabs on a device at a time: one comes, one is worked on, one leaves."""

WORTHWHILE_NS: Final = 10.0
"""Time of one core for one number below which steps are not worth the way to a device and back."""

HALVED: Final = "device.halved"
"""Key of what slabs count: how often one was halved because the memory of the device did not suffice."""


@dataclass(frozen=True)
class DeviceRoom:
    """A device that a run may use, and how much of it.

    Attributes
    ----------
    index : int
        Its number.
    name, driver : str
        Of the device, and the version of its driver.
    memory_bytes : int
        Memory of it that may be used.
    demanded : bool
        Whether the user asked for it; else steps go to the processors where it does not suffice.
    others : tuple of int
        Numbers of further devices that slabs go over in turn; the memory is that of the one with least.
    """

    index: int
    name: str
    driver: str
    memory_bytes: int
    demanded: bool = False
    others: tuple[int, ...] = ()

    @property
    def indices(self) -> tuple[int, ...]:
        """Numbers of all devices."""
        return self.index, *self.others


def works_there(item: Resolved) -> bool:
    """Tell whether a step takes an array wherever that lies."""
    if not isinstance(item.step, Step):
        return False
    with told_as_its_own(item.step):
        return item.step.anywhere(item.plain, item.before)


def worth_a_device(items: Sequence[Resolved]) -> bool:
    """Tell whether some of the steps can be done on a device, and take long enough to be worth the way."""
    return (
        sum(item.step.cost.nanoseconds for item in items if isinstance(item.step, Step) and works_there(item))
        >= WORTHWHILE_NS
    )
