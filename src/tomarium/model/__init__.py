"""Frozen data: what a scan, an image, a slab and a record are. Nothing here opens a file."""

from tomarium.model.entity import Entity
from tomarium.model.geometry import Geometry
from tomarium.model.image import Axis, Image, Volume
from tomarium.model.layout import Layout
from tomarium.model.link import Link
from tomarium.model.mesh import Mesh
from tomarium.model.motor import MotorPositions
from tomarium.model.part import Part
from tomarium.model.person import Person
from tomarium.model.publication import Funding, Publication, Related
from tomarium.model.record import FileEntry, Record
from tomarium.model.scan import FrameKind, Frames, Scan
from tomarium.model.slab import Domain, Slab
from tomarium.model.value import Origin, Value

__all__ = [
    "Axis",
    "Domain",
    "Entity",
    "FileEntry",
    "FrameKind",
    "Frames",
    "Funding",
    "Geometry",
    "Image",
    "Layout",
    "Link",
    "Mesh",
    "MotorPositions",
    "Origin",
    "Part",
    "Person",
    "Publication",
    "Record",
    "Related",
    "Scan",
    "Slab",
    "Value",
    "Volume",
]
