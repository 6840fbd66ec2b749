"""Which receipts count for whom, which of them are chosen, and what is sent; and a fan who contests at a node."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.wallet.challenges import (
    ShownChallenge,
    completion_of,
    contest_of_challenge,
    describe_goal,
    describe_shown,
    find_reached,
    hash_of,
    progress_of,
    read_challenge_answer,
    reversal_of,
    show_cents,
)
from api.wallet.errors import Unreachable, WalletError
from api.wallet.wallet import Wallet
from ledger.domains.challenges.challenge_create import ChallengeCreate
from ledger.domains.challenges.goals import evidence_of
from ledger.domains.challenges.state import Codes, Spend, Visits
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt
from ledger.types import (
    Address,
    ChallengeId,
    Day,
    Hash,
    Points,
    ProgramId,
    PublicKey,
    ReceiptHash,
    Signature,
    Timestamp,
)
from tests.support.market import Market
from tests.support.wallet_node import master_of, open_wallet_node

PROGRAM = ProgramId(b"p" * 32)
BEGIN = Timestamp(1_800_000_000)
WEEK = 7 * 86_400
ANNA, BERT = Address(b"a" * 32), Address(b"b" * 32)
CHALLENGE = ShownChallenge(
    id=ChallengeId(b"c" * 32),
    program=PROGRAM,
    name="Twice",
    goal=Visits(2),
    basket_min_cents=500,
    begins_at=BEGIN,
    days=7,
    occurrences=3,
    times_max=2,
    grace_days=2,
    reward=Points(10),
    left=Points(100),
    has_ended=False,
)
NOBODY_RETURNED: frozenset[Any] = frozenset()


def receipt(
    number: int, time: int = BEGIN, cents: int = 1_000, member: Address = ANNA, **changes: Any
) -> SignedReceipt:
    """A receipt that nobody signed: here only its fields matter."""
    found = Receipt(
        version=1,
        program=PROGRAM,
        terms_version=1,
        member=member,
        till=PublicKey(b"t" * 32),
        sequence=number,
        time=Timestamp(time),
        net_cents=cents,
        paid_with_points_cents=0,
        codes=(),
        lines_root=Hash(bytes(32)),
        points=Points(0),
    )
    return SignedReceipt(replace(found, **changes), bytes(32), Signature(bytes(64)))


@pytest.mark.parametrize(
    ("signed", "counts"),
    [
        (receipt(1), True),
        (receipt(1, cents=499), False),
        (receipt(1, cents=500, paid_with_points_cents=1), False),
        (receipt(1, BEGIN - 1), False),
        (receipt(1, BEGIN + 3 * WEEK - 1), True),
        (receipt(1, BEGIN + 3 * WEEK), False),
        (receipt(1, program=ProgramId(b"o" * 32)), False),
    ],
)
def test_what_counts(signed: SignedReceipt, counts: bool) -> None:
    assert CHALLENGE.counts(signed) is counts


def test_dates_of_occurrences() -> None:
    assert [CHALLENGE.occurrence_at(Timestamp(BEGIN + WEEK + more)) for more in (-1, 0)] == [0, 1]
    assert CHALLENGE.due_by(0) == BEGIN + WEEK + 2 * 86_400
    assert CHALLENGE.contest_until(0) == CHALLENGE.due_by(0) + 30 * 86_400
    assert [CHALLENGE.shown_at(Timestamp(BEGIN + at)) for at in (-1, WEEK, 99 * WEEK)] == [0, 1, 2]


def test_how_far_each_member_came() -> None:
    receipts = [receipt(1), receipt(1), receipt(2, BEGIN + WEEK), receipt(3, member=BERT), receipt(4, member=BERT)]
    found = progress_of(CHALLENGE, receipts, NOBODY_RETURNED)
    assert [(item.member, item.occurrence, item.done, bool(item.chosen)) for item in found] == [
        (ANNA, 0, 1, False),
        (BERT, 0, 2, True),
        (ANNA, 1, 1, False),
    ]
    gone = frozenset({(BERT, 0, hash_of(receipts[3]))})
    assert [item.done for item in progress_of(CHALLENGE, receipts, gone)] == [1, 1, 1]


def test_first_come_first_served_and_only_so_often() -> None:
    anna = [receipt(number, BEGIN + number // 2 * WEEK + 50) for number in range(6)]
    bert = [receipt(number, BEGIN + 10, member=BERT) for number in (10, 11)]
    found = find_reached(CHALLENGE, [*anna, *bert], frozenset(), NOBODY_RETURNED)
    assert [(item.member, item.occurrence) for item in found] == [(BERT, 0), (ANNA, 0), (ANNA, 1)]
    rest = find_reached(CHALLENGE, [*anna, *bert], frozenset({(ANNA, 2), (BERT, 0)}), NOBODY_RETURNED)
    assert [(item.member, item.occurrence) for item in rest] == [(ANNA, 0)]


@pytest.mark.parametrize(
    ("goal", "chosen"),
    [
        (Visits(2), [1, 2]),
        (Spend(4_000), [3, 4]),
        (Spend(100_000), []),
        (Codes(("bread", "milk")), [1, 4]),
        (Codes(("bread",)), [1]),
        (Codes(("tea",)), []),
    ],
)
def test_as_few_receipts_as_are_needed(goal: Any, chosen: list[int]) -> None:
    codes = {1: (("bread", 100),), 2: (("bread", 100),), 3: (("milk", -100),), 4: (("milk", 100),)}
    cents = {1: 600, 2: 700, 3: 2_000, 4: 2_500}
    receipts = [receipt(number, BEGIN + number, cents[number], codes=codes[number]) for number in (4, 3, 2, 1)]
    (found,) = progress_of(replace(CHALLENGE, goal=goal), receipts, NOBODY_RETURNED)
    assert [signed.receipt.sequence for signed in found.chosen] == chosen
    if chosen:
        entry = completion_of(CHALLENGE, found)
        assert (entry.count, entry.evidence) == (len(chosen), evidence_of(hash_of(one) for one in found.chosen))


def test_what_a_contest_shows() -> None:
    bought = [receipt(2, codes=(("tea", 1_250),)), receipt(1, codes=(("tea", -50),))]
    hidden = contest_of_challenge(CHALLENGE, 0, bought)
    assert [(shown.sequence, shown.codes) for shown in hidden.receipts] == [(1, ()), (2, ())]
    assert hidden.receipt_hashes(ANNA) == tuple(hash_of(signed) for signed in reversed(bought))
    tea = replace(CHALLENGE, goal=Codes(("tea",)))
    shown = contest_of_challenge(tea, 0, bought)
    assert shown.receipts[1].codes == (("tea", 1_250),)
    assert shown.receipt_hashes(ANNA) == hidden.receipt_hashes(ANNA)
    assert "tea -0.50" in describe_shown(tea, bought, "fsim")
    assert "category" not in describe_shown(CHALLENGE, bought, "fsim")


def test_words() -> None:
    assert describe_goal(Visits(1), 500) == "1 visit, each of at least 5.00"
    assert describe_goal(Spend(12_345), 1) == "123.45 on receipts, each of at least 0.01"
    assert describe_goal(Codes(("a", "b")), 100) == "something of a, b, on receipts each of at least 1.00"
    assert show_cents(-250) == "-2.50"


def test_a_node_that_answers_something_else() -> None:
    for answer in ({}, {"id": "xy"}):
        with pytest.raises(Unreachable, match="challenge that this wallet can't read"):
            read_challenge_answer(answer)


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with open_wallet_node(tmp_path / "node") as node:
        found = Market(node)
        found.enrol()
        yield found


def create(market: Market, goal: Any) -> ShownChallenge:
    program = market.node.client.program(market.program)
    today = (int(market.node.client.chain()["time"]) + 60 * program["offset_minutes"]) // 86_400
    payload = ChallengeCreate(
        program=market.program,
        name="Goal",
        goal=goal,
        basket_min_cents=500,
        from_day=Day(today),
        days=7,
        occurrences=1,
        times_max=1,
        grace_days=1,
        reward=Points(100),
        budget=Points(1_000),
    )
    sent = market.done(market.owner.create_challenge(payload))
    return read_challenge_answer(market.node.client.challenges.one(sent.object_id("challenge")))


@pytest.mark.parametrize("goal", [Visits(2), Spend(4_000)])
def test_a_goal_read_back_completed_and_taken_back(market: Market, goal: Any) -> None:
    challenge = create(market, goal)
    assert challenge.goal == goal
    bought = [market.buy(2_500), market.buy(2_600)]
    (reached,) = find_reached(challenge, bought, frozenset(), NOBODY_RETURNED)
    sent = market.till.complete_challenges(market.program, [completion_of(challenge, reached)])
    assert list(market.node.client.wait_for(sent.txid)["codes"]) == ["applied"]
    now = Timestamp(int(market.node.client.chain()["time"]))
    draft = market.till.draft_return(bought[0], bought[0].receipt.points, now)
    signed = market.fan.sign_return(draft)
    evidence = [hash_of(one) for one in reached.chosen]
    market.done(market.till.reverse_challenge(reversal_of(challenge.id, 0, evidence, signed)))
    (found,) = market.node.client.every(market.node.client.challenges.completions, challenge.id)
    assert (found["state"], found["returned"]) == ("reversed", [hash_of(bought[0]).hex()])
    with pytest.raises(WalletError, match="no completion that stands"):
        reversal_of(challenge.id, 0, [ReceiptHash(bytes(32))], signed)


def test_a_fan_contests_and_only_with_its_own(market: Market) -> None:
    challenge = create(market, Visits(2))
    bought = [market.buy(2_500), market.buy(2_600)]
    market.node.chain.advance(days=9)
    stranger = Wallet(master_of("owner"), market.node.client)
    with pytest.raises(WalletError, match="was signed for"):
        stranger.contest_challenge(challenge, 0, bought)
    forged = replace(bought[0], receipt=replace(bought[0].receipt, net_cents=10**6))
    with pytest.raises(WalletError, match="did not sign it"):
        market.fan.contest_challenge(challenge, 0, [forged])
    market.done(market.fan.contest_challenge(challenge, 0, bought))
    address = market.fan.address_text(market.member)
    (mine,) = market.node.client.every(market.node.client.challenges.completed_by, address)
    assert (mine["state"], mine["contested"], mine["points"]) == ("credited", True, 100)
