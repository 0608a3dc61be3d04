"""Spans that wait for their receiver: how many of them, by their bytes."""

import pytest

from services.worker.span_queue import BATCH, BATCH_BYTES, SpanQueue


def test_the_oldest_are_dropped_and_counted_above_the_limit_of_bytes() -> None:
    queue = SpanQueue(max_bytes=100)
    assert [queue.add(bytes([number]) * 40) for number in range(4)] == [0, 0, 1, 1]
    assert [span[0] for span in queue.take()] == [2, 3]
    assert queue.add(b"x" * 101) == 1, "one that is too large by itself"
    assert (queue.add(b"x" * 100), queue.take()) == (0, [b"x" * 100])


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([], [0]),
        ([1] * (BATCH + 1), [BATCH, 1, 0]),
        ([BATCH_BYTES // 2, BATCH_BYTES // 2, 1], [2, 1, 0]),
        ([BATCH_BYTES + 1, 1], [1, 1, 0]),
    ],
)
def test_an_export_ends_at_a_number_of_spans_or_of_bytes(sizes: list[int], batches: list[int]) -> None:
    queue = SpanQueue()
    for size in sizes:
        queue.add(bytes(size))
    assert [len(queue.take()) for _ in batches] == batches
