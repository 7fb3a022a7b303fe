"""hosts.toml files: which hosts are asked, in which order, and how."""

from pathlib import Path

import pytest

from steersman.containers.images import hosts

HUB = "https://registry-1.docker.io/v2"


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).mkdir()
    (folder / name / "hosts.toml").write_text(text)
    return str(folder)


def bases(domain: str, folder: str) -> list[str]:
    return [one.base for one in hosts.of(domain, folder)]


def test_without_any_file_the_registry_itself(tmp_path: Path) -> None:
    assert hosts.of("docker.io") == [hosts.Host(HUB)]
    assert hosts.of("example.com:5000", str(tmp_path)) == [hosts.Host("https://example.com:5000/v2")]
    assert hosts.of("localhost:5000") == [hosts.Host("https://localhost:5000/v2", may_be_plain=True)]


def test_mirrors_come_first_in_their_order_with_what_they_may(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "docker.io",
        """
        server = "https://docker.io"
        [host."https://public.example.com"]
          capabilities = ["pull"]
          skip_verify = true
          dial_timeout = "500ms"
        [host."http://inside:5000/mirror"]
          capabilities = ["pull", "resolve", "push"]
          ca = ["one.pem", "/etc/two.pem"]
          client = [["c.cert", "c.key"], ["both.pem", ""]]
          [host."http://inside:5000/mirror".header]
            X-Key = ["a", "b"]
        """,
    )
    public, inside, own = hosts.of("docker.io", folder)
    assert public == hosts.Host(
        "https://public.example.com/v2",
        frozenset({"pull"}),
        "docker.io",
        verifies=False,
        connect_seconds=0.5,
    )
    of = tmp_path / "docker.io"
    assert inside == hosts.Host(
        "http://inside:5000/mirror/v2",
        namespace="docker.io",
        authorities=(str(of / "one.pem"), "/etc/two.pem"),
        certificates=((str(of / "c.cert"), str(of / "c.key")), (str(of / "both.pem"), str(of / "both.pem"))),
        headers=(("X-Key", "a"), ("X-Key", "b")),
    )
    assert own == hosts.Host(HUB)


@pytest.mark.parametrize("name", ["example.com_5000_", "example.com:5000", "_default"])
def test_where_a_file_may_be(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, name, 'server = "https://only.example.com"')
    assert bases("example.com:5000", folder) == ["https://only.example.com/v2"]


def test_the_first_of_them_counts(tmp_path: Path) -> None:
    for name, server in (("example.com_5000_", "a"), ("example.com:5000", "b"), ("_default", "c")):
        folder = write(tmp_path, name, f'server = "https://{server}"')
    assert bases("example.com:5000", folder) == ["https://a/v2"]
    assert bases("other.example.com", folder) == ["https://c/v2"]


def test_a_path_may_be_the_whole_root(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "quay.io",
        '[host."https://cache.example.com/v2/quay"]\noverride_path = true\n[host."https://other.example.com/v2"]\n',
    )
    assert bases("quay.io", folder) == [
        "https://cache.example.com/v2/quay",
        "https://other.example.com/v2",
        "https://quay.io/v2",
    ]


def test_docker_s_certificate_files(tmp_path: Path) -> None:
    folder = tmp_path / "example.com"
    folder.mkdir()
    for name in ("ca.crt", "client.cert", "client.key"):
        (folder / name).touch()
    [own] = hosts.of("example.com", str(tmp_path))
    assert own.authorities == (str(folder / "ca.crt"),)
    assert own.certificates == ((str(folder / "client.cert"), str(folder / "client.key")),)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("server = ", "Invalid value"),
        ('[host."ftp://x"]', "not the address of a registry: 'ftp://x'"),
        ('[host."https://x"]\ncapabilities = ["fly"]', "unknown capability"),
        ('[host."https://x"]\ndial_timeout = "soon"', "not a duration"),
        ('host = "x"', "hosts.toml"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_file(tmp_path: Path, text: str, expect: str) -> None:
    with pytest.raises(hosts.Malformed) as refused:
        hosts.of("docker.io", write(tmp_path, "docker.io", text))
    assert "docker.io/hosts.toml: " in str(refused.value)
    assert expect in str(refused.value)
