"""Who a request is from: the owner, a session, a token, a reviewer's link, or anybody."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import profiles
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, passwords
from tomarium.catalogue import sign_in_limits as limits
from tomarium.catalogue import tables as t
from tomarium.catalogue.accounts import change_role, change_teams, close_account, make_account
from tomarium.catalogue.audit import lines
from tomarium.catalogue.invitations import make_invitation, revoke_invitation
from tomarium.catalogue.tokens import SESSION_IDLE_S, make_token
from tomarium.portal.app import create_app
from tomarium.portal.forms import Fields, add_form_route, own_path
from tomarium.portal.identity import demand_scope
from tomarium.portal.request_context import CurrentRequest
from tomarium.portal.serve import notices

WORDS = "seven grey stones"
JSON = {"Accept": "application/json"}
HTTPS = "https://data.example.org"


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    """Two drafts and three accounts."""
    home = tmp_path_factory.mktemp("sign_in")
    with pytest.MonkeyPatch.context() as patch, open_catalogue(home / "catalogue.sqlite") as catalogue:
        patch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)
        for id in ("tooth", "shell"):
            make_volume(home / id / "volume.ome.zarr", size=8)
            file_record(home / id, title=id.title(), id=id)
            ingest(catalogue, home / id, checksums=False)
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, "ada", "administrator", password=WORDS)
            make_account(connection, LOCAL_OWNER, "ben", password=WORDS)
            make_account(connection, LOCAL_OWNER, "cas", "curator", password=WORDS)
            connection.execute(t.records.update().values(owner="ada", team="bones"))
        yield catalogue


@pytest.fixture
def catalogue(filed: Catalogue) -> Catalogue:
    with filed.writing() as connection:
        for table in (t.tokens, t.teams, t.failed_sign_ins, t.invitations):
            connection.execute(table.delete())
        connection.execute(t.accounts.update().values(closed=0))
    return filed


def client_of(catalogue: Catalogue, base: str = HTTPS, local: bool = False) -> TestClient:
    return TestClient(create_app(catalogue, local=local), base_url=base, follow_redirects=False)


@pytest.fixture(scope="module")
def app(filed: Catalogue) -> FastAPI:
    return create_app(filed)


@pytest.fixture
def client(app: FastAPI, catalogue: Catalogue) -> TestClient:
    return TestClient(app, base_url=HTTPS, follow_redirects=False)


def sign_in(client: TestClient, name: str = "ben", password: str = WORDS, **headers: str) -> int:
    return client.post("/sign-in", data={"name": name, "password": password}, headers=headers).status_code


def actions(catalogue: Catalogue) -> list[str]:
    with catalogue.reading() as connection:
        return [line.action for line in lines(connection)]


def test_drafts_open_after_signing_in_and_close_after_signing_out(
    client: TestClient, catalogue: Catalogue
) -> None:
    assert client.get("/records/tooth").status_code == 404
    answer = client.post("/sign-in", data={"name": "ada", "password": WORDS, "back": "/records/tooth?z=3"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/records/tooth?z=3")
    cookie = answer.headers["set-cookie"]
    assert re.match(
        r"__Host-tomarium-session=[\w-]{43}; HttpOnly; Max-Age=\d+; Path=/; SameSite=lax; Secure$", cookie
    )
    shown = client.get("/records/tooth")
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "private, no-cache"
    assert client.get("/records/tooth/files/volume.ome.zarr/zarr.json").status_code == 200
    assert "Signed in as ada" in client.get("/sign-in").text
    secret = client.cookies["__Host-tomarium-session"]
    out = client.post("/sign-out")
    assert (out.status_code, out.headers["clear-site-data"]) == (303, '"cache"')
    assert "__Host-tomarium-session" not in client.cookies
    client.cookies.set("__Host-tomarium-session", secret)  # somebody kept it
    assert client.get("/records/tooth").status_code == 404
    assert actions(catalogue)[-2:] == ["sign in", "sign out"]


def test_signing_out_everywhere_ends_the_sessions_of_all_browsers(
    client: TestClient, catalogue: Catalogue
) -> None:
    other, stranger = client_of(catalogue), client_of(catalogue)
    for one, name in ((client, "ada"), (other, "ada"), (stranger, "ben")):
        assert sign_in(one, name) == 303
    assert "Sign out everywhere" in client.get("/sign-in").text
    answer = client.post("/account/sign-out", headers=JSON)
    assert answer.json() == {"ended": 2}
    assert answer.headers["clear-site-data"] == '"cache"'
    ways = [one.get("/sign-in.json").json()["way"] for one in (client, other, stranger)]
    assert ways == ["nobody", "nobody", "session"]
    assert client.post("/account/sign-out", headers=JSON).status_code == 401
    assert actions(catalogue)[-1] == "sign out everywhere"


def test_over_tls_a_browser_is_told_to_stay_there(client: TestClient, catalogue: Catalogue) -> None:
    assert client.get("/").headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in client_of(catalogue, "http://data.example.org").get("/").headers


def test_cookie_without_tls_is_not_secure_and_over_tls_does_not_count(client: TestClient) -> None:
    plain = TestClient(client.app, base_url="http://data.example.org", follow_redirects=False)
    assert sign_in(plain, "ada") == 303
    secret = plain.cookies["tomarium-session"]
    assert plain.get("/records/tooth").status_code == 200
    client.cookies.set("tomarium-session", secret)  # as a neighbour's host could set it
    assert client.get("/records/tooth").status_code == 404


def test_role_and_teams_hold_at_once(client: TestClient, catalogue: Catalogue) -> None:
    assert sign_in(client) == 303
    assert client.get("/records/tooth").status_code == 404
    with catalogue.writing() as connection:
        change_teams(connection, LOCAL_OWNER, "ben", join=("bones",))
    assert client.get("/records/tooth").status_code == 200
    with catalogue.writing() as connection:
        change_teams(connection, LOCAL_OWNER, "ben", leave=("bones",))
        change_role(connection, LOCAL_OWNER, "ben", "curator")
    assert client.get("/records/tooth").status_code == 200
    with catalogue.writing() as connection:
        change_role(connection, LOCAL_OWNER, "ben", "member")
    assert client.get("/records/tooth").status_code == 404
    with catalogue.writing() as connection:
        close_account(connection, LOCAL_OWNER, "ben")
    assert client.get("/sign-in.json").json()["way"] == "nobody"


def test_wrong_name_and_wrong_password_are_told_alike(client: TestClient, catalogue: Catalogue) -> None:
    told = [
        client.post("/sign-in", data={"name": name, "password": password, "back": "/about"})
        for name, password in (("ada", "x" * 12), ("nobody", WORDS), ("My Secret!", ""), ("", ""))
    ]
    assert {answer.status_code for answer in told} == {403}
    assert all("The name or the password is wrong." in answer.text for answer in told)
    assert all("set-cookie" not in answer.headers for answer in told)
    assert 'value="/about"' in told[0].text
    assert client.post("/sign-in", json={"name": "ada"}, headers=JSON).json()["status"] == 403
    with catalogue.reading() as connection:
        failed = [line for line in lines(connection) if line.action == "sign in failed"][-5:]
    assert [line.told["account"] for line in failed] == ["ada", "nobody", "", "", "ada"]
    assert {line.who for line in failed} == {""}


def test_too_many_failures_are_refused_over_all_workers(catalogue: Catalogue) -> None:
    workers = [client_of(catalogue), client_of(catalogue)]
    statuses = [sign_in(workers[n % 2], "ada", "wrong password") for n in range(limits.PER_NAME_AND_ADDRESS)]
    assert statuses == [403] * limits.PER_NAME_AND_ADDRESS
    for worker in workers:
        answer = worker.post("/sign-in", data={"name": "ada", "password": WORDS})  # the right one
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= limits.WINDOW_S
        assert "try again in 15 minutes" in answer.text
    assert sign_in(workers[0], "ben") == 303


def test_signing_in_by_json(client: TestClient) -> None:
    answer = client.post("/sign-in", json={"name": "ada", "password": WORDS}, headers=JSON)
    assert answer.json() == {"name": "ada", "role": "administrator", "teams": []}
    known = client.get("/sign-in.json").json()
    assert (known["way"], known["name"], known["scopes"]) == (
        "session", "ada", ["admin", "log", "read", "review", "upload", "write"],
    )  # fmt: skip
    assert client.post("/sign-out", headers=JSON).json() == {"name": ""}


def test_new_sign_in_ends_the_session_before(client: TestClient) -> None:
    sign_in(client, "ada")
    before = client.cookies["__Host-tomarium-session"]
    sign_in(client, "ben")
    assert client.cookies["__Host-tomarium-session"] != before
    client.cookies.set("__Host-tomarium-session", before, domain="data.example.org")
    other = TestClient(client.app, base_url=HTTPS, cookies={"__Host-tomarium-session": before})
    assert other.get("/sign-in.json").json()["way"] == "nobody"


def test_session_in_use_goes_on(client: TestClient, catalogue: Catalogue) -> None:
    sign_in(client)
    with catalogue.writing() as connection:
        connection.execute(t.tokens.update().values(until_utc=time.time() + 60))
    client.get("/")
    with catalogue.reading() as connection:
        until = connection.execute(t.tokens.select()).one().until_utc
    assert until == pytest.approx(time.time() + SESSION_IDLE_S, abs=60)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://data.example.org.evil.example"}, 403),
        ({"Origin": "https://data.example.org:8443"}, 403),
        ({"Origin": HTTPS}, 303),
        (
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
            303,
        ),  # a proxy changed the host
        ({}, 303),
    ],
)
def test_pages_of_other_sites_change_nothing(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert sign_in(client, **headers) == status
    assert ("__Host-tomarium-session" in client.cookies) == (status == 303)


def test_every_address_that_changes_something_is_guarded(catalogue: Catalogue) -> None:
    app = create_app(catalogue)
    client = TestClient(app, base_url=HTTPS)
    changing = [
        (method, re.sub(r"\{[^}]*\}", "x", re.sub(r"\{[^}]*:int\}", "1", route.path)))
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
        if method not in ("GET", "HEAD", "OPTIONS")
    ]
    assert ("POST", "/sign-out") in changing
    for method, path in changing:
        answer = client.request(method, path, headers={"Sec-Fetch-Site": "cross-site"} | JSON)
        assert answer.status_code == 403, path
        assert "another site" in answer.json()["detail"], path


@pytest.mark.parametrize(
    ("back", "kept"),
    [
        ("/records?q=a", "/records?q=a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
    ],
)
def test_nobody_is_sent_to_another_host(back: str, kept: str) -> None:
    assert own_path(back) == kept


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"name=" + b"x" * 70000, "application/x-www-form-urlencoded", 413),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=b" for _ in range(300)), "application/x-www-form-urlencoded", 400),
        (b"[1]", "application/json", 400),
        (b'{"name": 1}', "application/json", 400),
        (b"{", "application/json", 400),
        (b"x", "text/plain", 415),
    ],
)
def test_absurd_forms_are_refused(client: TestClient, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/sign-in", content=content, headers={"Content-Type": kind} | JSON)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]


def token_of(catalogue: Catalogue, account: str, *scopes: str) -> dict[str, str]:
    with catalogue.writing() as connection:
        secret = make_token(connection, LOCAL_OWNER, account, f"for {scopes}", scopes, 1)
    return {"Authorization": f"Bearer {secret}"} | JSON


def test_token_reads_what_its_holder_may(client: TestClient, catalogue: Catalogue) -> None:
    headers = token_of(catalogue, "ada", "read")
    assert client.get("/records/tooth", headers=headers).json()["title"] == "Tooth"
    assert client.get("/records/tooth", headers=token_of(catalogue, "ben", "read")).status_code == 404
    assert client.get("/records/tooth", headers=token_of(catalogue, "ada", "upload")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/records/tooth", "/records/tooth/files/volume.ome.zarr/zarr.json"])
def test_token_that_opens_nothing_is_said(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Authorization": "Bearer tom_nothing"} | JSON)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert "revoked" in answer.json()["detail"]
    assert client.get(path, headers={"Authorization": "Bearer tom_nothing"}).status_code == 401  # as a page


def test_session_secret_is_no_token(client: TestClient) -> None:
    sign_in(client, "ada")
    secret = client.cookies["__Host-tomarium-session"]
    fresh = TestClient(client.app, base_url=HTTPS)
    assert fresh.get("/", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


@pytest.fixture
def scoped(catalogue: Catalogue) -> TestClient:
    app: FastAPI = create_app(catalogue)

    def change(request_context: CurrentRequest, fields: Fields) -> JSONResponse:
        actor = demand_scope(request_context.request, "write")
        return JSONResponse({"actor": actor.name, "asked as": request_context.reader.name, **fields})

    change.__annotations__ = {"request_context": CurrentRequest, "fields": Fields, "return": JSONResponse}
    add_form_route(app, "/change", change, name="change")
    return TestClient(app, base_url=HTTPS)


def test_scope_is_demanded(scoped: TestClient, catalogue: Catalogue) -> None:
    nobody = scoped.post("/change", headers=JSON)
    assert nobody.status_code == 401
    assert nobody.headers["www-authenticate"] == "Bearer"
    reads = scoped.post("/change", headers=token_of(catalogue, "ada", "read", "admin"))
    assert reads.status_code == 403
    assert 'scope="write"' in reads.headers["www-authenticate"]
    writes = scoped.post("/change", headers=token_of(catalogue, "ada", "write"), json={"title": "x"})
    # Who forgets to demand a scope acts as anybody.
    assert writes.json() == {"actor": "ada", "asked as": "", "title": "x"}
    sign_in(scoped, "ada")
    assert scoped.post("/change").json() == {"actor": "ada", "asked as": "ada"}


def test_owner_needs_no_account_until_there_is_one(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        client = client_of(catalogue, "http://localhost", local=True)
        who = lambda **headers: client.get("/sign-in.json", headers=headers).json()["way"]  # noqa: E731
        assert who() == "owner"
        assert "owner" in client.get("/sign-in").text
        for name in (
            "X-Forwarded-For",
            "Forwarded",
            "X-Real-IP",
            "X-Forwarded-Proto",
            "Via",
            "X-Forwarded-Host",
        ):
            assert who(**{name: "127.0.0.1"}) == "nobody", name
        assert client_of(catalogue, local=False).get("/sign-in.json").json()["way"] == "nobody"
        assert notices(catalogue, "127.0.0.1") == []
        assert "only what is published" in notices(catalogue, "0.0.0.0")[0]
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, "ada", "administrator")
        assert who() == "nobody"
        assert "everybody signs in" in notices(catalogue, "127.0.0.1")[0]
        assert "unprotected" in notices(catalogue, "0.0.0.0")[0]


def test_link_opens_one_record_and_tells_nobody(client: TestClient, catalogue: Catalogue) -> None:
    before = len(actions(catalogue))
    with catalogue.writing() as connection:
        secret = make_invitation(connection, LOCAL_OWNER, "tooth", 30)
    answer = client.get(f"/review/{secret}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/records/tooth")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/records/tooth").status_code == 200
    assert client.get("/records/tooth/files/volume.ome.zarr/zarr.json").status_code == 200
    assert client.get("/records/shell").status_code == 404
    assert [hit["id"] for hit in client.get("/records.json").json()["hits"]] == ["tooth"]
    known = client.get("/sign-in.json").json()
    assert (known["way"], known["name"]) == ("nobody", "")
    with catalogue.reading() as connection:
        noted = list(lines(connection))[before:]
    assert [line.action for line in noted] == ["invite"]
    assert secret not in json.dumps([line.told for line in noted])
    with catalogue.writing() as connection:
        other = make_invitation(connection, LOCAL_OWNER, "shell", 1)
    client.get(f"/review/{other}")
    assert client.get("/records/tooth").status_code == client.get("/records/shell").status_code == 200
    with catalogue.writing() as connection:
        revoke_invitation(connection, LOCAL_OWNER, "tooth")
    assert client.get("/records/tooth").status_code == 404
    assert client.get("/records/shell").status_code == 200
    gone = client.get(f"/review/{secret}")
    assert gone.status_code == 404
    assert "Ask who sent it" in gone.text


def test_link_goes_with_a_session(client: TestClient, catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        secret = make_invitation(connection, LOCAL_OWNER, "tooth", 30)
    sign_in(client)
    client.get(f"/review/{secret}")
    assert client.get("/records/tooth").status_code == 200
    assert client.get("/sign-in.json").json()["name"] == "ben"


def test_holder_makes_and_revokes_tokens(client: TestClient) -> None:
    form = {"name": "<notebook>", "days": "30", "scope.read": "yes", "scope.write": "yes"}
    assert client.post("/account/tokens", data=form).status_code == 401
    sign_in(client, "ada")
    made = client.post("/account/tokens", data=form)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    [secret] = re.findall(r"tom_[\w-]{43}", made.text)
    program = TestClient(client.app, base_url=HTTPS, headers={"Authorization": f"Bearer {secret}"})
    assert program.get("/records/tooth").status_code == 200
    assert program.post("/account/tokens", data=form | {"name": "more"}).status_code == 401
    page = client.get("/sign-in").text
    assert secret not in page
    assert "&lt;notebook&gt;: read, write, until" in page
    for wrong in ({"name": ""}, {"days": "x"}, {"days": "99999"}, {"scope.read": "", "scope.write": ""}):
        assert client.post("/account/tokens", data=form | wrong).status_code == 400, wrong
    assert client.post("/account/tokens/revoke", data={"name": "<notebook>"}).status_code == 200
    assert program.get("/records/tooth").status_code == 401


def test_holder_changes_the_password(client: TestClient, catalogue: Catalogue) -> None:
    elsewhere = TestClient(client.app, base_url=HTTPS, follow_redirects=False)
    sign_in(client, "ben")
    sign_in(elsewhere, "ben")
    wrong = client.post("/account/password", data={"current": "wrong", "password": "nine blue feathers"})
    assert (wrong.status_code, "current password is wrong" in wrong.text) == (403, True)
    weak = client.post("/account/password", data={"current": WORDS, "password": "short"})
    assert (weak.status_code, "5 characters" in weak.text) == (400, True)
    assert elsewhere.get("/sign-in.json").json()["name"] == "ben"
    done = client.post("/account/password", data={"current": WORDS, "password": "nine blue feathers"})
    assert done.status_code == 200
    assert client.get("/sign-in.json").json()["name"] == "ben"
    assert elsewhere.get("/sign-in.json").json()["name"] == ""
    assert sign_in(elsewhere, "ben", WORDS) == 403
    form = {"current": "nine blue feathers", "password": WORDS}
    assert client.post("/account/password", data=form, headers=JSON).json()["told"]
    statuses = [
        client.post("/account/password", data={"current": "x", "password": WORDS}).status_code
        for _ in range(6)
    ]
    assert statuses == [403] * 5 + [429]  # those before were forgotten when it was right
