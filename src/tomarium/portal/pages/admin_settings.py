"""Settings of the catalogue, as a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Query

from tomarium.catalogue.settings import SETTINGS, all_settings
from tomarium.portal.administration import Tab, demand_section, tabs
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "The house": (
        "name",
        "institution",
        "logo",
        "contact",
        "imprint",
        "address",
        "featured",
        "curators_choice",
    ),
    "Publishing": (
        *("publisher", "embargo", "kept", "acknowledgement", "doi_prefix", "datacite"),
        "scientists_publish",
    ),
    "Files": ("fixity_days", "unconfined_reading"),
    "Mail": ("smtp_host", "smtp_port", "smtp_security", "smtp_user", "mail_sender"),
    "Requests a minute": ("rate_searches", "rate_files", "rate_forms", "rate_pages"),
    "Signing in": ("oidc_issuer", "oidc_client_id", "oidc_label", "oidc_role", "second_factor"),
}
"""Heading → keys; what is in none stands under "More"."""
LABELS: Final[Mapping[str, str]] = {
    "name": "Name",
    "institution": "Institution",
    "logo": "Logo",
    "contact": "Contact",
    "imprint": "Imprint",
    "address": "Address",
    "featured": "Record on the first page",
    "curators_choice": "Curator’s choice",
    "publisher": "Publisher",
    "embargo": "Embargo by default",
    "kept": "Kept for",
    "acknowledgement": "Acknowledgement",
    "doi_prefix": "DOI prefix",
    "datacite": "DataCite service",
    "scientists_publish": "Instrument scientists publish",
    "second_factor": "Second factor demanded of",
    "fixity_days": "Days of the rolling audit",
    "unconfined_reading": "Read without confinement",
    "smtp_host": "Mail server",
    "smtp_port": "Port",
    "smtp_security": "Protection",
    "smtp_user": "User",
    "mail_sender": "Sender",
    "rate_searches": "Searches",
    "rate_files": "Files and pictures",
    "rate_forms": "Forms",
    "rate_pages": "Other pages",
    "oidc_issuer": "Identity provider",
    "oidc_client_id": "Name of this portal there",
    "oidc_label": "Words on the button",
    "oidc_role": "Role of newcomers",
}


@dataclass(frozen=True)
class Row:
    """A setting.

    Attributes
    ----------
    key, label, help : str
        Its key, its name for people, and what it is for.
    value, default : str
        What it is, and what it is where nobody set it.
    """

    key: str
    label: str
    help: str
    value: str
    default: str


@dataclass(frozen=True)
class SettingsPage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    groups : dict of str to tuple of Row
        Heading → settings.
    said : str
        What was just done.
    tabs : tuple of Tab
        The sections.
    """

    title: str
    groups: dict[str, tuple[Row, ...]]
    said: str = field(metadata=FOR_PEOPLE)
    tabs: tuple[Tab, ...] = field(metadata=FOR_PEOPLE)


def content(
    request_context: CurrentRequest,
    said: Annotated[str, Query(max_length=1000, include_in_schema=False)] = "",
) -> SettingsPage:
    """Show the settings: institution, logo, imprint, contact, acknowledgement, retention, embargo and others."""
    reader = demand_section(request_context, "settings")
    with request_context.catalogue.reading() as connection:
        values = all_settings(connection)
    named = {key for keys in GROUPS.values() for key in keys}
    groups = {**GROUPS, "More": tuple(key for key in SETTINGS if key not in named)}
    return SettingsPage(
        title="Settings",
        groups={
            heading: tuple(
                Row(key, LABELS.get(key, key), SETTINGS[key].help, values[key], SETTINGS[key].default)
                for key in keys
            )
            for heading, keys in groups.items()
            if keys
        },
        said=said[:300],
        tabs=tabs(request_context, reader, "settings"),
    )


PAGE = Page(
    name="admin.settings",
    path="/admin/settings",
    json_path="/admin/settings.json",
    template="admin_settings.html",
    content=content,
)
