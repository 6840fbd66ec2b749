"""What helps now, before anything that sells: recalls, returns, how to use it, late deliveries, points that were not settled.

These are not counted by caps and never held out; a recall does not wait for quiet hours to end.
"""

from collections.abc import Iterator

from api.personalization.candidates import ASSIST, PROVED, SAID, Candidate, Reason, Scene, Words
from api.personalization.catalogue import in_each_language
from api.personalization.facts import CAMPAIGNS, RECEIPTS, STANDING, BoughtLine, Purchase
from api.personalization.rhythm import DAY_SECONDS, find_zone
from api.personalization.texts import show_day

RETURN_DAYS_BEFORE = 3
"""The return window is mentioned so many days before it closes."""
HOW_TO_DAYS = 7
RECALL_DAYS = 3 * 366
UNSETTLED_DAYS = 60
"""Receipts older than this can't be contested any more in most programs."""


def find_assists(scene: Scene) -> Iterator[Candidate]:
    """All that would help this fan now."""
    yield from _recalls(scene)
    yield from _returns(scene)
    yield from _how_tos(scene)
    yield from _late_deliveries(scene)
    yield from _unclaimed(scene)


def day_of(scene: Scene, time: int) -> str:
    """A day of the shop's calendar."""
    return show_day(time, find_zone(scene.catalogue.zone, scene.board.offset_minutes))


def receipt_scopes(scene: Scene) -> frozenset[str]:
    """The scopes by which lines of receipts are read: all of them, or of categories."""
    return frozenset(scope for scope in scene.facts.scopes if scope.startswith(RECEIPTS))


def bought_reason(scene: Scene, purchase: Purchase, item: str) -> Reason:
    """That an item was bought: the till's receipt says so, and the chain holds its seal."""
    words = Words("why_bought", {"item": scene.names(item), "bought": day_of(scene, purchase.time)})
    return Reason(words, SAID, {"receipt": purchase.receipt})


def _latest(scene: Scene) -> dict[str, tuple[Purchase, BoughtLine]]:
    """The last purchase of each item of which something did not go back."""
    return scene.facts.remember("latest", lambda: _find_latest(scene))


def _find_latest(scene: Scene) -> dict[str, tuple[Purchase, BoughtLine]]:
    found: dict[str, tuple[Purchase, BoughtLine]] = {}
    kept: dict[str, int] = {}
    for purchase in scene.facts.purchases:
        for line in purchase.lines:
            kept[line.item] = max(kept.get(line.item, 0) + line.quantity, 0)
            if line.quantity > 0:
                found[line.item] = (purchase, line)
    return {item: one for item, one in found.items() if kept[item]}


def _recalls(scene: Scene) -> Iterator[Candidate]:
    for item, (purchase, _) in _latest(scene).items():
        product = scene.catalogue.products.get(item)
        if product is None or not product.recall or scene.now - purchase.time > RECALL_DAYS * DAY_SECONDS:
            continue
        text = in_each_language(product.recall)
        yield Candidate(
            topic="recall",
            kind=ASSIST,
            subject=item,
            occasion=purchase.receipt,
            words=Words("recall", {"item": scene.names(item), "text": text}),
            reasons=(bought_reason(scene, purchase, item), Reason(Words("why_brand_says"), SAID, {"product": item})),
            relevance=1.0,
            scopes=receipt_scopes(scene),
            action={"kind": "bring_back", "item": item, "receipt": purchase.receipt},
            effort_minutes=5.0,
            receipts=frozenset({purchase.receipt}),
        )


