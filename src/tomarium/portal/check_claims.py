"""Asking the other side of claims that two specimens are the same sample, where somebody calls it; never in the portal.

Of a page, the JSON that its typed links name (Signposting) is read, as a specimen of tomarium tells it; of a DOI or an
IGSN, the related identifiers that DataCite has, and then the page behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.model.same_sample import CLAIMED, CONFIRMED, NOT_REACHABLE, WITHDRAWN, SameSampleClaim
from tomarium.portal.client import Portal
from tomarium.portal.follow import LIMITS, RESOLVER, Step, follow
from tomarium.portal.peer_check import is_private
from tomarium.standards.identifiers import classify, place_of

DATACITE: Final = "https://api.datacite.org"
_SAME: Final = "IsIdenticalTo"


def _no_report(address: str) -> None:
    """Tell nobody that an address is asked."""


@dataclass(frozen=True)
class Asking:
    """Whom claims are checked with.

    Attributes
    ----------
    datacite : str
        Address of the REST API of DataCite.
    resolver : str
        What resolves DOIs.
    private : bool
        Whether machines of private nets may be asked, too.
    tell : callable
        Told each address that is asked.
    """

    datacite: str = DATACITE
    resolver: str = RESOLVER
    private: bool = False
    tell: Callable[[str], object] = _no_report


def check_claim(claim: SameSampleClaim, names: Sequence[str], asking: Asking) -> tuple[str, str]:
    """Ask the other side of a claim whether it claims the same.

    Parameters
    ----------
    claim : SameSampleClaim
        One that stands.
    names : sequence of str
        Addresses by which the other may name the specimen (`catalogue.same_sample.own_names`).
    asking : Asking
        Whom to ask.

    Returns
    -------
    state, told : str
        "claimed", "confirmed" or "not-reachable", and why, in a sentence.
    """
    plain_names = {_comparable(name) for name in names}
    doi = classify(claim.target)
    answers = []
    if doi[1] == "DOI":
        answers.append(_by_datacite(doi[0], plain_names, asking))
    if not answers or answers[0][0] != CONFIRMED:
        answers.append(_by_page(claim.target, plain_names, asking))
    for state in (CONFIRMED, CLAIMED):
        if reasons := [text for outcome, text in answers if outcome == state]:
            return state, "; ".join(reasons)
    return NOT_REACHABLE, "; ".join(text for _, text in answers)


def _by_datacite(doi: str, plain_names: set[str], asking: Asking) -> tuple[str, str]:
    address = f"{asking.datacite.rstrip('/')}/dois/{quote(doi, safe='/')}"
    try:
        attributes = _get(address, asking)["data"]["attributes"]
        related = [
            (str(identifier.get("relationType")), place_of(str(identifier.get("relatedIdentifier"))))
            for identifier in attributes.get("relatedIdentifiers") or ()
        ]
    except (OSError, InputError) as problem:
        return NOT_REACHABLE, f"DataCite could not be asked: {problem}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return NOT_REACHABLE, f"{address} gives no metadata of a DOI"
    if any(relation == _SAME and _comparable(place) in plain_names for relation, place in related):
        return CONFIRMED, f"DataCite's metadata of {doi} name it as identical"
    return CLAIMED, f"DataCite's metadata of {doi} do not name it as identical"


def _get(address: str, asking: Asking) -> dict[str, Any]:
    def check_peer(peer: str) -> None:
        if not asking.private and is_private(peer):
            raise InputError(f"{address} is the machine {peer} of a private net; allow it with --private")

    asking.tell(address)
    agent = {"User-Agent": f"tomarium/{__version__} (check-claims)", "Accept": "application/vnd.api+json"}
    answer = Portal(address, headers=agent, limits=LIMITS, peer=check_peer).ask("GET", address)
    if answer.status != 200:
        raise InputError(f"{address} answered {answer.status}")
    return answer.json()


def _by_page(target: str, plain_names: set[str], asking: Asking) -> tuple[str, str]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kept"
        private = None if asking.private else False
        try:
            page = follow(target, resolver=asking.resolver, save=path, tell=asking.tell, private=private)
        except (InputError, OSError) as problem:
            return NOT_REACHABLE, str(problem)
        claims = _claims_of_page(page, path)
    if claims is None:
        return CLAIMED, f"{page.address} tells programs of no claims: it is no page of a specimen of tomarium"
    about = [claim for claim in claims if _comparable(str(claim.get("target", ""))) in plain_names]
    if not about:
        return CLAIMED, f"{page.address} claims nothing of this specimen"
    about.sort(
        key=lambda claim: claim.get("state") == WITHDRAWN
    )  # the other may name it twice, by its page and its DOI
    if about[0].get("state") == WITHDRAWN:
        return CLAIMED, f"{page.address} has withdrawn that it is the same: {about[0].get('withdrawn', '')}"
    signed = ", ".join(str(about[0][key]) for key in ("who", "when") if about[0].get(key))
    return (
        CONFIRMED,
        f"{page.address} claims the same{f' ({signed})' if signed else ''}: {about[0].get('evidence', '')}",
    )


def _claims_of_page(page: Step, folder: Path) -> list[dict[str, Any]] | None:
    """Find the claims in the metadata that a page gives; None where it gives none of a specimen."""
    for step in page.links:
        if step.relation != "describedby" or not step.file or "json" not in step.type:
            continue
        try:
            metadata = json.loads((folder / step.file).read_bytes())
        except ValueError:
            continue
        if isinstance(metadata, dict) and isinstance(metadata.get("claims"), list):
            return [claim for claim in metadata["claims"] if isinstance(claim, dict)]
    return None


def _comparable(address: str) -> str:
    """Spell an address so that two of the same place are equal."""
    identifier, kind = classify(address)
    return place_of(identifier.lower()) if kind == "DOI" else address.partition("#")[0].rstrip("/")
