"""Harvesting a PaNOSC search API, or a file of its entities: datasets, documents and instruments."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from tomarium import __version__
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.harvest_sources import Source, begin_listing, end_listing, note
from tomarium.catalogue.harvested import AT_ONCE, Item, Kept, forget_unlisted, keep
from tomarium.errors import FormatError, InputError
from tomarium.standards.panosc import keyed, read_shared, techniques_of

TIMEOUT_S: Final = 5.0
PAGE: Final = 100
TRIES: Final = 3
LARGEST_BYTES: Final = 50_000_000  # of one answer
LARGEST_FILE_BYTES: Final = 500_000_000
KINDS: Final = {"Instruments": "instrument", "Documents": "document", "Datasets": "dataset"}
"""What is listed, in this order, and as what it is kept."""
_INCLUDES: Final[dict[str, list[Any]]] = {
    "Instruments": [],
    "Documents": [
        {"relation": "datasets"},
        {"relation": "parameters"},
        {"relation": "members", "scope": {"include": [{"relation": "person"}, {"relation": "affiliation"}]}},
    ],
    "Datasets": [{"relation": one} for one in ("parameters", "samples", "techniques", "instrument", "files")],
}
_MODELS: Final = {"dataset": "Dataset", "document": "Document", "instrument": "Instrument"}

Progress = Callable[[str, int, int], None]
"""Is told what is listed, how many were read of it, and how many there are (0: not known)."""


class HarvestFailed(InputError):
    """A source did not answer, or not as its protocol says; what was kept of it stays."""


@dataclass(frozen=True)
class Provider:
    """A PaNOSC search API.

    Attributes
    ----------
    address : str
        "https://example.org/panosc/api".
    timeout_s : float
        How long one answer may take.
    wait_s : float
        How long is waited before the second try; before the third one twice as long.
    """

    address: str
    timeout_s: float = TIMEOUT_S
    wait_s: float = 1.0

    def count(self, name: str) -> int:
        """Ask how many there are; 0 where it does not tell."""
        told = self._ask(f"{name}/count", {})
        number = told.get("count") if isinstance(told, dict) else None
        return number if isinstance(number, int) and not isinstance(number, bool) else 0

    def page(self, name: str, skip: int) -> list[Mapping[str, Any]]:
        """Ask for one page, with all that belongs to its entries."""
        wanted = {"include": _INCLUDES[name], "limit": PAGE, "skip": skip, "order": "pid ASC"}
        told = self._ask(name, {"filter": json.dumps(wanted)})
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise HarvestFailed(f"{self.address}/{name} answered something else than a list of objects")
        return told

    def _ask(self, path: str, query: Mapping[str, str]) -> Any:
        # What it has harvested itself is taken from where it comes from, not from here.
        address = f"{self.address}/{path}?{urlencode({'provider': 'own', **query})}"
        for left in reversed(range(TRIES)):
            try:
                return _answer(address, self.timeout_s)
            except HTTPError as problem:
                if (problem.code < 500 and problem.code != 429) or not left:
                    raise HarvestFailed(
                        f"{self.address}/{path} answered {problem.code} {problem.reason}; is it a PaNOSC search API?"
                    ) from problem
            except (URLError, HTTPException, OSError) as problem:
                if not left:
                    reason = getattr(problem, "reason", problem)
                    raise HarvestFailed(
                        f"{self.address} did not answer within {self.timeout_s:g} s, {TRIES} times ({reason}); try "
                        "again later, what was read is kept"
                    ) from problem
            time.sleep(self.wait_s * (TRIES - left))
        raise AssertionError("unreachable")


def _answer(address: str, timeout_s: float) -> Any:
    headers = {"Accept": "application/json", "User-Agent": f"tomarium/{__version__} (harvest)"}
    with urlopen(Request(address, headers=headers), timeout=timeout_s) as answer:
        content = answer.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise HarvestFailed(f"{address[:200]} answered more than {LARGEST_BYTES} bytes; it was not read")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise HarvestFailed(f"{address[:200]} answered no JSON ({problem})") from problem


def read_address(address: str) -> str:
    """Check the address of a PaNOSC search API.

    Raises
    ------
    InputError
        It is none of the web.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{address[:100]!r} is no address; give one such as https://example.org/panosc/api")
    return address.rstrip("/")


