"""Which images lie on one grid, and the channels that are drawn of them, each with its colour and contrast."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tomarium.errors import ParameterError

MOST_SHOWN: Final = 4
"""Channels of one image that are shown together before anybody chose."""
_COLOUR: Final = re.compile(r"#?([0-9a-fA-F]{6})", re.ASCII)


def groups_of(images: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Put images of one grid together, so that they are channels of one picture.

    Parameters
    ----------
    images : sequence of Mapping
        As `shown_images` gives them.

    Returns
    -------
    list of list of int
        Numbers of images, in their order, maps before spectra; those that cannot be shown are left out, and spectra
        without a map stand alone.
    """
    groups: dict[Any, list[int]] = {}
    for number, image in enumerate(images):
        if not image.get("folder"):
            continue
        key: Any = number
        if image.get("column"):
            sizes = [
                (axis["unit"], f"{axis['scale']:.6g}", f"{axis['offset']:.6g}") if axis else None
                for axis in (image.get("row"), image["column"])
            ]
            key = (image["shape"][0], *image["shape"][2:4], *sizes)
        groups.setdefault(key, []).append(number)
    return sorted(groups.values(), key=lambda group: not images[group[0]].get("column"))


@dataclass(frozen=True)
class Layer:
    """A channel as it is drawn.

    Attributes
    ----------
    number : int
        Among the channels of its group.
    name : str
        For people.
    image, channel : int
        Which image of the group, and which of its channels.
    band : tuple of int or None
        Elements of the spectrum that are summed; None for all.
    on : bool
        Whether it is drawn.
    colour : str
        "#ff0000".
    low, high : float
        Values drawn black and in full colour; NaN where they are those of the map as it comes out.
    told : tuple of str
        Contrast as the reader gave it, "" where it is the usual.
    """

    number: int
    name: str
    image: int
    channel: int
    band: tuple[int, int] | None
    on: bool
    colour: str
    low: float
    high: float
    told: tuple[str, str] = ("", "")

    @property
    def usual(self) -> tuple[str, str]:
        """The contrast in words for its fields."""
        return ("", "") if math.isnan(self.low) else (f"{self.low:.4g}", f"{self.high:.4g}")

    @property
    def written(self) -> str:
        """The layer as `read` takes it."""
        numbers = "," if math.isnan(self.low) else f"{self.low:.9g},{self.high:.9g}"
        return f"{self.number},{self.colour[1:]},{numbers}"

    @staticmethod
    def read(text: str, layers_known: Sequence[Layer]) -> list[Layer]:
        """Read layers from an address: "0,ff0000,0,255;2,00ff00,0,80"; ParameterError where they cannot be."""
        layers = []
        for word in text.split(";") if text else ():
            words = word.split(",")
            colour = _COLOUR.fullmatch(words[1]) if len(words) == 4 else None
            if colour is None or not re.fullmatch(r"\d{1,4}", words[0]) or int(words[0]) >= len(layers_known):
                raise ParameterError(
                    f"channels = {word[:80]!r} is not understood; give number,colour,low,high such as 0,ff0000,0,255"
                )
            layer = layers_known[int(words[0])]
            low, high = (
                (math.nan, math.nan) if words[2:] == ["", ""] else _contrast(words[2], words[3], layer)
            )
            layers.append(
                Layer(layer.number, layer.name, layer.image, layer.channel, layer.band, True, f"#{colour[1]}",
                      low, high)
            )  # fmt: skip
        return layers


def layers_of(
    group: Sequence[Mapping[str, Any]],
    choices: Mapping[str, str],
    band: tuple[int, tuple[int, int]] | None = None,
) -> list[Layer]:
    """List the channels of a group as a reader wants them.

    Parameters
    ----------
    group : sequence of Mapping
        Images of one grid.
    choices : Mapping of str to str
        `onN`, `colourN`, `lowN`, `highN` of channel N; `chosen` where the form was sent.
    band : tuple, optional
        Number of an image in the group, and elements of its spectrum: one channel more, the last, which is drawn alone
        until channels are chosen.

    Returns
    -------
    list of Layer
        Before anybody chose, of an image of several channels up to four are on, else the first channel.

    Raises
    ------
    ParameterError
        A colour or a number is none.
    """
    first = len(group[0]["channels"])
    # A form that was sent before there was a band says nothing of it: the band is then shown alone.
    before_band = sum(len(image["channels"]) for image in group)
    asks_of_band = band is None or f"colour{before_band}" in choices
    chosen = bool(choices.get("chosen")) and asks_of_band
    layers: list[Layer] = []
    for image, image_summary in enumerate(group):
        for channel, entry in enumerate(image_summary["channels"]):
            number = len(layers)
            usual = band is None and image == 0 and (channel < MOST_SHOWN if first > 1 else channel == 0)
            name = str(entry["name"])
            if len(image_summary["channels"]) > 1 and len(group) > 1:
                name = f"{image_summary['name']} {name}"
            if math.prod(image_summary["shape"][4:]) > 1:
                name += " (mean)" if image_summary["pattern"] else " (sum)"
            colour = str(entry["colour"])
            if len(group) > 1 and first == 1 and number:
                colour = _SPREAD[number % len(_SPREAD)]
            contrast = entry["low"], entry["high"]
            layers.append(
                _layer(number, name, image, channel, None, usual, colour, contrast, choices, chosen)
            )  # fmt: skip
    if band is not None:
        number, (image, elements) = len(layers), band
        layers.append(
            _layer(number, "band", image, 0, elements, True, "#ffffff", (math.nan, math.nan), choices, chosen)
        )  # fmt: skip
    return layers


_SPREAD: Final = ("#ffffff", "#ff5050", "#40e060", "#5090ff", "#ffd040", "#ff60ff", "#40e0e0")


def _layer(
    number: int, name: str, image: int, channel: int, band: tuple[int, int] | None, usual: bool, colour: str,
    contrast: tuple[float, float], choices: Mapping[str, str], chosen: bool,
) -> Layer:  # fmt: skip
    on = bool(choices.get(f"on{number}")) if chosen else usual
    text = choices.get(f"colour{number}") or colour
    match = _COLOUR.fullmatch(text)
    if match is None:
        raise ParameterError(f"colour{number} = {text[:40]!r} is no colour; give one such as #ff0000")
    contrast_texts = (choices.get(f"low{number}", ""), choices.get(f"high{number}", ""))
    plain = Layer(number, name, image, channel, band, on, f"#{match[1].lower()}", *contrast)
    if not any(contrast_texts):
        return plain
    low, high = _contrast(contrast_texts[0], contrast_texts[1], plain)
    return Layer(number, name, image, channel, band, on, plain.colour, low, high, contrast_texts)


def _contrast(low_text: str, high_text: str, layer: Layer) -> tuple[float, float]:
    usual = (0.0, 1.0) if math.isnan(layer.low) else (layer.low, layer.high)
    try:
        low, high = float(low_text or usual[0]), float(high_text or usual[1])
    except ValueError:
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(
            f"the values {low_text[:40]!r} and {high_text[:40]!r} of the channel {layer.name[:60]} are no contrast; "
            f"give two numbers, the lower one first"
        )
    return low, high
