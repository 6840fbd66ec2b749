"""Referrals until they start: LOY-22."""

from tests.model.records import Referral, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import tagged


def referral_id(program: bytes, fan: bytes) -> bytes:
    """LOY-22."""
    return tagged("REFERRAL", program + fan)


def open_referral(model: Model, call: Call, program: bytes, referrer: bytes) -> None:
    """Somebody joins who was sent by a member."""
    is_possible = model.terms_now(program).referral != (0, 0) and model.is_present_member(program, referrer)
    refuse_unless(is_possible and referrer != call.author, "member.no_referral")
    model.take(call.payer, model.record_deposit)
    model.referrals[referral_id(program, call.author)] = Referral(
        payer=call.payer,
        deposit=model.record_deposit,
        program=program,
        member=call.author,
        referrer=referrer,
        version=model.version_at(program, model.now),
        batch=b"",
        entry_index=0,
        points=0,
        reversed=0,
    )


def start_referral(model: Model, program: bytes, fan: bytes, entry: tuple[bytes, int, int], time: int) -> None:
    """The first entry that credits points: its batch, its index and the points; and until when it can go back."""
    if not model.members[program, fan].is_referred:
        return
    which = referral_id(program, fan)
    batch, index, points = entry
    model.referrals[which] = model.referrals[which]._replace(batch=batch, entry_index=index, points=points)
    model.members[program, fan] = model.members[program, fan]._replace(is_referred=False)
    model.queue("member.referral", which, 0, time)


def close_referral(model: Model, program: bytes, fan: bytes) -> None:
    """Who leaves before the first entry has ended it."""
    found = model.referrals.pop(referral_id(program, fan))
    model.give(found.payer, found.deposit)
    model.members[program, fan] = model.members[program, fan]._replace(is_referred=False)
