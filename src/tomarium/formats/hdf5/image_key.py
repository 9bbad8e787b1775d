"""What the numbers of an NXdetector's `image_key` mean."""

from __future__ import annotations

from typing import Final

from tomarium.model import FrameKind

IMAGE_KEY_KINDS: Final = {
    0: FrameKind.PROJECTION, 1: FrameKind.FLAT, 2: FrameKind.DARK, 3: FrameKind.INVALID,
    4: FrameKind.BACKGROUND, -1: FrameKind.ALIGNMENT,
}  # fmt: skip
"""NXdetector: 0 … 4; -1 is the ESRF's image_key_control."""
