"""Settings of a catalogue: names and addresses of its institution, and how it publishes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue import tables
from tomarium.catalogue.mail_content import read_sender
from tomarium.errors import ParameterError


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    default : str
        Its value where nobody set it.
    help : str
        What it is for.
    """

    default: str
    help: str


SETTINGS: Final[Mapping[str, Setting]] = {
    "name": Setting("tomarium", "Name of this portal, in titles and feeds"),
    "institution": Setting("", "The institution that runs it; also the publisher where that is not set"),
    "publisher": Setting("", "Who publishes the records, as it is cited"),
    "address": Setting(
        "", "Address under which the world sees it, https://data.example.org; DOIs lead there"
    ),
    "contact": Setting("", "Whom to write to, an e-mail address"),
    "imprint": Setting("", "Address of a page with the imprint"),
    "acknowledgement": Setting(
        "", "What those who use its records are asked to write, where a record says nothing"
    ),
    "doi_prefix": Setting("", "Prefix of its DOIs, 10.1234; without one records are published without a DOI"),
    "datacite": Setting(
        "https://api.datacite.org", "The DataCite service, https://api.test.datacite.org to try"
    ),
    "embargo": Setting(
        "3 years", "How long files stay closed after publication where nobody says otherwise; 0: not"
    ),
    "kept": Setting("10 years", "How long the publisher promises to keep what it publishes"),
    "oidc_issuer": Setting(
        "",
        "Address of the identity provider to sign in by, https://orcid.org (its secret: TOMARIUM_OIDC_SECRET)",
    ),
    "oidc_client_id": Setting("", "What the identity provider calls this portal"),
    "oidc_label": Setting("", "What its button says, ORCID; the issuer where it is not set"),
    "oidc_role": Setting(
        "member", "What who comes through it for the first time becomes: member, visitor, or nobody"
    ),
    "second_factor": Setting(
        "nobody",
        "Who may act only with a second factor beside the password, and counts as a member without: nobody, or "
        "curators, administrators among them",
    ),
    "scientists_publish": Setting(
        "no", "Whether instrument scientists publish drafts of their instruments: yes or no"
    ),
    "logo": Setting(
        "", "A picture in the catalogue's folder to show beside the name: logo.svg, .png or .webp"
    ),
    "featured": Setting("", "Identifier of the record on the first page; the newest where it is not set"),
    "smtp_host": Setting("", "The mail server, smtp.example.org; without one no mail is sent"),
    "smtp_port": Setting("587", "Its port"),
    "smtp_security": Setting(
        "starttls", "How the connection to it is protected: starttls, tls from the first byte, or none"
    ),
    "smtp_user": Setting("", "Account there, where it asks for one (its password: TOMARIUM_SMTP_PASSWORD)"),
    "mail_sender": Setting("", "Who the mails are from, Data portal <data@example.org>"),
    "fixity_days": Setting(
        "30", "In how many days workers read every file once and compare it with its checksum; 0: never"
    ),
    "unconfined_reading": Setting(
        "no",
        "Whether files of records and uploads are read for pages where the system cannot keep that to their folder: "
        "yes or no",
    ),
    "curators_choice": Setting(
        "", "Identifier of a published collection whose records the first page shows as Curator’s choice"
    ),
    "rate_searches": Setting(
        "300",
        "Searches that one network or account may ask for in a minute, lists and OAI-PMH too; 0: any number",
    ),
    "rate_files": Setting(
        "12000", "Files, pictures and pieces of uploads that it may ask for in a minute; 0: any number"
    ),
    "rate_forms": Setting("120", "Forms that it may send in a minute; 0: any number"),
    "rate_pages": Setting("1200", "Other pages that it may ask for in a minute; 0: any number"),
}


