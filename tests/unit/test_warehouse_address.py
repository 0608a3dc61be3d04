"""What a warehouse's URL says, and what nobody is reported of it."""

import pytest

from services.stores.clickhouse.connection import Address, parse_address


@pytest.mark.parametrize(
    ("url", "host", "port", "username", "password", "database"),
    [
        ("http://h", "h", 8123, "default", "", "default"),
        ("https://h/", "h", 8443, "default", "", "default"),
        ("http://u:p@h:1/db", "h", 1, "u", "p", "db"),
        ("http://u%40x:p%2F%3A@h:1/db", "h", 1, "u@x", "p/:", "db"),
        ("https://default:@[::1]:1/db", "::1", 1, "default", "", "db"),
    ],
)
def test_a_server_is_named_by_host_user_and_database(
    url: str, host: str, port: int, username: str, password: str, database: str
) -> None:
    address = parse_address(url)
    assert (address.host, address.port, address.database) == (host, port, database)
    assert (address.username, address.password, address.folder) == (username, password, "")


def test_a_folder_is_reported_whole_so_that_it_stays_the_same_wherever_the_process_goes() -> None:
    address = parse_address("chdb:data/warehouse")
    assert address.folder.startswith("/")
    assert address.folder.endswith("/data/warehouse")


def test_an_address_never_shows_its_password() -> None:
    address: Address = parse_address("http://farebox:hunter2@h:1/db")
    assert "hunter2" not in f"{address} {address!r} {address.text}"
    assert address.text == "http://h:1/db"
