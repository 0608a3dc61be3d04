"""Memory for bodies that are held: no organization takes it from others, and small bodies need none of it."""

from services.proxy.upstream.held_chunks import UNCOUNTED_BYTES, HeldChunks
from services.proxy.upstream.shared_memory import SharedMemory

LIMIT_BYTES = 8 * 2**20


def test_one_organization_cannot_take_the_memory_of_others() -> None:
    memory = SharedMemory(2 * LIMIT_BYTES)
    stalled = [HeldChunks(memory.of("greedy"), LIMIT_BYTES) for _ in range(2)]
    assert [one.add(bytes(LIMIT_BYTES // 2 + 1)) for one in stalled] == [True, False]
    stalled.pop().take()
    assert HeldChunks(memory.of("other"), LIMIT_BYTES).add(bytes(LIMIT_BYTES))
    assert stalled[0].take()
    assert memory.of("greedy").free_bytes == LIMIT_BYTES


def test_a_small_body_is_held_though_all_memory_is_taken() -> None:
    memory = SharedMemory(0)
    small = HeldChunks(memory.of("other"), LIMIT_BYTES)
    assert small.add(bytes(UNCOUNTED_BYTES))
    assert not small.add(b"x")
    assert memory.of("other").free_bytes == -UNCOUNTED_BYTES - 1
    small.take()
    assert memory.of("other").free_bytes == 0
