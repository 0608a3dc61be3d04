"""Brings the state database to the newest revision."""

from pathlib import Path
from threading import Lock
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from services.stores.state.database import Database

_one_at_a_time: Final = Lock()  # Alembic keeps what a run works on in globals of its modules


async def migrate_state(url: str) -> None:
    """Makes or alters the tables of the state database at `url`. Running it twice, or at once, changes nothing.

    Raises: InvalidSetting when `url` names no database that is known; StoreUnavailable.
    """
    database = Database(url, what="state")
    try:
        await database.alter(_upgrade)
    finally:
        await database.close()


def _upgrade(connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with _one_at_a_time:
        command.upgrade(config, "head")
