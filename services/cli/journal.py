"""`farebox journal ...`: what an operator does about a journal file that is damaged."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.text import Text

from schemas.errors import InvalidSetting
from services.cli.options import DATA, Data, errors_in_one_line
from services.cli.terminal import compile_lines, console, escape, pluralize
from services.embedded.data_folder import DataFolder
from services.settings.processes import ProxySettings
from services.stores.journal.files import JournalFiles
from services.stores.journal.salvage import Salvaged, salvage

journal = typer.Typer(help="Repair the file of the event log.", no_args_is_help=True)

_SPILL = Annotated[
    bool, typer.Option("--spill", help="The file that keeps events while Kafka is unreachable, instead.")
]


@journal.callback()
def _group() -> None:
    """Repair the file of the event log."""


@journal.command("salvage")
def salvage_journal(spill: _SPILL = False, data: Data = DATA) -> None:
    """Put back what can be read of damaged files. They are set aside; Farebox may run meanwhile."""
    with errors_in_one_line():
        files = JournalFiles(_file(data, spill=spill))
        if not files.newest().is_file():
            raise InvalidSetting(f"{files.path} does not exist: --data names the folder of a Farebox")
        compile_lines(_lines(asyncio.run(salvage(files.path))), console())


def _file(data: Data, *, spill: bool) -> str:
    """Raises: InvalidSetting."""
    settings = ProxySettings.from_environ(DataFolder(data).environ(os.environ))
    if spill:
        return settings.kafka_spill
    if not settings.event_log.startswith("journal:"):
        raise InvalidSetting("the event log is Kafka: --spill names the file that keeps events while it is unreachable")
    return settings.event_log.removeprefix("journal:")


def _lines(salvaged: Iterable[Salvaged]) -> Iterator[Text]:
    none = True
    for one in salvaged:
        none = False
        yield Text(escape(one.file), style="bold")
        back = f"{pluralize(one.events, 'event')} of {pluralize(one.segments, 'segment')}"
        yield Text(f"  {back} back in the log. What was counted before is counted once all the same.")
        if one.dead_letters:
            yield Text(f"  {pluralize(one.dead_letters, 'dead letter')} kept: see `farebox dead-letters`.")
        yield _lost(one)
        yield Text(f"  Set aside as {escape(one.set_aside_as)}: delete it when you need it no more.")
    if none:
        yield Text("No file of the journal is damaged.")


def _lost(one: Salvaged) -> Text:
    if one.lost_events or one.lost_segments or one.is_lower_bound:
        lost = f"{pluralize(one.lost_events, 'event')} of {pluralize(one.lost_segments, 'segment')}"
        least = ", or more: the file does not state how many there were" if one.is_lower_bound else ""
        return Text(f"  {lost} could not be saved{least}. That spend is in no total.", style="red")
    return Text("  Nothing is lost.")
