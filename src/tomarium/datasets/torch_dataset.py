"""Patches as a data set of PyTorch, whose workers take parts that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tomarium.errors import EngineUnavailable

if TYPE_CHECKING:
    from tomarium.datasets.patches import Patches


def to_torch(patches: Patches) -> Any:
    """Give patches as a torch.utils.data.IterableDataset.

    Parameters
    ----------
    patches : Patches
        Of one split.

    Returns
    -------
    torch.utils.data.IterableDataset
        Gives a dict for each patch: `data`, `position` and, where there are any, `labels`. With a DataLoader of
        several workers each reads a part of its own.

    Raises
    ------
    EngineUnavailable
        PyTorch is not installed.
    """
    try:
        from torch.utils.data import IterableDataset, get_worker_info
    except ImportError as problem:
        raise EngineUnavailable(
            f"torch is needed for this and is not installed ({problem}); install it as https://pytorch.org says, or go "
            f"through the patches themselves"
        ) from problem

    class TorchPatches(IterableDataset):  # type: ignore[misc]
        """Patches of a record."""

        def __iter__(self) -> Iterator[dict[str, Any]]:
            worker = get_worker_info()
            own = patches if worker is None else patches.of_part(worker.id, worker.num_workers)
            for patch in own:
                item = {"data": patch.data, "position": patch.position}
                yield item if patch.labels is None else {**item, "labels": patch.labels}

        def __len__(self) -> int:
            return len(patches)

    return TorchPatches()