def harvest(
    catalogue: Catalogue,
    source: Source,
    provider: Provider | None = None,
    on_progress: Progress | None = None,
) -> Kept:
    """Read all that a PaNOSC search API lists, page by page, and take away what it lists no longer.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    source : Source
        Of the kind "panosc".
    provider : Provider, optional
        How it is asked; by its address by default.
    on_progress : callable, optional
        Is told how far it is.

    Returns
    -------
    Kept
        What became of all items. A harvest that was interrupted goes on with the page it was at.

    Raises
    ------
    HarvestFailed
        The source did not answer as it should. That is noted with it; nothing is taken away then.
    """
    asked = provider or Provider(source.address)
    with catalogue.writing() as connection:
        source = begin_listing(connection, source.number)
    done = Kept()
    try:
        for name, skip in _left(source.token):
            done += _list(catalogue, source, asked, name, skip, on_progress or (lambda *_told: None))
    except HarvestFailed as problem:
        with catalogue.writing() as connection:
            note(connection, source.number, error=str(problem))
        raise
    return done + _end(catalogue, source)


def _left(token: str) -> Iterator[tuple[str, int]]:
    """Tell what is still to be listed, from where a listing was interrupted."""
    name, _, number = token.partition(" ")
    names = list(KINDS)
    start = names.index(name) if name in names else 0
    for one in names[start:]:
        yield one, int(number) if one == name and number.isdecimal() else 0


def _list(
    catalogue: Catalogue, source: Source, provider: Provider, name: str, skip: int, tell: Progress
) -> Kept:
    done, total, before = Kept(), provider.count(name), frozenset[str]()
    while page := provider.page(name, skip):
        pids = frozenset(str(one.get("pid")) for one in page)
        if pids == before:
            raise HarvestFailed(f"{provider.address}/{name} answers the same page again, whatever is skipped")
        before, skip = pids, skip + len(page)
        items = [item for one in page if (item := item_of(KINDS[name], one)) is not None]
        with catalogue.writing() as connection:
            done += keep(connection, source.number, items)
            note(connection, source.number, token=f"{name} {skip}")
        tell(name, skip, total)
        if total and skip >= total:
            break
    if skip < total:
        raise HarvestFailed(f"{provider.address}/{name} has {total} by its own count, and listed only {skip}")
    return done


def _end(catalogue: Catalogue, source: Source) -> Kept:
    with catalogue.writing() as connection:
        gone = forget_unlisted(connection, source.number)
        end_listing(connection, source.number)
    return Kept(deleted=gone)


def harvest_file(
    catalogue: Catalogue, source: Source, file: Path, on_progress: Progress | None = None
) -> Kept:
    """Keep what a file of PaNOSC entities tells, and take away what it tells no longer.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    source : Source
        Of the kind "panosc".
    file : Path
        JSON: that of LoopBack's memory connector, as the reference implementation has it, or an object with lists
        `Datasets`, `Documents` and `Instruments` as the API answers them.
    on_progress : callable, optional
        Is told how far it is.

    Returns
    -------
    Kept
        What became of all items.

    Raises
    ------
    FormatError
        The file cannot be read; nothing is changed then.
    """
    items = read_file(file)
    with catalogue.writing() as connection:
        note(connection, source.number, token="")
        source = begin_listing(connection, source.number)
    done = Kept()
    for start in range(0, len(items), AT_ONCE):
        with catalogue.writing() as connection:
            done += keep(connection, source.number, items[start : start + AT_ONCE])
        if on_progress:
            on_progress("items", min(start + AT_ONCE, len(items)), len(items))
    return done + _end(catalogue, source)


