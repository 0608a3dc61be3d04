"""What a killed Farebox loses: `python -m tests.bench.kills`, or `make kill-test`.

A proxy under load is killed at random times, 50 times for `strict` and 50 times for `standard`; then `farebox up`
is killed as often with the command line in use beside it, and starved of disk and of descriptors before it is killed.
Each time the ledger of what clients got is compared with the rows, to the last digit. Exits with 1 when a call was
lost, has another cost, or is there twice, in rows or in the log. The full disk needs root, for a disk of its own.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.journeys.kills import (
    KillOutcome,
    kill_beside_commands,
    kill_proxies,
    small_disk,
    starve,
    without_descriptors,
    without_disk,
)
from tests.servers.simulated import simulated_provider


def rounds(
    folder: Path, provider_url: str, kills: int, within_s: float
) -> Iterator[tuple[str, Callable[[], KillOutcome | None]]]:
    """What is done to it, by name; None is for what cannot be done here."""

    def proxies(durability: str) -> KillOutcome:
        return kill_proxies(
            folder / durability, provider_url=provider_url, durability=durability, kills=kills, within_s=within_s
        )

    def full_disk() -> KillOutcome | None:
        with small_disk(folder) as disk:
            if disk is None:
                return None
            return starve(disk / "data", provider_url=provider_url, begin=without_disk)

    yield "strict", lambda: proxies("strict")
    yield "standard", lambda: proxies("standard")
    yield (
        "standard, commands beside it",
        lambda: kill_beside_commands(folder / "commands", provider_url=provider_url, kills=kills, within_s=within_s),
    )
    yield "standard, after a full disk", full_disk
    yield (
        "standard, after no descriptors",
        lambda: starve(folder / "descriptors", provider_url=provider_url, begin=without_descriptors),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seconds", type=float, default=600, help="for the kills of one durability, at most")
    options.add_argument("--only", default="", help="rounds whose names hold this")
    chosen = options.parse_args()
    console, is_exact = Console(), True
    headings = (
        "",
        "kills",
        "completed",
        "not completed",
        "lost",
        "oldest lost",
        "wrong cost",
        "rows twice",
        "events twice",
    )
    table = Table(*headings)
    with tempfile.TemporaryDirectory() as folder, simulated_provider() as provider_url:
        for name, run in rounds(Path(folder), provider_url, chosen.kills, chosen.seconds):
            if chosen.only not in name:
                continue
            outcome = run()
            if outcome is None:
                console.print(f"{name}: skipped, a small file system can be mounted by root only")
                continue
            is_exact &= outcome.is_exact
            console.print(f"{name}: {outcome}")
            shown = (*outcome[:4], f"{outcome.oldest_lost_ms:.1f} ms", *outcome[5:])
            table.add_row(name, *(one if isinstance(one, str) else f"{one:,}" for one in shown))
    console.print(table)
    sys.exit(0 if is_exact else 1)


if __name__ == "__main__":
    main()
