"""Pages of the administration: what each role sees and changes, other sites, absurd input, the last administrator."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import profiles
from sqlalchemy import insert

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue, passwords
from tomarium.catalogue.accounts import account_named, all_accounts, make_account
from tomarium.catalogue.audit import note
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.jobs import add_job, end_job
from tomarium.catalogue.tables import dois
from tomarium.catalogue.tokens import make_token
from tomarium.portal.administration import SECTIONS
from tomarium.portal.app import create_app

GOOD = "a quiet bear in winter"
JSON = {"Accept": "application/json"}
PEOPLE = {
    "root": "administrator",
    "cora": "curator",
    "sam": "instrument scientist",
    "ada": "member",
    "vic": "visitor",
}
PAGES = (
    "/admin",
    "/admin/users",
    "/admin/users/ada",
    "/admin/settings",
    "/admin/work",
    "/admin/sources",
    "/admin/disk",
    "/admin/alarms",
    "/disks",
    "/admin/log",
)
FEEDS = ("/admin/alarms.atom",)
OF_CURATORS = {
    "/admin",
    "/admin/work",
    "/admin/sources",
    "/admin/disk",
    "/admin/alarms",
    "/disks",
    "/admin/log",
}
FORMS = {
    "/admin/users": {"name": "new"},
    "/admin/users/ada/role": {"role": "administrator"},
    "/admin/users/ada/teams": {"teams": "bones"},
    "/admin/users/ada/instruments": {"instruments": "BM05"},
    "/admin/users/ada/link": {"days": "3"},
    "/admin/users/ada/withdraw-link": {},
    "/admin/users/ada/second-factor-off": {},
    "/admin/users/ada/close": {},
    "/admin/users/ada/open": {},
    "/admin/settings": {"name": "Taken over"},
    "/admin/work": {"job": "1"},
    "/admin/sources": {"source": "1"},
    "/admin/alarms": {"alarm": "1", "reason": "copied back"},
    "/admin/disk": {"kind": "owner", "name": "ada", "quota": "1 TB"},
}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PARAMETERS", profiles.CHEAPEST)


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[tuple[Catalogue, dict[str, dict[str, str]]]]:
    """A catalogue with a record of ada's and a job that failed; and headers by which each of `PEOPLE` is known."""
    home = tmp_path_factory.mktemp("admin")
    make_volume(home / "records" / "tooth" / "volume.ome.zarr", size=8)
    file_record(home / "records" / "tooth", title="Tooth", id="tooth")
    headers = {}
    with open_catalogue(home / "catalogue.sqlite") as opened:
        ingest(opened, home / "records" / "tooth", reader=Reader("ada", "member"))
        edit(opened, Reader("ada", "member"), "tooth", Changes(specimen="MB.1"))
        with opened.writing() as connection:
            for name, role in PEOPLE.items():
                make_account(connection, LOCAL_OWNER, name, role)
                scopes = ("read", "write", "upload", "review", "admin")
                secret = make_token(connection, LOCAL_OWNER, name, "test", scopes, 1)
                headers[name] = {"Authorization": f"Bearer {secret}", **JSON}
            weak = make_token(connection, LOCAL_OWNER, "root", "weak", ("read", "write", "review"), 1)
            headers["root, weak"] = {"Authorization": f"Bearer {weak}", **JSON}
            number = add_job(connection, Reader("ada", "member"), "a kind", {"batch": "b"})
            asked = {
                "state": "waiting",
                "event": "publish",
                "tries": 0,
                "next_utc": 0.0,
                "error": "",
                "address": "",
            }
            for subject in ("tooth", "specimens/heart"):
                connection.execute(insert(dois).values(doi=f"10.5072/{subject}", record=subject, **asked))
                note(connection, LOCAL_OWNER, "DOI findable", subject)
        end_job(opened, number, "failed", "<b>broken</b>")
        yield opened, headers


