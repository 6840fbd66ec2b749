"""What must hold in every block, computed from the records and not from what the rules say they did (spec INV).

A broken invariant is an `AssertionError`: the node stops rather than build on it.
"""

from collections import defaultdict
from typing import Any, cast

from ledger.domains.accounts.state import Account, Guardianship
from ledger.domains.challenges.state import Challenge
from ledger.domains.crowdfunding.state import Campaign, Pledge
from ledger.domains.crowdfunding.terms import CoinUnit
from ledger.domains.loyalty.books import THOUSAND, Books, security, thousandths
from ledger.domains.loyalty.state import OPEN, Contest
from ledger.domains.offers.state import Offer
from ledger.domains.rewards.state import Hold
from ledger.reward import Maturing
from ledger.state import Overlay
from ledger.supply import BUCKETS, ChainRecord
from ledger.types import INTEGER_MAX, Amount

POINT_TOTALS = ("pending", "available", "held", "escrowed", "redeemed", "expired", "reversed")


PLEDGE_NUMBER_BYTES = 4
"""At the end of a pledge's key."""

HOLDING_MORE = frozenset((Guardianship, Books, Hold, Campaign, Pledge, Contest, Challenge, Offer, Maturing))
"""Records of which more must hold than what their deposit and what is prepaid in them say."""


def check_postings(before: dict[str, int], after: dict[str, int]) -> None:
    """INV-1: what one transaction booked sums to zero over all buckets."""
    assert sum(after.values()) == sum(before.values()), f"coin appeared or vanished: {before} -> {after}"


def check_block(overlay: Overlay, chain: ChainRecord, emitted: Amount) -> None:
    """INV-2 to INV-6 and INV-9 to INV-13 over the records that a block wrote."""
    assert chain.emitted == emitted, f"emitted {chain.emitted} coin, not {emitted}"
    assert chain.emitted == sum(getattr(chain, bucket) for bucket in BUCKETS), "coin supply is not what was emitted"
    changes: dict[Any, int] = defaultdict(int)
    for key, record in overlay.records.items():
        stored = overlay.stored(key)
        before = None if stored is None else stored.record
        if before is record:
            continue
        if before is not None:
            _measure(changes, key, before, -1)
        if record is not None:
            _measure(changes, key, record, 1)
    for bucket in BUCKETS:
        posted = overlay.postings.get(bucket, 0)
        assert changes[bucket] == posted, f"records of {bucket} changed by {changes[bucket]}, postings by {posted}"
    differing = {place: amount for place, amount in changes.items() if place not in BUCKETS and amount}
    assert not differing, (
        f"held, escrowed or contested points, points set aside, pledges, guardians, or offers do not match: {differing}"
    )


def check_books(books: Books) -> None:
    """INV-4 and INV-13: issued + restored = pending + available + held + escrowed + redeemed + expired + reversed.

    Nothing is negative or too large.
    """
    totals = [getattr(books, name) for name in POINT_TOTALS]
    assert books.issued + books.restored == sum(totals), f"points do not add up: {books}"
    assert min(totals) >= 0 <= books.pool, f"a total is negative: {books}"
    assert books.contest_points >= 0 <= books.contest_coin, f"a reserve is negative: {books}"
    assert books.issued <= INTEGER_MAX, f"a total is too large: {books}"
    behind = (books.backing, books.burned, books.collateral_paid, thousandths(books))
    assert min(behind) >= 0 and max(behind) <= INTEGER_MAX, (
        f"what stands behind points is negative or too large: {books}"
    )
    assert 0 <= books.burn_carry < THOUSAND, f"a whole unit was not burned: {books}"


def check_escrow(campaign: Campaign) -> None:
    """INV-5: what was pledged is in escrow, was released or was returned; no more is in escrow than its pledges hold."""
    put_in = campaign.escrowed + campaign.released + campaign.returned
    assert campaign.pledged == put_in, f"the escrow of a campaign does not add up: {campaign}"
    assert 0 <= campaign.escrowed <= campaign.weight, f"a campaign holds more than its pledges: {campaign}"
    assert 0 <= campaign.backing <= (INTEGER_MAX if campaign.escrowed else 0), (
        f"coin stands behind no points: {campaign}"
    )


def _measure(changes: dict[Any, int], key: bytes, record: Any, sign: int) -> None:
    """Add what `record` holds to the totals of its buckets; a program's books are checked by themselves."""
    kind = cast("type[Any]", type(record))
    if kind is Account:
        assert record.balance >= 0, "a balance is negative"
        changes["accounts"] += sign * record.balance
        changes["locked"] += sign * record.deposit
        if record.is_guarded:
            changes["guarded", key[1:]] += sign
        return
    locked = getattr(record, "deposit", 0) + getattr(record, "prepaid", 0)
    if locked:
        changes["locked"] += sign * locked
    if kind not in HOLDING_MORE:
        return
    if isinstance(record, Books):
        check_books(record)
        program = key[1:]
        changes["pools"] += sign * record.pool
        changes["held", program] += sign * record.held
        changes["escrowed", program] += sign * record.escrowed
        changes["offered", program] += sign * record.offered
        changes["locked"] += sign * (record.contest_coin + security(record))
        changes["burned"] += sign * record.burned
        unpromised = record.contest_points_locked - record.contest_points - record.contest_points_credited
        changes["contested", program] += sign * unpromised
        changes["contests", program] += sign * record.contests_open
        changes["challenges", program] += sign * record.challenge_points
    elif isinstance(record, Guardianship):
        changes["guarded", key[1:]] -= sign
        assert bool(record.prepaid) <= bool(record.recovery), "what cancelling costs is prepaid by a recovery only"
    elif isinstance(record, Contest):
        if record.outcome == OPEN:
            changes["contested", record.program] -= sign * record.points
            changes["contests", record.program] -= sign
    elif isinstance(record, Challenge):
        assert record.left >= 0 <= record.given, f"a challenge gave more than its budget: {record}"
        changes["challenges", record.program] -= 0 if record.has_ended else sign * record.left
    elif isinstance(record, Offer):
        if record.is_open:
            changes["offered", record.program] -= sign * record.points
    elif isinstance(record, Hold):
        changes["held", record.program] -= sign * record.points
    elif isinstance(record, Campaign):
        check_escrow(record)
        changes["backed", key[1:]] += sign * record.weight
        if isinstance(record.unit, CoinUnit):
            changes["escrow"] += sign * record.escrowed
        else:
            changes["escrowed", record.unit.program] -= sign * record.escrowed
    elif isinstance(record, Pledge):
        changes["backed", key[1:-PLEDGE_NUMBER_BYTES]] -= sign * record.quantity
        assert not record.lots or sum(lot[3] for lot in record.lots) == record.quantity, "lots are not the pledge"
    else:
        assert isinstance(record, Maturing), "one of HOLDING_MORE"
        changes["maturing"] += sign * sum(amount for _, amount in record.payees)
