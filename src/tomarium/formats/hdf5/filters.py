"""The filters that chunks of a dataset are packed with: which these are, and what unpacks them."""

from __future__ import annotations

from typing import Final

import h5py

from tomarium.errors import FormatError

# Filters HDF5 brings itself (deflate, shuffle, fletcher32, szip, nbit, scale-offset), and h5py's lzf.
_BUILT_IN: Final = frozenset({1, 2, 3, 4, 5, 6, 32000})


def filters_of(dataset: h5py.Dataset) -> list[int]:
    """List the numbers of a dataset's filters, in the order in which they pack."""
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]


def needs_plugin(dataset: h5py.Dataset) -> bool:
    """Tell whether a dataset is packed with a filter that neither HDF5 nor h5py brings."""
    return any(code not in _BUILT_IN for code in filters_of(dataset))


def load_plugins() -> None:
    """Let HDF5 know the filters of the package hdf5plugin."""
    # Imported only here: it registers some twenty filters, which costs a fifth of a second.
    import hdf5plugin  # noqa: F401


def load_plugins_for(dataset: h5py.Dataset) -> None:
    """Let HDF5 know the filters that a dataset needs and it does not bring itself."""
    if needs_plugin(dataset):
        load_plugins()


def demand_filters(dataset: h5py.Dataset, place: str) -> None:
    """Make ready to unpack a dataset; refuse one whose filter is not installed. `place`: file and dataset."""
    load_plugins_for(dataset)
    for code in filters_of(dataset):
        if not h5py.h5z.filter_avail(code):
            raise FormatError(
                f"{place} is compressed with HDF5 filter {code}, which is not installed; "
                f"install the plugin that brings it, or repack the file with `h5repack -f GZIP=1`"
            )
