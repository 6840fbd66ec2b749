"""Books in which fans contested receipts: what a contest credited is explained, entry by entry and in the sum."""

from dataclasses import replace

import pytest

from api.reporting import receipts_findings as codes
from api.reporting.receipts_audit import ReceiptsReport
from api.reporting.receipts_lines import map_receipts, receipts_lines
from api.wallet.contests import answer_of, contest_id
from api.wallet.sealing import Place, seal_entry
from ledger.domains.loyalty.receipts import SignedReceipt, receipt_hash
from ledger.domains.loyalty.state import OPEN, SETTLED_SHORT, UNSETTLED
from ledger.hashing import object_id
from ledger.types import Hash, Points, TxId
from tests.api.reporting.conftest import Books
from tests.api.reporting.test_receipts_audit import found, item, names, settle_raw, sign

GRACE_DAYS = 12
ANSWER_DAYS = 16
"""More than the period with its grace, and than the time to answer."""
ANSWER_BLOCKS = 150


def contest(books: Books, signed: SignedReceipt, *, wrong_points: bool = False) -> None:
    """The fan contests it, and a block takes that."""
    books.market.done(books.market.fan.contest(signed, wrong_points=wrong_points))


def pass_days(books: Books, days: int) -> None:
    books.market.node.chain.advance(days=days, blocks=ANSWER_BLOCKS)
    books.market.node.mine(3)


def lines_of(books: Books, report: ReceiptsReport) -> str:
    facts = books.facts()
    shown = map_receipts(report, facts, source="a store", folder="a folder", prefix=facts.address_prefix)
    return "\n".join(receipts_lines(shown))


def adds_up(report: ReceiptsReport) -> bool:
    parts = report.earned_points + report.contest_points + report.other_points
    return parts == report.issued_points and report.other_points == 0


def test_an_unsettled_receipt_that_a_contest_credited_is_settled_by_it(books: Books) -> None:
    left_out = books.market.buy(5_000)
    receipts = [*books.receipts, left_out]
    pass_days(books, GRACE_DAYS)
    assert found(books.audit(receipts)) == names(codes.NOT_SETTLED)
    contest(books, left_out)
    waiting = books.audit(receipts)
    assert found(waiting) == names(codes.NOT_SETTLED) and "not decided yet" in waiting.findings[0].text
    assert [checked.contest.outcome for checked in waiting.contests] == [OPEN]
    pass_days(books, ANSWER_DAYS)
    report = books.audit(receipts)
    assert report.is_good, report.findings
    (checked,) = report.contests
    assert (checked.contest.outcome, checked.contest.credited, checked.is_here) == (UNSETTLED, 500, True)
    assert checked.contest.contest == contest_id(left_out)
    assert (report.contest_points, report.settled_receipts) == (500, 4)
    assert report.issued_points == report.credited_points + 500 and adds_up(report)
    shown = lines_of(books, report)
    assert "1 contest, 1 of them credited over 500 points" in shown
    assert "over 500: unsettled, 500 points credited in block" in shown
    assert "+ contests 500 + otherwise 0" in shown


def test_its_receipt_belongs_to_what_is_handed_over(books: Books) -> None:
    left_out = books.market.buy(5_000)
    pass_days(books, GRACE_DAYS)
    contest(books, left_out)
    pass_days(books, ANSWER_DAYS)
    report = books.audit()
    assert found(report) == names(codes.CONTEST_NO_RECEIPT)
    assert "credited 500 points" in report.findings[0].text and not report.contests[0].is_good
    part = books.audit(is_whole=False)
    assert part.is_good and part.unknown["receipts"] == 1


def test_a_receipt_that_is_settled_after_a_contest_credited_it_is_settled_twice(books: Books) -> None:
    left_out = books.market.buy(5_000)
    pass_days(books, GRACE_DAYS)
    contest(books, left_out)
    pass_days(books, ANSWER_DAYS)
    late = books.market.settle(books.folder / "book.json", *books.receipts, left_out, last=False)
    report = books.audit([*books.receipts, left_out], [*books.openings, *late])
    assert codes.SETTLED_TWICE.name in found(report) and adds_up(report)


def test_an_entry_with_too_few_points_is_put_right_by_the_contest(books: Books) -> None:
    market, receipt = books.market, books.market.buy(5_000)
    entry, opening = seal_entry(
        market.member, books.openings[0].period, [(item(receipt)[0], Points(99))], before=books.openings[-1].after
    )
    receipts, openings = [*books.receipts, receipt], [*books.openings, opening]
    settle_raw(books, entry)
    batch = market.node.client.account_history(market.fan.address_text(market.member))["items"][0]
    assert batch["name"] == "points.earned"
    assert found(books.audit(receipts, openings)) == names(codes.OTHER_POINTS)
    pass_days(books, GRACE_DAYS)
    contest(books, receipt)
    place = Place(Hash(object_id("earn", TxId(bytes.fromhex(batch["txid"])), 0)), 0, ())
    answer = answer_of(contest_id(receipt), replace(opening, place=place), receipt_hash(receipt.receipt, receipt.salt))
    market.done(market.till.answer_contest(market.program, answer))
    report = books.audit(receipts, openings)
    assert report.is_good, report.findings
    (checked,) = report.contests
    assert (checked.contest.outcome, checked.contest.credited) == (SETTLED_SHORT, 401)
    assert adds_up(report)


def test_a_receipt_that_promises_too_few_points_is_put_right_by_the_contest(books: Books) -> None:
    now = books.market.node.client.chain()["time"]
    short = sign(books, net_cents=5_000, points=Points(450), sequence=9, time=now)
    receipts = [*books.receipts, short]
    assert codes.WRONG_POINTS.name in found(books.audit(receipts, is_whole=False))
    pass_days(books, GRACE_DAYS)
    contest(books, short, wrong_points=True)
    assert codes.WRONG_POINTS.name in found(books.audit(receipts, is_whole=False)), "as long as it is not decided"
    pass_days(books, ANSWER_DAYS)
    report = books.audit(receipts, is_whole=False)
    assert report.is_good, report.findings
    assert (report.contest_points, adds_up(report)) == (500, True)


@pytest.mark.parametrize("missing", [1, 500])
def test_a_sum_that_cannot_be_is_found(honest: Books, missing: int) -> None:
    facts = honest.facts()
    facts.earned_points = facts.books.issued + missing
    assert found(honest.audit(facts=facts)) == names(codes.ISSUED_DIFFERS)
