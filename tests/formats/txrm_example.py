"""Streams of Zeiss files for tests: what txrm, xrm and txm have in common, as the real sample has it."""

from __future__ import annotations

import struct

import numpy as np

CODES = {"u1": 3, "u2": 5, "f4": 10, "i2": 4}


def zeiss_streams(stack: np.ndarray, angles: np.ndarray | None) -> dict[str, bytes]:
    """Make the streams of a file with these frames (frame, row, column) and angles in degrees."""
    count, rows, columns = stack.shape
    floats = lambda *numbers: struct.pack(f"<{len(numbers)}f", *numbers)  # noqa: E731
    whole = lambda number: struct.pack("<I", number)  # noqa: E731
    streams = {
        "Version": floats(3.0),
        "ImageInfo/NoOfImages": whole(count),
        "ImageInfo/ImagesTaken": whole(count),
        "ImageInfo/ImageWidth": whole(columns),
        "ImageInfo/ImageHeight": whole(rows),
        "ImageInfo/DataType": whole(CODES[stack.dtype.str[1:]]),
        "ImageInfo/PixelSize": floats(0.65),
        "ImageInfo/Energy": floats(20.0, *[0.0] * 60),
        "ImageInfo/ExpTimes": floats(*[5.0] * count),
        "ImageInfo/StoRADistance": floats(*[-50.0] * count),
        "ImageInfo/DtoRADistance": floats(*[100.0] * count),
        "ImageInfo/Date": b"11/09/15 18:19:21".ljust(40, b"\0"),
        "ImageInfo/CameraName": b"Imaging".ljust(80, b"\0"),
        "SampleInfo/SampleID": b"a bone".ljust(50, b"\0"),
        "PositionInfo/AxisUnits": b"\xb5m".ljust(30, b"\0"),
    }
    if angles is not None:
        streams["ImageInfo/Angles"] = angles.astype("<f4").tobytes()
    for number, frame in enumerate(stack, 1):
        streams[f"ImageData{1 + (number - 1) // 100}/Image{number}"] = frame.astype(
            frame.dtype.newbyteorder("<")
        ).tobytes()
    return streams
