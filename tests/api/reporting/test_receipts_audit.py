"""A brand's books recomputed: honest ones, each way in which they can be wrong, and what a part leaves open."""

from dataclasses import replace
from typing import Any

import pytest

from api.reporting import receipts_findings as codes
from api.reporting.receipts_audit import ReceiptsReport
from api.wallet.brand import Purchase
from api.wallet.sealing import NOTHING_CARRIED, Carried, Opening, seal_entry
from ledger import keys
from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash, sign_receipt
from ledger.errors import Code
from ledger.types import Address, ChainId, Points, PrivateSeed, ProgramId, ReceiptHash, Timestamp
from node.audit import Finding, reading_store
from node.audit_settlements import PROGRAM_UNKNOWN, GrantSpan, collect_settlements
from node.errors import NodeError
from node.replay import StoreSource
from tests.api.reporting.conftest import Books
from tests.support.refusal import refused

DAY = 86_400


def found(report: ReceiptsReport) -> list[str]:
    return [finding.code for finding in report.findings]


def names(*expected: Code) -> list[str]:
    return [code.name for code in expected]


def sign(books: Books, seed: PrivateSeed | None = None, **changes: Any) -> SignedReceipt:
    """The first receipt with other fields, signed by the till."""
    wallet = books.market.till.wallet
    receipt = replace(books.receipts[0].receipt, **changes)
    return sign_receipt(receipt, books.receipts[0].salt, wallet.facts.chain_id, seed or wallet.main.seed)


def settle_raw(books: Books, *entries: Any) -> None:
    """Put entries on the chain as the till, whatever they say."""
    brand, program = books.market.till, books.market.program
    books.market.done(brand.wallet.send("earn", Earn(program, entries), brand.wallet.main, payment=brand.pay(program)))


def item(signed: SignedReceipt) -> tuple[ReceiptHash, Points]:
    return receipt_hash(signed.receipt, signed.salt), signed.receipt.points


def test_honest_books_are_good_and_add_up(honest: Books) -> None:
    report = honest.audit()
    assert report.findings == []
    assert (report.receipts, report.settled_receipts, report.members) == (3, 3, 1)
    assert (report.entries, len(report.checked)) == (3, 3)
    assert report.receipt_points == 400 + 259 + 999
    assert report.opened_points == report.credited_points == report.issued_points
    assert report.opened_points + report.carried_points == report.receipt_points
    assert [checked.before for checked in report.checked][1:] == [checked.after for checked in report.checked][:-1]
    assert all(
        checked.is_good and checked.points == checked.sum + checked.before - checked.after for checked in report.checked
    )
    (till,) = report.tills.values()
    assert (till.receipts, till.first, till.last, till.missing) == (3, 1, 3, 0)
    assert not +report.unknown


def test_a_fans_part_is_unknown_where_it_ends_and_not_wrong(honest: Books) -> None:
    report = honest.audit(honest.receipts[::2], honest.openings[:1], is_whole=False)
    assert report.findings == []
    assert (report.unknown["entries"], report.unknown["unsettled"], report.unknown["numbers"]) == (2, 0, 1)
    nothing_but_openings = honest.audit([], honest.openings, is_whole=False)
    assert nothing_but_openings.findings == []
    assert nothing_but_openings.unknown["receipts"] == 3


def test_the_same_part_is_wrong_for_whoever_claims_to_hand_over_everything(honest: Books) -> None:
    report = honest.audit(honest.receipts[::2], honest.openings[:1])
    assert set(found(report)) >= {codes.SEQUENCE_GAP.name, codes.NOT_OPENED.name}
    assert "the first of them 2" in report.findings[0].text
    assert found(honest.audit([], honest.openings)) == names(*[codes.NO_RECEIPT] * 3)


def test_receipts_that_the_program_does_not_stand_behind(honest: Books) -> None:
    stranger = PrivateSeed(b"s" * 32)
    other_chain = sign_receipt(
        honest.receipts[0].receipt, b"s" * 32, ChainId(bytes(32)), honest.market.till.wallet.main.seed
    )
    no_till = replace(honest.receipts[0].receipt, till=keys.public_key_of(honest.market.owner.wallet.main.seed))
    cases = (
        (other_chain, codes.NOT_SIGNED),
        (replace(honest.receipts[0], signature=honest.receipts[1].signature), codes.NOT_SIGNED),
        (sign(honest, stranger), codes.NOT_SIGNED),
        (
            sign_receipt(no_till, b"n" * 32, honest.facts().chain_id, honest.market.owner.wallet.main.seed),
            codes.NO_TILL,
        ),
        (sign(honest, program=bytes(32)), codes.OTHER_PROGRAM),
        (sign(honest, time=Timestamp(0)), codes.NO_TILL),
    )
    for signed, code in cases:
        assert found(honest.audit([*honest.receipts, signed], is_whole=False)) == names(code), code.name


