"""Frozen data: what a scan, an image, a slab and a record are. Nothing here opens a file."""

from tomarium.model.geometry import Geometry
from tomarium.model.image import Axis, Image, Volume
from tomarium.model.layout import Layout
from tomarium.model.record import FileEntry, Record
from tomarium.model.scan import FrameKind, Frames, Scan
from tomarium.model.slab import Domain, Slab
from tomarium.model.value import Origin, Value

__all__ = [
    "Axis",
    "Domain",
    "FileEntry",
    "FrameKind",
    "Frames",
    "Geometry",
    "Image",
    "Layout",
    "Origin",
    "Record",
    "Scan",
    "Slab",
    "Value",
    "Volume",
]
