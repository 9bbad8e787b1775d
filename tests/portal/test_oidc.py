"""Signing in through an identity provider, one that runs in a thread, and one that lies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from urllib.request import Request, build_opener

import pytest
from fastapi import HTTPException
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, open_catalogue
from tomarium.catalogue.accounts import all_accounts, close_account, make_account
from tomarium.catalogue.datacite_client import NoRedirects
from tomarium.catalogue.settings import change_setting
from tomarium.errors import ParameterError
from tomarium.portal import oidc
from tomarium.portal.app import create_app

# The provider's own warnings, of the library it is made with.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:authlib.jose:DeprecationWarning"),
]
HOME = "http://testserver"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with warnings.catch_warnings(record=True):  # the provider's own
        from oidc_provider_mock import run_server_in_thread

        with run_server_in_thread() as server:
            yield f"http://localhost:{server.server_port}"


@pytest.fixture
def catalogue(tmp_path: Path, issuer: str) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, "ada", "administrator")
            for key, value in (("oidc_issuer", issuer), ("oidc_client_id", "portal"), ("oidc_label", "Lab")):
                change_setting(connection, key, value)
        yield catalogue


@pytest.fixture
def client(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv(oidc.SECRET, "s:e c")
    return TestClient(create_app(catalogue), base_url=HOME, follow_redirects=False)


class _Stay(NoRedirects):
    http_error_302 = http_error_303 = lambda self, _req, answer, *_rest: answer


def agree(address: str, subject: str) -> str:
    """Sign in at the provider, as a person does, and return where it sends the browser."""
    form = Request(address, urlencode({"sub": subject}).encode())
    with build_opener(_Stay).open(form) as answer:
        return str(answer.headers["Location"])


def come_back(client: TestClient, subject: str, back: str = "/about") -> Any:
    """Go the whole way: to the provider, and back."""
    begun = client.get("/sign-in/oidc", params={"back": back})
    assert begun.status_code == 303
    address = agree(begun.headers["location"], subject)
    assert address.startswith(f"{HOME}/sign-in/oidc/back?")
    return client.get(address)


def names(catalogue: Catalogue) -> dict[str, str]:
    with catalogue.reading() as connection:
        return {one.name: one.role for one in all_accounts(connection)}


def test_new_person_becomes_a_member_and_stays_the_same(
    client: TestClient, catalogue: Catalogue, issuer: str
) -> None:
    assert "Sign in with Lab" in client.get("/sign-in").text
    answer = come_back(client, "ben")
    assert (answer.status_code, answer.headers["location"]) == (303, "/about")
    assert client.get("/sign-in.json").json()["name"] == "ben"
    assert names(catalogue) == {"ada": "administrator", "ben": "member"}
    client.post("/sign-out")
    come_back(client, "ben")
    assert len(names(catalogue)) == 2
    with catalogue.reading() as connection:
        assert all_accounts(connection)[1].subject == f"{issuer} ben"


def test_what_is_asked_of_the_provider(client: TestClient) -> None:
    begun = client.get("/sign-in/oidc", params={"back": "//evil.example"})
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == len(asked["state"][0]) == len(asked["nonce"][0]) == 43
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Max-Age=600" in cookie
    kept = oidc.PendingSignIn.read(client.cookies[oidc.COOKIE])
    assert kept
    assert kept.back == "/"
    assert kept.verifier not in begun.headers["location"]
    assert asked["code_challenge"] == [oidc._plain64(hashlib.sha256(kept.verifier.encode()).digest())]


def test_way_back_is_under_the_portals_own_address(client: TestClient, catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "address", "https://data.example.org/tomo")
    below = TestClient(client.app, base_url=HOME, root_path="/tomo", follow_redirects=False)
    for asks, back in ((client, "/sign-in/oidc/back"), (below, "/tomo/sign-in/oidc/back")):
        asked = parse_qs(urlsplit(asks.get("/sign-in/oidc").headers["location"]).query)
        assert asked["redirect_uri"] == [f"https://data.example.org{back}"]


def test_name_that_is_taken_ties_nobody_to_it(client: TestClient, catalogue: Catalogue) -> None:
    come_back(client, "ada")
    assert client.get("/sign-in.json").json()["name"] == "ada-2"
    assert names(catalogue)["ada-2"] == "member"


@pytest.mark.parametrize(("role", "status"), [("visitor", 303), ("nobody", 403)])
def test_setting_says_what_new_people_become(
    client: TestClient, catalogue: Catalogue, role: str, status: int
) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "oidc_role", role)
    answer = come_back(client, "eve")
    assert answer.status_code == status
    assert names(catalogue).get("eve") == (role if status == 303 else None)


def test_closed_account_stays_closed(client: TestClient, catalogue: Catalogue) -> None:
    come_back(client, "ben")
    with catalogue.writing() as connection:
        close_account(connection, LOCAL_OWNER, "ben")
    answer = come_back(client, "ben")
    assert answer.status_code == 403
    assert "closed" in answer.text


def test_nobody_becomes_the_first_account_through_a_provider(tmp_path: Path, issuer: str) -> None:
    with open_catalogue(tmp_path / "c.sqlite") as catalogue:
        with pytest.raises(HTTPException) as refused:
            oidc.account_of(catalogue, oidc.Person(issuer, "eve", "eve", ""))
        assert "first account" in refused.value.detail


def test_answer_that_was_not_begun_here_is_refused(client: TestClient, catalogue: Catalogue) -> None:
    begun = client.get("/sign-in/oidc")
    address = agree(begun.headers["location"], "eve")
    stranger = TestClient(create_app(catalogue), base_url=HOME, follow_redirects=False)
    assert stranger.get(address).status_code == 403  # of another browser
    parts = urlsplit(address)
    question = dict(parse_qsl(parts.query)) | {"state": "x" * 43}
    assert client.get(f"{parts.path}?{urlencode(question)}").status_code == 403
    assert client.get(f"{parts.path}?error=access_denied").status_code == 403
    assert client.get(f"{parts.path}?code=x&state=").status_code == 403
    client.cookies.clear()
    client.cookies.set(oidc.COOKIE, "nonsense")
    assert client.get(address).status_code == 403
    assert set(names(catalogue)) == {"ada"}


def test_code_that_the_provider_does_not_know_is_refused(client: TestClient) -> None:
    client.get("/sign-in/oidc")
    kept = oidc.PendingSignIn.read(client.cookies[oidc.COOKIE])
    assert kept
    answer = client.get("/sign-in/oidc/back", params={"code": "forged", "state": kept.state})
    assert answer.status_code == 403
    assert "refuses" in answer.text


def test_orcid_of_an_administrators_list_finds_its_account(catalogue: Catalogue) -> None:
    orcid = "0000-0002-1825-0097"
    person = oidc.Person("https://orcid.org", orcid, "Josiah Carberry", orcid)
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "jos", "curator", orcid=orcid)
    assert oidc.account_of(catalogue, person).name == "jos"
    assert oidc.account_of(catalogue, person).subject == f"https://orcid.org {orcid}"
    other = oidc.Person("https://lab.example", orcid, "Josiah", "")
    assert oidc.account_of(catalogue, other).name == "josiah"


KEY = RSAKey.generate_key(2048)
CLAIMS = {"iss": "https://lab.example", "aud": "portal", "sub": "42", "nonce": "n"}


def signed(key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iat": now, "exp": now + 60, **CLAIMS, **changes}
    told = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": algorithm}, told, key, algorithms=[algorithm])


def by_public_key() -> str:
    """Sign with the provider's public key as if it were a shared secret."""
    content = b".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256"}, {"iat": int(time.time()), "exp": int(time.time()) + 60, **CLAIMS})
    )
    mac = hmac.new(KEY.as_pem(private=False), content, hashlib.sha256).digest()
    return (content + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def check(token: str) -> dict[str, Any]:
    keys = {"keys": [KEY.as_dict(private=False)]}
    return oidc._checked(token, keys, "https://lab.example", "portal", "n")


def test_sound_token_holds() -> None:
    assert check(signed())["sub"] == "42"
    assert check(signed(aud=["portal", "other"], azp="portal"))["sub"] == "42"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": ["portal", "other"]},
        {"azp": "other"},
        {"aud": None},
        {"nonce": "m"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"exp": 1_000_000},
        {"exp": None},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
    ],
)
def test_token_for_another_moment_or_portal_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(HTTPException) as refused:
        check(signed(**changes))
    assert refused.value.status_code == 403


