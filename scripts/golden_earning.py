"""The golden vectors of earning: purchases under rules with their points, calendar expiries, and tier histories (LOY-6, TIER)."""

from itertools import accumulate
from random import Random
from typing import Any

from ledger.domains.loyalty.civil_days import calendar_expiry
from ledger.domains.loyalty.earning import points_for, trace_points
from ledger.domains.loyalty.purchases import Purchase
from ledger.domains.loyalty.state import (
    EARN_RULE,
    NEVER,
    BonusWindow,
    EarnRule,
    MinimumBasket,
    NeverExpires,
    PerVisit,
    Program,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    SponsorPolicy,
    Terms,
    TierMultiplier,
)
from ledger.domains.loyalty.tiers import Earned, count_towards_tiers, take_off_tiers, tier_at
from ledger.types import Address, Amount, ChainId, Day, Points, ProgramId, Timestamp

SEED = 20_261_122
FIRST_DAY = 20_700
CODES = ("bakery", "dairy", "Br\u00f6tchen")
TIERS = (("silver", 1_000), ("gold", 5_000), ("platinum", 20_000))


def _random_rules(random: Random) -> tuple[EarnRule, ...]:
    rules: list[EarnRule] = [RatePerAmount(Points(random.randrange(1, 4)), random.choice((1, 3, 10, 100)))]
    if random.random() < 0.4:
        rules.append(MinimumBasket(random.choice((1, 500, 1_000))))
    if random.random() < 0.4:
        rules.append(ReceiptCap(Points(random.choice((1, 50, 5_000)))))
    rules += [
        RatePerCode(code, Points(random.randrange(1, 5)), random.choice((1, 7, 100)))
        for code in CODES
        if random.random() < 0.5
    ]
    if random.random() < 0.5:
        rules.append(PerVisit(Points(20), random.choice((1, 1_000)), random.choice((0, 3_600, 14_400))))
    for _ in range(random.randrange(4)):
        begin, minute = FIRST_DAY + random.randrange(5), random.randrange(1_000)
        until = NEVER if random.random() < 0.3 else Day(begin + random.randrange(1, 6))
        ratio = random.choice(((1, 1), (3, 2), (2, 1), (10, 7)))
        last = random.randrange(minute + 1, 1_441)
        rules.append(BonusWindow(Day(begin), until, random.randrange(1, 128), minute, last, *ratio))
    rules += [
        TierMultiplier(tier, numerator, 4) for tier, numerator in ((1, 5), (2, 5), (3, 7)) if random.random() < 0.4
    ]
    random.shuffle(rules)
    return tuple(rules)


def _random_purchase(random: Random) -> Purchase:
    time = FIRST_DAY * 86_400 + random.randrange(6 * 86_400)
    net = random.choice((-500, 0, 1, 499, 500, 1_999, random.randrange(20_000), 2**53))
    return Purchase(
        time=Timestamp(time),
        net_cents=net,
        paid_with_points_cents=random.choice((0, 0, 1, max(net, 0), random.randrange(5_000))),
        codes=tuple(
            sorted((code, random.choice((-300, 0, 249, 1_200, 30_000))) for code in CODES if random.random() < 0.6)
        ),
        tier=random.randrange(5),
        previous_visit=random.choice((0, time, time - 3_599, time - 3_600, time - 86_400)),
    )


def _purchase_cases(random: Random) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(80):
        rules, purchase, offset = _random_rules(random), _random_purchase(random), random.choice((-300, 0, 345, 1_439))
        steps = trace_points(rules, purchase, offset_minutes=offset)
        found.append(
            {
                "rules": [EARN_RULE.encode(rule) for rule in rules],
                "offset_minutes": offset,
                "time": purchase.time,
                "net_cents": purchase.net_cents,
                "paid_with_points_cents": purchase.paid_with_points_cents,
                "codes": [list(item) for item in purchase.codes],
                "tier": purchase.tier,
                "previous_visit": purchase.previous_visit,
                "sums": [step.total for step in steps],
                "points": points_for(rules, purchase, offset_minutes=offset),
            }
        )
    return found


def _calendar_cases(random: Random) -> list[list[int]]:
    dates = ((12, 31), (1, 1), (2, 29), (2, 28), (6, 31), (random.randrange(1, 13), random.randrange(1, 32)))
    days = [0, 1, 58, 59, 60, 11_016, 20_513, 20_514, 24_837, *(random.randrange(60_000) for _ in range(6))]
    return [
        [day, month, date, years, calendar_expiry(Day(day), month=month, day=date, years_min=years)]
        for day in days
        for month, date in dates
        for years in (0, 1, 4)
    ]


def _tier_case(random: Random, period_days: int, anchor: int, grace: int, offset: int) -> dict[str, Any]:
    terms = Terms(
        rules=(RatePerAmount(Points(1), 10),),
        expiry=NeverExpires(),
        activation_delay_days=0,
        return_window_days=0,
        period_days=0,
        period_anchor_day=0,
        settle_grace_days=0,
        remainder_max=Points(0),
        issuance_cap=Points(1),
        hold_seconds=60,
        notice_days=0,
        sponsor=SponsorPolicy(Amount(0), Amount(0), Amount(0), Amount(0)),
        tiers=TIERS,
        tier_period_days=period_days,
        tier_anchor_day=anchor,
        tier_grace_days=grace,
    )
    program = Program(Address(bytes(32)), b"", Amount(0), "", "", 0, offset, ((1, 0),))
    times = accumulate([FIRST_DAY * 86_400, *(random.randrange(1, 20 * 86_400) for _ in range(40))])
    history, steps = (), []
    for time in times:
        now, points = Timestamp(time), Points(random.choice((1, 300, 900, 4_000, 21_000)))
        base = Day(program.day_at(now) + random.choice((0, 0, 3, 40)))
        earned = Earned(ProgramId(bytes(32)), Address(bytes(32)), terms, base, points)
        history, reached = count_towards_tiers(history, earned, program, now)
        steps.append(
            {
                "now": now,
                "base": base,
                "points": points,
                "history": [list(item) for item in history],
                "tier": tier_at(history, terms, program, now),
                "tier_100_days_before": tier_at(history, terms, program, Timestamp(now - 100 * 86_400)),
                "reached": None if reached is None else [reached.tier, reached.until_day],
            }
        )
        if len(steps) % 4 == 0:  # a return takes some of it back, or more than all
            taken = Points(points * len(steps) // 8)
            history = take_off_tiers(history, earned._replace(points=taken))
            steps[-1]["returned"] = {"points": taken, "history": [list(item) for item in history]}
    days = {"tier_period_days": period_days, "tier_anchor_day": anchor, "tier_grace_days": grace}
    return {"tiers": [list(tier) for tier in TIERS], **days, "offset_minutes": offset, "steps": steps}


def earning_vectors(chain_id: ChainId) -> dict[str, Any]:
    """Points of purchases (LOY-6), expiry days of dates (TIER-4), and tier histories (TIER-1, TIER-2)."""
    random = Random(SEED)
    return {
        "purchases": _purchase_cases(random),
        "calendar": _calendar_cases(random),
        "tiers": [_tier_case(random, *case) for case in ((28, 0, 0, 0), (90, 17, 30, -300), (365, 0, 365, 60))],
    }
