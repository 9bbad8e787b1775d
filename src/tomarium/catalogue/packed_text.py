"""Texts that are shown and never asked for, kept by zlib with a dictionary of what records say most.

A text of a thousand letters is too short for zlib to learn from: with the labels of parameters known beforehand it
takes half the room. What was packed without the dictionary is read as before, for zlib's head tells which one it needs.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

from sqlalchemy import LargeBinary, TypeDecorator

# Never to be changed: what was packed by it needs it. What is said most stands at the end, where it costs least.
DICTIONARY: Final = """\
Moment of the series 1
Moments of the series 10
Time since the first moment 1.5 s
Angle at the first projection 0 deg
Height of a pixel over its width 1
Height of a pixel at the sample 1 µm
Roll of the rotation axis in the detector's plane 0.1 deg
Tilt of the rotation axis along the beam 0.1 deg
Shift of the sample along columns 1 px
Shift of the sample along rows 1 px
Sample description
Reconstruction algorithm fbp gridrec
Raw format Data Exchange NeXus EDF TIFF
End of the scan 20
Start of the scan 20
Distance from source to sample 1 m
First angle 0°
Last angle 180°
Beamline ID19 BM05
Technique X-ray tomography, PaNET01207, microtomography, phase contrast
, CC-BY-NC-4.0
CC0-1.0
CC-BY-4.0
Sample
Experimenter
Instrument ID1
Proposal
Detector pco.edge
Scintillator LuAG
Facility ESRF
Voxel size 1.5 µm
Pixel size at the sample 1.5 µm
Photon energy 20 keV
Distance from sample to detector 1.5 m
Exposure time 0.5 s
Ring current 100 mA
Magnification 10
Projections 1000
Flat fields 20
Dark fields 20
Detector rows 2048 px
Detector columns 2048 px
Rotation axis 1024.5 px
Angle step 0.1°
Ratio δ/β 100
Temperature 20 °C
""".encode()


class PackedText(TypeDecorator[str]):
    """Text that is only shown and never asked for."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Any) -> bytes | None:
        """Pack a text."""
        return None if value is None else pack(value)

    def process_result_value(self, value: bytes | None, _dialect: Any) -> str | None:
        """Unpack it."""
        return None if value is None else unpack(value)


def pack(text: str) -> bytes:
    """Pack a text."""
    packing = zlib.compressobj(9, zdict=DICTIONARY)
    return packing.compress(text.encode()) + packing.flush()


def unpack(packed: bytes) -> str:
    """Unpack a text, also one that was packed without the dictionary."""
    unpacking = zlib.decompressobj(zdict=DICTIONARY)
    text = unpacking.decompress(packed)
    if not unpacking.eof:
        raise zlib.error(
            "a packed text of the catalogue ends too early; make the index anew: tomarium index rebuild"
        )
    return text.decode()
