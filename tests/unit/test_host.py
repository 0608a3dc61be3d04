"""What a Host header names, and which names are safe to show pages under."""

import pytest

from schemas.errors import Forbidden, InvalidRequest, InvalidSetting
from services.domain.exchange.host import Host, check_trusted, host_names, is_trusted, parse_host
from services.settings.processes import Settings


@pytest.mark.parametrize(
    ("value", "name", "port", "is_address"),
    [
        (b"localhost", "localhost", None, False),
        (b"Farebox.Example.COM:8787", "farebox.example.com", 8787, False),
        (b"farebox.example.com.", "farebox.example.com", None, False),
        (b"my_proxy:80", "my_proxy", 80, False),
        (b"127.0.0.1:8787", "127.0.0.1", 8787, True),
        (b"10.1.2.3:", "10.1.2.3", None, True),
        (b"[::1]:8787", "::1", 8787, True),
        (b"[2001:DB8:0::7]", "2001:db8::7", None, True),
        (b"127.1", "127.1", None, False),
        (b"1.2.3.4.evil.example", "1.2.3.4.evil.example", None, False),
    ],
)
def test_a_host_header_is_a_name_or_an_address_and_a_port(
    value: bytes, name: str, port: int | None, is_address: bool
) -> None:
    assert parse_host(value) == Host(name=name, port=port, is_address=is_address)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b":80",
        b".",
        b"..",
        b"a..b",
        b".a",
        b"user@localhost",
        b"user:password@localhost",
        b"localhost/metrics",
        b"localhost?x",
        b"localhost#x",
        b"localhost\\x",
        b"localhost:port",
        b"localhost:-1",
        b"localhost:65536",
        b"localhost:123456",
        b"localhost:80:80",
        b"a b",
        b"a, b",
        b"a,b",
        b"::1",
        b"[::1",
        b"[]",
        b"[1::2::3]",
        b"[fe80::1%25eth0]",
        b"%6c",
        "pröxy".encode(),
        b"a\x00b",
        b"a" * 64,
        b"a." * 127 + b"com",
        b"http://localhost",
    ],
)
def test_anything_else_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Host header"):
        parse_host(value)


@pytest.mark.parametrize(
    ("value", "trusted"),
    [
        (b"localhost:8787", True),
        (b"farebox.localhost", True),
        (b"127.0.0.1", True),
        (b"10.244.1.7:8787", True),
        (b"[::1]:8787", True),
        (b"proxy:8787", True),
        (b"farebox.example.com:8787", True),
        (b"FAREBOX.example.com.", True),
        (b"a.internal.example", True),
        (b"a.b.internal.example", True),
        (b"internal.example", False),
        (b"evil-internal.example", False),
        (b"evil.example", False),
        (b"farebox.example.com.evil.example", False),
        (b"127.0.0.1.evil.example", False),
        (b"notlocalhost.example", False),
        (b"localhost.example", False),
        (b"127.1", False),
    ],
)
def test_only_names_that_no_page_elsewhere_can_have_are_trusted(value: bytes, trusted: bool) -> None:
    names = host_names("farebox.example.com, *.Internal.example")
    assert is_trusted(parse_host(value), names) is trusted


def test_a_refusal_names_the_host_and_the_setting() -> None:
    check_trusted(None, ())
    check_trusted(b"localhost", ())
    with pytest.raises(Forbidden, match=r"'evil\.example'.*FAREBOX_HOSTS"):
        check_trusted(b"evil.example", ())
    check_trusted(b"evil.example", {"evil.example"})


def test_the_names_come_from_a_setting() -> None:
    assert Settings.from_environ({}).hosts == ""
    given = Settings.from_environ({"FAREBOX_HOSTS": "a.example, *.b.example"})
    assert host_names(given.hosts) == {"a.example", "*.b.example"}
    for wrong in ("a.example:80", "https://a.example", "*", "a..b", "a.*"):
        with pytest.raises(InvalidSetting, match="FAREBOX_HOSTS"):
            Settings.from_environ({"FAREBOX_HOSTS": wrong})
