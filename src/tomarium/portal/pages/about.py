"""What this is, and how to search, look and take."""

from __future__ import annotations

from dataclasses import dataclass, field

from tomarium import __version__
from tomarium.model.entity import KINDS
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest
from tomarium.registry import collect
from tomarium.standards.standard import Standard
from tomarium.viewers.parameters import ORIGINS


@dataclass(frozen=True)
class AboutPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    version : str
        Of tomarium.
    standards : tuple of str
        Metadata standards that records are exported in.
    origins : dict of str to str
        What the marks of origin mean.
    origin : str
        Scheme, host and port, for examples that are copied.
    kinds : tuple
        Name of each kind of thing that records are of or come from, and of its page.
    """

    title: str
    version: str
    standards: tuple[str, ...]
    origins: dict[str, str]
    origin: str
    kinds: tuple[tuple[str, str], ...] = field(metadata=FOR_PEOPLE)


def content(request_context: CurrentRequest) -> AboutPage:
    """Tell what this catalogue is and how it is used."""
    return AboutPage(
        title="About and help",
        version=__version__,
        standards=tuple(standard.title for standard in collect("standards", Standard).values()),
        origins=dict(ORIGINS),
        origin=request_context.origin,
        kinds=tuple((kind.plural.capitalize(), kind.plural) for kind in KINDS.values()),
    )


ABOUT = Page(
    name="about",
    path="/about",
    json_path="/about.json",
    template="about.html",
    content=content,
)