@pytest.fixture(scope="module")
def catalogue(prepared: tuple[Catalogue, dict[str, dict[str, str]]]) -> Catalogue:
    return prepared[0]


@pytest.fixture(scope="module")
def headers(prepared: tuple[Catalogue, dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
    return prepared[1]


@pytest.fixture(scope="module")
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue), raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def test_every_page_and_form_is_known(catalogue: Catalogue) -> None:
    doors = {(m, r.path) for r in create_app(catalogue).routes for m in getattr(r, "methods", None) or ()}
    admin = {
        (method, path.replace("{name}", "ada"))
        for method, path in doors
        if path.startswith(("/admin", "/disks"))
    }
    gets = {path for method, path in admin if method == "GET"}
    assert gets == {*PAGES, *(f"{path}.json" for path in PAGES), *FEEDS}
    assert {path for method, path in admin if method == "POST"} == set(FORMS)
    elsewhere = {"admin", "disks", "texts"}  # texts: test_texts.py
    assert {section.page for section in SECTIONS.values()} <= elsewhere | {f"admin.{p[7:]}" for p in PAGES}


@pytest.mark.parametrize("name", [*PEOPLE, "root, weak", "nobody"])
def test_each_role_sees_and_changes_its_own(
    client: TestClient, headers: dict[str, dict[str, str]], name: str
) -> None:
    role = PEOPLE.get(name, "")
    mine = headers.get(name, JSON)
    refused = 401 if name == "nobody" else 403
    for path in PAGES:
        sees = role == "administrator" or (role == "curator" and path in OF_CURATORS)
        for door in (path, f"{path}.json"):
            assert client.get(door, headers=mine).status_code == (200 if sees else refused), (name, door)
    for feed in FEEDS:
        sees = role in ("administrator", "curator")
        assert client.get(feed, headers=mine).status_code == (200 if sees else refused), (name, feed)
    if role != "administrator":
        for path, fields in FORMS.items():
            if role == "curator" and path == "/admin/work":
                continue
            assert client.post(path, data=fields, headers=mine).status_code == refused, (name, path)


def test_the_menu_leads_there_whom_it_lets_in(client: TestClient, headers: dict[str, dict[str, str]]) -> None:
    for name in PEOPLE:
        page = client.get("/about", headers={"Authorization": headers[name]["Authorization"]}).text
        assert ('href="/admin"' in page) is (name in ("root", "cora"))


def test_a_form_of_another_site_changes_nothing(
    client: TestClient, catalogue: Catalogue, headers: dict[str, dict[str, str]]
) -> None:
    with catalogue.reading() as connection:
        before = all_accounts(connection)
    for path, fields in FORMS.items():
        evil = {**headers["root"], "Sec-Fetch-Site": "cross-site"}
        assert client.post(path, data=fields, headers=evil).status_code == 403
    with catalogue.reading() as connection:
        assert all_accounts(connection) == before


def test_from_an_invitation_to_a_session(
    client: TestClient, catalogue: Catalogue, headers: dict[str, dict[str, str]]
) -> None:
    wanted = {"name": "ben", "role": "curator", "teams": "bones\nhip-ct", "days": "3"}
    made = client.post("/admin/users", data=wanted, headers=headers["root"])
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    path = re.sub("^https?://[^/]+", "", made.json()["link"])
    page = client.get(path)
    assert "Welcome, ben" in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert client.get(path, headers=JSON).json() == {
        "name": "ben",
        "role": "curator",
    }  # looking uses nothing up
    assert client.post(path, data={"password": "short"}).status_code == 400
    assert "differ" in client.post(path, data={"password": GOOD, "again": "x"}).text
    done = client.post(path, data={"password": GOOD, "again": GOOD})
    assert done.status_code == 303
    assert client.get("/sign-in.json").json()["name"] == "ben"
    client.cookies.clear()
    for again in (client.get(path), client.post(path, data={"password": GOOD + "2"})):
        assert again.status_code == 404
        assert "was used, has ended" in again.text
    with catalogue.reading() as connection:
        assert account_named(connection, "ben").teams == ("bones", "hip-ct")
    found = client.get("/admin/users.json?q=HIP cur", headers=headers["root"]).json()
    assert [(one["name"], one["means"]) for one in found["users"]] == [("ben", "password")]


def test_a_link_for_people_is_shown_once(client: TestClient, headers: dict[str, dict[str, str]]) -> None:
    as_browser = {"Authorization": headers["root"]["Authorization"], "Accept": "text/html"}
    made = client.post("/admin/users/vic/link", data={"days": "2"}, headers=as_browser)
    assert made.status_code == 201
    assert re.search(r"<code>http://testserver/welcome/[\w-]{40,}</code>", made.text)
    assert client.get("/admin/users/vic.json", headers=headers["root"]).json()["invited"] is True
    assert client.post("/admin/users/vic/withdraw-link", headers=headers["root"]).status_code == 200
    path = re.search(r"/welcome/[\w-]+", made.text)
    assert path
    assert client.get(path[0]).status_code == 404


def test_the_last_administrator_stays(
    client: TestClient, catalogue: Catalogue, headers: dict[str, dict[str, str]]
) -> None:
    for path, fields in (("role", {"role": "member"}), ("close", {})):
        answer = client.post(f"/admin/users/root/{path}", data=fields, headers=headers["root"])
        assert answer.status_code == 422
        assert "last administrator" in answer.json()["detail"]
    with catalogue.reading() as connection:
        assert (account_named(connection, "root").role, account_named(connection, "root").closed) == (
            "administrator",
            False,
        )


@pytest.mark.parametrize(
    ("path", "fields", "status", "said"),
    [
        ("/admin/users", {"name": "Ada Lovelace"}, 422, "cannot be the name"),
        ("/admin/users", {"name": "ada"}, 422, "already"),
        ("/admin/users", {"name": "eve", "role": "king"}, 422, "no role 'king'"),
        ("/admin/users", {"name": "eve", "orcid": "1"}, 422, "no ORCID"),
        ("/admin/users", {"name": "eve", "teams": "B" * 300}, 422, "cannot be the name of a team"),
        ("/admin/users", {"name": "eve", "days": "-1"}, 422, "no number of days"),
        ("/admin/users", {"name": "eve", "days": "9" * 99}, 422, "give 1 to 30"),
        ("/admin/users", {"name": "\x00"}, 422, "cannot be the name"),
        ("/admin/users/nobody/role", {"role": "member"}, 404, "no account"),
        ("/admin/users/nobody/close", {}, 404, "no account"),
        ("/admin/users/ada/role", {}, 422, "no role ''"),
        ("/admin/users/ada/instruments", {"instruments": "x" * 201}, 422, "name of an instrument"),
        ("/admin/users/ada/withdraw-link", {}, 422, "no link"),
        ("/admin/settings", {"nam": "x"}, 422, "'name' was meant"),
        ("/admin/settings", {"name": "ok", "embargo": "long"}, 422, "no span of time"),
        ("/admin/settings", {"name": "ok", "contact": "me?bcc=x@y"}, 422, "e-mail"),
        ("/admin/settings", {"imprint": "javascript:alert(1)"}, 422, "whole address"),
        ("/admin/settings", {"logo": "../../etc/passwd.svg"}, 422, "name of a file"),
        ("/admin/settings", {"name": "a\nb"}, 422, "one line"),
        ("/admin/settings", {"name": "x" * 2001}, 422, "at most 2000"),
        ("/admin/work", {"job": "77"}, 422, "no job 77"),
        ("/admin/work", {"job": "²"}, 422, "no number of a job"),
        ("/admin/work", {"doi": "10.1/x"}, 422, "no DOI"),
        ("/admin/work", {}, 422, "no number of a job"),
        ("/admin/disk", {"kind": "world", "name": "x", "quota": "1 GB"}, 422, "no owner or team"),
        ("/admin/disk", {"kind": "owner", "name": "ada", "quota": "much"}, 422, "much"),
        ("/admin/disk", {"kind": "owner", "name": "ada", "quota": "-1 GB"}, 422, "cannot be"),
        ("/admin/disk", {"kind": "owner", "name": "ada", "quota": "1e99 GB"}, 422, "cannot be"),
        ("/admin/disk", {"kind": "owner", "name": "", "quota": "1 GB"}, 422, "no owner"),
    ],
)
def test_absurd_input_is_refused_with_what_to_do(
    client: TestClient,
    catalogue: Catalogue,
    headers: dict[str, dict[str, str]],
    path: str,
    fields: dict[str, str],
    status: int,
    said: str,
) -> None:
    with catalogue.reading() as connection:
        before = all_accounts(connection)
    answer = client.post(path, data=fields, headers=headers["root"])
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]
    with catalogue.reading() as connection:
        assert all_accounts(connection) == before
    assert client.get("/admin/settings.json", headers=headers["root"]).json()["groups"]["The house"][0][
        "value"
    ] in ("tomarium", "X-ray lab")


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=9999-12-31",
        "since=0001-01-01",
        "before=0",
        "before=x",
        "check=all",
        "who=" + "x" * 201,
    ],
)
def test_absurd_filters_of_the_log(
    client: TestClient, headers: dict[str, dict[str, str]], query: str
) -> None:
    assert client.get(f"/admin/log.json?{query}", headers=headers["root"]).status_code in (200, 400)