LONGEST: Final = 2000
FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "address": (re.compile(r"https?://[^\s]+"), "give the whole address, such as https://data.example.org"),
    "imprint": (re.compile(r"https?://[^\s]+"), "give the whole address, such as https://data.example.org"),
    "datacite": (re.compile(r"https?://[^\s]+"), "give the whole address, such as https://api.datacite.org"),
    "contact": (re.compile(r"[^\s@?&]+@[^\s@?&]+"), "give an e-mail address, such as data@example.org"),
    "doi_prefix": (re.compile(r"10\.[^\s/]+"), "a prefix begins with 10., such as 10.1234"),
    "oidc_issuer": (
        re.compile(r"https://[^\s]+|http://(localhost|127\.0\.0\.1)[^\s]*"),
        "give the whole address, such as https://orcid.org",
    ),
    "smtp_host": (
        re.compile(r"[A-Za-z0-9.:-]{1,253}"),
        "give the name of a host without its port, such as smtp.example.org",
    ),
    "smtp_port": (re.compile(r"[1-9][0-9]{0,4}"), "give a number, such as 587"),
    "fixity_days": (re.compile(r"0|[1-9][0-9]{0,3}"), "give a number of days, such as 30; 0: never"),
    "smtp_security": (re.compile("starttls|tls|none"), "give starttls, tls or none"),
    "oidc_role": (re.compile("member|visitor|nobody"), "give member, visitor or nobody"),
    "second_factor": (re.compile("nobody|curators"), "give nobody or curators"),
    "scientists_publish": (re.compile("yes|no"), "give yes or no"),
    **dict.fromkeys(
        ("rate_searches", "rate_files", "rate_forms", "rate_pages"),
        (
            re.compile("0|[1-9][0-9]{0,6}"),
            "give a number of requests a minute, such as 300, or 0 for any number",
        ),
    ),
    "unconfined_reading": (re.compile("yes|no"), "give yes or no"),
    "logo": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.(svg|png|webp)"),
        "give the name of a file in the catalogue's folder, such as logo.svg",
    ),
}
"""Key → what its values look like, and what to do where one does not."""


def all_settings(connection: Connection) -> dict[str, str]:
    """Return all settings.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.

    Returns
    -------
    dict of str to str
        Key → value, defaults among them.
    """
    values = {key: setting.default for key, setting in SETTINGS.items()}
    return values | {
        row.key: row.value for row in connection.execute(select(tables.settings)) if row.key in values
    }


def change_setting(connection: Connection, key: str, value: str) -> None:
    """Change a setting.

    Parameters
    ----------
    connection : Connection
        That may write.
    key : str
        One of `SETTINGS`.
    value : str
        "" goes back to the default.

    Raises
    ------
    ParameterError
        There is no such setting, or it cannot have this value.
    """
    if key not in SETTINGS:
        near = difflib.get_close_matches(key, SETTINGS, 1)
        raise ParameterError(
            f"there is no setting {key[:60]!r}{f'; {near[0]!r} was meant?' if near else ''} "
            f"(settings: {', '.join(SETTINGS)})"
        )
    line = value.replace("\r\n", " ").replace("\n", " ") if key == "acknowledgement" else value
    if len(value) > LONGEST or not line.isprintable():
        raise ParameterError(f"{key}: give one line of at most {LONGEST} printable characters")
    if value and key in FORMS and not FORMS[key][0].fullmatch(value):
        raise ParameterError(f"{key} {value[:80]!r}: {FORMS[key][1]}")
    if key in ("embargo", "kept") and value:
        from tomarium.catalogue.moments import read_span

        read_span(value)
    if key == "mail_sender" and value:
        read_sender(value)
    connection.execute(delete(tables.settings).where(tables.settings.c.key == key))
    if value:
        connection.execute(insert(tables.settings).values(key=key, value=value.strip().removesuffix("/")))


def publisher(settings: Mapping[str, str]) -> str:
    """Return who publishes.

    Parameters
    ----------
    settings : Mapping of str to str
        As `all_settings` returns them.

    Returns
    -------
    str
        The publisher, or else the institution; "" where neither is set.
    """
    return settings["publisher"] or settings["institution"]
