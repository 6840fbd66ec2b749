"""Redemptions, what is handed out and taken back, and what one member may get: RWD-3 to RWD-6, RWD-8."""

from collections.abc import Iterable

from tests.model.collateral import release
from tests.model.points import give_points_back, take_points
from tests.model.records import DAY, FULFIL, UNLIMITED, Count, Fulfilment, Hold, Lot, refuse_unless
from tests.model.rewards import changed, price_now, reward_at
from tests.model.state import Model
from tests.model.tiers import tier_at
from tests.model.transaction import Call
from tests.second_decoder.hashing import object_id, tagged

BLOCKS_MIN = 6
COUNT_CHECK_SECONDS = 7_776_000

Counted = tuple[tuple[int, int], ...]


def count_id(program: bytes, reward: bytes, fan: bytes) -> bytes:
    """RWD-6."""
    return tagged("COUNT", program + reward + fan)


def taken_so_far(model: Model, program: bytes, which: bytes, fan: bytes) -> tuple[int, int, int, int]:
    """What counts of a member at now: made, total, since, count (RWD-6)."""
    found = model.counts.get(count_id(program, which, fan))
    today = model.today(program)
    made, total, since, count = (
        (found.made, found.total, found.since, found.of_span)
        if found
        else (
            model.height,
            0,
            today,
            0,
        )
    )
    days = reward_at(model.rewards[program, which], model.now).limit[2]
    if days > 0 and today >= since + days:
        since, count = today, 0
    return made, total, since, count


def left_of_limit(model: Model, program: bytes, which: bytes, fan: bytes) -> int | None:
    """How many a member may have more; None where nothing limits it."""
    total_max, count_max, days = reward_at(model.rewards[program, which], model.now).limit
    _, total, _, count = taken_so_far(model, program, which, fan)
    left = ([total_max - total] if total_max else []) + ([count_max - count] if days else [])
    return min(left) if left else None


def _next_look(model: Model, program: bytes, which: bytes, since: int) -> int:
    reward = reward_at(model.rewards[program, which], model.now)
    if reward.limit[0] == 0:
        return model.day_start(program, since + reward.limit[2])
    return min(reward.window[1], model.now + COUNT_CHECK_SECONDS)


def _count(model: Model, call: Call, program: bytes, which: bytes, quantity: int) -> Counted:
    """RWD-6: it is counted."""
    limit = reward_at(model.rewards[program, which], model.now).limit
    if limit[0] == 0 and limit[1] == 0:
        return ()
    made, total, since, count = taken_so_far(model, program, which, call.author)
    key = count_id(program, which, call.author)
    found = model.counts.get(key)
    if found is None:
        model.take(call.payer, model.record_deposit)
        model.queue("redeem.count", key, 0, _next_look(model, program, which, since))
        found = Count(call.payer, model.record_deposit, program, which, made, 0, 0, 0)
    model.counts[key] = found._replace(total=total + quantity, since=since, of_span=count + quantity)
    return ((made, since),)


def _give_count_back(model: Model, found: Hold | Fulfilment, units: int) -> None:
    key = count_id(found.program, found.reward, found.member)
    count = model.counts.get(key)
    if not found.counted or count is None or count.made != found.counted[0][0]:
        return
    of_span = units if count.since == found.counted[0][1] else 0
    model.counts[key] = count._replace(total=count.total - units, of_span=count.of_span - of_span)
    assert min(model.counts[key][-4:]) >= 0, "more comes back than was taken"


def look_at_count(model: Model, key: bytes) -> None:
    """Due work `redeem.count` (RWD-6)."""
    found = model.counts[key]
    reward = reward_at(model.rewards[found.program, found.reward], model.now)
    total_max, _, days = reward.limit
    may_refuse = (total_max > 0 and found.total > 0) or (
        days > 0 and found.of_span > 0 and model.today(found.program) < found.since + days
    )
    if reward.listed and model.now < reward.window[1] and may_refuse:
        model.queue("redeem.count", key, 0, _next_look(model, found.program, found.reward, found.since))
    else:
        del model.counts[key]
        model.give(found.payer, found.deposit)