def read_file(file: Path) -> list[Item]:
    """Read the items of a file of PaNOSC entities; see `harvest_file`."""
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise FormatError(
                f"{file}: has more than {LARGEST_FILE_BYTES} bytes; harvest it from its address"
            )
        told = json.loads(file.read_text(encoding="utf-8"))
        lists = _joined(told["models"]) if isinstance(told, dict) and "models" in told else told
        listed = [(kind, one) for name, kind in KINDS.items() for one in lists.get(name, ())]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as problem:
        raise FormatError(
            f"{file}: is no file of PaNOSC entities ({problem}); it is JSON with the lists Datasets, Documents and "
            "Instruments, or a file of LoopBack's memory connector"
        ) from problem
    items = [item for kind, one in listed if isinstance(one, dict) and (item := item_of(kind, one))]
    if not items:
        raise FormatError(f"{file}: holds no dataset, document or instrument with a pid")
    return items


def _joined(models: Mapping[str, Mapping[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """Put together what the tables of LoopBack's memory connector tell, as the API would answer it."""
    rows = {name: [dict(json.loads(text)) for text in table.values()] for name, table in models.items()}

    def of(name: str, key: str, value: Any) -> list[dict[str, Any]]:
        return [row for row in rows.get(name, ()) if row.get(key) == value and value is not None]

    def by(
        name: str, through: str, here: str, there: str, value: Any, id: str = "pid"
    ) -> list[dict[str, Any]]:
        return [one for row in of(through, here, value) for one in of(name, id, row.get(there))]

    for one in rows.get("Dataset", ()):
        one |= {
            "parameters": of("Parameter", "datasetId", one["pid"]),
            "files": of("File", "datasetId", one["pid"]),
            "samples": by("Sample", "DatasetSample", "datasetId", "sampleId", one["pid"]),
            "techniques": by("Technique", "DatasetTechnique", "datasetId", "techniqueId", one["pid"]),
            "instrument": next(iter(of("Instrument", "pid", one.get("instrumentId"))), None),
        }
    for one in rows.get("Document", ()):
        members = [
            row | {"person": next(iter(of("Person", "id", row.get("personId"))), None),
                   "affiliation": next(iter(of("Affiliation", "id", row.get("affiliationId"))), None)}
            for row in of("Member", "documentId", one["pid"])
        ]  # fmt: skip
        linked = of("DocumentDataset", "documentId", one["pid"])
        one |= {"members": members, "parameters": of("Parameter", "documentId", one["pid"]),
                "datasets": [{"pid": row.get("datasetId")} for row in linked]}  # fmt: skip
    return {f"{name}s": rows.get(name, []) for name in _MODELS.values()}


def item_of(kind: str, told: Mapping[str, Any]) -> Item | None:
    """Make what is kept of an entity of the PaNOSC search API; None where it has no identifier.

    Parameters
    ----------
    kind : str
        "dataset", "document" or "instrument".
    told : Mapping
        As the API answers it.

    Returns
    -------
    Item or None
        All that it told is in `content`.
    """
    known = read_shared(_MODELS[kind], told)
    if known is None:
        return None
    body, instrument = known.body, told.get("instrument")
    place = instrument if isinstance(instrument, Mapping) else {}
    samples = [str(one.get("name") or "") for one in body.get("samples", ())]
    size = body.get("size")
    return Item(
        identifier=known.pid,
        kind=kind,
        title=str(body.get("title") or body.get("name") or known.pid),
        description=str(body.get("summary") or ""),
        created=str(body.get("creationDate") or ""),
        keywords=tuple(filter(None, samples)),
        techniques=techniques_of(body),
        instrument=str(place.get("name") or ""),
        facility=str(place.get("facility") or ""),
        doi=known.pid if known.pid.startswith("10.") else "",
        address=f"https://doi.org/{known.pid}" if known.pid.startswith("10.") and "/" in known.pid else "",
        bytes=int(size) if isinstance(size, (int, float)) and 0 <= size < 2**62 else 0,
        parameters=keyed(body.get("parameters", ())),
        content=dict(told),
    )
