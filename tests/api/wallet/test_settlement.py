"""Settling across crashes and skips, with a fan at a node."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from api.wallet.brand import Brand, Purchase
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.sealing import Carried, Opening, PeriodRule
from api.wallet.settlement import VERSIONS_MAX, SettlementBook, SettlementTerms, Settler
from api.wallet.wallet import OWN_FEE, Wallet
from ledger.domains.loyalty.receipts import receipt_hash, sign_receipt
from ledger.domains.loyalty.state import SCOPE_TILL, member_key
from ledger.params import EARN_ENTRIES_MAX
from ledger.types import Address, Points, ProgramId, ReceiptHash, Timestamp
from tests.support.market import TILL_SCOPES, Market
from tests.support.wallet_node import main_signer, master_of, open_wallet_node


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    with open_wallet_node(tmp_path / "node") as node:
        found = Market(node)
        found.enrol()
        yield found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books" / "book.json"


def carried_points(market: Market, path: Path) -> int:
    """What the book carries for the fan; the chain's commitment must be to the same."""
    carried = SettlementBook.load(path, market.program).carried[market.member]
    record = market.node.chain.record(member_key(market.program, market.member))
    assert record.remainder == carried.commitment()
    return carried.remainder


def test_remainders_go_on_and_are_flushed_to_zero(market: Market, path: Path) -> None:
    receipts = []
    settled = 0
    for cents in (1_000, 2_500, 990):
        receipts.append(market.buy(cents))
        (opening,) = market.settle(path, *receipts, last=False)
        settled += opening.points
        assert settled + carried_points(market, path) == sum(found.receipt.points for found in receipts)
        assert [receipt for receipt, _ in opening.receipts] and len(opening.receipts) == 1
    assert market.settle(path, *receipts, last=False) == []
    now = Timestamp(int(market.node.client.chain()["time"]))
    settled += market.settler(path).flush(now).points
    assert settled == 100 + 250 + 99
    assert carried_points(market, path) == 0
    assert market.points()["available"] == settled


def test_a_batch_that_was_sent_before_a_crash_is_finished_not_repeated(market: Market, path: Path) -> None:
    receipt = market.buy(3_000)
    settler = market.settler(path)
    sends = market.till.wallet.send_raw

    class Crash(Exception):
        pass

    def crash_after_sending(raw: bytes) -> None:
        sends(raw)
        raise Crash

    market.till.wallet.send_raw = crash_after_sending  # pyright: ignore[reportAttributeAccessIssue]  # a broken network
    with pytest.raises(Crash):
        settler.settle([receipt], until=Timestamp(2**39))
    market.till.wallet.send_raw = sends
    market.node.mine()
    again = market.settler(path, seed=2).settle([receipt], until=Timestamp(2**39), is_last=True)
    assert [len(opening.receipts) for opening in again.openings] == [1]
    assert again.points + carried_points(market, path) == 300
    assert market.points()["entries"] == 1


def test_a_batch_that_no_block_took_in_time_is_signed_again_with_the_same_salt(market: Market, path: Path) -> None:
    receipt = market.buy(3_000)
    settler = market.settler(path)

    class Lost(Exception):
        pass

    def lose(raw: bytes) -> None:
        raise Lost

    sends = market.till.wallet.send_raw
    market.till.wallet.send_raw = lose  # pyright: ignore[reportAttributeAccessIssue]  # a broken network
    with pytest.raises(Lost):
        settler.settle([receipt], until=Timestamp(2**39))
    market.till.wallet.send_raw = sends
    market.node.mine(101)
    pending = SettlementBook.load(path, market.program).pending
    assert pending is not None
    again = market.settler(path, seed=2).settle([receipt], until=Timestamp(2**39), is_last=True)
    assert [replace(opening, place=None) for opening in again.openings] == list(pending.openings)
    assert all(opening.place is not None for opening in again.openings)
    assert again.points + carried_points(market, path) == 300
    assert SettlementBook.load(path, market.program).pending is None
    with pytest.raises(ClientProblem) as fault:
        sends(pending.versions[0])
    assert fault.value.code in ("envelope.expired", "envelope.salt_used")


