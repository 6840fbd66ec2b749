"""After a program's end: what is left is settled, nothing is carried on, and every remainder comes to zero, each once."""

from typing import Any

import pytest

from api.till.schedule import BOOK, LOOK_SECONDS
from api.wallet.settlement import SettlementBook
from ledger.domains.loyalty.state import SCOPE_SETTLE, SCOPE_TILL, member_key
from ledger.types import Timestamp
from tests.support.till_world import TillWorld

NOTICE_DAYS = 31
DAY = 86_400


def carried(world: TillWorld) -> int:
    data = world.store.read_bytes(BOOK)
    assert data is not None
    return SettlementBook.read(data, world.store.path, world.market.program).carried[world.market.member].remainder


def sell_until_something_is_carried(world: TillWorld) -> int:
    """Sales of some days, settled; returns what they gave. The remainder is random: it may be nothing."""
    given = 0
    for day in range(20):
        world.visit()
        world.sell(f"day-{day}", 3_000)
        given += 300
        world.pass_on_chain(days=1)
        assert world.schedule.work() == LOOK_SECONDS
        if carried(world):
            return given
    raise AssertionError("nothing was carried in twenty days")


def announce(world: TillWorld) -> int:
    """The end is announced; returns its time."""
    end = Timestamp(world.market.node.chain.time + NOTICE_DAYS * DAY)
    world.market.done(world.market.owner.announce_sunset(world.market.program, end))
    return end


def pass_to(world: TillWorld, time: int) -> None:
    world.pass_on_chain(seconds=time - world.market.node.chain.time)


def last_run(world: TillWorld) -> Any:
    return world.schedule.show()["last_run"]


def test_after_the_end_nothing_is_carried_on(world: TillWorld) -> None:
    given = sell_until_something_is_carried(world)
    end = announce(world)
    pass_to(world, end - 3_600)
    world.visit()
    world.sell("the-last-day", 2_000)
    entries = world.market.points()["entries"]
    pass_to(world, end + 60)
    assert world.schedule.work() == LOOK_SECONDS
    assert world.market.points()["entries"] == entries, "the last day is not over: its entry brings the remainder, too"
    pass_to(world, end + DAY + 3_600)
    assert world.schedule.work() == LOOK_SECONDS
    assert world.market.points()["entries"] == entries + 1 and carried(world) == 0
    assert sum(opening.points for opening in world.openings) == given + 200
    record = world.market.node.chain.record(member_key(world.market.program, world.market.member))
    assert record.remainder == b"" and world.schedule.show()["not_flushed"] == []


def test_a_remainder_without_a_sale_is_flushed_once(world: TillWorld) -> None:
    given = sell_until_something_is_carried(world)
    pass_to(world, announce(world) + 60)
    entries = world.market.points()["entries"]
    for _ in range(3):
        assert world.schedule.work() == LOOK_SECONDS
        world.restart()
        world.pass_on_chain(seconds=3_600)
    assert world.market.points()["entries"] == entries + 1 and carried(world) == 0
    assert sum(opening.points for opening in world.openings) == given
    assert (last_run(world)["entries"], last_run(world)["skipped"]) == (1, [])


def test_what_a_cap_skips_is_tried_once_a_day_also_across_restarts(
    world: TillWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = sell_until_something_is_carried(world)
    pass_to(world, announce(world) + 60)
    world.grant(cap=0)
    world.pass_on_chain(seconds=60)
    height = world.market.node.chain.height
    assert world.schedule.work() == LOOK_SECONDS
    sent = world.market.node.chain.height
    assert sent > height and last_run(world)["skipped"][0]["code"] == "earn.daily_cap"
    (item,) = world.schedule.show()["not_flushed"]
    assert (item["member"], item["code"]) == (world.market.member.hex(), "earn.daily_cap")
    for _ in range(3):
        world.restart()
        assert world.schedule.work() == LOOK_SECONDS
    assert world.market.node.chain.height == sent, "nothing was sent again"
    world.grant(scopes=SCOPE_TILL | SCOPE_SETTLE)
    world.pass_on_chain(days=1)
    assert world.schedule.work() == LOOK_SECONDS
    assert carried(world) == 0 and sum(opening.points for opening in world.openings) == given
    assert world.schedule.show()["not_flushed"] == []


def test_who_left_has_its_remainder_in_the_period_in_which_it_left(world: TillWorld) -> None:
    given = sell_until_something_is_carried(world)
    end = announce(world)
    world.pass_on_chain(days=3)
    world.market.done(world.market.fan.leave(world.market.program))
    pass_to(world, end + 60)
    assert world.schedule.work() == LOOK_SECONDS
    assert carried(world) == 0 and sum(opening.points for opening in world.openings) == given
    assert world.schedule.show()["not_flushed"] == []


def test_what_no_day_changes_is_given_up_and_named(world: TillWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    sell_until_something_is_carried(world)
    end = announce(world)
    world.pass_on_chain(days=3)
    world.market.done(world.market.fan.leave(world.market.program))
    pass_to(world, end + 60)
    monkeypatch.setattr(world.schedule._flushing, "_left_at", lambda _: 0)  # a node that does not say when
    assert world.schedule.work() == LOOK_SECONDS
    (item,) = world.schedule.show()["not_flushed"]
    assert item["code"] == "earn.member_left"
    height = world.market.node.chain.height
    for _ in range(3):
        world.clock.pass_seconds(2 * DAY)
        assert world.schedule.work() == LOOK_SECONDS
    assert world.market.node.chain.height == height and carried(world) > 0
