"""How migrations are found, ordered, and cut into statements."""

from pathlib import Path

import pytest

from services.stores.clickhouse.migrations import MIGRATIONS, read_migrations, split_statements


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ;; \n; ", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\nSELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; SELECT 2", ["SELECT ';'", "SELECT 2"]),
        ("SELECT 'it''s; so' ; SELECT 2", ["SELECT 'it''s; so'", "SELECT 2"]),
        (r"SELECT 'a\';b' ; SELECT 2", [r"SELECT 'a\';b'", "SELECT 2"]),
        ('SELECT ";" ; SELECT `;`', ['SELECT ";"', "SELECT `;`"]),
        ("-- why; it is so\nSELECT 1; -- and; so", ["SELECT 1"]),
        ("/* a; b\n ; */ SELECT /* ; */ 1", ["SELECT  1"]),
        ("SELECT '-- no comment; ' ; SELECT 2", ["SELECT '-- no comment; '", "SELECT 2"]),
        ("SELECT 5 - 3 / 2; SELECT 2", ["SELECT 5 - 3 / 2", "SELECT 2"]),
    ],
)
def test_a_semicolon_ends_a_statement_except_in_strings_names_and_comments(text: str, statements: list[str]) -> None:
    assert split_statements(text) == statements


def test_our_migrations_are_found_in_the_order_of_their_numbers() -> None:
    names = [migration.name for migration in read_migrations(MIGRATIONS)]
    assert names[:3] == ["0001_request_response_rmt", "0002_request_response_body", "0003_property_spelling"]
    assert names == sorted(names)
    assert len({name[:4] for name in names}) == len(names), "no two have the same number"


def test_every_migration_opens_with_why_it_is_like_this_and_can_be_repeated() -> None:
    for migration in read_migrations(MIGRATIONS):
        text = (MIGRATIONS / f"{migration.name}.sql").read_text(encoding="utf-8")
        assert text.startswith("--"), migration.name
        assert "Why it is like this" in text, migration.name
        for statement in migration.statements:
            repeatable = ("IF NOT EXISTS", "IF EXISTS", "MODIFY COLUMN")
            assert any(words in statement for words in repeatable), migration.name


def test_another_comment_is_no_change_but_another_statement_is(tmp_path: Path) -> None:
    def checksum(text: str) -> str:
        (tmp_path / "0001_a.sql").write_text(text)
        (migration,) = read_migrations(tmp_path)
        return migration.checksum

    assert checksum("-- why\nSELECT 1;") == checksum("-- why, and more\nSELECT 1\n")
    assert checksum("SELECT 1") != checksum("SELECT 2")
    assert checksum("SELECT 1; SELECT 2") != checksum("SELECT 1 SELECT 2")


def test_a_folder_without_migrations_is_an_error_and_not_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no migrations"):
        read_migrations(tmp_path)
