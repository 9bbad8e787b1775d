"""Identifiers of other things, as people write them: what kind they are, and where they lead."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

DOI: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
"""A DOI, bare or as an address; its first group is the bare one."""
_IGSN: Final = re.compile(r"(?:https?://(?:www\.)?igsn\.org/|igsn[:\s]\s*)(\S+)", re.IGNORECASE)
_URL: Final = re.compile(r"https?://[^\s\"<>{}|\\^`]+")
_RECORD: Final = re.compile(r"[a-z0-9-]+")


def classify(identifier: str, address: str = "") -> tuple[str, str]:
    """Tell what an identifier is.

    Parameters
    ----------
    identifier : str
        A DOI or IGSN, bare or as an address, another address, or the identifier of a record of the same catalogue.
    address : str, optional
        Address of the page of a record, beside which the other's is; without it an identifier of a record is none.

    Returns
    -------
    identifier : str
        The bare DOI or IGSN, or the address.
    kind : str
        "DOI", "IGSN" or "URL"; "" where it is none of them, as a museum's number.
    """
    text = identifier.strip()
    if doi := DOI.fullmatch(text):
        return doi[1], "DOI"
    if igsn := _IGSN.fullmatch(text):
        return igsn[1], "IGSN"
    if _URL.fullmatch(text):
        return text, "URL"
    beside = address.rstrip("/").rpartition("/")[0]
    return (f"{beside}/{text}", "URL") if beside and _RECORD.fullmatch(text) else (text, "")


def place_of(identifier: str, address: str = "") -> str:
    """Return the address that an identifier leads to, "" where it leads nowhere; arguments as of `classify`."""
    text, kind = classify(identifier, address)
    if kind == "DOI":
        return doi_address(text)
    if kind == "IGSN":
        return f"https://igsn.org/{quote(text, safe='.-_')}"
    return text if kind else ""


def doi_address(doi: str) -> str:
    """Return the address of a bare DOI, "https://doi.org/10.5072/tooth.v1"."""
    return f"https://doi.org/{quote(doi, safe='/:;()._-')}"


def read_award(award: str) -> tuple[str, str, str]:
    """Part the number or title of a grant from the identifier behind it.

    Parameters
    ----------
    award : str
        "101000000", "Teeth of the past https://cordis.europa.eu/project/id/101000000", "10.3030/101000000" …

    Returns
    -------
    words, identifier, address : str
        The number or title; the bare DOI, or the address; and the address it leads to. "" for what is not there.
    """
    text = " ".join(award.split())
    words, _, last = ("", "", text) if classify(text)[1] else text.rpartition(" ")
    identifier, kind = classify(last)
    if kind not in ("DOI", "URL"):
        return text, "", ""
    return words.removesuffix("doi:").strip(), identifier, place_of(last)
