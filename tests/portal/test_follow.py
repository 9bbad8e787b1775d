"""`tomarium follow`: typed links of levels 1 and 2, loops, what is huge, and what leads where it may not."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest
from click.testing import CliRunner

from tomarium.cli.follow import command
from tomarium.errors import InputError
from tomarium.portal import follow as following
from tomarium.portal.client import Limits, reason_of
from tomarium.portal.follow import Step, follow, is_private
from tomarium.portal.typed_links import TypedLink, links_in_header, links_in_html, links_in_linkset

PAGE = "https://a.example/page"


@dataclass
class Web:
    """What a server answers, and what it was asked."""

    address: str
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(
        self, path: str, content: bytes = b"", kind: str = "text/html", status: int = 200, **more: str
    ) -> None:
        headers = {name.capitalize(): text.replace("@", self.address) for name, text in more.items()}
        self.pages[path] = (
            status,
            {"Content-Type": kind, **headers},
            content.replace(b"@", self.address.encode()),
        )


def served(host: str) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append(self.path)
            status, headers, content = web.pages.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, text in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer((host, 0), Handler)
    web = Web(f"http://{host}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield web
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    yield from served("127.0.0.1")


@pytest.fixture
def other() -> Iterator[Web]:
    """A machine of another name, of which some tests say that it is private and the first is not."""
    yield from served("127.0.0.2")


def below(step: Step, relation: str) -> list[Step]:
    return [one for one in step.links if one.relation == relation]


HEADER = (
    '<@/doi>; rel="cite-as", <https://orcid.org/0000-0002-1825-0097>; rel=author, '
    '<@/meta.json>; rel="describedby"; type="application/ld+json", <@/scan.h5>; rel=item; type="application/x-hdf5", '
    '<@/all>; rel="collection", <@/linkset>; rel=linkset; type="application/linkset+json"'
)


def test_a_page_is_followed_to_its_metadata_and_files(web: Web, tmp_path: Path) -> None:
    web.put("/page", b"<html>", link=HEADER)
    web.put("/meta.json", b'{"name": "Tooth"}', "application/ld+json")
    web.put("/meta.xml", b"<a/>", "application/xml")
    web.pages["/meta.xml"][1]["Content-Disposition"] = 'inline; filename="../../data cite.xml"'
    sets = {
        "linkset": [
            {
                "anchor": f"{web.address}/page",
                "describedby": [
                    {"href": f"{web.address}/meta.json", "type": "application/ld+json"},
                    {"href": "/meta.xml", "type": "application/xml", "profile": "https://p.example"},
                ],
                "item": [
                    {"href": f"{web.address}/scan.h5"},
                    {"href": f"{web.address}/volume/", "type": "text/html"},
                ],
            },
            {"anchor": f"{web.address}/meta.xml", "describes": [{"href": f"{web.address}/page"}]},
        ]
    }
    web.put("/linkset", json.dumps(sets).encode(), "application/linkset+json")
    found = follow(f"{web.address}/page", save=tmp_path / "kept")
    assert (found.state, found.type) == ("page", "text/html")
    assert [one.address.removeprefix(web.address) for one in below(found, "describedby")] == [
        "/meta.json",
        "/meta.xml",
    ]
    assert [one.state for one in below(found, "describedby")] == ["metadata", "metadata"]
    assert [one.address.removeprefix(web.address) for one in below(found, "item")] == ["/scan.h5", "/volume/"]
    assert {one.state for one in below(found, "item") + below(found, "collection")} == {"listed"}
    assert web.asked == ["/page", "/linkset", "/meta.json", "/meta.xml"]  # no file, and nothing twice
    told = json.loads((tmp_path / "kept/followed.json").read_text())
    kept = [one for one in told["found"]["links"] if one["relation"] == "describedby"]
    assert (tmp_path / "kept" / kept[0]["file"]).read_bytes() == b'{"name": "Tooth"}'
    assert (kept[0]["address"], len(kept[0]["sha256"])) == (f"{web.address}/meta.json", 64)
    assert kept[0]["fetched"].startswith("20")
    assert [one["file"] for one in kept] == ["01-meta.json", "02-data-cite.xml"]
    with pytest.raises(InputError, match="is not empty"):
        follow(f"{web.address}/page", save=tmp_path / "kept")


def test_a_doi_leads_to_the_host_of_its_page(web: Web, other: Web) -> None:
    web.put("/10.5072/tooth.v1", status=302, location=f"{other.address}/page")
    other.put("/page", link="</meta>; rel=describedby, <@/a>; rel=item")
    other.put("/meta", b"{}", "application/json")
    found = follow("doi:10.5072/tooth.v1", resolver=web.address)
    assert found.address == f"{other.address}/page"
    assert below(found, "describedby")[0].state == "metadata"
    # From the address of a page, another host must be allowed.
    with pytest.raises(InputError, match=r"allow it with --host 127\.0\.0\.2"):
        follow(f"{web.address}/10.5072/tooth.v1")
    assert follow(f"{web.address}/10.5072/tooth.v1", hosts=["127.0.0.2"]).state == "page"


def test_other_hosts_are_not_asked(web: Web, other: Web) -> None:
    web.put("/page", link=f"<{other.address}/meta>; rel=describedby, </here>; rel=describedby")
    web.put("/here", status=302, location=f"{other.address}/meta")
    other.put("/meta", b"{}")
    found = below(follow(f"{web.address}/page"), "describedby")
    assert [one.state for one in found] == ["refused", "refused"]
    assert other.asked == []


def test_the_public_net_leads_to_no_private_machine(
    web: Web, other: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.put("/page", link=f"<{other.address}/meta>; rel=describedby, </moved>; rel=describedby")
    web.put("/moved", status=307, location=f"{other.address}/meta")
    web.put("/10.5072/a", status=302, location=f"{other.address}/meta")
    other.put("/meta", b"secret")
    other.put("/page", link=f"<{web.address}/meta>; rel=describedby, <@/meta>; rel=describedby")
    web.put("/meta", b"{}")
    monkeypatch.setattr(following, "is_private", lambda peer: peer == "127.0.0.2")
    found = below(follow(f"{web.address}/page", hosts=["127.0.0.2"]), "describedby")
    assert ["private net" in one.told for one in found] == [True, True]
    with pytest.raises(InputError, match="private net"):
        follow("10.5072/a", resolver=web.address)
    assert other.asked == []  # a connection was made, and nothing was asked
    inside = follow(f"{other.address}/page", hosts=["127.0.0.1"])  # who starts inside may go anywhere
    assert [one.state for one in below(inside, "describedby")] == ["metadata", "metadata"]


@pytest.mark.parametrize(
    ("peer", "private"),
    [
        *(
            (one, True)
            for one in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0")
        ),
        *((one, True) for one in ("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "224.0.0.1")),
        *((one, False) for one in ("8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8")),
    ],
)
def test_which_machines_are_private(peer: str, private: bool) -> None:
    assert is_private(peer) is private


def test_loops_come_to_an_end(web: Web) -> None:
    web.put("/page", link="<@/all>; rel=collection, <@/page>; rel=describedby, <@/linkset>; rel=linkset")
    web.put("/all", link="<@/page>; rel=item, <@/page>; rel=describes, <@/all>; rel=collection")
    web.put(
        "/linkset",
        b"<@/page>; rel=collection, <@/linkset>; rel=linkset, <@/all>; rel=collection",
        "application/linkset",
    )
    web.put("/a", status=302, location="@/b")
    web.put("/b", status=302, location="@/a")
    found = follow(f"{web.address}/page", depth=5)
    assert sorted(web.asked) == ["/all", "/linkset", "/page"]
    assert below(found, "describedby")[0].state == "seen"
    assert {one.state for one in below(found, "collection")} == {"page", "seen"}
    with pytest.raises(InputError, match="more than 5 times"):
        follow(f"{web.address}/a")


def test_what_is_huge_or_broken_is_left_out(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LIMITS", Limits(silent_s=5.0, whole_s=5.0, bytes=1000))
    web.put(
        "/page",
        link="</huge>; rel=describedby, </none>; rel=describedby, </sets>; rel=linkset, <mailto:a>; rel=item",
    )
    web.put("/huge", b"x" * 5000)
    web.put("/sets", b"[1, 2", "application/linkset+json")
    found = follow(f"{web.address}/page")
    huge, none = below(found, "describedby")
    assert (huge.state, "longer than 1000 bytes" in huge.told) == ("failed", True)
    assert (none.state, none.told) == ("failed", "answered 404")
    assert "no linkset" in below(found, "linkset")[0].told
    assert below(found, "item") == []
    web.put("/big", b"x" * 5000)
    with pytest.raises(InputError, match="longer than 1000 bytes"):
        follow(f"{web.address}/big")


def test_a_page_without_typed_links_says_so(web: Web) -> None:
    web.put("/page", b"<html><p>Hello")
    assert "no typed links" in follow(f"{web.address}/page").told
    with pytest.raises(InputError, match="is no address"):
        follow("ftp://a.example")


def test_links_are_read_from_headers_linksets_and_html() -> None:
    header = (
        r'</a>; rel="item collection"; type="text/html; charset=utf-8", <b>;rel=Item;title="x, <y>; rel=\"author\"",'
        r' </c>; rel="item"; anchor="/elsewhere", </d>; rel=stylesheet, <javascript:1>; rel=item, <broken'
    )
    assert links_in_header([header], PAGE) == [
        TypedLink("item", "https://a.example/a", "text/html; charset=utf-8"),
        TypedLink("collection", "https://a.example/a", "text/html; charset=utf-8"),
        TypedLink("item", "https://a.example/b"),
    ]
    html = b'<head><link rel="describedby" type="application/json" href="/m?a=1&amp;b=2"><link rel="icon" href="/i">'
    assert links_in_html(html, PAGE) == [
        TypedLink("describedby", "https://a.example/m?a=1&b=2", "application/json")
    ]
    plain = (
        b'<https://a.example/m> ; rel="describedby"; anchor="https://a.example/page",\n'
        b'<https://a.example/n>; rel="item"'
    )
    found = links_in_linkset(plain, "application/linkset", "https://a.example/set", [PAGE])
    assert [one.address for one in found] == ["https://a.example/m", "https://a.example/n"]
    with pytest.raises(ValueError, match="linkset"):
        links_in_linkset(b"{}", "application/linkset+json", PAGE, [PAGE])


def test_the_command_prints_a_tree(web: Web) -> None:
    web.put("/page", link=HEADER)
    web.put("/meta.json", b"{}", "application/ld+json")
    shown = CliRunner().invoke(command, [f"{web.address}/page"])
    assert shown.exit_code == 0
    lines = [line for line in shown.output.splitlines() if line.startswith("  ")]
    assert lines[0].split()[:2] == ["cite-as", f"{web.address}/doi"]
    assert any("describedby" in line and "application/ld+json" in line for line in lines)
    told = json.loads(CliRunner().invoke(command, [f"{web.address}/page", "--json"]).output)
    assert told["links"][0]["relation"] == "cite-as"


def test_what_does_not_answer_is_told_in_the_words_of_the_system() -> None:
    assert reason_of(URLError(OSError(111, "Connection refused"))) == "Connection refused"
    assert reason_of(URLError("unknown url type")) == "unknown url type"
    assert reason_of(TimeoutError()) == "TimeoutError"