def test_receipts_whose_points_or_terms_are_not_the_rules(honest: Books) -> None:
    cases: tuple[tuple[dict[str, Any], Code], ...] = (
        ({"points": Points(399), "sequence": 9}, codes.WRONG_POINTS),
        ({"points": Points(401), "sequence": 9}, codes.WRONG_POINTS),
        ({"net_cents": 5_000, "sequence": 9}, codes.WRONG_POINTS),
        ({"paid_with_points_cents": 10, "sequence": 9}, codes.WRONG_POINTS),
        ({"terms_version": 2, "sequence": 9}, codes.WRONG_VERSION),
    )
    for changes, code in cases:
        report = honest.audit([*honest.receipts, sign(honest, **changes)], is_whole=False)
        assert found(report) == names(code), changes


def test_the_better_of_two_versions_counts(honest: Books) -> None:
    facts = honest.facts()
    time = honest.receipts[0].receipt.time
    better = replace(facts.terms[1], rules=(replace(facts.terms[1].rules[0], points=Points(2)),))  # pyright: ignore[reportCallIssue] - a rate
    renewed = replace(
        facts,
        terms={**facts.terms, 2: better},
        program=replace(facts.program, versions=((1, 0), (2, time - DAY))),
    )
    for version, points, expected in ((1, 800, []), (1, 400, names(codes.WRONG_POINTS)), (2, 800, [])):
        signed = sign(honest, terms_version=version, points=Points(points), sequence=9)
        assert found(honest.audit([*honest.receipts[1:], signed], [], is_whole=False, facts=renewed))[2:] == expected
    late = replace(renewed, program=replace(facts.program, versions=((1, 0), (2, time - 4 * DAY))))
    signed = sign(honest, terms_version=1, points=Points(800), sequence=9)
    assert found(honest.audit([signed], [], is_whole=False, facts=late)) == names(codes.WRONG_VERSION)


def test_a_till_that_gave_one_number_twice(honest: Books) -> None:
    twin = sign(honest, net_cents=100, points=Points(10))
    report = honest.audit([*honest.receipts, twin], is_whole=False)
    assert found(report) == names(codes.SEQUENCE_TWICE)
    copies = honest.audit([*honest.receipts, honest.receipts[0]], [*honest.openings, honest.openings[0]])
    assert copies.is_good and copies.unknown["copies"] == 2


def test_openings_that_open_nothing_or_do_not_add_up(honest: Books) -> None:
    first = honest.openings[0]
    cases = (
        (replace(first, points=Points(first.points + 1)), codes.BAD_OPENING),
        (replace(first, receipts=((first.receipts[0][0], Points(401)),)), codes.BAD_OPENING),
        (replace(first, salt=bytes(32)), codes.NO_ENTRY),
        (replace(first, period=first.period + 1), codes.NO_ENTRY),
        (replace(first, member=Address(b"m" * 32)), codes.NO_ENTRY),
    )
    for wrong, code in cases:
        assert found(honest.audit(openings=[wrong, *honest.openings[1:]], is_whole=False)) == names(code), code.name


def test_an_opening_with_other_remainders_than_the_chain_has(honest: Books) -> None:
    first, second = honest.openings[0], honest.openings[1]
    shifted = Carried(Points(first.after.remainder + 1), first.after.salt)
    wrong = replace(first, after=shifted, points=Points(first.points - 1))
    assert found(honest.audit(openings=[wrong], is_whole=False)) == names(codes.ENTRY_DIFFERS)
    other_salt = replace(second, before=Carried(second.before.remainder, b"x" * 32))
    assert found(honest.audit(openings=[other_salt], is_whole=False)) == names(codes.REMAINDER_BEFORE)
    facts = honest.facts()
    narrow = replace(facts, terms={1: replace(facts.terms[1], remainder_max=Points(0))})
    carrying = [opening for opening in honest.openings if opening.after.remainder]
    report = honest.audit(facts=narrow)
    assert found(report) == names(*[codes.REMAINDER_TOO_LARGE] * len(carrying)) and carrying


def test_an_entry_that_leaves_points_out_is_opened_by_nothing(books: Books) -> None:
    """The brand settles 99 points for a receipt over 999: no opening of that receipt fits the entry."""
    receipt = books.market.buy(5_000)
    before = books.openings[-1].after
    entry, opening = seal_entry(
        books.market.member, books.openings[0].period, [(item(receipt)[0], Points(99))], before=before
    )
    settle_raw(books, entry)
    report = books.audit([*books.receipts, receipt], [*books.openings, opening])
    assert found(report) == names(codes.OTHER_POINTS)
    assert "counts 99 points" in report.findings[0].text


