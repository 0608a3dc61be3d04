"""Brings a warehouse's tables up to date: clickhouse/*.sql in order of their names, each recorded once it has run."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from schemas.errors import ChangedMigration
from schemas.statement import Statement
from services.stores.clickhouse.warehouse import ClickHouseWarehouse

# Beside the packages in a checkout, in an editable install and in a wheel alike.
MIGRATIONS = Path(__file__).resolve().parents[3] / "clickhouse"

_CREATE_JOURNAL = """
CREATE TABLE IF NOT EXISTS schema_migration
(
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (name, applied_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
_JOURNAL = "SELECT name, checksum FROM schema_migration"
_ENTER = "INSERT INTO schema_migration (name, checksum) SELECT {name:String}, {checksum:String}"

# Strings, quoted names and comments are matched whole, so that a semicolon in them ends nothing.
_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?\*/ )
  | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` )
  | (?P<end> ; )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Migration(NamedTuple):
    """One file: its name without the ending, its statements, and a checksum of these."""

    name: str
    statements: Sequence[str]
    checksum: str


async def migrate_warehouse(warehouse: ClickHouseWarehouse, folder: Path = MIGRATIONS) -> list[str]:
    """Names of the migrations applied now, in order; empty when all had been.

    Safe to run twice, after a failure anywhere, and by several processes at once: each statement can be repeated
    (IF NOT EXISTS, and the like), and a migration is recorded only after all its statements have run.
    Raises: ChangedMigration, before anything is done; StoreUnavailable.
    """
    migrations = read_migrations(folder)
    await warehouse.execute(_plain(_CREATE_JOURNAL))
    applied = {row["name"]: row["checksum"] for row in await warehouse.query(_plain(_JOURNAL))}
    for migration in migrations:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise ChangedMigration(
                f"migration {migration.name} has changed since it was applied: write a new one instead"
            )
    pending = [migration for migration in migrations if migration.name not in applied]
    for migration in pending:
        await _apply(warehouse, migration)
    return [migration.name for migration in pending]


async def _apply(warehouse: ClickHouseWarehouse, migration: Migration) -> None:
    for statement in migration.statements:
        await warehouse.execute(_plain(statement))
    parameters = {"name": migration.name, "checksum": migration.checksum}
    await warehouse.execute(Statement(sql=_ENTER, parameters=parameters))


def _plain(sql: str) -> Statement:
    return Statement(sql=sql, parameters={})


def read_migrations(folder: Path) -> list[Migration]:
    """The migrations of `folder`, in the order in which they apply. Raises: FileNotFoundError when there are none."""
    files = sorted(folder.glob("[0-9]*.sql"))
    if not files:
        raise FileNotFoundError(f"no migrations in {folder}")
    return [_read(file) for file in files]


def _read(file: Path) -> Migration:
    statements = split_statements(file.read_text(encoding="utf-8"))
    # Comments and line ends may be changed afterwards: what counts is what the engine runs.
    return Migration(file.stem, statements, hashlib.sha256(";\n".join(statements).encode()).hexdigest())


def split_statements(text: str) -> list[str]:
    """The statements of `text`, without comments and the semicolons between them."""
    statements = [""]
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "end":
            statements.append("")
        elif token.lastgroup != "comment":
            statements[-1] += token.group()
    return [statement.strip() for statement in statements if statement.strip()]
