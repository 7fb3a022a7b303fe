"""Links of pages behind a proxy."""

import gzip

import pytest

from steersman.apiserver.subresources import proxied

PREFIX = "/api/v1/namespaces/d/pods/p/proxy"
ABOUT = (PREFIX, "api.example:6443", "10.244.0.1:80")

LINKS = [
    pytest.param("/rewriteme", f"{PREFIX}/rewriteme", id="absolute"),
    pytest.param("/", f"{PREFIX}/", id="root"),
    pytest.param("/a/?b=c#d", f"{PREFIX}/a/?b=c#d", id="query"),
    pytest.param("here/x", "here/x", id="relative"),
    pytest.param(f"{PREFIX}/x", f"{PREFIX}/x", id="has it"),
    pytest.param("http://10.244.0.1:80/x", f"{PREFIX}/x", id="the server by its own name"),
    pytest.param("https://api.example:6443/x", f"https://api.example:6443{PREFIX}/x", id="by ours"),
    pytest.param("https://elsewhere/x", "https://elsewhere/x", id="elsewhere"),
    pytest.param("#top", "#top", id="fragment"),
    pytest.param("http://[/x", "http://[/x", id="no URL"),
]


@pytest.mark.parametrize(("text", "expected"), LINKS)
def test_links(text, expected):
    assert proxied.link(text, *ABOUT) == expected


def test_pages():
    page = b"""<a href="/rewriteme">/not/me</a><img src='/i.png' alt="/x"><form action=/f><script src="https://x/y">"""
    expected = page.replace(b'"/rewriteme', f'"{PREFIX}/rewriteme'.encode())
    expected = expected.replace(b"'/i.png", f"'{PREFIX}/i.png".encode()).replace(b"=/f", f"={PREFIX}/f".encode())
    assert proxied.page(page, {}, *ABOUT) == expected
    packed = proxied.page(gzip.compress(page), {"Content-Encoding": "gzip"}, *ABOUT)
    assert gzip.decompress(packed) == expected
    assert proxied.page(b"no gzip", {"content-encoding": "gzip"}, *ABOUT) == b"no gzip"


def test_headers():
    given = {"location": "/x", "access-control-allow-origin": "*", "server": "s"}
    assert proxied.headers(given, *ABOUT) == {"location": f"{PREFIX}/x", "server": "s"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content-type": "text/html; charset=utf-8"}, True),
        ({"content-type": "text/html", "content-encoding": "br"}, False),
        ({"content-type": "application/json"}, False),
        ({}, False),
    ],
)
def test_what_is_a_page(headers, expected):
    assert proxied.is_page(headers) is expected
