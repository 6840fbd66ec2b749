"""Signing sales: once each, with numbers without gaps, by what the till knows, within its cap, at a time that can be right."""

import asyncio
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from api.till import errors
from api.till.desk import Desk
from api.till.errors import TillRefused
from api.till.sale import Sale
from api.till.store import KeptSale
from api.wallet.errors import Unreachable
from api.wallet.receipts import check_receipt
from ledger.codec import Value
from ledger.domains.loyalty.state import SCOPE_ENROL, PerVisit, TierMultiplier
from ledger.errors import Code
from ledger.params import RECEIPT_AGE_SECONDS_MAX
from ledger.types import Points
from tests.support.refusal import refused
from tests.support.till_world import TillWorld


def refuses(code: Code, **fields: int | str) -> AbstractContextManager[None]:
    return refused(code, TillRefused, **fields)


def test_a_sale_becomes_a_receipt_that_a_wallet_takes(world: TillWorld) -> None:
    kept = world.sell("a", 1_147, codes={"drinks": 649, "bakery": 498}, lines=[["Bread", 2, 498]])
    signed = world.receipt(kept)
    check_receipt(signed, world.brand.wallet.facts.chain_id, now=world.clock.now())
    assert (signed.receipt.sequence, signed.receipt.points, signed.receipt.net_cents) == (1, 114, 1_147)
    assert signed.receipt.codes == (("bakery", 498), ("drinks", 649))
    assert (signed.receipt.member, signed.receipt.terms_version) == (world.market.member, 1)


def test_the_same_sale_is_one_receipt_and_another_with_its_id_is_refused(world: TillWorld) -> None:
    first = world.sell("a", lines=[["Bread", 1, 1_000]])
    world.clock.pass_seconds(100)
    again = world.sell("a", lines=[["Bread", 1, 1_000]])
    assert again.signed == first.signed and (first.is_new, again.is_new) == (True, False)
    for change in ({"cents": 999}, {"codes": {"x": 1}}, {"time": 5}, {"paid_with_points_cents": 1}):
        with refuses(errors.SALE_CONFLICT, sale="a"):
            world.sell("a", **{"cents": 1_000, "lines": [["Bread", 1, 1_000]], **change})
    with refuses(errors.SALE_CONFLICT):
        world.sell("a")
    assert world.receipt(world.sell("b")).receipt.sequence == 2


def test_one_batch_holds_new_ones_repeats_conflicts_and_refusals(world: TillWorld) -> None:
    world.grant(cap=250)
    world.visit()
    sales = [
        world.sale("a", 1_000),
        world.sale("a", 1_000),
        world.sale("a", 1_001),
        world.sale("b", 9_000),
        world.sale("c", 1_500),
        world.sale("d", 100),
        world.sale("e", 99, member="nobody"),
    ]
    outcomes = world.signing.keep(sales)
    kept = [outcome.number if isinstance(outcome, KeptSale) else outcome.code for outcome in outcomes]
    assert kept == [1, 1, errors.SALE_CONFLICT, errors.CAP_REACHED, 2, errors.CAP_REACHED, errors.BAD_SALE]
    assert world.store.next_number() == 3


def test_numbers_have_no_gaps_across_restarts_and_refusals(world: TillWorld) -> None:
    numbers = []
    for name in ("a", "b", "c", "d"):
        numbers.append(world.sell(name).number)
        with refuses(errors.BAD_SALE):
            world.sell(f"{name}-bad", member="fsim1pnonsense")
        world.restart()
    assert numbers == [1, 2, 3, 4]
    assert world.sell("a").number == 1


def test_the_daily_cap_is_of_the_programs_day(world: TillWorld) -> None:
    world.grant(cap=300)
    world.visit()
    world.sell("a", 2_000)
    with refuses(errors.CAP_REACHED, points=101, used=200, cap=300):
        world.sell("b", 1_010)
    world.sell("c", 1_000)
    with refuses(errors.CAP_REACHED):
        world.sell("d", 10)
    world.sell("nothing", 9)
    world.restart()
    with refuses(errors.CAP_REACHED, used=300):
        world.sell("d", 10)
    world.pass_on_chain(days=1)
    assert world.sell("d", 10).number == 4
    world.grant(cap=301)
    world.visit()
    yesterday = int(world.clock.now()) - 86_400
    with refuses(errors.CAP_REACHED, used=300, cap=300):  # of the grant of then
        world.sell("late", 20, time=yesterday)
    with refuses(errors.SALE_TIME):
        world.sell("too-late", 10, time=yesterday - 86_400 * 4)