def test_a_refused_batch_may_be_paid_in_another_way_and_counts_once(market: Market, path: Path) -> None:
    counter = market.owner
    market.done(
        market.owner.grant_issuer(market.program, counter.wallet.main.address, scopes=SCOPE_TILL, daily_cap=Points(0))
    )
    receipt = market.buy(3_000, counter)
    till = main_signer("till").address
    market.done(market.owner.revoke_issuer(market.program, till))
    settler = market.settler(path)
    for _ in range(VERSIONS_MAX + 2):
        with pytest.raises(ClientProblem) as fault:
            settler.settle([receipt], until=Timestamp(2**39), is_last=True)
        assert fault.value.code == "fee.not_sponsored"
    book = SettlementBook.load(path, market.program)
    assert book.pending is not None and len(book.pending.versions) == VERSIONS_MAX
    market.done(market.owner.grant_issuer(market.program, till, scopes=TILL_SCOPES, daily_cap=Points(10**6)))
    market.till = Brand(market.till.wallet, payment=OWN_FEE)
    assert market.settler(path).settle([receipt], until=Timestamp(2**39), is_last=True).points == 300
    for raw in book.pending.versions:
        with pytest.raises(ClientProblem) as twice:
            market.till.wallet.send_raw(raw)
        assert twice.value.code == "envelope.salt_used"
    assert market.points()["available"] == 300


def test_openings_are_kept_before_the_book_lets_go_of_them(market: Market, path: Path) -> None:
    receipt = market.buy(3_000)
    kept: list[Opening] = []
    settler = market.settler(path)

    def disk_full(openings: Sequence[Opening]) -> None:
        raise OSError("no space left")

    settler._keep = disk_full
    with pytest.raises(OSError, match="no space"):
        settler.settle([receipt], until=Timestamp(2**39))
    again = market.settler(path, seed=2)
    again._keep = kept.extend
    again.settle([receipt], until=Timestamp(2**39))
    (opening,) = kept
    assert opening.points + carried_points(market, path) == 300


def test_a_skipped_entry_leaves_the_remainder_and_is_tried_again(market: Market, path: Path) -> None:
    till = main_signer("till").address
    market.done(market.owner.grant_issuer(market.program, till, scopes=TILL_SCOPES, daily_cap=Points(10)))
    receipt = market.buy(3_000)
    now = Timestamp(2**39)
    outcome = market.settler(path).settle([receipt], until=now, is_last=True)
    assert outcome.openings == []
    assert [code for _, code in outcome.skipped] == ["earn.daily_cap"]
    assert market.member not in SettlementBook.load(path, market.program).carried
    market.done(market.owner.grant_issuer(market.program, till, scopes=TILL_SCOPES, daily_cap=Points(10**6)))
    assert market.settler(path).settle([receipt], until=now, is_last=True).points == 300


def test_two_periods_of_a_member_go_into_two_batches(market: Market, path: Path) -> None:
    first = market.buy(1_000)
    market.node.chain.advance(days=2)
    second = market.buy(2_000)
    outcome = market.settler(path).settle([second, first], until=Timestamp(2**39))
    assert [opening.period for opening in outcome.openings] == sorted(opening.period for opening in outcome.openings)
    assert len(outcome.openings) == 2
    assert outcome.openings[1].before == outcome.openings[0].after
    assert outcome.points + carried_points(market, path) == 300


def test_receipts_of_others_are_refused(market: Market, path: Path) -> None:
    receipt = market.buy(1_000)
    forged = type(receipt)(receipt.receipt, receipt.salt, type(receipt.signature)(bytes(64)))
    with pytest.raises(WalletError) as unsigned:
        market.settle(path, forged)
    assert unsigned.value.code.name == "settlement.foreign_receipt"
    assert f"{market.fan.address_text(main_signer('till').address)}/{receipt.receipt.sequence}" in str(unsigned.value)
    settler = market.settler(path)
    settler._book.program = ProgramId(bytes(32))
    with pytest.raises(WalletError) as foreign:
        settler.settle([receipt], until=Timestamp(2**39))
    assert "another program" in str(foreign.value)


def test_books_that_are_damaged_or_of_others_are_refused(market: Market, path: Path) -> None:
    market.settle(path, market.buy(1_000), last=False)
    assert path.stat().st_mode & 0o077 == 0
    good = json.loads(path.read_text())
    for change in ({"format": "x"}, {"version": 9}, {"program": "00"}, {"carried": 3}, {"settled": ["zz"]}):
        path.write_text(json.dumps(good | change))
        with pytest.raises(WalletError) as fault:
            SettlementBook.load(path, market.program)
        assert fault.value.code.name == "settlement.bad_book"
    for text in ("", "[]", "{", "[" * 5_000):
        path.write_text(text)
        with pytest.raises(WalletError):
            SettlementBook.load(path, market.program)
    path.unlink()
    path.mkdir()
    with pytest.raises(WalletError):
        SettlementBook.load(path, market.program)
    with pytest.raises(WalletError):
        SettlementBook(path, market.program).save()


