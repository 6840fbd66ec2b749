"""Each invariant, broken on purpose."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger.coin import POOL_INSUFFICIENT, give_to, pool_payer, take_from
from ledger.domains.accounts.state import Account, account_key
from ledger.domains.crowdfunding.state import campaign_key
from ledger.domains.loyalty.books import EMPTY_BOOKS
from ledger.domains.loyalty.state import (
    UNSETTLED,
    Books,
    books_key,
    contest_key,
    load_books,
    load_terms,
    member_key,
)
from ledger.domains.rewards.state import hold_key
from ledger.invariants import check_block, check_books, check_postings
from ledger.reward import maturing_key
from ledger.state import Overlay
from ledger.supply import CHAIN_KEY
from ledger.types import INTEGER_MAX, Amount, CampaignId, ContestId, Hash, Height, HoldId, Points, ProgramId
from tests.support.challenges import create_challenge
from tests.support.contests import GRACE_DAYS, contest, sign
from tests.support.offers import consent, issue, make_offer
from tests.support.refusal import refused
from tests.support.shop import FAN, NOWHERE, Shop


@pytest.fixture(scope="module")
def busy() -> Shop:
    """A shop with a hold, a campaign in coin, one in points, a contest, a challenge, an open offer, and rewards that mature."""
    shop = Shop(hold_seconds=30 * 86_400, offer_day_max=Points(100))
    shop.join(FAN)
    consent(shop, FAN)
    issue(shop, make_offer(shop))
    shop.earn(FAN, 500)
    shop.redeem(FAN, shop.list_reward())
    for in_points in (False, True):
        shop.pledge(FAN, shop.create_campaign(in_points=in_points, days=30), 50)
    signed = sign(shop)
    shop.chain.advance(days=GRACE_DAYS)
    contest(shop, signed)
    create_challenge(shop)
    return shop


def check(shop: Shop, spoil: Callable[[Overlay], None]) -> None:
    view = Overlay(shop.chain.state)
    spoil(view)
    check_block(view, view.get(CHAIN_KEY), shop.chain.state.chain.emitted)


def change(shop: Shop, prefix: bytes, **fields: Any) -> Callable[[Overlay], None]:
    key = next(iter(shop.chain.state.table(prefix)))
    return lambda view: view.put(key, replace(view.get(key), **fields))


def test_an_untouched_state_holds(busy: Shop) -> None:
    check(busy, lambda view: None)
    check(busy, change(busy, b"K", members=7))


def test_a_transactions_postings_sum_to_zero() -> None:
    check_postings({"fees": 1}, {"fees": 0, "accounts": 1})
    with pytest.raises(AssertionError, match="coin appeared or vanished"):
        check_postings({"fees": 1}, {"fees": 0})


def test_the_supply_is_what_was_emitted(busy: Shop) -> None:
    emitted = busy.chain.state.chain.emitted
    with pytest.raises(AssertionError, match="emitted"):
        check_block(Overlay(busy.chain.state), busy.chain.state.chain, Amount(emitted + 1))
    for bucket in ("accounts", "pools", "locked", "escrow", "maturing", "burned"):
        chain = busy.chain.state.chain
        spoiled = replace(chain, **{bucket: getattr(chain, bucket) + 1})
        with pytest.raises(AssertionError, match="coin supply"):
            check_block(Overlay(busy.chain.state), spoiled, emitted)


@pytest.mark.parametrize(
    ("prefix", "field", "bucket"),
    [
        (b"A", "balance", "accounts"),
        (b"A", "deposit", "locked"),
        (b"M", "prepaid", "locked"),
        (b"H", "deposit", "locked"),
        (b"K", "pool", "pools"),
        (b"K", "contest_coin", "locked"),
        (b"K", "backing", "locked"),
        (b"K", "contest_backing", "locked"),
        (b"K", "burn_carry", "locked"),
        (b"K", "burned", "burned"),
        (b"X", "deposit", "locked"),
        (b"F", "deposit", "locked"),
    ],
)
def test_records_hold_what_was_posted(busy: Shop, prefix: bytes, field: str, bucket: str) -> None:
    with pytest.raises(AssertionError, match=f"records of {bucket} changed by"):
        check(busy, change(busy, prefix, **{field: 1}))


def test_a_posting_without_a_record_is_found(busy: Shop) -> None:
    with pytest.raises(AssertionError, match="records of escrow changed by 0, postings by 3"):
        check(busy, lambda view: view.post("escrow", 3))


def test_what_matures_is_counted(busy: Shop) -> None:
    key = maturing_key(Height(len(busy.chain.mined)))
    with pytest.raises(AssertionError, match="records of maturing changed by -"):
        check(busy, lambda view: view.delete(key))


def test_escrow_is_what_campaigns_hold(busy: Shop) -> None:
    for key, record in busy.chain.state.table(b"F").items():
        match = "records of escrow" if record.unit.tag == 0 else "held, escrowed or contested points"
        with pytest.raises(AssertionError, match=match):
            check(busy, lambda view, key=key: view.put(key, replace(view.get(key), escrowed=1, released=49)))


def test_a_campaign_is_what_its_pledges_are(busy: Shop) -> None:
    for fields in ({"escrowed": 1}, {"released": 1}, {"returned": 1}, {"pledged": 49}):
        with pytest.raises(AssertionError, match="does not add up"):
            check(busy, change(busy, b"F", **fields))
    for backing in (-1, 2**63):
        with pytest.raises(AssertionError, match="coin stands behind no points"):
            check(busy, change(busy, b"F", backing=backing))
    with pytest.raises(AssertionError, match="more than its pledges"):
        check(busy, change(busy, b"F", weight=49))
    with pytest.raises(AssertionError, match="pledges, guardians, or offers do not match"):
        check(busy, change(busy, b"F", weight=51))
    for key, record in busy.chain.state.table(b"P").items():
        spoiled = {"lots": ((1, 1, 1, 49),)} if record.lots else {"quantity": 49}
        with pytest.raises(AssertionError, match="lots are not the pledge" if record.lots else "do not match"):
            check(busy, lambda view, key=key, spoiled=spoiled: view.put(key, replace(view.get(key), **spoiled)))


def test_held_points_are_what_holds_hold(busy: Shop) -> None:
    with pytest.raises(AssertionError, match="held, escrowed or contested points"):
        check(busy, change(busy, b"H", points=1))


def test_what_contests_claim_is_what_they_hold(busy: Shop) -> None:
    match = "held, escrowed or contested points"
    with pytest.raises(AssertionError, match=match):
        check(busy, change(busy, b"X", points=1))
    with pytest.raises(AssertionError, match=match):
        check(busy, change(busy, b"X", outcome=UNSETTLED))
    for field in ("contest_points", "contest_points_locked", "contest_points_credited", "contests_open"):
        with pytest.raises(AssertionError, match=match):
            check(busy, change(busy, b"K", **{field: 7}))


def test_what_is_set_aside_is_what_challenges_have_left(busy: Shop) -> None:
    match = "points set aside"
    for spoil in (
        change(busy, b"Y", given=1),
        change(busy, b"Y", has_ended=True),
        change(busy, b"K", challenge_points=7),
    ):
        with pytest.raises(AssertionError, match=match):
            check(busy, spoil)
    for given in (-1, 1_001):
        with pytest.raises(AssertionError, match="gave more than its budget"):
            check(busy, change(busy, b"Y", given=given))
    decided = replace(next(iter(busy.chain.state.table(b"X").values())), outcome=UNSETTLED, points=Points(3))
    with pytest.raises(AssertionError, match="records of locked"):
        check(busy, lambda view: view.put(contest_key(ContestId(NOWHERE)), decided))


def test_what_is_promised_is_what_open_offers_hold(busy: Shop) -> None:
    match = "held, escrowed or contested points"
    for spoil in (change(busy, b"O", points=1), change(busy, b"O", receipt=NOWHERE), change(busy, b"K", offered=7)):
        with pytest.raises(AssertionError, match=match):
            check(busy, spoil)


def test_a_negative_balance_is_found(busy: Shop) -> None:
    with pytest.raises(AssertionError, match="a balance is negative"):
        check(busy, lambda view: view.put(account_key(FAN.address), Account(Amount(-1), Hash(b""), Amount(0))))


def books(**totals: int) -> Books:
    return replace(EMPTY_BOOKS, **{name: Points(value) for name, value in totals.items()})


@pytest.mark.parametrize(
    "good",
    [
        books(),
        books(issued=5, pending=5),
        books(issued=28, pending=1, available=2, held=3, escrowed=4, redeemed=5, expired=6, reversed=7),
        books(issued=1, restored=2, available=3),
        books(backing=INTEGER_MAX - 999, burn_carry=999),
    ],
)
def test_points_add_up(good: Books) -> None:
    check_books(good)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (books(issued=5, pending=4), "do not add up"),
        (books(restored=5), "do not add up"),
        (books(pending=1, available=-1), "negative"),
        (books(pool=-1), "negative"),
        (books(issued=INTEGER_MAX + 1, pending=INTEGER_MAX + 1), "too large"),
        (books(backing=-1), "behind points is negative"),
        (books(backing=INTEGER_MAX, burn_carry=1), "behind points is negative or too large"),
        (books(contest_points_locked=2, contest_backing=2**62), "behind points is negative or too large"),
        (books(burn_carry=1_000), "a whole unit was not burned"),
    ],
)
def test_points_that_do_not_add_up(bad: Books, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_books(bad)


def test_books_that_a_block_writes_are_checked(busy: Shop) -> None:
    with pytest.raises(AssertionError, match="points do not add up"):
        check(busy, change(busy, b"K", redeemed=Points(1)))


def test_records_that_must_exist(busy: Shop) -> None:
    view = Overlay(busy.chain.state)
    with pytest.raises(AssertionError, match="has no books"):
        load_books(view, ProgramId(NOWHERE))
    with pytest.raises(AssertionError, match="names missing terms 9"):
        load_terms(view, busy.program, 9)


def test_giving_nothing_writes_nothing(busy: Shop) -> None:
    view = Overlay(busy.chain.state)
    give_to(view, pool_payer(busy.program), Amount(0), "locked")
    assert view.records == {} and view.postings == {}


def test_a_pool_gives_and_takes(busy: Shop) -> None:
    view = Overlay(busy.chain.state)
    pool = load_books(view, busy.program).pool
    give_to(view, pool_payer(busy.program), Amount(5), "locked")
    take_from(view, pool_payer(busy.program), Amount(pool + 5), "fees")
    assert view.postings == {"pools": -pool, "locked": -5, "fees": pool + 5}
    with refused(POOL_INSUFFICIENT, needed=1, available=0):
        take_from(view, pool_payer(busy.program), Amount(1), "fees")


def test_keys_are_a_table_byte_and_parts_of_fixed_width(busy: Shop) -> None:
    records = busy.chain.state.records
    widths: dict[int, set[int]] = {}
    for key in records:
        widths.setdefault(key[0], set()).add(len(key))
    assert all(len(found) == 1 for found in widths.values())
    assert len(books_key(busy.program)) == 33
    assert len(member_key(busy.program, FAN.address)) == 65
    assert all(key == hold_key(HoldId(key[1:])) for key in busy.chain.state.table(b"H"))
    assert all(key == campaign_key(CampaignId(key[1:])) for key in busy.chain.state.table(b"F"))
