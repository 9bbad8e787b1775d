"""Which parts of an unfinished work are on disk, so that it goes on after its process was killed.

A `ProgressLog` gets a line of JSON for each part, from one process. `Slabs` are a plan and a small file for each slab
of a volume, which several processes and computers may write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import replacing, write_json
from tomarium.errors import FormatError, InputError


@dataclass(frozen=True)
class ProgressLog:
    """A file of lines of JSON, one for each part that is on disk."""

    path: Path

    def read(self) -> list[Any]:
        """Return the lines, none where there is no file; a last line cut short by a kill is taken away."""
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return []
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            os.truncate(self.path, len(whole.encode()))
        return [json.loads(line) for line in whole.splitlines()]

    @contextmanager
    def adding(self) -> Iterator[Callable[[Any], None]]:
        """Open the file; yield what adds a line and forces it to disk."""
        with self.path.open("a", encoding="utf-8") as stream:

            def add(line: Any) -> None:
                stream.write(json.dumps(line) + "\n")
                stream.flush()
                os.fsync(stream.fileno())

            yield add

    def replace(self, lines: Iterable[Any]) -> None:
        """Keep other lines instead of those that are there, in the same file, which may hold a lock."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.truncate(0)
            stream.writelines(json.dumps(line) + "\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())


class SlabPlan(Protocol):
    """What an unfinished volume will be: a frozen dataclass, JSON-ready."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns: z, y, x."""

    @property
    def dtype(self) -> str:
        """NumPy's name of the type of a voxel."""

    @property
    def slab_rows(self) -> int:
        """Slices of a slab; the last one may have fewer."""


PlanT = TypeVar("PlanT", bound=SlabPlan)


@dataclass(frozen=True)
class Slabs(Generic[PlanT]):
    """The plan of an unfinished volume and which slabs are complete; several processes may mark them."""

    path: Path  # the volume, for messages
    folder: Path  # of the plan and of a file for each slab that is complete
    plan: PlanT

    @property
    def count(self) -> int:
        """Number of slabs."""
        return -(-self.plan.shape[0] // self.plan.slab_rows)

    def begin(self) -> None:
        """Keep the plan."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "plan.json", asdict(self.plan))  # type: ignore[call-overload]

    def done(self) -> tuple[int, ...]:
        """List the first slices of the slabs that are complete, sorted."""
        numbers = (file.name.removeprefix("slab-") for file in self.folder.glob("slab-*"))
        return tuple(sorted(int(number) for number in numbers if number.isdigit()))

    def mark(self, z0: int, values: NDArray[np.float64] | None = None) -> None:
        """Note that a slab is complete, with values that are kept of it."""
        with replacing(self._mark(z0)) as draft, draft.open("wb") as stream:
            if values is not None:
                np.save(stream, values)

    def values(self) -> list[NDArray[np.float64]]:
        """Return what is kept of each slab that is complete, in their order."""
        return [np.load(self._mark(z0)) for z0 in self.done()]

    def _mark(self, z0: int) -> Path:
        return self.folder / f"slab-{z0:06d}"

    def check_slab(self, z0: int, block: tuple[int, ...], what: str) -> None:
        """Refuse a block of some shape at slice `z0` that is no slab; `what` the volume is, for the message."""
        slices, *plane = self.plan.shape
        depth = min(self.plan.slab_rows, slices - z0)
        if z0 % self.plan.slab_rows or z0 < 0 or block != (depth, *plane):
            raise InputError(
                f"{self.path}: a block {block} at slice {z0} is no slab of this {what}; slabs begin at multiples of "
                f"{self.plan.slab_rows} and are {(depth, *plane)} there"
            )

    def check_complete(self) -> None:
        """Refuse to end the volume before every slab is written."""
        missing = sorted(set(range(0, self.plan.shape[0], self.plan.slab_rows)) - set(self.done()))
        if missing:
            raise InputError(
                f"{self.path}: {len(missing)} of {self.count} slabs are not written, the first at slice "
                f"{missing[0]}; write them, then finish"
            )


def has_plan(folder: Path) -> bool:
    """Tell whether a folder holds the plan of an unfinished volume."""
    return (folder / "plan.json").is_file()


def load_slabs(path: Path, folder: Path, make: Callable[..., PlanT]) -> Slabs[PlanT]:
    """Read the plan of an unfinished volume; raises FormatError where it is damaged."""
    file = folder / "plan.json"
    try:
        stored = json.loads(file.read_text("utf-8"))
        plan = make(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
        )
        np.dtype(plan.dtype)
        if len(plan.shape) != 3 or plan.slab_rows < 1:
            raise ValueError(f"shape {plan.shape}, slabs of {plan.slab_rows}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise FormatError(
            f"{file}: the plan of this unfinished volume is damaged ({problem}); remove {folder} and what is "
            f"written of {path.name}, and write it again"
        ) from problem
    return Slabs(path, folder, plan)


def check_volume(path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any], slab_rows: int) -> None:
    """Refuse lengths of zero and types that are no integer or float of at most 64 bits."""
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or min(shape) < 1 or slab_rows < 1:
        raise InputError(
            f"{path}: a volume of shape {shape}, type {dtype} and slabs of {slab_rows} cannot be written; all "
            f"lengths must be above zero and the type an integer or a float of at most 64 bits"
        )
