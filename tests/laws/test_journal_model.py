"""Whatever is done to a journal, in whatever order: it gives what a list and two indexes would give."""

import asyncio
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.stores.journal.sink import JournalSink
from services.stores.journal.source import JournalSource
from services.telemetry.metrics import Metrics
from tests.support.examples import examples
from tests.support.logs import events, ids_of, journal_rows, publish_all


class JournalAgainstModel(RuleBasedStateMachine):
    """The model: every event in order of publishing, how many were taken, and how many of those committed."""

    @initialize(keep_s=st.sampled_from([0, 3600]))
    def open(self, keep_s: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.sqlite"
        self.keep_s = keep_s
        self.metrics = Metrics()
        self.runner = asyncio.Runner()
        self.published: list[str] = []
        self.taken = self.committed = 0
        self._open_both()

    def _open_both(self) -> None:
        self.sink = JournalSink(self.path, metrics=self.metrics, group_s=0)
        self.source = JournalSource(self.path, keep_s=self.keep_s)

    def _close_both(self) -> None:
        self.runner.run(self.sink.close())
        self.runner.run(self.source.close())

    @rule(count=st.integers(1, 30))
    def publish(self, count: int) -> None:
        new = events(count, first=len(self.published))
        self.runner.run(publish_all(self.sink, new))
        self.published += ids_of(new)

    @rule(max_events=st.integers(1, 40), max_bytes=st.integers(1, 20_000))
    def take(self, max_events: int, max_bytes: int) -> None:
        deliveries = self.runner.run(self.source.take(max_events=max_events, max_bytes=max_bytes, wait_s=0))
        assert ids_of(deliveries) == self.published[self.taken : self.taken + len(deliveries)]
        assert bool(deliveries) == (self.taken < len(self.published))
        self.taken += len(deliveries)

    @rule()
    def commit(self) -> None:
        self.runner.run(self.source.commit())
        self.committed = self.taken

    @precondition(lambda self: self.taken > self.committed or self.published)
    @rule()
    def restart(self) -> None:
        self._close_both()
        self._open_both()
        self.taken = self.committed

    @invariant()
    def nothing_uncommitted_is_missing(self) -> None:
        kept = sum(int(row[0]) for row in journal_rows(self.path, "SELECT event_count FROM segment"))
        assert kept >= len(self.published) - self.committed
        assert self.runner.run(self.source.backlog()) == len(self.published) - self.committed

    def teardown(self) -> None:
        if hasattr(self, "sink"):
            self._close_both()
            self.runner.close()
            self.folder.cleanup()


JournalAgainstModel.TestCase.settings = settings(
    max_examples=examples(25), stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
test_a_journal_behaves_like_its_model = JournalAgainstModel.TestCase
