"""Rewards, and how they change: RWD-1, RWD-2, RWD-7."""

from typing import Any

from tests.model.records import DAY, UNLIMITED, M, Reward, Terms, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import object_id

Limit = tuple[int, int, int]
Window = tuple[int, int]
Parts = dict[str, Any]


def limit_is_sound(limit: Limit) -> bool:
    """RWD-1."""
    return (limit[1] == 0) == (limit[2] == 0)


def window_is_sound(window: Window) -> bool:
    """RWD-1."""
    return window[0] < window[1]


def changed(stock: int, change: int) -> int:
    """RWD-2."""
    return min(max(stock + change, 0), UNLIMITED)


def reward_at(reward: Reward, time: int) -> Reward:
    """The reward with what was announced for then (RWD-2)."""
    if not reward.announced or reward.announced[0][0] > time:
        return reward
    _, price, stock_change, listed, limit, window, tier_min = reward.announced[0]
    return reward._replace(
        price=price,
        stock=changed(reward.stock, stock_change),
        listed=listed,
        announced=(),
        limit=limit,
        window=window,
        tier_min=tier_min,
    )


def meets_floor(terms: Terms, price: int, value_cents: int) -> bool:
    """RWD-7."""
    points, cents = terms.floor
    return points == 0 or price * cents <= value_cents * points


def price_now(model: Model, program: bytes, reward: Reward) -> int:
    """The price of a reward at now (RWD-7)."""
    points, cents = model.terms_now(program).floor
    greatest = max(1, reward.value_cents * points // cents) if points else M
    return min(reward_at(reward, model.now).price, greatest)


def _require_owner(model: Model, program: bytes, author: bytes) -> None:
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(model.programs[program].owner == author, "program.not_owner")


def _parts(price: int, listed: bool, limit: Limit, window: Window, tier_min: int) -> Parts:
    return {
        "price": price,
        "listed": listed,
        "total": limit[0],
        "span": tuple(limit[1:]),
        "opens_at": window[0],
        "closes_at": window[1],
        "tier_min": tier_min,
    }


def _parts_of(reward: Reward) -> Parts:
    return _parts(reward.price, reward.listed, reward.limit, reward.window, reward.tier_min)


def _fields(parts: Parts) -> tuple[int, bool, Limit, Window, int]:
    limit = (parts["total"], *parts["span"])
    return parts["price"], parts["listed"], limit, (parts["opens_at"], parts["closes_at"]), parts["tier_min"]


def _is_worse(part: str, b: Any, a: Any, now: int) -> bool:
    """Whether b is worse than a (RWD-2)."""
    if part in ("price", "tier_min"):
        return b > a
    if part == "listed":
        return a and not b
    if part == "total":
        return (b or M) < (a or M)
    if part == "span":
        return (b[0] or M) < (a[0] or M) or b[1] > a[1]
    return max(b, now) > max(a, now) if part == "opens_at" else max(b, now) < max(a, now)


def list_reward(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-1."""
    program, name, price, stock, value_cents, limit, window, tier_min = payload
    _require_owner(model, program, call.author)
    f = model.terms_now(program)
    refuse_unless(tier_min <= len(f.tiers), "reward.no_such_tier")
    refuse_unless(meets_floor(f, price, value_cents), "reward.below_floor")
    model.take(call.payer, model.record_deposit)
    model.rewards[program, object_id("reward", call.txid)] = Reward(
        call.payer, model.record_deposit, name, price, stock, True, (), value_cents, limit, window, tier_min
    )
    return [""]


def update(model: Model, call: Call, payload: tuple) -> list[str]:
    """RWD-2."""
    program, which, price, stock_change, *rest = payload
    _require_owner(model, program, call.author)
    refuse_unless((program, which) in model.rewards, "reward.unknown")
    f, now = model.terms_now(program), model.now
    before = reward_at(model.rewards[program, which], now)
    given, former = _parts(price, *rest), _parts_of(before)
    present = {**former, "price": price_now(model, program, before)}
    refuse_unless(given["tier_min"] <= len(f.tiers), "reward.no_such_tier")
    late = {part for part in given if _is_worse(part, given[part], present[part], now)}
    parts = {part: former[part] if part in late else given[part] for part in given}
    from_time = now + f.notice_days * DAY
    of_then = model.terms_at(program, from_time if "price" in late else now)
    refuse_unless(meets_floor(of_then, price, before.value_cents), "reward.below_floor")
    announced = before.announced
    if late or stock_change < 0:
        is_ending = model.programs[program].sunset_at and not model.has_closed(program)
        refuse_unless(not is_ending, "program.ending")
        refuse_unless(not announced, "reward.update_pending")
        announced = ((from_time, price, min(stock_change, 0), *rest),)
    elif announced:
        then, later_price, later_change, listed, limit, window, tier_min = announced[0]
        later = _parts(later_price, listed, limit, window, tier_min)
        for part in given:
            got_better = _is_worse(part, present[part], given[part], now)
            if got_better and _is_worse(part, later[part], given[part], now):
                later[part] = given[part]
        if stock_change > 0:
            later_change = max(later_change, -before.stock)
        changes_nothing = later == parts and later_change == 0
        price, *rest = _fields(later)
        announced = () if changes_nothing else ((then, price, later_change, *rest),)
    price, listed, limit, window, tier_min = _fields(parts)
    after = before._replace(
        price=price,
        stock=before.stock if stock_change < 0 else changed(before.stock, stock_change),
        listed=listed,
        announced=announced,
        limit=limit,
        window=window,
        tier_min=tier_min,
    )
    model.rewards[program, which] = reward_at(after, now)
    return [""]
