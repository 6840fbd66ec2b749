"""Settling on schedule: when a period and its delay are over, once, with the carried remainder, also across a crash."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.till.schedule import BOOK, LEFT_SECONDS, LOOK_SECONDS, TROUBLE_SECONDS_FIRST, SettlementSchedule
from api.wallet.errors import WalletError
from api.wallet.settlement import BOOK_MOVED, SettlementBook
from ledger.domains.loyalty.state import SCOPE_TILL, member_key
from tests.support.refusal import refused
from tests.support.till_world import TillWorld


def entries(world: TillWorld) -> int:
    return world.market.points()["entries"]


def settled(world: TillWorld) -> list[bool]:
    found = [world.store.find(name) for name in ("a", "b", "c")]
    return [kept.is_settled for kept in found if kept is not None]


def carried(world: TillWorld) -> int:
    """What the book in the store carries; the chain's commitment must be to the same."""
    data = world.store.read_bytes(BOOK)
    assert data is not None
    book = SettlementBook.read(data, world.store.path, world.market.program)
    found = book.carried[world.market.member]
    assert world.market.node.chain.record(member_key(world.market.program, world.market.member)).remainder == (
        found.commitment()
    )
    return found.remainder


def pass_a_day(world: TillWorld) -> None:
    """To the next day of the program, and the delay after it."""
    world.pass_on_chain(days=1)


def test_a_day_is_settled_once_it_is_over_and_the_remainder_goes_on(world: TillWorld) -> None:
    world.sell("a", 3_000)
    world.sell("b", 2_000)
    assert world.schedule.work() == LOOK_SECONDS and settled(world) == [False, False]
    pass_a_day(world)
    assert world.schedule.work() == LOOK_SECONDS
    assert settled(world) == [True, True] and entries(world) == 1
    assert sum(opening.points for opening in world.openings) + carried(world) == 500
    world.visit()
    world.sell("c", 1_000)
    assert world.schedule.work() == LOOK_SECONDS and entries(world) == 1
    pass_a_day(world)
    world.restart()
    world.schedule.work()
    assert settled(world) == [True, True, True] and entries(world) == 2
    assert sum(opening.points for opening in world.openings) + carried(world) == 600
    run = world.schedule.show()["last_run"]
    assert (run["entries"], run["skipped"], run["refused"]) == (1, [], 0)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_sending_posts_nothing_twice(world: TillWorld, moment: str) -> None:
    world.sell("a", 3_000)
    pass_a_day(world)

    class Crash(BaseException):
        pass

    wallet = world.schedule._brand.wallet
    send = wallet.send_raw

    def crash(raw: bytes) -> None:
        if moment == "after":
            send(raw)
        raise Crash

    wallet.send_raw = crash  # pyright: ignore[reportAttributeAccessIssue]  # a process that dies here
    with pytest.raises(Crash):
        world.schedule.work()
    world.restart()
    assert settled(world) == [False]
    if moment == "after":
        world.market.node.mine()
    world.schedule.work()
    assert settled(world) == [True] and entries(world) == 1
    assert sum(opening.points for opening in world.openings) + carried(world) == 300
    world.schedule.work()
    assert entries(world) == 1


