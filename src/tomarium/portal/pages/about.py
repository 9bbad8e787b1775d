"""What this is, and how to search, look and take."""

from __future__ import annotations

from dataclasses import dataclass

from tomarium import __version__
from tomarium.portal.page import Page
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
    """

    title: str
    version: str
    standards: tuple[str, ...]
    origins: dict[str, str]
    origin: str


def content(request_context: CurrentRequest) -> AboutPage:
    """Tell what this catalogue is and how it is used."""
    return AboutPage(
        title="About and help",
        version=__version__,
        standards=tuple(known.title for known in collect("standards", Standard).values()),
        origins=dict(ORIGINS),
        origin=request_context.origin,
    )


ABOUT = Page(
    name="about",
    path="/about",
    json_path="/about.json",
    template="about.html",
    content=content,
    menu="About",
    order=20,
)
