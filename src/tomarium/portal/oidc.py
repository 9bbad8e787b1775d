"""Signing in through an identity provider by OpenID Connect: authorization code, PKCE, state and nonce.

Sources: OpenID Connect Core 1.0, sections 3.1 and 15.5.2; RFC 7636 (PKCE); RFC 9700 (what is good practice now).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, build_opener

from fastapi import HTTPException

from tomarium.catalogue import Catalogue, Reader
from tomarium.catalogue.account_subjects import account_of_orcid, account_of_subject, free_name, tie_subject
from tomarium.catalogue.accounts import Account, account_named, make_account
from tomarium.catalogue.audit import note
from tomarium.catalogue.datacite_client import NoRedirects
from tomarium.catalogue.settings import all_settings
from tomarium.errors import EngineUnavailable, InputError
from tomarium.model.person import is_orcid
from tomarium.optional_packages import optional_import

COOKIE: Final = "tomarium-oidc"
SECRET: Final = "TOMARIUM_OIDC_SECRET"
"""Name of the environment variable with the client's secret."""
LONGEST_S: Final = 600.0
ORCID: Final = frozenset({"https://orcid.org", "https://sandbox.orcid.org"})
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures that are taken; never "none", never one by a shared secret."""
_MOST_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 10.0
_CLOCK_S: Final = 60
_PROVIDER: Final = Reader("identity provider", "administrator")


@dataclass(frozen=True)
class Client:
    """What this portal is to its identity provider.

    Attributes
    ----------
    issuer, id : str
        As the settings say.
    secret : str
        From the environment; "" for a public client, which PKCE protects alone.
    back : str
        Where the provider sends people back to.
    """

    issuer: str
    id: str
    secret: str
    back: str


@dataclass(frozen=True)
class PendingSignIn:
    """What a browser keeps while somebody signs in, in a cookie that scripts cannot read.

    Attributes
    ----------
    state, nonce, verifier : str
        256 random bits each.
    back : str
        Where to go afterwards.
    """

    state: str
    nonce: str
    verifier: str
    back: str

    def fits(self, state: str) -> bool:
        """Tell whether the provider answers what this browser began."""
        return bool(state) and hmac.compare_digest(self.state.encode(), state.encode())

    @classmethod
    def read(cls, text: str) -> PendingSignIn | None:
        """Read it back from the cookie; None where it is none."""
        try:
            state = cls(**json.loads(base64.urlsafe_b64decode(f"{text}==".encode())))
        except (ValueError, TypeError):
            return None
        return state if all(isinstance(value, str) for value in asdict(state).values()) else None


@dataclass(frozen=True)
class Started:
    """A sign-in that begins.

    Attributes
    ----------
    address : str
        Where the browser is sent.
    state, nonce, verifier : str
        256 random bits each.
    """

    address: str
    state: str
    nonce: str
    verifier: str

    def keep(self, back: str) -> str:
        """Return the cookie's value."""
        state = PendingSignIn(self.state, self.nonce, self.verifier, back)
        return _plain64(json.dumps(asdict(state)).encode())


@dataclass(frozen=True)
class Person:
    """Somebody for whom the provider vouches.

    Attributes
    ----------
    issuer, subject : str
        Who vouches, and by which the person is known there, for ever.
    wish : str
        What a new account might be called.
    orcid : str
        ORCID iD where ORCID itself vouches, "" else.
    """

    issuer: str
    subject: str
    wish: str
    orcid: str


def client_of(catalogue: Catalogue, origin: str, path: str) -> Client:
    """Return what this portal is to its identity provider.

    Parameters
    ----------
    catalogue : Catalogue
        Its settings name the provider.
    origin : str
        Scheme and host of the request; the setting `address` goes before it.
    path : str
        Where the provider sends people back to.

    Returns
    -------
    Client
        To `start` and `finish` with.

    Raises
    ------
    HTTPException
        404: no provider is set.
    """
    with catalogue.reading() as connection:
        settings = all_settings(connection)
    if not (settings["oidc_issuer"] and settings["oidc_client_id"]):
        raise HTTPException(
            404, "This catalogue has no identity provider. Sign in with a name and a password."
        )
    named = urlsplit(settings["address"])  # its path is in `path` already
    return Client(
        issuer=settings["oidc_issuer"],
        id=settings["oidc_client_id"],
        secret=os.environ.get(SECRET, ""),
        back=(f"{named.scheme}://{named.netloc}" if named.netloc else origin) + path,
    )


def start(client: Client) -> Started:
    """Begin a sign-in.

    Parameters
    ----------
    client : Client
        This portal.

    Returns
    -------
    Started
        Where to send the browser, and what it keeps.

    Raises
    ------
    HTTPException
        503: the provider does not answer, or not as a provider does.
    """
    try:
        optional_import("joserfc", "oidc")
    except EngineUnavailable as problem:
        raise HTTPException(503, f"Whoever runs this portal is to know: {problem}.") from problem
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    question = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.back,
        "scope": "openid" if client.issuer in ORCID else "openid profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": _plain64(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    address = _discover(client.issuer)["authorization_endpoint"]
    joint = "&" if urlsplit(address).query else "?"
    return Started(f"{address}{joint}{urlencode(question)}", state, nonce, verifier)


def finish(client: Client, state: PendingSignIn, code: str) -> Person:
    """Ask the provider who came back, and check what it says.

    Parameters
    ----------
    client : Client
        This portal.
    state : PendingSignIn
        What the browser kept.
    code : str
        From the address the browser came back to.

    Returns
    -------
    Person
        Whose ID token has the provider's signature, and is for this portal, for this sign-in and of this moment.

    Raises
    ------
    HTTPException
        403: the provider refuses the code, or its ID token does not hold. 503: it does not answer.
    """
    configuration = _discover(client.issuer)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.back,
        "client_id": client.id,
        "code_verifier": state.verifier,
    }
    headers = {}
    methods = configuration.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if client.secret and "client_secret_basic" in methods:
        pair = f"{quote(client.id, safe='')}:{quote(client.secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif client.secret:
        form["client_secret"] = client.secret
    answer = _ask(configuration["token_endpoint"], urlencode(form).encode(), headers)
    claims = _checked(
        str(answer.get("id_token", "")),
        _ask(configuration["jwks_uri"]),
        configuration["issuer"],
        client.id,
        state.nonce,
    )
    subject = str(claims["sub"])
    wish = str(claims.get("preferred_username") or claims.get("name") or subject)
    orcid = subject if client.issuer in ORCID and is_orcid(subject) else ""
    return Person(client.issuer, subject, wish, orcid)


