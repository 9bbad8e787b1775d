"""Following a persistent identifier as a program does: page, typed links, linksets, metadata, what belongs to it.

It runs where somebody calls it, never in the portal. It asks only hosts that are allowed, follows a redirect only to
such a host, and from the public net never to a machine of a private one, whatever a name leads to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urldefrag, urljoin, urlsplit

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.portal.client import Answer, Limits, Portal, reason_of, web_address
from tomarium.portal.peer_check import is_private
from tomarium.portal.typed_links import (
    LINKSET,
    RELATIONS,
    TypedLink,
    links_in_header,
    links_in_html,
    links_in_linkset,
)
from tomarium.standards.identifiers import DOI

RESOLVER: Final = "https://doi.org"
LIMITS: Final = Limits(silent_s=30.0, whole_s=120.0, bytes=16 << 20)
MOST_PAGES: Final = 200
MOST_REDIRECTS: Final = 5
_ACCEPT: Final = "text/html, application/xhtml+xml, application/linkset+json;q=0.9, */*;q=0.5"
_MOVED: Final = (301, 302, 303, 307, 308)
_PAGES: Final = ("collection", "describes")
"""Relations that lead to other pages, which are followed while the depth allows it."""


@dataclass(frozen=True)
class Step:
    """One thing that was found on the way.

    Attributes
    ----------
    relation : str
        What it is to the page above: "start", "describedby", "item" …
    address : str
        Where it is; of the start, where the identifier led to.
    state : str
        "page", whose links are below; "metadata", which were fetched; "listed", which was not asked; "seen", which
        stands elsewhere in the tree; "refused", which is not allowed; or "failed".
    type, profile : str
        Media type, as it was answered or as the link tells, and the convention it follows.
    told : str
        Why it was refused or failed, and what else is to be known; "" for nothing.
    fetched : str
        When, ISO 8601; "" where it was not.
    bytes : int
        Size of what was fetched.
    sha256 : str
        Of the metadata that were fetched.
    file : str
        Where it was saved, below the folder; "" where it was not.
    links : tuple of Step
        What belongs to it.
    """

    relation: str
    address: str
    state: str
    type: str = ""
    profile: str = ""
    told: str = ""
    fetched: str = ""
    bytes: int = 0
    sha256: str = ""
    file: str = ""
    links: tuple[Step, ...] = ()


class _Refused(Exception):
    """Something that is not allowed to be asked."""


@dataclass
class _Walk:
    hosts: set[str]
    depth: int
    save: Path | None
    tell: Callable[[str], object]
    private: bool | None = None  # whether the start is a machine of a private net; None until it was reached
    seen: set[str] = field(default_factory=set)
    pages: int = 0
    saved: int = 0

    def check_peer(self, peer: str) -> None:
        """Refuse a machine of a private net, unless the start is one itself."""
        private = is_private(peer)
        if self.private is None:
            self.private = private
        if private and not self.private:
            raise _Refused(f"is the machine {peer} of a private net, to which nothing public may lead")


def follow(
    identifier: str,
    *,
    depth: int = 1,
    hosts: Iterable[str] = (),
    resolver: str = RESOLVER,
    save: Path | None = None,
    tell: Callable[[str], object] | None = None,
    private: bool | None = None,
) -> Step:
    """Follow an identifier to its page, and that page's typed links.

    Parameters
    ----------
    identifier : str
        A DOI, or the address of a page.
    depth : int
        How many pages after one another: 1 for the page itself, 2 for the collections it is in too.
    hosts : iterable of str
        Further hosts that may be asked, "data.example.org"; that of the page and of the resolver are allowed.
    resolver : str
        What resolves DOIs.
    save : Path, optional
        Folder that metadata are saved to; it must be empty or not there.
    tell : callable, optional
        Told each address that is asked.
    private : bool, optional
        False where machines of private nets are refused from the start on; by default the start may be one, and then
        all may.

    Returns
    -------
    Step
        The page, with all below it. Files (relation "item") are listed and not fetched.

    Raises
    ------
    InputError
        It is no identifier, it does not lead to a page, or the folder is not empty.
    """
    doi = DOI.fullmatch(identifier.strip())
    start = f"{resolver.rstrip('/')}/{doi[1]}" if doi else identifier.strip()
    first = web_address(start, "10.5072/tooth.v1 or https://data.example.org/records/tooth")
    if save is not None and save.exists() and (not save.is_dir() or any(save.iterdir())):
        raise InputError(f"{save}: is not empty; give a folder that is empty or not there by --save")
    allowed = {host.lower() for host in (first.hostname or "", urlsplit(resolver).hostname or "", *hosts)}
    walk = _Walk(allowed, depth, save, tell or (lambda _address: None), private)
    step = _visit(walk, TypedLink("start", start), 1, lead=doi is not None)
    if step.state in ("failed", "refused"):
        raise InputError(f"{identifier[:120]}: {step.told}")
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        notes = {"followed": identifier, "tomarium": __version__, "found": asdict(step)}
        (save / "followed.json").write_text(json.dumps(notes, indent=1, ensure_ascii=False), encoding="utf-8")
    return step


def _visit(walk: _Walk, link: TypedLink, level: int, *, lead: bool = False) -> Step:
    """Ask for a page, and for what its links lead to."""
    step = Step(link.relation, link.address, "page", link.type, link.profile)
    try:
        answer, chain = _ask(walk, link.address, lead=lead)
    except _Refused as problem:
        return replace(step, state="refused", told=str(problem))
    except (OSError, InputError) as problem:
        return replace(step, state="failed", told=_told(problem))
    if answer.status != 200:
        return replace(step, state="failed", told=f"{answer.address[:120]} answered {answer.status}")
    walk.seen |= {_plain(text) for text in chain}
    page = answer.address
    media_type = _media_type(answer)
    links = links_in_header(answer.headers.get_all("Link") or (), page)
    if "html" in media_type:
        links += links_in_html(answer.content, page)
    names = [*chain, *(link.address for link in links if link.relation == "cite-as")]
    reason, sets = "", list[Step]()
    for typed_link in [link for link in links if link.relation == "linkset"]:
        linkset, more = _read_linkset(walk, typed_link, names)
        sets.append(linkset)
        links += more
    if not links:
        reason = "gives no typed links (Signposting); what it says is for people"
    elif not any(link.relation in ("describedby", "item") for link in links):
        reason = "tells of no metadata and no files"
    below = [_below(walk, typed_link, level) for typed_link in _once(links)]
    order = sorted([*sets, *below], key=lambda found_step: RELATIONS.index(found_step.relation))
    step = replace(
        step, address=page, type=media_type, told=reason, fetched=_now(), bytes=len(answer.content)
    )
    return replace(step, links=tuple(order))


def _below(walk: _Walk, link: TypedLink, level: int) -> Step:
    listed = Step(link.relation, link.address, "listed", link.type, link.profile)
    if link.relation == "describedby":
        return _read_metadata(walk, link)
    if link.relation in _PAGES and level < walk.depth:
        if _plain(link.address) in walk.seen:
            return replace(listed, state="seen")
        return _visit(walk, link, level + 1)
    return listed


def _read_linkset(walk: _Walk, link: TypedLink, pages: Sequence[str]) -> tuple[Step, list[TypedLink]]:
    step, answer = _fetch(walk, link)
    if answer is None:
        return step, []
    kind = _media_type(answer) if LINKSET in _media_type(answer) else link.type or LINKSET
    try:
        links = links_in_linkset(answer.content, kind, answer.address, pages)
    except ValueError as problem:
        return replace(step, state="failed", told=f"is no linkset ({str(problem)[:120]})"), []
    return step, [link for link in links if link.relation != "linkset"]


def _read_metadata(walk: _Walk, link: TypedLink) -> Step:
    step, answer = _fetch(walk, link)
    if answer is None or walk.save is None:
        return step
    walk.saved += 1
    named = answer.headers.get_filename() or urlsplit(answer.address).path.rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", named)[-60:].lstrip(".-")
    file = f"{walk.saved:02d}-{name or 'metadata'}"
    walk.save.mkdir(parents=True, exist_ok=True)
    (walk.save / file).write_bytes(answer.content)
    return replace(step, file=file)


def _fetch(walk: _Walk, link: TypedLink) -> tuple[Step, Answer | None]:
    step = Step(link.relation, link.address, "metadata", link.type, link.profile)
    if _plain(link.address) in walk.seen:
        return replace(step, state="seen"), None
    walk.seen.add(_plain(link.address))
    try:
        answer, _ = _ask(walk, link.address, accept=link.type)
    except _Refused as problem:
        return replace(step, state="refused", told=str(problem)), None
    except (OSError, InputError) as problem:
        return replace(step, state="failed", told=_told(problem)), None
    if answer.status != 200:
        return replace(step, state="failed", told=f"answered {answer.status}"), None
    digest = hashlib.sha256(answer.content).hexdigest()
    kind = _media_type(answer) or link.type
    return replace(step, type=kind, fetched=_now(), bytes=len(answer.content), sha256=digest), answer


def _ask(walk: _Walk, address: str, *, accept: str = "", lead: bool = False) -> tuple[Answer, list[str]]:
    """Get something, and follow redirects to hosts that are allowed; a DOI's may lead to any host, which then is."""
    chain = [address]
    for _ in range(MOST_REDIRECTS + 1):
        _demand_allowed(walk, chain[-1])
        walk.pages += 1
        if walk.pages > MOST_PAGES:
            raise _Refused(f"was not asked: {MOST_PAGES} addresses were asked already")
        walk.tell(chain[-1])
        agent = {
            "User-Agent": f"tomarium/{__version__} (follow)",
            "Accept": f"{accept}, */*;q=0.5" if accept else _ACCEPT,
        }
        answer = Portal(chain[-1], headers=agent, limits=LIMITS, peer=walk.check_peer).ask("GET", chain[-1])
        if walk.private is None:  # a proxy was asked, which serves the public net
            walk.private = False
        if answer.status not in _MOVED or not answer.headers.get("Location"):
            return answer, chain
        target = urljoin(chain[-1], answer.headers["Location"])
        parts = web_address(target)
        if urlsplit(chain[-1]).scheme == "https" and parts.scheme == "http":
            raise _Refused(f"leads from https to {target[:120]}, which anybody on the way could change")
        if lead and parts.hostname:
            walk.hosts.add(parts.hostname)
        chain.append(target)
    raise InputError(f"leads on more than {MOST_REDIRECTS} times")


def _demand_allowed(walk: _Walk, address: str) -> None:
    host = web_address(address).hostname or ""
    if host not in walk.hosts:
        raise _Refused(f"is at {host}, which is not asked; allow it with --host {host}")


def _told(problem: Exception) -> str:
    return f"does not answer: {reason_of(problem)}" if isinstance(problem, URLError) else str(problem)


def _once(links: Iterable[TypedLink]) -> list[TypedLink]:
    """Take each link once: what a header tells, a linkset tells again."""
    first_links: dict[tuple[str, str], TypedLink] = {}
    for link in links:
        if link.relation != "linkset":
            first_links.setdefault((link.relation, link.address), link)
    return list(first_links.values())


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _plain(address: str) -> str:
    return urldefrag(address).url


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
