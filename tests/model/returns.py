"""Purchases that go back: RCP-9, LOY-19."""

from typing import Any, NamedTuple

from ledger.codec import pack
from tests.model.accounts import address_of_key, policy_hash, policy_is_valid
from tests.model.collateral import release
from tests.model.earn import dates_of
from tests.model.guardians import policy_in_force
from tests.model.loyalty import KEPT_SECONDS, grant_at
from tests.model.points import book_out
from tests.model.records import SETTLE, SIGN, Batch, Lot, Refused, Returned, refuse_unless
from tests.model.referrals import referral_id
from tests.model.state import Model
from tests.model.tiers import take_back_of_tiers
from tests.model.transaction import Call
from tests.second_decoder.hashing import is_included, leaf_hash, tagged

Consent = tuple[tuple[int, tuple[bytes, ...]], tuple[tuple[int, bytes], ...]]


class Return(NamedTuple):
    """RCP-9."""

    format: int
    program: bytes
    member: bytes
    receipt: bytes
    till: bytes
    time: int
    points: int
    salt: bytes


def return_id(returned: Return) -> bytes:
    """RCP-9."""
    return tagged("RETURN", pack(tuple(returned)))


def check_consent(consent: Consent) -> None:
    """RCP-9: it is one of its policy."""
    (threshold, keys), signatures = consent
    refuse_unless(policy_is_valid((threshold, keys)), "witness.policy")
    indexes = [index for index, _ in signatures]
    fits = len(indexes) == threshold and indexes == sorted(set(indexes)) and indexes[-1] < len(keys)
    refuse_unless(fits, "return.signatures")


def check_usable(model: Model, returned: Return, consent: Consent) -> None:
    """LOY-19, 3."""
    governs = policy_in_force(model, returned.member)
    refuse_unless(policy_hash(consent[0]) == governs, "return.wrong_policy")
    refuse_unless(returned.time <= model.now, "return.future")
    refuse_unless(model.now <= returned.time + KEPT_SECONDS, "return.too_late")
    grant = model.grants.get((returned.program, address_of_key(returned.till)))
    then = grant_at(grant, returned.time) if grant else None
    refuse_unless(then is not None and bool(then[0] & SIGN), "return.not_a_till")


def left_of_return(model: Model, returned: Return) -> int:
    """The points of a return that have not counted yet."""
    found = model.returned.get(return_id(returned))
    return returned.points - (found.used if found else 0)


def count_return(model: Model, call: Call, returned: Return, points: int) -> None:
    """LOY-19, 6."""
    refuse_unless(0 < points <= left_of_return(model, returned), "return.used")
    which = return_id(returned)
    found = model.returned.get(which)
    if found is None:
        model.take(call.payer, model.record_deposit)
        keep_until = returned.time + KEPT_SECONDS + 1
        found = Returned(call.payer, model.record_deposit, *returned[1:4], returned.points, 0, keep_until)
        model.queue("return.drop", which, 0, keep_until)
    model.returned[which] = found._replace(used=found.used + points)


def drop_return(model: Model, which: bytes) -> None:
    """Due work `return.drop`."""
    found = model.returned.pop(which)
    model.give(found.payer, found.deposit)


def row_of_place(returned: Return, place: tuple[Any, ...], code: str) -> tuple[Any, ...]:
    """The leaf that a reversal cites (LOY-19, 2.)."""
    if place[0] == 0:
        _, period, points, receipts, remainder, before = place
        return (0, returned.member, period, points, receipts, remainder, before, code)
    _, period, points, remainder = place
    return (1, returned.member, period, points, returned.receipt, remainder, remainder, code)


def take_back(model: Model, returned: Return, of: tuple[int, int], wanted: int) -> None:
    """LOY-19, 7; `of` are version and activation day of what gave the points."""
    program, today = returned.program, model.today(returned.program)
    member = model.members[program, returned.member]
    ranks: tuple[list[Lot], ...] = ([], [], [])
    alive = [lot for lot in member.lots if lot.expiry_day > today]
    for lot in alive:
        rank = 0 if (lot.version, lot.activation_day) == of else 1 if lot.activation_day > today else 2
        ranks[rank].append(lot)
    sources = [lot for rank in (ranks if member.gives_back_from_all else ranks[:2]) for lot in rank]
    refuse_unless(sum(lot.points for lot in sources) >= wanted, "reverse.points_gone")
    model.change_books(program, reversed=wanted)
    left = {lot[:3]: lot.points for lot in alive}
    for lot in sources:
        gives = min(lot.points, wanted)
        wanted -= gives
        left[lot[:3]] -= gives
        book_out(model, program, lot._replace(points=gives))
        release(model, program, (lot._replace(points=gives),))
    lots = tuple(lot._replace(points=left[lot[:3]]) for lot in alive if left[lot[:3]])
    model.members[program, returned.member] = member._replace(lots=lots)


def _write_reversed(batch: Batch, index: int, points: int, most: int) -> Batch:
    """LOY-19, 5."""
    before = dict(batch.reversed)
    before[index] = before.get(index, 0) + points
    refuse_unless(before[index] <= most, "reverse.above_entry")
    return batch._replace(reversed=tuple(sorted(before.items())))


def require_reverser(model: Model, program: bytes, author: bytes) -> None:
    """LOY-19, who may."""
    if author != model.programs[program].owner:
        model.require_live_grant(program, author, SETTLE)


def reverse(model: Model, call: Call, payload: tuple) -> list[str]:
    """LOY-19."""
    batch_id, index, path, place, points, array, _, consent = payload
    returned = Return(*array)
    program = returned.program
    batch = model.batches.get(batch_id)
    if batch is None or batch.program != program:
        raise Refused("reverse.no_batch")
    require_reverser(model, program, call.author)
    reduced = dict(batch.reduced).get(index)
    row = row_of_place(returned, place, "" if reduced is None else "earn.period_cap_reduced")
    included = is_included(leaf_hash(pack(row)), index, batch.entries, list(path), batch.entries_root)
    refuse_unless(included, "reverse.not_in_batch")
    check_usable(model, returned, consent)
    dates = dates_of(model, program, row[2], batch.settled_at)
    refuse_unless(dates.begins <= returned.time < dates.returnable_until, "reverse.outside_window")
    model.batches[batch_id] = _write_reversed(batch, index, points, row[3] if reduced is None else reduced)
    count_return(model, call, returned, points)
    take_back(model, returned, (dates.version, dates.activation_day), points)
    member = model.members[program, returned.member]
    model.members[program, returned.member] = member._replace(earned=member.earned - points)
    take_back_of_tiers(model, program, returned.member, model.terms[program, dates.version], dates.base, points)
    which = referral_id(program, returned.member)
    referral = model.referrals.get(which)
    if referral is not None and (referral.batch, referral.entry_index) == (batch_id, index):
        model.referrals[which] = referral._replace(reversed=referral.reversed + points)
    return [""]