@pytest.mark.parametrize(
    "forge",
    [
        lambda: signed(RSAKey.generate_key(2048)),
        lambda: signed(OctKey.import_key("a secret that is long enough for it"), "HS256"),
        lambda: by_public_key(),
        lambda: "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9.",
        lambda: signed()[:-8] + "AAAAAAAA",
        lambda: "",
        lambda: "a.b.c",
    ],
)
def test_token_of_another_signature_is_refused(forge: Callable[[], str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns of the forger's keys
        token = forge()
    with pytest.raises(HTTPException) as refused:
        check(token)
    assert refused.value.status_code == 403


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://lab.example/keys", "ftp://localhost/x"])
def test_only_safe_addresses_are_asked(address: str) -> None:
    with pytest.raises(HTTPException, match="503"):
        oidc._ask(address)


def test_without_a_provider_nothing_is_begun(client: TestClient, catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "oidc_client_id", "")
        with pytest.raises(ParameterError, match="whole address"):
            change_setting(connection, "oidc_issuer", "orcid.org")
    assert client.get("/sign-in/oidc").status_code == 404
    assert "Sign in with" not in client.get("/sign-in").text


def test_provider_that_does_not_answer_is_said(client: TestClient, catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "oidc_issuer", "http://localhost:1")
    answer = client.get("/sign-in/oidc")
    assert answer.status_code == 503
    assert "Try again later" in answer.text
