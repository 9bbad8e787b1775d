"""Telling DataCite what a DOI stands for, by its REST API (https://support.datacite.org/docs/api)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tomarium.errors import InputError

USER: Final = "TOMARIUM_DATACITE_USER"
PASSWORD: Final = "TOMARIUM_DATACITE_PASSWORD"
TIMEOUT_S: Final = 60
_LONGEST_ANSWER: Final = 1 << 20


@dataclass(frozen=True)
class Answer:
    """What became of telling DataCite.

    Attributes
    ----------
    done : bool
        Whether it took it.
    again : bool
        Whether the same may succeed later, without anybody changing anything.
    told : str
        Why not, for people; "" where it took it.
    """

    done: bool
    again: bool = False
    told: str = ""


@dataclass(frozen=True)
class DataCite:
    """A DataCite service and who may write to it.

    Attributes
    ----------
    address : str
        "https://api.datacite.org", or "https://api.test.datacite.org" to try.
    user, password : str
        Of the repository account.
    """

    address: str
    user: str
    password: str

    def tell(self, doi: str, attributes: Mapping[str, Any], event: str) -> Answer:
        """Create a DOI or bring it up to date; telling the same twice changes nothing.

        Parameters
        ----------
        doi : str
            "10.1234/tooth.v1".
        attributes : Mapping
            As `standards.datacite_attributes.attributes` returns them.
        event : str
            "publish" makes it findable, "hide" takes it out of searches and keeps its page.

        Returns
        -------
        Answer
            A busy or absent service is answered with `again`.
        """
        content = {"data": {"type": "dois", "attributes": {**attributes, "doi": doi, "event": event}}}
        answer, status = self._send("PUT", f"/dois/{quote(doi, safe='/')}", content)
        if status == 404:  # some services update by PUT, and create by POST only
            answer, _ = self._send("POST", "/dois", content)
        return answer

    def _send(self, method: str, path: str, content: Mapping[str, Any]) -> tuple[Answer, int]:
        key = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = Request(
            f"{self.address}{path}",
            json.dumps(content).encode(),
            {
                "Content-Type": "application/vnd.api+json",
                "Authorization": f"Basic {key}",
                "User-Agent": "tomarium (DOI registration)",
            },
            method=method,
        )
        try:
            with build_opener(NoRedirects).open(request, timeout=TIMEOUT_S) as response:
                return Answer(True), int(response.status)
        except HTTPError as problem:
            return _refused(problem.code, problem.read(_LONGEST_ANSWER)), problem.code
        except (URLError, HTTPException, OSError) as problem:
            return Answer(False, True, f"{self.address} cannot be reached ({problem})"), 0


class NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: what is secret is sent to the address that was given, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Answer with the redirect itself."""


def service(address: str) -> DataCite:
    """Return the service with the account that the environment tells.

    Parameters
    ----------
    address : str
        As the setting `datacite` says.

    Returns
    -------
    DataCite
        Ready to be told.

    Raises
    ------
    InputError
        The environment tells no account, or the address would send the password in the clear.
    """
    user, password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")
    if not user or not password:
        raise InputError(f"DataCite asks for an account: set {USER} and {PASSWORD} where the worker runs")
    local = address.startswith(("http://localhost:", "http://127.0.0.1:"))
    if not (address.startswith("https://") or local):
        raise InputError(
            f"the setting datacite is {address[:80]!r}, to which a password would be sent in the clear; give an "
            f"address that begins with https://"
        )
    return DataCite(address, user, password)


def _refused(status: int, content: bytes) -> Answer:
    try:
        errors = json.loads(content)["errors"]
        reason = "; ".join(
            f"{error.get('source', '')}: {error['title']}".removeprefix(": ")
            if isinstance(error, dict)
            else str(error)
            for error in errors
        )
    except (ValueError, KeyError, TypeError):
        reason = content[:200].decode(errors="replace")
    if status in (401, 403):
        return Answer(
            False, True, f"DataCite refused the account ({status}: {reason}); check {USER} and {PASSWORD}"
        )
    if status == 429 or status >= 500:
        return Answer(False, True, f"DataCite is busy or broken ({status}: {reason})")
    return Answer(False, False, f"DataCite refused the metadata ({status}: {reason})")
