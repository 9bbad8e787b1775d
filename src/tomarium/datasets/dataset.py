"""A record as a data set: what it is, how it is cited, its volume, and patches of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tomarium.datasets.patches import Patches, choose_patches
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.spatial_blocks import FRACTIONS
from tomarium.model import Record, Volume
from tomarium.model.image import Sliceable, axes_of_level
from tomarium.model.wording import brief
from tomarium.standards.citation import cite, licence_told


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A record that is open to who asks.

    Attributes
    ----------
    metadata : Record
        All that is known of it: `metadata.parameters["pixel_m"].value`, `metadata.creators` …
    address : str
        Of its page, or its folder.
    """

    metadata: Record
    address: str
    _open: Callable[[], Volume | None]
    _load: Callable[[str], Dataset]

    def __repr__(self) -> str:
        record = self.metadata
        summary = record.volume
        shape = " × ".join(map(str, summary.get("shape") or ()))
        rows = [
            ("title", brief(record.title, 90)),
            ("citation", brief(self.citation, 300)),
            ("licence", self.licence),
            ("volume", f"{shape} voxels (z, y, x), {summary.get('dtype', '')}" if shape else "none"),
            ("levels", str(len(self.volume.levels)) if shape else ""),
            ("at", self.address),
        ]
        lines = [f"  {name:<9} {text}" for name, text in rows if text]
        return "\n".join(
            [f"Dataset {record.id}", *lines, "  use       .volume, .metadata, .patches(64, split='train')"]
        )

    @property
    def citation(self) -> str:
        """How it is cited."""
        return cite(self.metadata, self.address if self.address.startswith("http") else "")

    @property
    def licence(self) -> str:
        """SPDX identifier of its licence, or a sentence that none was stated."""
        return licence_told(self.metadata)

    @cached_property
    def volume(self) -> Volume:
        """Its volume, lazy: `volume.levels[2]`, `volume[40]`, `volume.to_xarray(level=1)`; read when it is sliced."""
        volume = self._open()
        if volume is None:
            kinds = ", ".join(dict.fromkeys(part.kind for part in self.metadata.parts)) or "files"
            raise InputError(f"{self.address}: has no volume, but {kinds}; take its files by tomarium pull")
        return volume

    def patches(
        self,
        size: int | Sequence[int],
        *,
        split: str,
        level: int = 0,
        number: int | None = None,
        seed: int = 0,
        labels: Dataset | str | None = None,
        fractions: Sequence[float] = FRACTIONS,
        gap: int | None = None,
        split_seed: int = 0,
    ) -> Patches:
        """Give patches of the volume for learning.

        The volume is cut into blocks with gaps between, and each block belongs to one split, so that no voxel of a
        patch for training lies in one for validation or test, nor right beside it. Splits are the same for the same
        size, level, gap, fractions and `split_seed`, whatever the seed.

        Parameters
        ----------
        size : int or sequence of int
            Voxels of a cube; of a box (z, y, x); or of a part of a slice (y, x), whose patches have two axes.
        split : str
            "train", "validation" or "test".
        level : int
            Level of the volume; 0 is the finest.
        number : int, optional
            How many patches to draw at random places; by default all that lie side by side.
        seed : int
            Of the places and of the order: the same on any machine.
        labels : Dataset or str, optional
            A record on the same grid, such as a segmentation of this one, or where it is as of `load`.
        fractions : sequence of float
            Of train, validation and test: 70, 15 and 15 % by default. What blocks allow is in the text of the result.
        gap : int, optional
            Voxels between two blocks; the longest side of a patch by default.
        split_seed : int
            Another number gives other blocks to the splits.

        Returns
        -------
        Patches
            To be gone through: each gives `data`, `position` and `labels`. Nothing is read before.

        Raises
        ------
        ParameterError
            There is no such level or split, the volume is too small for the patches, or the labels lie on another grid.
        InputError
            The record has no volume.
        """
        other = self._labels(labels)
        data = _level_of(self, level)
        level_of_labels = None if other is None else _level_of(other, level)
        if other is not None:
            _demand_same_grid(self, other, level)
        return choose_patches(
            data,
            level_of_labels,
            size,
            split=split,
            number=number,
            seed=seed,
            fractions=fractions,
            gap=gap,
            split_seed=split_seed,
        )

    def _labels(self, labels: Dataset | str | None) -> Dataset | None:
        return self._load(labels) if isinstance(labels, str) else labels


def _level_of(dataset: Dataset, level: int) -> Sliceable:
    levels: Sequence[Any] = dataset.volume.levels
    if not 0 <= level < len(levels):
        raise ParameterError(
            f"level {level} of {dataset.metadata.id} was asked for; it has the levels 0 to {len(levels) - 1}"
        )
    data: Sliceable = levels[level]
    return data


def _demand_same_grid(own: Dataset, other: Dataset, level: int) -> None:
    """Refuse labels whose voxels are not those of the volume: another shape, another size, or another place."""
    shapes = [tuple(int(n) for n in dataset.volume.levels[level].shape) for dataset in (own, other)]
    axes = [axes_of_level(dataset.volume, 0, dataset.volume.shape) for dataset in (own, other)]
    in_metres = all(axis.unit == "m" for side in axes for axis in side)
    same = shapes[0] == shapes[1] and own.volume.shape == other.volume.shape
    for own_axis, other_axis in zip(*axes, strict=True):
        near = abs(own_axis.scale - other_axis.scale) <= 1e-6 * own_axis.scale
        same &= not in_metres or (near and abs(own_axis.offset - other_axis.offset) <= 0.5 * own_axis.scale)
    if not same:
        texts = [
            f"{dataset.metadata.id} has {' × '.join(map(str, shape))} voxels"
            for dataset, shape in zip((own, other), shapes, strict=True)
        ]
        raise ParameterError(
            f"labels: {texts[0]} and {texts[1]} at level {level}, or their voxels have other sizes or places; give "
            f"labels on the same grid, such as tomarium segment makes"
        )