def test_a_crash_between_book_and_marks_is_mended(world: TillWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sell("a", 3_000)
    pass_a_day(world)

    class Crash(BaseException):
        pass

    def crash(self: SettlementSchedule, *_: object) -> None:
        raise Crash

    mark = world.store.mark_settled
    calls: list[None] = []

    def crash_at_the_second(receipts: object) -> None:
        calls.append(None)
        if len(calls) == 2:
            raise Crash
        mark(receipts)  # pyright: ignore[reportArgumentType]  # passed on as it came

    monkeypatch.setattr(world.store, "mark_settled", crash_at_the_second)
    with pytest.raises(Crash):
        world.schedule.work()
    world.restart()
    assert settled(world) == [False]
    world.schedule.work()
    assert settled(world) == [True] and entries(world) == 1


def test_without_the_scope_nothing_is_settled_and_the_status_says_so(world: TillWorld) -> None:
    world.sell("a", 3_000)
    pass_a_day(world)
    world.grant(scopes=SCOPE_TILL)
    world.pass_on_chain(seconds=60)
    assert world.schedule.work() == TROUBLE_SECONDS_FIRST
    assert world.schedule.work() == 2 * TROUBLE_SECONDS_FIRST
    assert "settle" in world.schedule.show()["problem"] and settled(world) == [False]
    world.grant()
    world.pass_on_chain(seconds=60)
    assert world.schedule.work() == LOOK_SECONDS
    assert settled(world) == [True] and world.schedule.show()["problem"] is None


def test_what_is_left_is_tried_again_later_not_at_once(world: TillWorld) -> None:
    world.sell("a", 3_000)
    pass_a_day(world)
    world.grant(cap=10)
    world.pass_on_chain(seconds=60)
    assert world.schedule.work() == LEFT_SECONDS
    assert world.schedule.show()["last_run"]["skipped"][0]["code"] == "earn.daily_cap"
    assert settled(world) == [False]
    world.grant()
    assert world.schedule.work() == LOOK_SECONDS and settled(world) == [True]


def test_a_receipt_that_does_not_count_is_left_out_and_the_others_are_settled(world: TillWorld) -> None:
    world.sell("a", 3_000)
    world.pass_on_chain(seconds=600)
    world.revoke()
    world.pass_on_chain(seconds=600)
    world.sell("b", 1_000)  # it has not heard of its revocation
    world.pass_on_chain(seconds=600)
    world.grant()
    pass_a_day(world)
    assert world.schedule.work() == LEFT_SECONDS
    assert settled(world) == [True, False]
    assert world.store.count_unsettleable() == {"settlement.foreign_receipt": 1}


def test_the_offices_book_is_taken_over_and_is_no_book_from_then_on(world: TillWorld) -> None:
    book = world.folder / "book.json"
    world.pass_on_chain(seconds=600)
    world.market._sequence = 100  # this key's numbers of before
    (opening,) = world.market.settle(book, world.market.buy(3_000), last=False)
    world.sell("a", 2_000)
    pass_a_day(world)
    world.schedule.work()
    assert settled(world) == [True]
    total = opening.points + sum(found.points for found in world.openings)
    assert world.openings[0].before == opening.after and total + carried(world) == 500
    with refused(BOOK_MOVED, WalletError, place=str(world.store.path)):
        world.market.settler(book)
    book.unlink()
    world.restart()
    world.schedule.work()
    with refused(BOOK_MOVED, WalletError):
        world.market.settler(book)


def test_a_book_that_another_till_keeps_is_not_taken(world: TillWorld) -> None:
    SettlementBook.mark_moved(world.folder / "book.json", world.market.program, "another till")
    assert world.schedule.work() == TROUBLE_SECONDS_FIRST
    assert "another till" in world.schedule.show()["problem"]


def test_an_empty_store_of_a_key_that_has_settled_settles_nothing(world: TillWorld, tmp_path: Path) -> None:
    world.sell("a", 3_000)
    pass_a_day(world)
    world.schedule.work()
    assert entries(world) == 1
    other = TillWorld(world.market, tmp_path / "other")
    try:
        other.visit()
        assert other.schedule.work() == TROUBLE_SECONDS_FIRST, "before the first sale, so that somebody sees it early"
        assert "settlement.no_book" in other.schedule.show()["problem"]
        assert other.store.read_bytes(BOOK) is None
        other.schedule._options = replace(other.schedule._options, begins_anew=True)
        assert other.schedule.work() == LOOK_SECONDS and other.schedule.show()["problem"] is None
        other.sell("b", 2_000)
        pass_a_day(other)
        other.restart()
        assert other.schedule.work() == TROUBLE_SECONDS_FIRST, "a new book was kept, and nothing is settled by it yet"
        other.schedule._options = replace(other.schedule._options, begins_anew=True)
        other.schedule.work()
        assert entries(other) == 2
        other.restart()
        assert other.schedule.work() == LOOK_SECONDS, "from then on it is this key's book"
    finally:
        other.close()
