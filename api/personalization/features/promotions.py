"""Of each household that was sent a promotion: what it did with earlier ones, and how often it bought what the coupons are for.

Whom a promotion is sent to and what its coupons are for is its plan, known when it is sent; everything else is strictly before the
cut. What was redeemed is known by day: of the days before the cut's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.personalization.engines import Table
from api.personalization.features import Features, fetch
from api.personalization.features.lines import DAY_SECONDS, count_days

if TYPE_CHECKING:
    import numpy

LATELY_DAYS: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class Promotion:
    """A campaign of coupons, from a local day on."""

    start_day: int
    campaign_id: int
    kind: str


def list_promotions(features: Features) -> list[Promotion]:
    """All that somebody was sent, by start."""
    sent = features.facts.sent
    found = fetch(sent.select("campaign_id", "kind", "start_day").distinct().order_by("start_day", "campaign_id"))
    return [
        Promotion(int(day), int(number), str(kind))
        for day, number, kind in zip(found["start_day"], found["campaign_id"], found["kind"], strict=True)
    ]


def describe_recipients(features: Features, promotion: Promotion, cut_day: int) -> Table:
    """One row per household that was sent the promotion, sorted: features before the cut's day, and `is_redeemed` as far as the
    features' own day allows to know."""
    import ibis

    facts = features.facts
    to = facts.sent.filter(facts.sent.campaign_id == promotion.campaign_id).select("household_id").distinct()
    sent = facts.sent.filter(facts.sent.start_day < cut_day)
    earlier = sent.group_by("household_id").aggregate(
        sent_before=sent.campaign_id.nunique(),
        kind_before=sent.campaign_id.nunique(where=sent.kind == promotion.kind),
    )
    redeemed = facts.redeemed.filter(facts.redeemed.day < cut_day)
    kinds = facts.sent.select("campaign_id", "kind").distinct()
    redeemed = redeemed.left_join(kinds, "campaign_id")
    did = redeemed.group_by("household_id").aggregate(
        redeemed_before=redeemed.campaign_id.nunique(),
        kind_redeemed=redeemed.campaign_id.nunique(where=(redeemed.kind == promotion.kind).fill_null(False)),
        coupons_before=redeemed.count(),
        redeemed_age=cut_day - redeemed.day.max(),
    )
    lines = features.lines.filter(features.lines.second < cut_day * DAY_SECONDS)
    offered = features.coupons.filter(features.coupons.campaign_id == promotion.campaign_id).select("product")
    bought = lines.inner_join(offered, "product")
    likes = bought.group_by("household_id").aggregate(
        offered_kinds=bought["product"].nunique(),
        offered_baskets=bought.basket_id.nunique(),
        offered_lately=(bought.second >= (cut_day - LATELY_DAYS) * DAY_SECONDS).cast("int64").sum().cast("int64"),
    )
    known = facts.redeemed.filter(
        facts.redeemed.campaign_id == promotion.campaign_id, facts.redeemed.day < count_days(features.as_of)
    )
    truth = known.select("household_id").distinct().mutate(is_redeemed=ibis.literal(1))
    joined = to
    for part in (earlier, did, likes, truth):
        joined = joined.left_join(part, "household_id").drop("household_id_right")
    names = [name for name in joined.columns if name not in ("household_id", "redeemed_age")]
    filled: dict[str, Any] = {name: joined[name].fill_null(0).cast("float64") for name in names}
    return joined.select(
        "household_id", redeemed_age=joined.redeemed_age.fill_null(365).cast("float64"), **filled
    ).order_by("household_id")


def fetch_recipients(features: Features, promotion: Promotion, cut_day: int) -> dict[str, numpy.ndarray[Any, Any]]:
    """`describe_recipients` as arrays."""
    return fetch(describe_recipients(features, promotion, cut_day))
