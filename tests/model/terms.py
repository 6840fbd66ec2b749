"""Terms that brands publish, and how they change them."""

from typing import Any

from tests.model.life import Chooser
from tests.model.loyalty import terms_are_sound
from tests.model.records import M, Sponsor, Terms

RATIOS = ((1, 1), (2, 1), (3, 2), (3, 2), (10, 7), (1, 2))


def _rules(choose: Chooser) -> tuple[tuple[Any, ...], ...]:
    rules: list[tuple[Any, ...]] = [
        (0, choose.choice((1, 1, 2, 5, 10)), choose.choice((1, 7, 10, 100))) for _ in range(choose.choice((1, 1, 2, 3)))
    ]
    if choose.number(1, 4) == 4:
        rules.append((1, choose.choice((1, 100, 500))))
    if choose.number(1, 4) == 4:
        rules.append((2, choose.choice((1, 50, 1_000))))
    if choose.number(1, 3) == 3:
        rules.append((3, choose.choice(("bread", "milk")), choose.choice((1, 3)), choose.choice((1, 10))))
    if choose.number(1, 4) == 4:
        rules.append((4, choose.choice((5, 50)), choose.choice((1, 100)), choose.choice((0, 60, 3_600, 86_400))))
    if choose.number(1, 3) == 3:
        from_day = choose.choice((0, 0, 20_450, 20_454))
        until_day = choose.choice((2**31 - 1, 2**31 - 1, 20_460, from_day))
        hours = choose.choice(((0, 1_440), (0, 1_440), (0, 720), (600, 601), (720, 720)))
        rules.append((5, from_day, until_day, choose.choice((127, 127, 31, 96)), *hours, *choose.choice(RATIOS)))
    if choose.number(1, 3) == 3:
        rules.append((7, choose.choice((1, 100, 1_000)), choose.number(0, 1) == 1))
    return tuple(rules)


def _expiry(choose: Chooser) -> tuple[int, ...]:
    return choose.choice(
        (
            (0,),
            (1, 1),
            (1, 2),
            (1, 15),
            (1, 15),
            (1, 30),
            (1, 365),
            (1, 36_500),
            (2, choose.number(1, 12), choose.choice((1, 29, 30, 31)), choose.choice((0, 0, 1, 3))),
            (3, choose.choice((1, 15, 15, 30, 365))),
        )
    )