def _returns(scene: Scene) -> Iterator[Candidate]:
    days = scene.facts.standing.return_window_days if scene.facts.standing is not None else 0
    for purchase in scene.facts.purchases if days else ():
        until = purchase.time + days * DAY_SECONDS
        if not 0 < until - scene.now <= RETURN_DAYS_BEFORE * DAY_SECONDS:
            continue
        durable = [line.item for line in purchase.lines if line.quantity > 0 and scene.lasts(line.item)]
        if not durable:
            continue  # nobody brings yesterday's milk back
        yield Candidate(
            topic="return_window",
            kind=ASSIST,
            subject=purchase.receipt,
            occasion=purchase.receipt,
            words=Words("return_window", {"bought": day_of(scene, purchase.time), "until": day_of(scene, until)}),
            reasons=(
                bought_reason(scene, purchase, durable[0]),
                Reason(Words("why_return_days", {"days": days}), PROVED, {"program": scene.facts.program.hex()}),
            ),
            relevance=0.5,
            scopes=receipt_scopes(scene) | {STANDING},
            action={"kind": "bring_back", "receipt": purchase.receipt},
            deadline=until,
            horizon_days=RETURN_DAYS_BEFORE,
            receipts=frozenset({purchase.receipt}),
        )


def _how_tos(scene: Scene) -> Iterator[Candidate]:
    for item, (purchase, _) in _latest(scene).items():
        product = scene.catalogue.products.get(item)
        if product is None or not product.how_to or scene.now - purchase.time > HOW_TO_DAYS * DAY_SECONDS:
            continue
        earlier = [one for one in scene.facts.purchases if one.time < purchase.time]
        if any(line.item == item for one in earlier for line in one.lines):
            continue  # who has had it before knows
        text = in_each_language(product.how_to)
        yield Candidate(
            topic="how_to",
            kind=ASSIST,
            subject=item,
            occasion=purchase.receipt,
            words=Words("how_to", {"item": scene.names(item), "text": text}),
            reasons=(bought_reason(scene, purchase, item), Reason(Words("why_brand_says"), SAID, {"product": item})),
            relevance=0.8,
            scopes=receipt_scopes(scene),
            action={"kind": "read", "item": item},
            receipts=frozenset({purchase.receipt}),
        )


def _late_deliveries(scene: Scene) -> Iterator[Candidate]:
    for backing in scene.facts.backed:
        campaign = scene.board.campaigns.get(backing.campaign)
        if campaign is None or not campaign.due_at or campaign.round:
            continue
        days = (scene.now - campaign.due_at) // DAY_SECONDS
        if days < 1:
            continue
        words = Words("why_backed", {"title": campaign.title, "quantity": backing.quantity})
        yield Candidate(
            topic="late_delivery",
            kind=ASSIST,
            subject=campaign.id,
            occasion=f"{campaign.step_title} {days // 7}",  # once a week, not every day
            words=Words("late_delivery", {"title": campaign.title, "days": days}),
            reasons=(Reason(words, PROVED, {"campaign": campaign.id, "pledge": backing.number}),),
            relevance=0.7,
            scopes=frozenset({CAMPAIGNS}),
            action={"kind": "look", "campaign": campaign.id},
            deadline=campaign.until,
        )


def _unclaimed(scene: Scene) -> Iterator[Candidate]:
    standing = scene.facts.standing
    for purchase in scene.facts.purchases if standing is not None else ():
        if not purchase.points or scene.now - purchase.time > UNSETTLED_DAYS * DAY_SECONDS:
            continue
        # a period lasts 92 days at most, and only an entry of the receipt's own period settles it
        if scene.now <= scene.settle_by(purchase.time):
            continue
        assert standing is not None, "without a standing nothing is looked through"
        if purchase.period in standing.settled_periods:
            continue
        fields = {"points": purchase.points, "unit": scene.board.unit, "bought": day_of(scene, purchase.time)}
        yield Candidate(
            topic="unclaimed_points",
            kind=ASSIST,
            subject=purchase.receipt,
            occasion=purchase.receipt,
            words=Words("unclaimed_points", fields),
            reasons=(
                Reason(
                    Words("why_not_settled", {"points": purchase.points, "unit": scene.board.unit}),
                    PROVED,
                    {"receipt": purchase.receipt, "period": purchase.period},
                ),
            ),
            relevance=1.0,
            scopes=receipt_scopes(scene) | {STANDING},
            action={"kind": "contest", "receipt": purchase.receipt},
            effort_minutes=5.0,
            receipts=frozenset({purchase.receipt}),
        )
