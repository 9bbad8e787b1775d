"""Who asks for more than the settings allow is told when to come back, and nobody else waits for it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from starlette.routing import Route

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tokens import make_token
from tomarium.errors import ParameterError
from tomarium.portal.app import create_app
from tomarium.portal.rate_limits import RateLimits, kind_of, network

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def app(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> object:
    moment = [1000.0]
    monkeypatch.setattr("tomarium.portal.rate_limits.time", SimpleNamespace(monotonic=lambda: moment[0]))
    with catalogue.writing() as connection:
        for kind, value in {"searches": "3", "files": "4", "forms": "2", "pages": "5"}.items():
            change_setting(connection, f"rate_{kind}", value)
    app = create_app(catalogue)
    app.state.moment = moment
    return app


@pytest.fixture
def ask(app: object) -> Ask:
    clients = {}

    def ask(
        path: str = "/about", host: str = "203.0.113.7", method: str = "GET", **headers: str
    ) -> tuple[int, str]:
        client = clients.setdefault(host, TestClient(app, client=(host, 1), follow_redirects=False))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = client.request(method, path, headers=named)
        return answer.status_code, answer.headers.get("retry-after", "")

    return ask


@pytest.mark.parametrize(
    ("path", "most", "wait"),
    [
        ("/records.json?q=a", 3, "20"),
        ("/oai?verb=Identify", 3, "20"),
        ("/panosc/api/Datasets", 3, "20"),
        ("/about", 5, "12"),
        ("/assets/volume.js", 4, "15"),
    ],
)
def test_what_was_asked_too_often_is_refused(ask: Ask, path: str, most: int, wait: str) -> None:
    statuses = [ask(path) for _ in range(most + 2)]
    assert 429 not in [status for status, _ in statuses[:most]]
    assert statuses[most:] == [(429, wait)] * 2


def test_forms_have_a_bucket_of_their_own(ask: Ask) -> None:
    assert [ask("/account/mail", method="POST")[0] for _ in range(3)] == [401, 401, 429]
    assert ask("/about")[0] == 200


def test_a_bucket_is_refilled(ask: Ask, app: object) -> None:
    moment = app.state.moment  # type: ignore[attr-defined]
    assert [ask()[0] for _ in range(6)] == [200] * 5 + [429]
    moment[0] += 12.1
    assert [ask()[0] for _ in range(2)] == [200, 429]
    moment[0] += 3600
    assert [ask()[0] for _ in range(6)] == [200] * 5 + [429]  # and holds no more than a minute's


def test_a_network_shares_its_buckets_and_no_other_waits(ask: Ask) -> None:
    assert [ask(host=f"203.0.113.{n}")[0] for n in range(6)][-1] == 429
    assert ask(host="203.0.114.1")[0] == 200
    assert [ask(host=f"2001:db8:0:1::{n:x}")[0] for n in range(6)][-1] == 429
    assert ask(host="2001:db8:0:2::1")[0] == 200


def test_this_machine_and_who_has_no_address_do_not_wait_but_who_comes_through_a_proxy(ask: Ask) -> None:
    for host in ("127.0.0.1", "::1", "testclient"):
        assert {ask(host=host)[0] for _ in range(8)} == {200}
    assert [ask(host="127.0.0.1", X_Forwarded_For="a")[0] for _ in range(6)][-1] == 429


def test_a_valid_token_has_its_own_buckets_and_a_made_up_one_has_none(ask: Ask, catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "ada", "administrator")
        token = make_token(connection, LOCAL_OWNER, "ada", "t", ("read",), 1)
    assert (
        ask(Authorization=f"Bearer {token}")[0] == 200
    )  # the first one is the network's, until it is found valid
    assert [ask()[0] for _ in range(5)] == [200] * 4 + [429]
    assert [ask(Authorization=f"Bearer {token}")[0] for _ in range(6)] == [200] * 5 + [429]
    assert {ask(Authorization=f"Bearer tom_{n}")[0] for n in range(3)} == {429}


def test_a_change_of_the_settings_holds_after_a_while(ask: Ask, app: object, catalogue: Catalogue) -> None:
    moment = app.state.moment  # type: ignore[attr-defined]
    assert [ask()[0] for _ in range(6)][-1] == 429
    with catalogue.writing() as connection:
        change_setting(connection, "rate_pages", "0")
    assert ask()[0] == 429
    moment[0] += 31
    assert {ask()[0] for _ in range(20)} == {200}


def test_a_refusal_is_a_page_for_people_and_a_problem_for_programs(app: object) -> None:
    client = TestClient(app, client=("203.0.113.7", 1))
    for _ in range(6):
        page = client.get("/about", headers={"Accept": "text/html"})
    assert page.status_code == 429
    assert (
        "More than 5 pages were asked for in a minute from your network. Try again in 12 seconds" in page.text
    )
    app.state.moment[0] += 11.5  # type: ignore[attr-defined]
    page = client.get("/about", headers={"Accept": "text/html"})
    assert page.headers["retry-after"] == "1"
    assert "from your network. Try again in a second; programs wait" in page.text
    told = client.get("/about", headers={"Accept": "application/json"})
    assert told.headers["content-type"] == "application/problem+json"
    assert client.get("/static/tomarium.css").status_code != 429


def test_every_route_is_counted_as_something_and_content_is_no_page(catalogue: Catalogue) -> None:
    routes = [one for one in create_app(catalogue).routes if isinstance(one, Route)]
    kinds = {(method, one.path): kind_of(method, one.path) for one in routes for method in one.methods or ()}
    assert set(kinds.values()) == {"searches", "files", "forms", "pages"}
    assert kinds["GET", "/"] == kinds["GET", "/records/{id}"] == kinds["GET", "/sign-in"] == "pages"
    assert kinds["GET", "/records"] == kinds["POST", "/oai"] == kinds["GET", "/records.atom"] == "searches"
    assert kinds["POST", "/sign-in"] == kinds["POST", "/records/{id}/edit"] == "forms"
    for method, path in (
        ("PATCH", "/uploads/{id}"),
        ("GET", "/records/{id}/files/{path:path}"),
        ("GET", "/records/{id}/download.zip"),
        ("GET", "/logbook/{number:int}/files/{digest}"),
    ):
        assert kinds[method, path] == "files"
    changing = {kind for (method, path), kind in kinds.items() if method in ("POST", "PATCH", "DELETE")}
    assert changing == {"forms", "files", "searches"}


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", ""),
    ],
)
def test_networks(address: str, shared: str) -> None:
    assert network(address) == shared


def test_memory_has_an_end(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.portal.rate_limits.MOST_KEPT", 10)
    rates = RateLimits(catalogue)
    for number in range(50):
        rates.take(str(number), "pages", 5, 0.0)
        rates.remember(str(number), 0.0)
    assert len(rates._buckets) == len(rates._known) == 10


@pytest.mark.parametrize("value", ["-1", "many", "1.5", "12345678"])
def test_a_setting_is_a_number(catalogue: Catalogue, value: str) -> None:
    with pytest.raises(ParameterError, match="requests a minute"), catalogue.writing() as connection:
        change_setting(connection, "rate_forms", value)
