"""`farebox up`: everything by one command, and what to know about it on the console."""

from typing import Final

from rich.console import Console
from rich.text import Text

from services.domain.providers.catalog import ROUTED
from services.embedded.data_folder import DataFolder
from services.embedded.run import Running

_SHOWN: Final = tuple(one for one in ROUTED if one.log_label)  # of some twenty


def show_running(running: Running, folder: DataFolder, console: Console, *, beside: str = "", ending: str = "") -> None:
    """Where things are, the key when it is new, and how much memory both processes take; `beside` states for what else.

    `ending` is printed last. The key itself is shown on a terminal only: what is written to a file, or to the log of a
    container or a service, is kept and read by others.
    """
    console.print(Text("Farebox is up.", style="bold"))
    facts = [
        *((f"{one.title} base URL", f"{running.proxy_url}/{one.label}{one.sdk_path}") for one in _SHOWN),
        ("Dashboard", f"{running.query_url}/dashboard/"),
        ("Query API", f"{running.query_url}/docs"),
        ("Data", str(folder.path)),
        ("Memory", f"{running.accounting.resident_mb()} MB, of both processes{beside}"),
    ]
    if running.key_is_new:
        facts.insert(0, ("New key", running.key if console.file.isatty() else f"in {folder.key_file}"))
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        console.print(Text(f"  {name.ljust(width)}  {value}"), soft_wrap=True)
    console.print(Text(f"The key is kept in {folder.key_file}. {ending}".rstrip()), soft_wrap=True)
