"""Terms that brands publish, and how they change them."""

from typing import Any

from tests.model.life import Chooser
from tests.model.records import M, Sponsor, Terms


def _rules(choose: Chooser) -> tuple[tuple[int, ...], ...]:
    rules: list[tuple[int, ...]] = [
        (0, choose.choice((1, 1, 2, 5, 10)), choose.choice((1, 7, 10, 100))) for _ in range(choose.choice((1, 1, 2, 3)))
    ]
    if choose.number(1, 4) == 1:
        rules.append((1, choose.choice((1, 100, 500))))
    if choose.number(1, 4) == 1:
        rules.append((2, choose.choice((1, 50, 1_000))))
    return tuple(rules)


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
    return Terms(
        rules=_rules(choose),
        expiry=choose.choice(((0,), (1, 1), (1, 2), (1, 15), (1, 15), (1, 30), (1, 365), (1, 36_500))),
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
    )


def friendly_terms(choose: Chooser, fee_rate_min: int) -> Terms:
    """Terms under which much can happen: what a life begins with."""
    terms = draw_terms(choose, fee_rate_min)
    return terms._replace(
        expiry=(1, choose.choice((15, 15, 30, 365))) if choose.number(1, 5) > 1 else (0,),
        return_window_days=min(terms.return_window_days, terms.activation_delay_days),
        period_anchor_day=min(terms.period_anchor_day, max(terms.period_days - 1, 0)),
        issuance_cap=choose.choice((3_000, 10**6, 10**9)),
        sponsor=Sponsor(fee_rate_min, 10**8, 10**9, 10**10),
    )


def changed_terms(choose: Chooser, terms: Terms, fee_rate_min: int) -> Terms:
    """The terms with one thing or two otherwise, for better or worse."""
    other = draw_terms(choose, fee_rate_min)
    changed = terms
    for _ in range(choose.choice((1, 1, 2))):
        name = choose.choice((*Terms._fields, "sponsor", "issuance_cap", "issuance_cap"))
        value: Any = getattr(other, name)
        if name == "rules" and choose.number(1, 2) == 1:
            value = tuple((0, rule[1] + 1, rule[2]) if rule[0] == 0 else rule for rule in terms.rules)
        if name == "issuance_cap":
            value = choose.choice((terms.issuance_cap, terms.issuance_cap // 2, min(terms.issuance_cap * 2, M), value))
        if name == "sponsor":
            raised = [min(total * choose.choice((1, 1, 2)), M) for total in terms.sponsor[1:]]
            dearer = terms.sponsor._replace(rate=terms.sponsor.rate + 1)
            value = choose.choice((value, dearer, Sponsor(terms.sponsor.rate, *raised)))
        changed = changed._replace(**{name: value})
    return changed
