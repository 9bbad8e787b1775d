"""A small CZI that pylibCZIrw 6.1.0 wrote, so that tests need no writer: 2 channels, 3 planes, 6 x 7 pixels."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np

from tomarium.model import Axis, Image

DATA = np.arange(2 * 3 * 6 * 7, dtype=np.uint16).reshape(2, 3, 6, 7) * 37
PACKED = (
    "eNrtVwdwG1UQPfVm9Wb1Fjrn0+lO5cLliCI5QSROjKU4tijJ+fTlCCTZ2AqJQws1oTOEFmpC7y0wdAiE3nsbSugQeu+Bk0+yrYwG"
    "w4wTIuDPnPa//bt7q//2dv5PJ5Id0XnTE7NaIW7wayUPqh2KqWvSy9dvbBGsWjm1dxN/cHNctlmm5WwXKKH/R4OP9HB9JOdOmzZr"
    "TmwmBK2rFMTaipxfsUtVZLyzvODm14slYZ+uMfOq7K7MxWNkG1Rbf2WZrqOL1dGl6uiSdXQTMci21lQ0Hk1FKTJF9w5SZAco5fK5"
    "Ym8iQ4XDEZzI+CNwCA9kYRzHwjDtRzEYDYAwyNARwKAREhnjQCJcDGQkKARtB+0J9UGnQ7dDb0IC3o68Nt4A7yzeXby3eWL+Lvx2"
    "/iL+Ofx7+e/xZYIWQVKwRHC+4H7Bh4ImISrsFB4sXC18ULhRqBbhom7RYaKLRY+IPhNNAL+QcEvxy2sgfhmCCNEhP4AjLJ8wHmRJ"
    "JjKZAIz5iWwYjYQDOIGNw69OHBbvIz5CfJn4cfGXYqNksmS+5GjJlZKnJN9ImqVTpD3S5dJrpM9Kv5faZFNlQHa87HrZC7KfZE55"
    "TL5QfpL8JvnL8l/lHsV0xQGKUxW3KF5T/K6YAH43iLYUv/wG4hfHw/4IGmRglMZZfjEUhwl/FodpjGAyNEpEwkRmHH4nNSWaik0r"
    "m25reqOJr9xBOUt5oPJM5Z3KDUqRamfVHFVJtUp1j+pdlVQNqzvUi9Xnqe9Tf6BWaPyauZqlmgs1D2g+1qi0mLZLe6j2Iu3D2k+1"
    "Wt0E8LtOsjX7M28b5ZemCYyhe4KwPwjCMB6IEHBPBPWzTToUwoMozYQDwXH4Den21i3TXap7TPeFzqAn9Pvpj9JfoX9S/7XebCAN"
    "tOFYw9WGZwzfGazG3Y0Z43HG64zPG380OkzTTL2mE003ml4y/WJym1vN+5tPMd9sftW8yexrngB+V8u2Zn/eVvllcIwmAhEMxjMR"
    "nP3JALgnS2AwQwQwPxMM4DhBj8PvHs2F5tOab21+vZln2d4y09JvOcNyh+Uti9C6k3W2ddB6tvVu6ztWiW1X2162g2zn2tbZ3rfJ"
    "7Yg9ZR+yX2Bfb//IrnQEHPMchzjWOB5yfOLQOIPOCeB3mWJr9udtld9gFiPCWZQ9WvkBA+MoyvJL4yy/WAiEUIIAOAbG4TftPNx5"
    "ifNR5+dOvSvi2td1pOty1xOur1wm927uBe5j3Fe5n3Z/67Z4KA/jWeG51vOc5weP3Rv1Zr0neG/wvuj92evyxX0538m+tb5XfL/5"
    "vJNmTKrDb/V9Y05OVSn4b98vyESB7gXxPmZRARRLFNkGSnSGLtEUmShm+wYKdCnXV6Q4K4pM5paCLipMItxkGHdTIQ53czhNYRxO"
    "czhGBTgc43CKQjmc4nCyipMcbqviNoqM59isBtkM2KKJLaSLRZAfnbkTmSneynyy3+ueTRfAFG882p7wUmR7bgnIp4b6ATVjgB5C"
    "2RRHNSRS8aofCq2GmjG9/a9HQkbzQ8am/efulX0d3f9UrpQHFFhCF/rz7MfDQTLWVxhe7h/K53pi6cTAYncvKIIBugTYE1B1lX3x"
    "SJxof38+x1TYK/+dMb4kMqwgO8FAOUkq1IK2+EmkCkmkxhmpKYQkQ5c/ZrYiSqAwWGZosEQXGTC8g13sdnXS+UWADRkEsJ8tFA6W"
    "t4Sz28yj+297pEc8Aqx9qJ49UskNGUkWGS1rpLbguf4QT3S0xlJzOrqh1ZW+sEJY27P/qdFI9/lGOts20j26kc6UjXR//Tec5f4A"
    "mfiobg=="
)


def write_czi(path: Path) -> None:
    """Write it."""
    path.write_bytes(zlib.decompress(base64.b64decode(PACKED)))


def example_czi() -> Image:
    """Return what it holds."""
    steps = (("z", 2e-6), ("y", 0.65e-6), ("x", 0.65e-6))
    axes = (Axis("channel", 1.0, 0.0, "px"), *(Axis(name, step, 0.0, "m") for name, step in steps))
    return Image(DATA, axes, "", "czi")