def _with_tiers(choose: Chooser, terms: Terms) -> Terms:
    """The terms with tiers, and with multipliers for them."""
    count = choose.choice((0, 0, 1, 2, 3))
    thresholds = sorted(choose.choice((1, 30, 100, 400, 1_000)) for _ in range(count))
    if choose.number(1, 12) < 12:
        thresholds = sorted(set(thresholds))
    tiers = tuple((f"tier {place}", threshold) for place, threshold in enumerate(thresholds))
    days = choose.choice((28, 28, 90, 366)) if tiers or choose.number(1, 20) == 20 else 0
    multipliers = [
        (6, tier, *choose.choice(RATIOS))
        for tier in range(1, len(tiers) + choose.choice((1, 1, 1, 1, 2)))
        if choose.number(0, 1)
    ]
    anchor = choose.choice((0, 0, max(days - 1, 0), days if choose.number(1, 10) == 10 else 0))
    grace = choose.choice((0, 0, days // 2, days, days + 1 if choose.number(1, 10) == 10 else 0))
    return terms._replace(
        rules=(*(rule for rule in terms.rules if rule[0] != 6), *multipliers),
        tiers=tiers,
        tier_period_days=days,
        tier_anchor_day=min(anchor, 365),
        tier_grace_days=min(grace, 366),
    )


def _sponsor(choose: Chooser, fee_rate_min: int) -> Sponsor:
    rate = choose.choice((fee_rate_min, fee_rate_min, fee_rate_min + 1, max(fee_rate_min - 1, 0)))
    return Sponsor(
        rate,
        choose.choice((0, 30_000, 1_000_000, M)),
        choose.choice((20_000, 1_000_000, M)),
        choose.choice((60_000, 10_000_000, M)),
    )


def draw_terms(choose: Chooser, fee_rate_min: int) -> Terms:
    """Terms of a new program, nearly always sound."""
    delay = choose.choice((0, 0, 0, 1, 14))
    period = choose.choice((0, 0, 1, 7, 30))
    odd = choose.number(1, 12) == 12
    behind = choose.choice((0, 0, 7, 333, 1_000, 1_000, 10**5, 10**6, 10**7, 10**12))
    collateral, burn = choose.choice(((0, 0), (behind, 0), (behind, 0), (0, behind), (behind, behind if odd else 0)))
    terms = Terms(
        rules=_rules(choose),
        expiry=_expiry(choose),
        activation_delay_days=delay,
        return_window_days=choose.choice((0, delay, delay, delay, delay, delay + 1)),
        period_days=period,
        period_anchor_day=choose.choice((0, 0, max(period - 1, 0), period)),
        settle_grace_days=choose.choice((0, 1, 3, 31)),
        remainder_max=choose.choice((0, 100, 100)),
        issuance_cap=choose.choice((0, 3_000, 10**6, 10**6, 10**9, M)),
        hold_seconds=choose.choice((60, 3_600, 86_400, 7_776_000)),
        notice_days=choose.choice((0, 1, 10)),
        sponsor=_sponsor(choose, fee_rate_min),
        adjust_day_max=choose.choice((0, 100, 10**6, M)),
        transfer_day_max=choose.choice((0, 100, 10**6, M)),
        wind_down_days=choose.choice((30, 30, 60, 366)),
        referral=choose.choice(((0, 0), (0, 30), (50, 0), (100, 50), (100, 50))),
        floor=choose.choice(((0, 0), (0, 0), (1, 1), (100, 40), (100, 50), (3, 7), (0, 5) if odd else (1, 2))),
        refund_days=choose.choice((0, 1, 14, 14, 92)),
        offer_day_max=choose.choice((0, 100, 10**6, 10**6, M)),
        collateral=collateral,
        burn=burn,
    )
    return _with_tiers(choose, terms) if choose.number(1, 2) == 2 else terms


def friendly_terms(choose: Chooser, fee_rate_min: int) -> Terms:
    """Terms under which much can happen: what a life begins with."""
    terms = draw_terms(choose, fee_rate_min)
    if not terms_are_sound(terms):
        terms = terms._replace(
            rules=((0, 1, 1),),
            return_window_days=0,
            floor=(0, 0),
            burn=0,
            period_anchor_day=0,
            expiry=(0,),
            tiers=(),
            tier_period_days=0,
            tier_anchor_day=0,
            tier_grace_days=0,
        )
    usual: list[tuple[int, ...]] = [(1, 15), (1, 15), (1, 30), (1, 365), (2, 12, 31, 1), (3, 30), (0,)]
    expiry = choose.choice([*usual, terms.expiry])
    terms = terms._replace(
        expiry=expiry if expiry[0] in (0, 2) or expiry[-1] > terms.activation_delay_days else (0,),
        issuance_cap=choose.choice((3_000, 10**6, 10**9)),
        offer_day_max=choose.choice((150, 10**6, 10**6)),
        collateral=min(terms.collateral, 10**6),
        burn=min(terms.burn, 10**6),
        sponsor=Sponsor(fee_rate_min, 10**8, 10**9, 10**10),
    )
    assert terms_are_sound(terms)
    return terms


def changed_terms(choose: Chooser, terms: Terms, fee_rate_min: int) -> Terms:
    """The terms with one thing or two otherwise, for better or worse."""
    other = draw_terms(choose, fee_rate_min)
    changed = terms
    for _ in range(choose.choice((1, 1, 2))):
        name = choose.choice((*Terms._fields, "sponsor", "issuance_cap", "issuance_cap"))
        value: Any = getattr(other, name)
        if name == "rules" and choose.number(1, 2) == 2:
            value = tuple((0, rule[1] + 1, rule[2]) if rule[0] == 0 else rule for rule in changed.rules)
        if name.startswith("tier"):
            changed = _with_tiers(choose, changed)
            continue
        if name == "issuance_cap":
            value = choose.choice((terms.issuance_cap, terms.issuance_cap // 2, min(terms.issuance_cap * 2, M), value))
        if name == "sponsor":
            raised = [min(total * choose.choice((1, 1, 2)), M) for total in terms.sponsor[1:]]
            dearer = terms.sponsor._replace(rate=terms.sponsor.rate + 1)
            value = choose.choice((value, dearer, Sponsor(terms.sponsor.rate, *raised)))
        changed = changed._replace(**{name: value})
    return changed
