"""A total that is complete until T never changes for what was recorded before T: for any log, writers and workers."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.seal import Held, LogPosition, LogProgress, LogSnapshot, Member, MemberKind, SealState
from services.domain.seal import SETTLE, Ends, published_until, seal_of
from tests.builders.records import TIMESTAMP
from tests.support.examples import examples

PARTITIONS = 3
WRITERS = 3

Partition = st.integers(0, PARTITIONS - 1)
Writer = st.integers(0, WRITERS - 1)


class SealedTotals(RuleBasedStateMachine):
    """Writers record events and send them in any order, or hold them, or die; workers count partitions, or do not.

    What is promised is checked at the end of time: every seal that was given is kept, with all rows that came later.
    """

    @initialize()
    def begin(self) -> None:
        self.now = TIMESTAMP
        self.held: list[list[datetime]] = [[] for _ in range(WRITERS)]  # recorded and not sent, by writer
        self.members = {
            f"writer-{number}": Member(id=f"writer-{number}", kind=MemberKind.WRITER, heard_at=self.now)
            for number in range(WRITERS)
        }
        self.log: list[list[datetime]] = [[] for _ in range(PARTITIONS)]
        self.counted = [0] * PARTITIONS
        self.complete_until: dict[str, datetime] = {}
        self.observers = [Ends(), Ends()]
        self.seals: list[tuple[datetime, int]] = []  # until when, and how many rows recorded before there were

    @rule(seconds=st.floats(0.1, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(writer=Writer, ago_s=st.floats(0, 0.9))
    def an_event_is_recorded(self, writer: int, ago_s: float) -> None:
        """Its timestamp is from shortly before its sink has it."""
        member = self.members[f"writer-{writer}"]
        recorded_at = max(self.now - timedelta(seconds=ago_s), member.heard_at - SETTLE)
        self.held[writer].append(recorded_at)

    @rule(writer=Writer, partition=Partition, data=st.data())
    def an_event_is_sent(self, writer: int, partition: int, data: st.DataObject) -> None:
        """Any of those that are held: a spill may keep some for hours."""
        if self.held[writer]:
            place = data.draw(st.integers(0, len(self.held[writer]) - 1))
            self.log[partition].append(self.held[writer].pop(place))

    @rule(writer=Writer)
    def a_writer_is_heard(self, writer: int) -> None:
        name, waiting = f"writer-{writer}", self.held[writer]
        held = Held(events=len(waiting), since=min(waiting, default=None))
        self.members[name] = Member(id=name, kind=MemberKind.WRITER, heard_at=self.now, held=held)

    @rule(partition=Partition, count=st.integers(1, 5))
    def a_worker_counts(self, partition: int, count: int) -> None:
        self.counted[partition] = min(len(self.log[partition]), self.counted[partition] + count)

    @rule(observer=st.integers(0, 1))
    def a_worker_writes_its_progress(self, observer: int) -> None:
        progress, snapshot = self._progress(), self._snapshot()
        until = published_until(self.now, snapshot, progress)
        for partition, complete in self.observers[observer].observe(snapshot, until).items():
            self.complete_until[partition] = max(complete, self.complete_until.get(partition, complete))

    @rule(observer=st.integers(0, 1))
    def a_worker_restarts(self, observer: int) -> None:
        self.observers[observer] = Ends()

    @rule()
    def a_report_is_sealed(self) -> None:
        seal = seal_of(self.now, self._snapshot(), self._progress())
        if seal.complete_until is not None:
            self.seals.append((seal.complete_until, self._rows_before(seal.complete_until)))
        waiting = sum(map(len, self.log)) - sum(self.counted)
        if waiting:
            assert seal.state is SealState.WAITING
            assert seal.events_waiting is not None
            assert seal.events_waiting >= waiting

    @invariant()
    def every_seal_is_kept(self) -> None:
        if not hasattr(self, "seals"):
            return
        every = [at for partition in (*self.log, *self.held) for at in partition]
        for until, rows in self.seals:
            assert sum(at < until for at in every) == rows, "something recorded before was missing"

    def _rows_before(self, until: datetime) -> int:
        return sum(
            at < until for partition, counted in zip(self.log, self.counted, strict=True) for at in partition[:counted]
        )

    def _progress(self) -> LogProgress:
        return LogProgress(complete_until=dict(self.complete_until), members=tuple(self.members.values()))

    def _snapshot(self) -> LogSnapshot:
        ends = zip(self.log, self.counted, strict=True)
        return LogSnapshot(
            positions={
                str(number): LogPosition(counted=counted, end=len(partition))
                for number, (partition, counted) in enumerate(ends)
            }
        )


TestSealedTotals = SealedTotals.TestCase
TestSealedTotals.settings = settings(max_examples=examples(60), stateful_step_count=50, deadline=None)