def account_of(catalogue: Catalogue, person: Person) -> Account:
    """Find the account of somebody for whom the provider vouches, or make it.

    Parameters
    ----------
    catalogue : Catalogue
        Open; its setting `oidc_role` says what new people become.
    person : Person
        Known by issuer and subject alone: a name or an address that the provider tells ties nobody to an account.

    Returns
    -------
    Account
        That of the subject; else the one that an administrator gave this ORCID iD; else a new one.

    Raises
    ------
    HTTPException
        403: the account is closed, or new people are not taken.
    """
    subject = f"{person.issuer} {person.subject}"
    with catalogue.writing() as connection:
        account = account_of_subject(connection, subject)
        if account is None and person.orcid:
            account = account_of_orcid(connection, person.orcid)
            if account is not None and not account.closed:
                tie_subject(connection, account.name, subject)
                note(connection, _PROVIDER, "tie account", account=account.name, subject=subject)
        if account is not None and account.closed:
            raise HTTPException(403, "This account is closed. Ask an administrator of this catalogue.")
        if account is not None:
            return account_named(connection, account.name)
        role = all_settings(connection)["oidc_role"]
        if role == "nobody":
            raise HTTPException(
                403,
                f"You have no account here. Ask an administrator for one; they need to know “{subject[:200]}”.",
            )
        name = free_name(connection, person.wish)
        try:
            return make_account(connection, _PROVIDER, name, role, subject=subject, orcid=person.orcid)
        except InputError as problem:  # the very first account is made at the command line
            raise HTTPException(403, f"No account could be made for you: {problem}") from problem


def _checked(token: str, keys: dict[str, Any], issuer: str, audience: str, nonce: str) -> dict[str, Any]:
    """Check an ID token as OpenID Connect Core 1.0, section 3.1.3.7, wants it."""
    jwt = optional_import("joserfc.jwt", "oidc")
    key_set = optional_import("joserfc.jwk", "oidc").KeySet
    refused = optional_import("joserfc.errors", "oidc").JoseError
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key_set.import_key_set(keys), algorithms=list(ALGORITHMS)
        ).claims
        registry = jwt.JWTClaimsRegistry(
            leeway=_CLOCK_S,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        registry.validate(claims)
    except (refused, ValueError, KeyError) as problem:
        raise HTTPException(
            403, f"What the identity provider says does not hold ({problem}). Try again."
        ) from problem
    audiences = claims.get("aud")
    audiences = audiences if isinstance(audiences, list) else [audiences]
    party = claims.get("azp", audience if len(audiences) == 1 else None)
    if audience not in audiences or party != audience:
        raise HTTPException(403, "What the identity provider says is for another portal. Try again.")
    if not str(claims["sub"]) or len(str(claims["sub"])) > 255:
        raise HTTPException(403, "The identity provider does not say who you are. Try again.")
    return claims


def _discover(issuer: str) -> dict[str, Any]:
    """Read what a provider says of itself, at most every ten minutes; its issuer is the one that was set."""
    return _discovered(issuer, int(time.time() // 600))


@lru_cache(maxsize=4)
def _discovered(issuer: str, _moment: int) -> dict[str, Any]:
    configuration = _ask(f"{issuer}/.well-known/openid-configuration")
    required = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    if (
        not all(isinstance(configuration.get(key), str) for key in required)
        or configuration["issuer"].rstrip("/") != issuer
    ):
        raise _unusable(
            issuer, f"its configuration lacks one of {', '.join(required)}, or names another issuer"
        )
    for key in required:
        _demand_safe(configuration[key])
    return configuration


def _ask(address: str, form: bytes | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    _demand_safe(address)
    request = Request(address, form, {"Accept": "application/json", **(headers or {})})
    try:
        with build_opener(NoRedirects).open(request, timeout=_TIMEOUT_S) as answer:
            read = json.loads(answer.read(_MOST_BYTES + 1)[:_MOST_BYTES])
    except (URLError, OSError, ValueError) as problem:
        if getattr(problem, "code", 0) in (400, 401, 403) and form is not None:
            raise HTTPException(403, "The identity provider refuses this sign-in. Try again.") from problem
        raise _unusable(urlsplit(address).netloc, str(problem)) from problem
    if not isinstance(read, dict):
        raise _unusable(urlsplit(address).netloc, "no JSON object")
    return read


def _demand_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    ):
        raise _unusable(address[:200], "its address is not https")


def _unusable(whose: str, why: str) -> HTTPException:
    return HTTPException(
        503, f"The identity provider {whose} cannot be asked now ({why[:200]}). Try again later."
    )


def _plain64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