def test_a_revoked_till_stops_and_one_that_is_granted_again_goes_on(world: TillWorld) -> None:
    world.sell("a")
    world.revoke()
    world.sell("b")  # it has not heard of it yet
    world.visit()
    with refuses(errors.REVOKED):
        world.sell("c")
    world.restart()
    with refuses(errors.REVOKED):
        world.sell("c")
    assert world.sell("a").number == 1, "what was signed is found all the same"
    world.grant()
    world.visit()
    world.clock.pass_seconds(60)
    assert world.sell("c").number == 3
    world.grant(scopes=SCOPE_ENROL)
    world.visit()
    with refuses(errors.NOT_GRANTED, scope="till"):
        world.sell("d")


def test_it_signs_for_72_hours_without_its_node_and_not_longer(world: TillWorld) -> None:
    contact = world.knowledge.known()
    world.restart()  # and no contact since
    world.clock.pass_seconds(RECEIPT_AGE_SECONDS_MAX - (world.clock.now() - contact.known_at))
    receipt = world.receipt(world.sell("a")).receipt
    assert receipt.time - contact.known_at == RECEIPT_AGE_SECONDS_MAX and receipt.terms_version == 1
    world.clock.pass_seconds(1)
    with refuses(errors.TERMS_TOO_OLD, hours=72):
        world.sell("b")
    assert world.sell("a").number == 1
    world.market.node.chain.clock.set(world.clock.now())
    world.visit()  # the node answers, and its chain stands still: what is in force now, it does not know either
    with refuses(errors.TERMS_TOO_OLD):
        world.sell("b")
    world.catch_up()
    world.visit()
    assert world.sell("b").number == 2


def test_a_till_that_never_reached_its_node_says_so(world: TillWorld) -> None:
    world.knowledge.contact = None
    with refuses(errors.NO_TERMS):
        world.sell("a")


@pytest.mark.parametrize("seconds", [601, -601, 86_400 * 2, -86_400])
def test_a_clock_that_is_set_wrong_is_noticed(world: TillWorld, seconds: int) -> None:
    world.sell("a")
    world.clock.set_by(seconds)
    with refuses(errors.CLOCK_OFF, seconds=seconds):
        world.sell("b")
    world.visit()
    with refuses(errors.CLOCK_OFF):
        world.sell("b")
    world.clock.set_by(-seconds)
    assert world.sell("b").number == 2


def test_ten_minutes_are_within_the_bound(world: TillWorld) -> None:
    world.pass_on_chain(seconds=3_600)
    world.visit()
    for name, seconds in (("ahead", 600), ("behind", -1_200)):
        world.clock.set_by(seconds)
        assert abs(world.knowledge.clock_watch.offset()) == 600
        world.sell(name)


def test_after_a_restart_without_a_node_the_clock_must_not_lie_before_what_was_seen(world: TillWorld) -> None:
    world.clock.pass_seconds(5_000)
    world.knowledge.note_time()
    world.clock.set_by(-601)
    world.restart()
    with refuses(errors.CLOCK_BACK, seconds=601):
        world.sell("a")
    world.clock.set_by(1)
    world.restart()
    assert world.sell("a").number == 1
    world.clock.set_by(-2_000)
    world.restart()
    with refuses(errors.CLOCK_BACK):
        world.sell("b")
    world.market.node.chain.clock.set(world.clock.now())
    world.visit()  # the node says that the clock is right: it was wrong before
    assert world.sell("b").number == 2


def test_late_sales_name_the_terms_of_their_time(world: TillWorld) -> None:
    start = int(world.clock.now())
    facts = world.market.owner.read_program(world.market.program)
    better = replace(facts.terms, notice_days=facts.terms.notice_days + 1)
    world.pass_on_chain(seconds=7_200)
    world.visit()
    world.market.done(world.market.owner.update_program(world.market.program, facts.latest_version, better))
    world.pass_on_chain(seconds=7_200)
    world.visit()
    assert world.receipt(world.sell("now")).receipt.terms_version == 2
    late = world.receipt(world.sell("late", time=start + 3_600)).receipt
    assert (late.terms_version, late.time) == (1, start + 3_600)
    for time, code in (
        (int(world.clock.now()) + 601, errors.SALE_TIME),
        (int(world.clock.now()) - RECEIPT_AGE_SECONDS_MAX - 1, errors.SALE_TIME),
        (start - 86_400, errors.SALE_TIME),
    ):
        with refuses(code, time=time):
            world.sell(f"at-{time}", time=time)
    assert world.receipt(world.sell("ahead", time=int(world.clock.now()) + 600)).receipt.time > world.clock.now()


def add_tiers(world: TillWorld) -> None:
    """Silver doubles, and a visit is worth 7 points unless the last one was less than an hour ago."""
    facts = world.market.owner.read_program(world.market.program)
    terms = replace(
        facts.terms,
        tiers=(("silver", 100),),
        tier_period_days=365,
        rules=(*facts.terms.rules, TierMultiplier(1, 2, 1), PerVisit(Points(7), 1, 3_600)),
    )
    world.market.done(world.market.owner.update_program(world.market.program, facts.latest_version, terms))
    world.pass_on_chain(seconds=600)
    world.visit()


