"""Who goes next where many organizations share a few places."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.domain.limits.fair_queue import FairQueue, QueueLimits

LIMITS = QueueLimits(places=4, for_cheap=1, of_one=2, waiting_of_one=3, waiting=8)
Turns = FairQueue[str]


def turns_of(*tickets: str, limits: QueueLimits = LIMITS) -> Turns:
    """A ticket is its organization, a number, and a `c` where it is cheap: a1, b2c."""
    turns: Turns = FairQueue(limits)
    for ticket in tickets:
        turns.add(ticket, ticket[0], is_cheap=ticket.endswith("c"))
    return turns


def started(turns: Turns) -> list[str]:
    return list(iter(turns.next, None))


def test_an_organization_runs_no_more_than_its_share_however_much_it_asks() -> None:
    turns = turns_of(*(f"a{number}" for number in range(8)))
    assert started(turns) == ["a0", "a1"]
    turns.add("b0", "b", is_cheap=False)
    assert started(turns) == ["b0"]


def test_organizations_take_turns() -> None:
    one_place = QueueLimits(places=1, for_cheap=0, of_one=1, waiting_of_one=9, waiting=99)
    turns = turns_of("a0", "a1", "a2", "b0", "b1", "c0", limits=one_place)
    order = []
    while (ticket := turns.next()) is not None:
        order.append(ticket)
        turns.end(ticket)
    assert order == ["a0", "b0", "c0", "a1", "b1", "a2"]


def test_a_place_is_kept_for_what_is_cheap() -> None:
    turns = turns_of("a0", "b0", "c0", "d0", "e0")
    assert started(turns) == ["a0", "b0", "c0"]
    turns.add("f0c", "f", is_cheap=True)
    assert started(turns) == ["f0c"]


def test_what_is_cheap_goes_before_the_dear_of_its_organization() -> None:
    assert started(turns_of("a0", "a1", "a2c")) == ["a2c", "a0"]


def test_no_more_waits_than_may_of_one_and_of_all() -> None:
    turns = turns_of("a0", "a1", "a2")
    assert (turns.has_room("a"), turns.has_room("b")) == (False, True)
    for organization in "bcdef":
        turns.add(f"{organization}0", organization, is_cheap=False)
    assert not turns.has_room("g")


def test_what_is_withdrawn_never_runs() -> None:
    turns = turns_of("a0", "b0")
    turns.withdraw("a0", "a")
    turns.withdraw("a0", "a")
    assert (started(turns), turns.waiting) == (["b0"], 0)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.booleans()), max_size=60))
def test_limits_hold_in_any_order_and_nothing_waits_for_ever(steps: list[tuple[str, bool, bool]]) -> None:
    turns: Turns = FairQueue(LIMITS)
    running: list[str] = []
    for number, (organization, is_cheap, ends) in enumerate(steps):
        if ends and running:
            turns.end(running.pop(0))
        elif turns.has_room(organization):
            turns.add(f"{organization}{number}{'c' if is_cheap else ''}", organization, is_cheap=is_cheap)
        running += started(turns)
        assert len(running) == turns.running <= LIMITS.places
        assert sum(not ticket.endswith("c") for ticket in running) <= LIMITS.places - LIMITS.for_cheap
        assert max(Counter(ticket[0] for ticket in running).values(), default=0) <= LIMITS.of_one
    while running:
        turns.end(running.pop(0))
        running += started(turns)
    assert turns.waiting == turns.running == 0