def test_settings_are_shown_changed_and_noted(
    client: TestClient, catalogue: Catalogue, headers: dict[str, dict[str, str]]
) -> None:
    (catalogue.home / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert client.get("/logo").status_code == 404
    wanted = {"name": "X-ray lab", "logo": "logo.svg", "embargo": "2 years", "kept": ""}
    assert "name, logo, embargo" in client.post("/admin/settings", data=wanted, headers=headers["root"]).text
    assert "X-ray lab" in client.get("/about").text
    assert 'src="/logo"' in client.get("/about").text
    answer = client.get("/logo")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    lines = client.get("/admin/log.json?action=settings&who=root", headers=headers["root"]).json()["lines"]
    assert '"embargo": "2 years"' in lines[0]["told"]
    page = client.get("/admin/settings", headers={"Authorization": headers["root"]["Authorization"]}).text
    assert 'value="2 years"' in page


def test_work_is_seen_and_tried_again_by_curators(
    client: TestClient, headers: dict[str, dict[str, str]]
) -> None:
    as_browser = {"Authorization": headers["cora"]["Authorization"]}
    page = client.get("/admin/work", headers=as_browser).text
    assert "&lt;b&gt;broken&lt;/b&gt;" in page
    assert "Try job 1 again" in page
    assert 'href="/records/tooth"' in page
    assert 'href="/specimens/heart"' in page
    assert client.post("/admin/work", data={"job": "1"}, headers=headers["cora"]).status_code == 200
    job = client.get("/admin/work.json", headers=headers["cora"]).json()["jobs"][0]
    assert (job["state"], job["tries"]) == ("waiting", 0)


def test_the_log_is_filtered_and_its_chain_checked(
    client: TestClient, headers: dict[str, dict[str, str]]
) -> None:
    def lines(query: str, who: str = "root") -> list[dict[str, str]]:
        found = client.get(f"/admin/log.json?{query}", headers=headers[who]).json()["lines"]
        assert isinstance(found, list)
        return found

    everything = lines("")
    assert {one["action"] for one in lines("action=make account")} == {"make account"}
    assert lines("record=tooth")
    assert lines("record=specimens/heart")[0]["page"] == "/specimens/heart"
    assert (
        client.get("/admin/log", headers={"Authorization": headers["root"]["Authorization"]}).status_code
        == 200
    )
    assert all(one["record"] == "tooth" for one in lines("record=tooth"))
    first, last = everything[-1]["moment"][:10], everything[0]["moment"][:10]
    assert lines(f"since={first}&until={last}") == everything
    assert lines("until=2020-01-01") == []
    assert all(one["record"] for one in lines("", "cora"))
    assert [one["number"] for one in lines(f"before={everything[0]['number']}")] == [
        one["number"] for one in everything[1:]
    ]
    told = client.get("/admin/log.json?check=chain", headers=headers["root"]).json()["verdict"]
    assert told["problem"] == ""
    assert told["newest"] == everything[0]["chain"]
    lost = client.get("/admin/log.json?check=chain&known=" + "0" * 64, headers=headers["root"]).json()
    assert "lines were taken from the end" in lost["verdict"]["problem"]
    assert client.get("/admin/log.json?check=chain", headers=headers["cora"]).status_code == 403


def test_a_quota_is_set_and_refuses_an_upload(client: TestClient, headers: dict[str, dict[str, str]]) -> None:
    limit = {"kind": "owner", "name": "ada", "quota": "1 MB"}
    assert client.post("/admin/disk", data=limit, headers=headers["root"]).status_code == 200
    use = client.get("/admin/disk.json", headers=headers["cora"]).json()["uses"][0]
    assert (use["name"], use["records"], use["quota"]) == ("ada", 1, 1_000_000)
    upload = {**headers["ada"], "Tus-Resumable": "1.0.0", "Upload-Length": "2000000"}
    answer = client.post("/uploads", headers=upload)
    assert answer.status_code == 507
    assert "ask an administrator" in answer.json()["detail"]


def test_reviewers_links_are_made_listed_and_withdrawn(
    client: TestClient, headers: dict[str, dict[str, str]]
) -> None:
    made = client.post("/records/tooth/invite", data={"days": "9"}, headers=headers["ada"])
    assert made.status_code == 201
    path = re.sub("^https?://[^/]+", "", made.json()["link"])
    assert client.get(path).headers["location"] == "/records/tooth"
    links = client.get("/records/tooth/manage.json", headers=headers["ada"]).json()["links"]
    assert [one["made_by"] for one in links] == ["ada"]
    client.cookies.clear()
    as_browser = {"Authorization": headers["ada"]["Authorization"], "Accept": "text/html"}
    shown = client.post("/records/tooth/invite", data={}, headers=as_browser)
    assert re.search(r"<code>http://testserver/review/[\w-]{40,}</code>", shown.text)
    assert (
        client.post(
            "/records/tooth/uninvite", data={"link": links[0]["name"]}, headers=headers["ada"]
        ).status_code
        == 200
    )
    assert client.get(path).status_code == 404
    for days in ("0", "731", "-1", "x", "1e3"):
        answer = client.post("/records/tooth/invite", data={"days": days}, headers=headers["ada"])
        assert answer.status_code == 422, days
    assert client.post("/records/tooth/invite", headers=headers["vic"]).status_code == 404
    assert (
        client.post("/records/tooth/uninvite", data={"link": "%%%%%%%%"}, headers=headers["ada"]).status_code
        == 422
    )


def test_the_first_account_is_an_administrators_with_a_password(tmp_path: Path) -> None:
    with (
        open_catalogue(tmp_path / "catalogue.sqlite") as opened,
        TestClient(create_app(opened, local=True), follow_redirects=False) as client,
    ):
        form = client.get("/admin/users").text
        assert 'name="password"' in form
        without = client.post("/admin/users", data={"name": "ada", "role": "administrator"}, headers=JSON)
        assert "must have a password now" in without.json()["detail"]
        fields = {"name": "ada", "role": "administrator", "password": GOOD}
        assert client.post("/admin/users", data=fields).headers["location"].startswith("/sign-in")
        assert client.get("/admin").status_code == 401
        client.post("/sign-in", data={"name": "ada", "password": GOOD})
        assert client.get("/admin").status_code == 200
