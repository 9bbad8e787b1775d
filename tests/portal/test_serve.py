"""The server on a real port, and its refusals."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tomarium.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.settings import change_setting
from tomarium.errors import InputError
from tomarium.portal.serve import _hosts, serve

PROGRAM = """
import sys
from tomarium.catalogue import open_catalogue
from tomarium.portal.serve import serve
with open_catalogue(sys.argv[1]) as catalogue:
    serve(catalogue, port=0, announce=lambda address: print(address, flush=True))
print("ended")
"""


def test_serves_where_it_says_until_interrupted(tmp_path: Path) -> None:
    import signal

    program = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path / "c.sqlite")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout
        address = program.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=600) as answer:
            assert "herbarium" in answer.read().decode()
            assert answer.headers.get("server") is None
        request = urllib.request.Request(address, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            urllib.request.urlopen(request, timeout=600)
        refused.value.close()
    finally:
        program.send_signal(signal.SIGINT)
        rest, problems = program.communicate(timeout=600)
    assert rest.strip() == "ended"
    assert problems == ""
    assert program.returncode == 0


def test_taken_port_is_said(catalogue: Catalogue) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="another port"):
        serve(catalogue, port=taken.getsockname()[1])


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70000)])
def test_impossible_place_is_said(catalogue: Catalogue, host: str, port: int) -> None:
    with pytest.raises(InputError, match="cannot listen"):
        serve(catalogue, host, port)


def test_portal_on_loopback_answers_under_the_name_its_proxy_has(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "c.sqlite") as catalogue:
        assert "data.example.org" not in _hosts(catalogue)
        with catalogue.writing() as connection:
            change_setting(connection, "address", "https://data.example.org/tomo")
        assert _hosts(catalogue)[-1] == "data.example.org"
