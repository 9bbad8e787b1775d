"""Pages of text: what everybody reads, what editors write, history, two editors at once, languages, hostile text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import html

from app_client import TestClient
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, open_catalogue
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.audit import newest_lines
from tomarium.catalogue.page_texts import newest, versions_of, write_text
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.tokens import make_token
from tomarium.errors import ParameterError
from tomarium.model.page_text import FACTS, read_page_text, write_page_text
from tomarium.portal.app import create_app
from tomarium.portal.languages import LANGUAGES
from tomarium.portal.markdown import marked_page
from tomarium.portal.texts import shipped

CORA = Reader("cora", "curator")
JSON = {"Accept": "application/json"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


@pytest.fixture
def people(opened: Catalogue) -> dict[str, TestClient]:
    """Give a client of everybody, of a member, of an editor and of a curator."""
    app = create_app(opened)
    found = {"nobody": TestClient(app)}
    with opened.writing() as connection:
        make_account(connection, LOCAL_OWNER, "root", "administrator")
        for name, role in (("eve", "member"), ("edi", "editor"), ("cora", "curator")):
            make_account(connection, LOCAL_OWNER, name, role)
            secret = make_token(
                connection, LOCAL_OWNER, name, "test", ("read", "write", "review", "admin"), 1
            )
            found[name] = TestClient(app, headers={"Authorization": f"Bearer {secret}"})
    return found


def test_every_text_is_shipped_in_every_language() -> None:
    assert len(shipped()) >= 16
    for name, texts in shipped().items():
        assert list(texts) == list(LANGUAGES), name
        heads = {language: {key: told for key, told in text.facts.items() if key not in ("title", "summary")}
                 for language, text in texts.items()}  # fmt: skip
        assert heads["fr"] == heads["de"] == heads["en"], name
        assert len({text.title for text in texts.values()}) > 1 or name == "pages/publications", name
        for language, text in texts.items():
            links = re.findall(r"\]\((/[^) ]*)", text.body)
            assert links == re.findall(r"\]\((/[^) ]*)", texts["en"].body), (name, language)
            marks = re.findall(r"(?m)^:::.*$", text.body)
            assert marks == re.findall(r"(?m)^:::.*$", texts["en"].body), (name, language)
            assert bool(text.todo) is bool(texts["en"].todo)


def test_everybody_reads(people: dict[str, TestClient]) -> None:
    page = html.fromstring(people["nobody"].get("/fr/pages/tomography").text)
    assert page.xpath("string(//h1)") == "Qu’est-ce que la tomographie ?"
    assert page.xpath("//div[@class='lesson text']/@lang") == []
    assert "/fr/pages/lessons" in page.xpath("//div[@class='lesson text']//a/@href")
    assert "Still to be written" not in people["nobody"].get("/pages/partners").text
    assert "Name the institutions" in people["cora"].get("/pages/partners").text
    assert people["nobody"].get("/pages/nothing").status_code == 404
    assert people["nobody"].get("/pages/news", follow_redirects=False).headers["location"] == "/news"
    plain = people["nobody"].get("/pages/tomography?level=pupil").text
    assert "Try it with your hand" in plain
    assert "Beer and Lambert" not in plain


def write(client: TestClient, kind: str = "pages", **fields: str) -> dict[str, object]:
    answer = client.post(f"/texts/{kind}/edit", json=fields, headers=JSON)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_page_is_written_translated_and_restored(people: dict[str, TestClient], opened: Catalogue) -> None:
    anybody, cora = people["nobody"], people["cora"]
    first = write(
        cora, name="partners", title="Partners", body="The **Alps**.", seen="0", remark="named them"
    )
    assert "<strong>Alps</strong>" in anybody.get("/pages/partners").text
    french = html.fromstring(anybody.get("/fr/pages/partners").text)
    assert "not translated" not in french.text_content()  # that is said in French
    assert "pas encore traduit" in french.text_content()
    assert french.xpath("//div[@class='lesson text']/@lang") == french.xpath("//h1/@lang") == ["en"]
    write(cora, name="partners", language="fr", title="Partenaires", body="Les Alpes.", seen="0")
    assert "pas encore traduit" not in anybody.get("/fr/pages/partners").text
    second = write(cora, name="partners", title="Partners", body="The Andes.", seen=str(first["version"]))
    states = {
        one["language"]: one["state"]
        for one in cora.get("/texts/pages/edit.json?name=partners").json()["translations"]
    }
    assert states == {"en": "written here", "fr": "older than the English text", "de": "not translated"}
    history = cora.get(
        "/texts/pages/history.json", params={"name": "partners", "version": str(second["version"])}
    ).json()
    assert [one["language"] for one in history["versions"]] == ["en", "fr", "en"]
    assert history["versions"][-1]["who"] == "cora"
    assert [(one["sign"], one["text"]) for one in history["changes"] if one["sign"] in "+-"] == [
        ("-", "The **Alps**."),
        ("+", "The Andes."),
    ]
    sent = {"name": "partners", "number": str(first["version"]), "seen": str(second["version"])}
    assert cora.post("/texts/pages/restore", json=sent, headers=JSON).status_code == 200
    assert "<strong>Alps</strong>" in anybody.get("/pages/partners").text
    with opened.reading() as connection:
        log = newest_lines(connection, action="write text")
        assert len(versions_of(connection, "pages/partners")) == 4
    assert [line.who for line in log] == ["cora"] * 4
    assert log[0].told["name"] == "pages/partners"


def test_two_editors_do_not_overwrite_each_other(people: dict[str, TestClient]) -> None:
    cora = people["cora"]
    write(cora, name="faq", title="Questions", body="One.\n\nTwo.", seen="0")
    fields = {"name": "faq", "title": "Questions", "body": "Mine.", "seen": "0"}
    assert cora.post("/texts/pages/edit", json=fields, headers=JSON).status_code == 409
    shown = cora.post("/texts/pages/edit", data=fields, headers={"Accept": "text/html"})
    page = html.fromstring(shown.text)
    assert shown.status_code == 409
    assert "A newer version was written since you began, by cora" in page.text_content()
    assert page.xpath("string(//textarea[@name='body'])").strip() == "Mine."
    assert "One." in " ".join(page.xpath("//ins//text()"))
    assert "Does it cost anything?" in " ".join(page.xpath("//del//text()"))  # of the text that was shipped
    fields["seen"] = page.xpath("string(//form[contains(@class, 'text-form')]//input[@name='seen']/@value)")
    assert (
        cora.post("/texts/pages/edit", data=fields, follow_redirects=False).headers["location"]
        == "/pages/faq"
    )


def test_a_draft_and_a_preview_are_for_editors(people: dict[str, TestClient]) -> None:
    anybody, cora = people["nobody"], people["cora"]
    before = anybody.get("/pages/faq").text
    seen = str(write(cora, name="faq", title="Soon", body="New.", seen="0", draft="1")["version"])
    assert anybody.get("/pages/faq").text == before
    assert "There is a draft" in cora.get("/pages/faq").text
    page = cora.post(
        "/texts/pages/edit",
        data={"name": "faq", "title": "Soon", "body": "*See*", "seen": seen, "preview": "1"},
    )
    assert "<em>See</em>" in page.text
    assert anybody.get("/pages/faq").text == before
    write(cora, name="own", title="Our own", body="Only a draft.", seen="0", draft="1")
    assert anybody.get("/pages/own").status_code == 404
    assert "Our own" not in anybody.get("/pages").text
    assert cora.get("/pages/own").status_code == 200


def test_a_page_is_taken_away_and_comes_again(people: dict[str, TestClient]) -> None:
    anybody, cora = people["nobody"], people["cora"]
    gone = cora.post("/texts/pages/remove", json={"name": "highlights", "seen": "0"}, headers=JSON).json()
    for address in ("/pages/highlights", "/fr/pages/highlights"):
        assert anybody.get(address).status_code == 404
    assert "/pages/highlights" not in anybody.get("/pages.json").text
    sent = {"name": "highlights", "number": "0", "seen": str(gone["version"])}
    assert cora.post("/texts/pages/restore", json=sent, headers=JSON).status_code == 200
    assert anybody.get("/pages/highlights").status_code == 200


@pytest.mark.parametrize("name", ["nobody", "eve"])
def test_others_write_nothing(people: dict[str, TestClient], opened: Catalogue, name: str) -> None:
    client = people[name]
    wanted = 401 if name == "nobody" else 403
    for address in ("/texts", "/texts/pages/edit?name=faq", "/texts/pages/history?name=faq"):
        assert client.get(address).status_code == wanted, address
    for door in ("edit", "restore", "remove"):
        assert (
            client.post(f"/texts/pages/{door}", json={"name": "faq", "title": "x", "seen": "0"}).status_code
            == wanted
        )
    with opened.reading() as connection:
        assert newest(connection, "pages/faq") == {}
    with pytest.raises(NotAllowed, match="may not write the texts"):
        write_text(opened, ANYBODY, "pages/faq", "en", "---\ntitle: x\n---\n", seen=0)


def test_what_is_wrong_is_said(people: dict[str, TestClient]) -> None:
    cora = people["cora"]
    wrong = {
        "Title is missing": {"title": " "},
        "no level": {"title": "x", "body": "::: child\nx\n:::"},
        "cannot be the name": {"name": "../about", "title": "x"},
        "cannot be read": {"title": "x", "order": "first"},
        "there is no field": {"title": "x", "colour": "red"},
    }
    for words, fields in wrong.items():
        answer = cora.post("/texts/pages/edit", json={"name": "own", "seen": "0", **fields}, headers=JSON)
        assert answer.status_code in (400, 404, 422), words
        assert words.casefold() in answer.json()["detail"].casefold()
    late = {"title": "Day", "starts": "2027-06-05 10:00", "name": "day", "seen": "0"}
    assert "time zone" in cora.post("/texts/events/edit", json=late, headers=JSON).json()["detail"]
    late |= {"zone": "Europe/Paris", "ends": "2027-06-04 10:00"}
    assert "before it starts" in cora.post("/texts/events/edit", json=late, headers=JSON).json()["detail"]


def test_a_text_is_spelled_and_read_again() -> None:
    for name, texts in shipped().items():
        kind = name.partition("/")[0]
        for text in texts.values():
            again = read_page_text(kind, write_page_text(text))
            assert (again.facts, again.body) == (text.facts, text.body)
    with pytest.raises(ParameterError, match="no head"):
        read_page_text("pages", "only words")
    assert set(FACTS) == {"pages", "news", "events"}


def test_an_editor_writes_texts_and_sees_no_more_of_the_administration(people: dict[str, TestClient]) -> None:
    edi = people["edi"]
    page = html.fromstring(edi.get("/texts").text)
    assert page.xpath("//nav[@class='onpage']//a/@href") == ["/texts"]
    assert "/texts" in page.xpath("//details[contains(@class, 'you')]//a/@href")
    for kind, more in (("news", {"date": "2027-06-05"}), ("events", {"starts": "2027-06-05"}), ("pages", {})):
        draft = {
            "name": "opening",
            "title": "Opening",
            "summary": "Doors open.",
            "body": "Come.",
            "seen": "0",
        }
        number = write(edi, kind, **draft, **more, draft="1")["version"]
        assert people["eve"].get(f"/{kind}/opening").status_code == 404
        assert edi.get(f"/{kind}/opening").status_code == 200
        write(edi, kind, **{**draft, **more, "seen": str(number)})
        assert people["nobody"].get(f"/{kind}/opening").status_code == (404 if kind == "news" else 200)
    sections = (
        "admin",
        "admin/users",
        "admin/settings",
        "admin/work",
        "admin/sources",
        "admin/log",
        "newsletter",
    )
    assert {door: edi.get(f"/{door}").status_code for door in sections} == dict.fromkeys(sections, 403)
    assert people["eve"].get("/texts").status_code == 403


HOSTILE = (
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](//evil.example/)",
    "[x](/\\evil.example/)",
    "![x](https://evil.example/pixel.png)",
    "![x](//evil.example/pixel.png)",
    '# <img src=x onerror="alert(1)">',
    '![a" onload="alert(1)](/records/x/files/a.png)',
    "[x](data:text/html,x)",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing(text: str) -> None:
    page = html.fragment_fromstring(str(marked_page(text, lambda path: path)), create_parent=True)
    assert not page.xpath("//script")
    assert not [name for one in page.iter() for name in one.attrib if name.startswith("on")]
    for address in page.xpath("//@href | //@src"):
        assert address.startswith("/")
        assert not address.startswith(("//", "/\\"))


def test_headings_have_addresses() -> None:
    page = marked_page(
        "# One\n## One\n### Größe\n[a](#one) [b](/records?q=x) [c](https://a.example)",
        lambda path: f"/fr{path}",
    )
    assert re.findall(r"<(h\d) id=\"([\w-]+)\"", page) == [("h2", "one"), ("h2", "one-2"), ("h3", "grosse")]
    assert re.findall(r'href="([^"]+)"', page) == ["#one", "/fr/records?q=x", "https://a.example"]