def test_a_receipt_names_the_visit_before_it(world: TillWorld) -> None:
    add_tiers(world)
    first = world.receipt(world.sell("a")).receipt
    assert (first.previous_visit, first.points) == (0, 107)
    world.clock.pass_seconds(60)
    sales = [world.sale("b"), world.sale("c"), world.sale("back", -500)]
    kept = [outcome for outcome in world.signing.keep(sales) if isinstance(outcome, KeptSale)]
    receipts = [world.receipt(found).receipt for found in kept]
    assert [receipt.previous_visit for receipt in receipts] == [first.time, receipts[0].time, receipts[1].time]
    assert [receipt.points for receipt in receipts] == [100, 100, 0]
    world.restart()
    world.clock.pass_seconds(3_600)
    later = world.receipt(world.sell("d")).receipt
    assert (later.previous_visit, later.points) == (receipts[1].time, 107), "what is given back is no visit"
    named = world.receipt(world.sell("e", previous_visit=later.time - 4_000)).receipt
    assert (named.previous_visit, named.points) == (later.time - 4_000, 107)
    with refuses(errors.BAD_SALE):
        world.sell("f", previous_visit=int(world.clock.now()) + 1)


def test_a_receipt_names_the_tier_that_the_node_said_or_the_pos_names(world: TillWorld) -> None:
    add_tiers(world)
    asked: list[str] = []
    answer: dict[str, object] = {"number": 1, "name": "silver", "until": {"day": 0, "date": None}}

    class Node:
        def account(self, address: str) -> object:
            asked.append(address)
            if not answer:
                raise Unreachable("client.unreachable", "no node answers")
            return {"programs": [{"program": world.market.program.hex(), "tier": answer}]}

    world.tiers._client = Node()  # pyright: ignore[reportAttributeAccessIssue]  # it has the one method that is used
    today = world.knowledge.basis_at(world.knowledge.known(), world.clock.now()).day
    answer["until"] = {"day": today + 1, "date": None}
    assert world.tiers.is_needed() and world.receipt(world.sell("none")).receipt.tier == 0
    for _ in range(2):
        world.tiers.look_up(world.member())
    assert asked == [world.member()], "not twice within the hour"
    silver = world.receipt(world.sell("silver", previous_visit=1)).receipt
    assert (silver.tier, silver.points) == (1, 214)
    assert world.receipt(world.sell("named", tier=0)).receipt.tier == 0
    with refuses(errors.BAD_SALE):
        world.sell("gold", tier=2)
    world.clock.pass_seconds(3_600)
    answer.clear()
    world.tiers.look_up(world.member())
    assert len(asked) == 2 and not world.tiers.is_needed(), "a node that does not answer is left alone for a while"
    assert world.receipt(world.sell("offline")).receipt.tier == 1, "by what was said last"
    world.clock.pass_seconds(86_400)
    assert world.receipt(world.sell("over")).receipt.tier == 0, "its last day is over"
    world.tiers.look_up("nonsense")
    assert world.tiers.is_needed() and len(asked) == 2


def test_parallel_sales_share_commits_and_each_has_its_answer(world: TillWorld) -> None:
    batches: list[int] = []
    keep = world.signing.keep

    def counted(sales: list[Sale]) -> list[object]:
        batches.append(len(sales))
        return list(keep(sales))

    world.signing.keep = counted  # pyright: ignore[reportAttributeAccessIssue]  # only to look on

    async def sell_all() -> list[KeptSale]:
        told: list[None] = []
        desk = Desk(world.signing, lambda: told.append(None))
        sales = [world.sale(str(index % 40)) for index in range(120)]
        kept = await asyncio.gather(*(desk.sell(sale) for sale in sales))
        desk.close()
        assert len(told) >= 1
        with refuses(errors.STOPPING):
            await desk.sell(world.sale("late"))
        return kept

    kept = asyncio.run(sell_all())
    assert sorted({found.number for found in kept}) == list(range(1, 41))
    assert len({found.signed for found in kept}) == 40
    assert len(batches) < 10 and sum(batches) == 120


def test_a_store_that_fails_keeps_nothing_and_says_so(world: TillWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import event

    from node.errors import NodeError

    def fail(*_: Value) -> None:
        raise OSError("no space left on device")

    async def sell() -> None:
        desk = Desk(world.signing, lambda: None)
        event.listen(world.store._engine, "commit", fail)
        with pytest.raises((OSError, NodeError)):
            await desk.sell(world.sale("a"))
        event.remove(world.store._engine, "commit", fail)
        assert (await desk.sell(world.sale("a"))).number == 1
        desk.close()

    asyncio.run(sell())
