"""The price floor: how many points a reward of a stated value may cost at most (spec RWD-7)."""

from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.rewards.state import Reward
from ledger.errors import Code, RuleViolation
from ledger.types import INTEGER_MAX, Points

BELOW_FLOOR = Code(
    "reward.below_floor",
    "{price} points for a value of {value_cents} cents: the program promises that {floor_points} points buy a value of at least "
    "{floor_cents} cents, so this one may cost at most {greatest}",
    "Lower the price, or list a reward with the value that it has.",
)


def check_floor(price: Points, value_cents: int, floor: Floor) -> None:
    """Raise `reward.below_floor` unless price * cents <= value_cents * points. The products have up to 84 bits."""
    if floor.points and price * floor.cents > value_cents * floor.points:
        raise RuleViolation(
            BELOW_FLOOR,
            price=price,
            value_cents=value_cents,
            floor_points=floor.points,
            floor_cents=floor.cents,
            greatest=value_cents * floor.points // floor.cents,
        )


def greatest_price(value_cents: int, floor: Floor) -> Points:
    """The most that a value may cost: at least one point, since a point cannot be divided."""
    if not floor.points:
        return Points(INTEGER_MAX)
    return Points(max(1, value_cents * floor.points // floor.cents))


def price_of(reward: Reward, floor: Floor) -> Points:
    """What one costs, where `reward` was read at a time and `floor` is that of the terms in force then."""
    return min(reward.price, greatest_price(reward.value_cents, floor))
