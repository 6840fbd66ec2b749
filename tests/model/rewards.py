"""RWD-1 to RWD-5."""

from tests.model.points import give_points_back, take_points
from tests.model.records import DAY, FULFIL, UNLIMITED, Call, Hold, Reward, refuse_unless
from tests.model.state import Model
from tests.second_decoder.hashing import object_id

BLOCKS_MIN = 6


def changed(stock: int, change: int) -> int:
    """RWD-2."""
    return min(max(stock + change, 0), UNLIMITED)


def reward_at(reward: Reward, time: int) -> Reward:
    """The reward with what was announced for then (RWD-2)."""
    if not reward.announced or reward.announced[0][0] > time:
        return reward
    _, price, stock_change, listed = reward.announced[0]
    return reward._replace(price=price, stock=changed(reward.stock, stock_change), listed=listed, announced=())


def _require_owner(model: Model, program: bytes, author: bytes) -> None:
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(model.programs[program].owner == author, "program.not_owner")


def list_reward(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-1."""
    program, name, price, stock = payload
    _require_owner(model, program, call.author)
    model.take(call.payer, model.record_deposit)
    reward = object_id("reward", call.txid)
    model.rewards[program, reward] = Reward(call.payer, model.record_deposit, name, price, stock, True, ())
    return [""]


def update(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-2."""
    program, which, price, stock_change, listed = payload
    _require_owner(model, program, call.author)
    refuse_unless((program, which) in model.rewards, "reward.unknown")
    before = reward_at(model.rewards[program, which], model.now)
    worse_price = price > before.price
    worse_listed = before.listed and not listed
    is_worse = worse_price or stock_change < 0 or worse_listed
    after = before._replace(
        price=before.price if worse_price else price,
        stock=before.stock if stock_change < 0 else changed(before.stock, stock_change),
        listed=before.listed or listed,
    )
    if is_worse:
        refuse_unless(not before.announced, "reward.update_pending")
        from_time = model.now + model.terms_now(program).notice_days * DAY
        after = after._replace(announced=((from_time, price, min(stock_change, 0), listed),))
    elif before.announced:
        from_time, later_price, later_change, later_listed = before.announced[0]
        if price < before.price:
            later_price = min(later_price, price)
        if stock_change > 0:
            later_change = max(later_change, -before.stock)
        if listed and not before.listed:
            later_listed = True
        changes_nothing = (later_price, later_change, later_listed) == (after.price, 0, after.listed)
        after = after._replace(
            announced=() if changes_nothing else ((from_time, later_price, later_change, later_listed),)
        )
    model.rewards[program, which] = reward_at(after, model.now)
    return [""]


def redeem(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-3."""
    program, which, quantity, price_accepted = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless((program, call.author) in model.members, "member.unknown")
    refuse_unless((program, which) in model.rewards, "reward.unknown")
    reward = reward_at(model.rewards[program, which], model.now)
    refuse_unless(reward.listed, "redeem.not_listed")
    refuse_unless(reward.price <= price_accepted, "redeem.price_above")
    refuse_unless(reward.stock >= quantity, "redeem.out_of_stock")
    points = reward.price * quantity
    lots = take_points(model, program, call.author, points, "held")
    if reward.stock != UNLIMITED:
        reward = reward._replace(stock=reward.stock - quantity)
    model.rewards[program, which] = reward
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
        points=points,
        lots=lots,
        expires_at=model.now + model.terms_now(program).hold_seconds,
        expires_height=model.height + BLOCKS_MIN,
    )
    model.queue("redeem.timeout", hold, 0, model.now + model.terms_now(program).hold_seconds)
    return [""]


def _is_over(model: Model, hold: Hold) -> bool:
    return model.now >= hold.expires_at and model.height >= hold.expires_height


def _end(model: Model, which: bytes) -> None:
    hold = model.holds.pop(which)
    model.fees += hold.prepaid
    model.give(hold.payer, hold.deposit)


def fulfil(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-4."""
    which = payload[0]
    hold = model.holds.get(which)
    refuse_unless(hold is not None and not _is_over(model, hold), "redeem.unknown")
    assert hold is not None
    if call.author != model.programs[hold.program].owner:
        model.require_live_grant(hold.program, call.author, FULFIL)
    model.change_books(hold.program, held=-hold.points, redeemed=hold.points)
    _end(model, which)
    return [""]


def _release(model: Model, which: bytes) -> None:
    hold = model.holds[which]
    give_points_back(model, hold.program, hold.member, hold.lots, "held")
    reward = reward_at(model.rewards[hold.program, hold.reward], model.now)
    if reward.stock != UNLIMITED:
        stock = changed(reward.stock, hold.quantity)
        model.rewards[hold.program, hold.reward] = reward._replace(stock=stock)
    _end(model, which)


def cancel(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-5."""
    (which,) = payload
    hold = model.holds.get(which)
    refuse_unless(hold is not None, "redeem.unknown")
    assert hold is not None
    if call.author not in (hold.member, model.programs[hold.program].owner):
        model.require_live_grant(hold.program, call.author, FULFIL)
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