def redeem(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-3."""
    program, which, quantity, price_accepted = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(not model.has_closed(program), "program.closed")
    refuse_unless((program, call.author) in model.members, "member.unknown")
    refuse_unless((program, which) in model.rewards, "reward.unknown")
    reward = reward_at(model.rewards[program, which], model.now)
    refuse_unless(reward.listed, "redeem.not_listed")
    refuse_unless(reward.window[0] <= model.now < reward.window[1], "redeem.outside_window")
    member, f = model.members[program, call.author], model.terms_now(program)
    refuse_unless(tier_at(model, program, member, model.now, f) >= reward.tier_min, "redeem.tier_too_low")
    price = price_now(model, program, reward)
    refuse_unless(price <= price_accepted, "redeem.price_above")
    refuse_unless(reward.stock >= quantity, "redeem.out_of_stock")
    left = left_of_limit(model, program, which, call.author)
    refuse_unless(left is None or quantity <= left, "redeem.limit_reached")
    lots = take_points(model, program, call.author, price * quantity, "held")
    if reward.stock != UNLIMITED:
        reward = reward._replace(stock=reward.stock - quantity)
    model.rewards[program, which] = reward
    counted = _count(model, call, program, which, quantity)
    model.take(call.payer, model.record_deposit)
    model.take(call.payer, model.prepaid_exit)
    hold = object_id("hold", call.txid)
    model.holds[hold] = Hold(
        payer=call.payer,
        deposit=model.record_deposit,
        prepaid=model.prepaid_exit,
        program=program,
        member=call.author,
        reward=which,
        quantity=quantity,
        points=price * quantity,
        lots=lots,
        expires_at=model.now + f.hold_seconds,
        expires_height=model.height + BLOCKS_MIN,
        counted=counted,
    )
    model.queue("redeem.timeout", hold, 0, model.now + f.hold_seconds)
    return [""]


def _is_over(model: Model, hold: Hold) -> bool:
    return model.now >= hold.expires_at and model.height >= hold.expires_height


def _is_forgotten(model: Model, found: Fulfilment) -> bool:
    return model.now >= found.keep_until and model.height >= found.keep_height


def _end(model: Model, which: bytes) -> None:
    hold = model.holds.pop(which)
    model.fees += hold.prepaid
    model.give(hold.payer, hold.deposit)


def split_from_front(lots: Iterable[Lot], points: int) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """The first so many points of lots, and what is left (RWD-4)."""
    front: list[Lot] = []
    rest: list[Lot] = []
    for lot in lots:
        gives = min(lot.points, points)
        points -= gives
        if gives:
            front.append(lot._replace(points=gives))
        if gives < lot.points:
            rest.append(lot._replace(points=lot.points - gives))
    assert points == 0
    return tuple(front), tuple(rest)


def _may_fulfil(model: Model, program: bytes, author: bytes) -> None:
    if author != model.programs[program].owner:
        model.require_live_grant(program, author, FULFIL)


def fulfil(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-4."""
    which, quantity, _ = payload
    hold = model.holds.get(which)
    refuse_unless(hold is not None and not _is_over(model, hold), "redeem.unknown")
    assert hold is not None
    _may_fulfil(model, hold.program, call.author)
    refuse_unless(quantity <= hold.quantity, "redeem.quantity_above")
    points = quantity * (hold.points // hold.quantity)
    front, rest = split_from_front(hold.lots, points)
    model.change_books(hold.program, held=-points, redeemed=points)
    member = model.members[hold.program, hold.member]
    model.members[hold.program, hold.member] = member._replace(redemptions=member.redemptions + 1)
    refund_days = model.terms_now(hold.program).refund_days
    if refund_days > 0:
        model.take(call.payer, model.record_deposit)
        fulfilment = object_id("fulfilment", call.txid)
        model.fulfilments[fulfilment] = Fulfilment(
            payer=call.payer,
            deposit=model.record_deposit,
            program=hold.program,
            member=hold.member,
            reward=hold.reward,
            hold=which,
            quantity=quantity,
            points=points,
            lots=front,
            keep_until=model.now + refund_days * DAY,
            keep_height=model.height + BLOCKS_MIN,
            counted=hold.counted,
        )
        model.queue("redeem.forget", fulfilment, 0, model.now + refund_days * DAY)
    else:
        release(model, hold.program, front)
    left = hold.quantity - quantity
    model.holds[which] = hold._replace(quantity=left, points=hold.points - points, lots=rest)
    if left == 0:
        _end(model, which)
    return [""]


def forget(model: Model, which: bytes) -> None:
    """Due work `redeem.forget` (RWD-4)."""
    found = model.fulfilments.get(which)
    if found is None:
        return
    if _is_forgotten(model, found):
        del model.fulfilments[which]
        release(model, found.program, found.lots)
        model.give(found.payer, found.deposit)
    else:
        model.queue("redeem.forget", which, 0, model.now + 1)


def refund(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-8."""
    which, quantity = payload
    found = model.fulfilments.get(which)
    refuse_unless(found is not None and not _is_forgotten(model, found), "redeem.not_refundable")
    assert found is not None
    _may_fulfil(model, found.program, call.author)
    refuse_unless(quantity <= found.quantity, "redeem.quantity_above")
    points = quantity * (found.points // found.quantity)
    kept, back = split_from_front(found.lots, found.points - points)
    give_points_back(model, found.program, found.member, back, "redeemed")
    _give_count_back(model, found, quantity)
    left = found.quantity - quantity
    model.fulfilments[which] = found._replace(quantity=left, points=found.points - points, lots=kept)
    if left == 0:
        del model.fulfilments[which]
        model.give(found.payer, found.deposit)
    return [""]


def _release(model: Model, which: bytes) -> None:
    hold = model.holds[which]
    give_points_back(model, hold.program, hold.member, hold.lots, "held")
    reward = reward_at(model.rewards[hold.program, hold.reward], model.now)
    if reward.stock != UNLIMITED:
        stock = changed(reward.stock, hold.quantity)
        model.rewards[hold.program, hold.reward] = reward._replace(stock=stock)
    _give_count_back(model, hold, hold.quantity)
    _end(model, which)


def cancel(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-5."""
    (which,) = payload
    hold = model.holds.get(which)
    refuse_unless(hold is not None, "redeem.unknown")
    assert hold is not None
    if call.author != hold.member:
        _may_fulfil(model, hold.program, call.author)
    _release(model, which)
    return [""]


def time_out(model: Model, which: bytes) -> None:
    """Due work `redeem.timeout` (RWD-5)."""
    hold = model.holds.get(which)
    if hold is None:
        return
    if _is_over(model, hold):
        _release(model, which)
    else:
        model.queue("redeem.timeout", which, 0, model.now + 1)
