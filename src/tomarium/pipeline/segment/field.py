"""What of a slice holds values: the inscribed circle of a parallel-beam reconstruction, or all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from tomarium.errors import ParameterError
from tomarium.model import Volume

Field = Literal["auto", "circle", "box"]
FIELDS: Final[tuple[Field, ...]] = ("auto", "circle", "box")


def field_of(volume: Volume, field: Field = "auto") -> tuple[Literal["circle", "box"], str]:
    """Tell which voxels of a slice count, and why.

    Parameters
    ----------
    volume : Volume
        Any.
    field : {"auto", "circle", "box"}
        As it was asked for; auto takes the circle only where the volume tells that it was reconstructed in one.

    Returns
    -------
    field : {"circle", "box"}
        Slices that are not square have no circle that a reconstruction fills.
    source : str
        Why, in words.

    Raises
    ------
    ParameterError
        There is no such field, or a circle was asked for of slices that are not square.
    """
    if field not in FIELDS:
        raise ParameterError(f"there is no field {field!r}; give one of {', '.join(FIELDS)}")
    rows, columns = volume.shape[1:3]
    if field == "circle" and rows != columns:
        raise ParameterError(
            f"{volume.path or volume.name}: slices of {rows} × {columns} voxels are not square, and were not "
            f"reconstructed in a circle; give the field box"
        )
    if field != "auto":
        return field, "given by the user"
    field_told, why = stated_field(volume)
    return (field_told, why) if field_told else ("box", why)


def stated_field(volume: Volume) -> tuple[Literal["circle", "box", ""], str]:
    """Find what a volume tells of its field.

    Parameters
    ----------
    volume : Volume
        Any.

    Returns
    -------
    field : {"circle", "box", ""}
        "" where its slices are square and nothing tells how they were made.
    source : str
        What tells it, in words.
    """
    if volume.shape[1] != volume.shape[2]:
        return "box", "its slices are not square"
    if "aligned_slices" in volume.metadata:
        return "box", "its slices were taken one by one and aligned"
    labels = _mapping(volume.metadata.get("segmentation")).get("field")
    if labels in ("circle", "box"):
        return labels, f"it was segmented so ({labels})"
    if "stitched" in volume.metadata:
        return _field_of_parts(volume, _mapping(volume.metadata["stitched"]))
    if (before := _mapping(volume.metadata.get("denoised")).get("field")) in ("circle", "box"):
        return before, f"it was denoised, and was so before ({before})"
    if (before := _mapping(volume.metadata.get("resampled")).get("field")) in ("circle", "box"):
        return before, f"it was put into other voxels, and was so before ({before})"
    return _field_of_run(_mapping(volume.metadata.get("provenance")))


def _field_of_parts(volume: Volume, stitched: Mapping[str, Any]) -> tuple[Literal["circle", "box"], str]:
    """Tell the field of volumes that were stitched: their circle where all have one, of slices as wide as theirs."""
    shapes = [_mapping(account).get("shape") for account in stitched.get("volumes") or ()]
    beside = any(not isinstance(shape, list) or tuple(shape[1:]) != volume.shape[1:] for shape in shapes)
    if (
        stitched.get("field")
        and not beside
        and all(field_of_part == "circle" for field_of_part in stitched["field"])
    ):
        return "circle", "it was stitched of volumes in circles, one above the other"
    return "box", "it was stitched of volumes beside each other, or of boxes"


def _field_of_run(provenance: Mapping[str, Any]) -> tuple[Literal["circle", "box", ""], str]:
    """Tell the field of a run of `tomarium run`, whose slices are as wide as their circle where no region was cut."""
    steps_told = _mapping(provenance.get("frozen") or provenance.get("protocol")).get("steps")
    if provenance.get("output") != "volume" or not isinstance(steps_told, list) or not steps_told:
        return "", "nothing tells that it was reconstructed in a circle"
    steps = [(name, _mapping(values)) for entry in steps_told for name, values in _mapping(entry).items()]
    if any(values.get("region") for _, values in steps):
        return "box", "it is a region that was cut out of a reconstruction"
    return (
        "circle",
        f"it was reconstructed from parallel beams in a circle ({', '.join(name for name, _ in steps[-1:])})",
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