def test_a_receipt_settled_twice_or_in_the_wrong_place(books: Books) -> None:
    member, period = books.market.member, books.openings[0].period
    receipt = books.market.buy(5_000)
    before = books.openings[-1].after
    first, opened = seal_entry(member, period, [item(receipt)], before=before)
    second, again = seal_entry(member, period + 1, [item(receipt)], before=NOTHING_CARRIED)
    settle_raw(books, first)
    books.market.node.chain.advance(days=1)
    settle_raw(books, second)
    report = books.audit([*books.receipts, receipt], [*books.openings, opened, again])
    assert codes.SETTLED_TWICE.name in found(report)
    assert {codes.OTHER_PERIOD.name, codes.SETTLED_TWICE.name} <= set(found(report))
    settle_raw(books, second)
    report = books.audit([*books.receipts, receipt], [*books.openings, opened, again])
    assert codes.ENTRY_TWICE.name in found(report)


def test_another_members_receipt_and_an_entry_that_was_skipped(books: Books) -> None:
    member, period = books.market.member, books.openings[0].period
    facts = books.market.till.read_program(books.market.program)
    now = Timestamp(int(books.market.node.client.chain()["time"]))
    purchase = Purchase(Address(b"o" * 32), 4, now, 700)
    others = books.market.till.sign_receipt(books.market.program, facts, purchase)
    entry, opening = seal_entry(member, period, [item(others)], before=books.openings[-1].after)
    nobody, skipped = seal_entry(Address(b"o" * 32), period, [item(others)])
    settle_raw(books, entry, nobody)
    report = books.audit([*books.receipts, others], [*books.openings, opening, skipped])
    assert found(report) == names(codes.OTHER_MEMBER, codes.ENTRY_SKIPPED)
    assert "earn.no_member" in report.findings[1].text
    assert report.skipped_entries == 1


def test_receipts_that_were_not_settled_in_time(books: Books) -> None:
    receipt = books.market.buy(5_000)
    report = books.audit([*books.receipts, receipt])
    assert report.is_good and report.waiting_receipts == 1
    books.market.node.chain.advance(days=60)
    assert found(books.audit([*books.receipts, receipt])) == names(codes.NOT_SETTLED)
    part = books.audit([*books.receipts, receipt], is_whole=False)
    assert part.is_good and part.unknown["unsettled"] == 1
    late = books.market.settle(books.folder / "book.json", *books.receipts, receipt, last=False)
    report = books.audit([*books.receipts, receipt], [*books.openings, *late])
    assert found(report) == names(codes.SETTLED_LATE)


def test_a_till_whose_grant_ended_is_no_till_any_more(books: Books) -> None:
    till = books.market.till.wallet.main.address
    books.market.done(books.market.owner.revoke_issuer(books.market.program, till))
    books.market.node.chain.advance(days=1)
    after = books.market.buy(100)
    facts = books.facts()
    (span,) = facts.grants[till]
    assert span.until is not None and span.since < span.until < after.receipt.time
    assert found(books.audit([*books.receipts, after], facts=facts)) == names(codes.NO_TILL)
    facts.grants[till].append(GrantSpan(after.receipt.time, None, 1))
    assert books.audit([*books.receipts, after], facts=facts).is_good


def test_files_that_can_not_be_read_and_foreign_ones(honest: Books) -> None:
    def spoil(folder: Any) -> None:
        folder.unreadable.append(("receipts/x.bin", "it is torn"))
        folder.foreign.append("notes.txt")

    report = honest.audit(change=spoil)
    assert found(report) == names(codes.UNREADABLE)
    assert report.unknown["foreign"] == 1


def test_a_chain_that_does_not_verify_is_part_of_the_report(honest: Books) -> None:
    facts = honest.facts()
    facts.findings.append(Finding("audit.block", "block 7 does not verify", 7))
    assert found(honest.audit(facts=facts)) == ["audit.block"]


def test_a_program_that_the_chain_does_not_have(honest: Books) -> None:
    with reading_store(honest.folder) as connection, refused(PROGRAM_UNKNOWN, NodeError):
        params = honest.market.node.chain.params
        collect_settlements(StoreSource(connection), params, ProgramId(bytes(32)))


def test_an_opening_of_nothing_but_a_remainder_is_no_late_one(books: Books) -> None:
    books.market.node.chain.advance(days=60)
    now = Timestamp(int(books.market.node.client.chain()["time"]))
    flushed: list[Opening] = list(books.market.settler(books.folder / "book.json").flush(now).openings)
    report = books.audit(openings=[*books.openings, *flushed])
    assert report.is_good, [finding.text for finding in report.findings]
    assert report.carried_points == 0


@pytest.mark.parametrize("is_whole", [True, False])
def test_no_receipts_at_all(honest: Books, is_whole: bool) -> None:
    report = honest.audit([], [], is_whole=is_whole)
    assert found(report) == (names(codes.NOT_OPENED) if is_whole else [])