def test_a_fan_can_not_pay_itself(market: Market, path: Path) -> None:
    facts = market.till.read_program(market.program)
    now = Timestamp(int(market.node.client.chain()["time"]))
    forger = Brand(Wallet(master_of("fan"), market.node.client))
    forged = forger.sign_receipt(market.program, facts, Purchase(market.member, 1, now, 9_999_999))
    with pytest.raises(WalletError, match="without the scope of a till"):
        market.settler(path).settle([forged], until=Timestamp(2**39))
    assert market.points()["entries"] == 0


def test_receipts_count_between_grant_and_revocation(market: Market, path: Path) -> None:
    receipt = market.buy(1_000)
    early = replace(receipt.receipt, time=Timestamp(1))
    seed = market.till.wallet.main.seed
    backdated = sign_receipt(early, receipt.salt, market.till.wallet.facts.chain_id, seed)
    with pytest.raises(WalletError, match="held no grant"):
        market.settler(path).settle([backdated], until=Timestamp(2**39))
    market.node.mine()
    market.done(market.owner.revoke_issuer(market.program, market.till.wallet.main.address))
    (issuer,) = market.node.client.issuers(market.program)["items"]
    assert issuer["granted_at"] <= receipt.receipt.time <= issuer["revoked_at"]
    market.node.mine()
    with pytest.raises(WalletError, match="held no grant"):
        market.settler(path).settle([market.buy(1_000)], until=Timestamp(2**39))


def test_a_week_holds_entries_of_members_who_bought_nothing(market: Market, path: Path) -> None:
    book = SettlementBook(path, market.program)
    members = [Address(number.to_bytes(32, "big")) for number in range(EARN_ENTRIES_MAX * 5)]
    book.carried = {member: Carried(Points(3), b"s" * 32) for member in members}
    rule = PeriodRule(period_days=7, anchor_day=0, offset_minutes=0)
    bought = [(member, 2_000, ((ReceiptHash(b"r" * 32), Points(9)),)) for member in members[:10]]

    def covers(rule: PeriodRule) -> list[Address]:
        settler = Settler(market.till, book, SettlementTerms(rule, Points(50)), random=Random(1))
        found = settler._covers(bought)
        assert all(period == 2_000 and receipts == () for _, period, receipts in found)
        return [member for member, _, _ in found]

    assert len(covers(rule)) == EARN_ENTRIES_MAX - 10  # as many as still fit into the batch
    assert not set(covers(rule)) & set(members[:10])
    assert covers(replace(rule, period_days=0)) == []


def test_two_receipts_with_one_number_are_not_settled(market: Market, path: Path) -> None:
    first = market.buy(1_000)
    market._sequence -= 1
    second = market.buy(2_000)
    with pytest.raises(WalletError, match="not the only one with its till's number"):
        market.settle(path, first, second)
    assert market.settle(path, first, first) != []  # the same one twice is one


def test_the_book_remembers_which_receipt_has_a_number(market: Market, path: Path) -> None:
    first = market.buy(1_000)
    assert len(market.settle(path, first)) == 1
    market._sequence -= 1
    second = market.buy(2_000)
    with pytest.raises(WalletError) as fault:
        market.settle(path, second)
    assert fault.value.code.name == "settlement.number_used"
    assert fault.value.fields["other"] == receipt_hash(first.receipt, first.salt).hex()
    third = market.buy(500)
    forged = replace(third, signature=first.signature)
    faults = market.settler(path).examine([first, forged, second, third])
    assert {place: found.code.name for place, found in faults.items()} == {
        1: "settlement.foreign_receipt",
        2: "settlement.number_used",
    }, "what a till did not sign says nothing about its numbers"


def test_a_book_without_numbers_is_read_and_learns_them(market: Market, path: Path) -> None:
    first = market.buy(1_000)
    market.settle(path, first)
    document = json.loads(path.read_text())
    del document["numbers"]
    path.write_text(json.dumps(document | {"version": 1}))
    assert market.settle(path, first) == []
    found = json.loads(path.read_text())
    assert found["version"] == 2 and list(found["numbers"].values()) == [
        {"1": receipt_hash(first.receipt, first.salt).hex()}
    ]
    path.write_text(json.dumps(found | {"numbers": {"zz": {}}}))
    assert SettlementBook.load(path, market.program).numbers == {}
    path.write_text(json.dumps(found | {"numbers": {"00": {"x": "00"}}}))
    with pytest.raises(WalletError):
        SettlementBook.load(path, market.program)
