"""Markdown that people write: what it may become, and what it never does."""

import re

import pytest

from tomarium.portal.markdown import marked_down

TAGS = {
    *("p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "a"),
    *("div", "table", "thead", "tbody", "tr", "th", "td"),
}


def test_what_people_write() -> None:
    told = marked_down("**Beam** lost at *14:20*\nrepeated\n\n- `a`\n- [b](https://example.org/x)")
    assert "<strong>Beam</strong> lost at <em>14:20</em><br />\nrepeated" in told
    assert '<a href="https://example.org/x" rel="nofollow noopener noreferrer">b</a>' in told
    assert "<li><code>a</code></li>" in told
    assert "<td>12.3</td>" in marked_down("| motor |\n|---|\n| 12.3 |")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&#58;alert(1))",
        "[x](data:text/html;base64,PHN2Zz4=)",
        "[x](//evil.example)",
        "[x](/sign-out)",
        "<javascript:alert(1)>",
        "![x](https://evil.example/pixel.png)",
        "[x]: javascript:alert(1)\n\n[x]",
        '[x](https://a.example "\\" onmouseover=alert(1))',
        "# Heading\n\nHeading\n===",
        "&lt;script&gt;",
        "> " * 500 + "deep",
        "[" * 2000 + "](https://a.example)" * 200,
    ],
)
def test_what_does_no_harm(text: str) -> None:
    told = marked_down(text)
    for tag in re.findall(r"<([^>]*)>", told):
        name, _, rest = tag.strip("/").partition(" ")
        assert name in TAGS, tag
        for address in re.findall(r'href="([^"]*)"', rest):
            assert address.startswith(("https://", "http://"))
        known = {"href", "rel", "title", "class", "role", "tabindex", "aria-label"}
        assert set(re.findall(r'([a-zA-Z-]+)="', rest)) <= known
