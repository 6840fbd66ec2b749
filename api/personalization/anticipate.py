"""What a fan may be glad to hear of before it asks: points, rewards, campaigns, votes; products are in `discoveries`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from api.personalization.assist import day_of, receipt_scopes
from api.personalization.candidates import (
    ANTICIPATE,
    GUESSED,
    PROVED,
    SAID,
    Candidate,
    Reason,
    Scene,
    Words,
)
from api.personalization.discoveries import find_discoveries, item_reasons, scopes_of
from api.personalization.facts import CAMPAIGNS, STANDING, VOICE, Promised, Purchase
from api.personalization.rhythm import DAY_SECONDS
from api.personalization.texts import say_all, show_money
from api.wallet.offers import read_offer_text

EXPIRY_DAYS: Final = 14
NEAR_SHARE: Final = 0.8
"""Of a price or a threshold: from here on it is near."""
NEARLY_FUNDED_SHARE: Final = 0.8
ENDING_DAYS: Final = 7
VOTE_DAYS: Final = 14
WIN_BACK_LEAVING: Final = 0.5


def find_anticipations(scene: Scene) -> Iterator[Candidate]:
    """All that might be said to this fan now; whether it is said, `messages` decides."""
    yield from _points(scene)
    yield from _rewards(scene)
    yield from _tiers(scene)
    yield from _offers(scene)
    yield from _campaigns(scene)
    yield from _votes(scene)
    yield from find_discoveries(scene)
    yield from find_winning_back(scene)


def _balance(scene: Scene, points: int) -> Reason:
    words = Words("why_balance", {"points": points, "unit": scene.board.unit})
    return Reason(words, PROVED, {"program": scene.facts.program.hex()})


def _points(scene: Scene) -> Iterator[Candidate]:
    standing = scene.facts.standing
    for until, points in standing.expiring[:1] if standing is not None else ():
        if not 0 < until - scene.now <= EXPIRY_DAYS * DAY_SECONDS:
            continue
        fields = {"points": points, "unit": scene.board.unit, "until": day_of(scene, until)}
        yield Candidate(
            topic="points_expiring",
            kind=ANTICIPATE,
            subject="points",
            occasion=str(until),
            words=Words("points_expiring", fields),
            reasons=(Reason(Words("why_lots", fields), PROVED, {"program": scene.facts.program.hex()}),),
            relevance=min(points / 100, 1.0),
            scopes=frozenset({STANDING}),
            action={"kind": "redeem"},
            deadline=until,
            horizon_days=EXPIRY_DAYS,
        )


def _rewards(scene: Scene) -> Iterator[Candidate]:
    standing = scene.facts.standing
    if standing is None:
        return
    above = [one for one in scene.board.rewards if one.price > standing.available and one.tier_min <= standing.tier]
    for reward in sorted(above, key=lambda one: (one.price, one.id))[:1]:
        if standing.available < NEAR_SHARE * reward.price:
            continue
        missing = reward.price - standing.available
        closing = _find_closing(scene, missing)
        price = Words("why_price", {"reward": reward.name, "price": reward.price, "unit": scene.board.unit})
        yield Candidate(
            topic="near_reward",
            kind=ANTICIPATE,
            subject=reward.id,
            occasion=str(reward.price),
            words=Words("near_reward", {"missing": missing, "unit": scene.board.unit, "reward": reward.name}),
            reasons=(
                _balance(scene, standing.available),
                Reason(price, PROVED, {"reward": reward.id}),
                *_closes(scene, closing),
            ),
            relevance=standing.available / reward.price,
            scopes=frozenset({STANDING}) | (frozenset[str]() if closing is None else receipt_scopes(scene)),
            action={
                "kind": "earn",
                "missing": missing,
                "reward": reward.id,
                "gap_is_closed_by": _items_of(closing),
            },
            receipts=frozenset() if closing is None else frozenset({closing.receipt}),
        )


def _find_closing(scene: Scene, missing: int) -> Purchase | None:
    """The latest purchase that brought as many points as are missing."""
    return next((one for one in reversed(scene.facts.purchases) if one.points >= missing), None)


def _items_of(closing: Purchase | None) -> list[str]:
    """At most three."""
    return [] if closing is None else sorted({line.item for line in closing.lines})[:3]


def _closes(scene: Scene, closing: Purchase | None) -> Iterator[Reason]:
    if closing is not None:
        fields = {"bought": day_of(scene, closing.time), "points": closing.points, "unit": scene.board.unit}
        yield Reason(Words("why_closes", fields), SAID, {"receipt": closing.receipt})


def _tiers(scene: Scene) -> Iterator[Candidate]:
    standing = scene.facts.standing
    if standing is None or standing.next_tier is None:
        return
    name, threshold = standing.next_tier
    if not NEAR_SHARE * threshold <= standing.tier_points < threshold:
        return
    unit, closing = scene.board.unit, _find_closing(scene, threshold - standing.tier_points)
    fields = {"tier": name, "threshold": threshold, "unit": unit, "points": standing.tier_points}
    yield Candidate(
        topic="near_tier",
        kind=ANTICIPATE,
        subject=name,
        occasion=f"{standing.tier} {threshold}",
        words=Words("near_tier", {"missing": threshold - standing.tier_points, "unit": unit, "tier": name}),
        reasons=(
            Reason(Words("why_tier", fields), PROVED, {"program": scene.facts.program.hex()}),
            *_closes(scene, closing),
        ),
        relevance=standing.tier_points / threshold,
        scopes=frozenset({STANDING}) | (frozenset[str]() if closing is None else receipt_scopes(scene)),
        action={
            "kind": "earn",
            "missing": threshold - standing.tier_points,
            "gap_is_closed_by": _items_of(closing),
        },
        receipts=frozenset() if closing is None else frozenset({closing.receipt}),
    )


def _silence(scene: Scene, last: Purchase) -> Reason:
    fields = {"bought": day_of(scene, last.time), "days": scene.profile.rhythm.gap_days or 30}
    return Reason(Words("why_silent", fields), SAID, {"receipt": last.receipt})


def _offers(scene: Scene) -> Iterator[Candidate]:
    standing = scene.facts.standing
    drawn = {promised.offer: promised for promised in scene.facts.promised}
    for offer, points, until in standing.offers if standing is not None else ():
        fields = {"points": points, "unit": scene.board.unit, "until": day_of(scene, until)}
        if offer in drawn:
            yield _drawn_offer(scene, drawn[offer], fields, until)
            continue
        yield Candidate(
            topic="offer_waiting",
            kind=ANTICIPATE,
            subject=offer,
            occasion=offer,
            words=Words("offer_waiting", fields),
            reasons=(Reason(Words("why_offer"), PROVED, {"offer": offer}),),
            relevance=0.8,
            scopes=frozenset({STANDING}),
            action={"kind": "use_offer", "offer": offer},
            deadline=until,
        )


def _drawn_offer(scene: Scene, promised: Promised, fields: Mapping[str, object], until: int) -> Candidate:
    """An offer whose terms this node holds for the fan: with what it asks for, the text for the till, and what speaks for it."""
    reasons = [Reason(Words("why_offer"), PROVED, {"offer": promised.offer})]
    if promised.items:
        reasons += [reason for item in promised.items for reason in item_reasons(scene, item)]
    elif scene.facts.purchases:
        reasons.append(_silence(scene, scene.facts.purchases[-1]))
    terms = read_offer_text(promised.text).terms
    return Candidate(
        topic="offer_waiting",
        kind=ANTICIPATE,
        subject=promised.offer,
        occasion=promised.offer,
        words=Words("ask_offer", {**fields, "ask": say_ask(scene, promised.goal, promised.items, terms.net_cents_min)}),
        reasons=tuple(reasons),
        relevance=0.8,
        scopes=frozenset({STANDING}) | scopes_of(scene),
        action={"kind": "use_offer", "offer": promised.offer, "text": promised.text, "codes": list(terms.codes)},
        deadline=until,
        receipts=frozenset(str(reason.source["receipt"]) for reason in reasons if "receipt" in reason.source),
        is_promised=True,
    )


def say_ask(scene: Scene, goal: str, items: Sequence[str], net_cents_min: int) -> dict[str, str]:
    """What an offer of a goal asks for, by language."""
    names: dict[str, object] = dict(zip(("item", "second", "new"), (scene.names(item) for item in items), strict=False))
    ask = say_all(Words(f"ask_{goal}", names))
    return say_all(Words("ask_least", {"ask": ask, "least": show_money(net_cents_min)})) if net_cents_min else ask


def _campaigns(scene: Scene) -> Iterator[Candidate]:
    backed = {backing.campaign: backing for backing in scene.facts.backed}
    for campaign in scene.board.campaigns.values():
        mine = backed.get(campaign.id)
        shown = {"title": campaign.title, "pledged": campaign.pledged, "goal": campaign.goal}
        fact = Reason(Words("why_campaign", shown), PROVED, {"campaign": campaign.id})
        if campaign.is_open and mine is None and CAMPAIGNS in scene.facts.scopes:
            days = (campaign.deadline - scene.now) / DAY_SECONDS
            until = day_of(scene, campaign.deadline)
            share = campaign.pledged / campaign.goal
            topic, words = "", Words("")
            if NEARLY_FUNDED_SHARE <= share < 1:
                missing = campaign.goal - campaign.pledged
                topic, words = "campaign_nearly", Words("campaign_nearly", {**shown, "missing": missing})
            elif 0 < days <= ENDING_DAYS:
                topic, words = "campaign_ending", Words("campaign_ending", {**shown, "until": until})
            if topic:
                yield Candidate(
                    topic=topic,
                    kind=ANTICIPATE,
                    subject=campaign.id,
                    occasion=topic,
                    words=words,
                    reasons=(fact,),
                    relevance=0.6 if backed else 0.4,  # who backed one may like another
                    scopes=frozenset({CAMPAIGNS}),
                    action={"kind": "pledge", "campaign": campaign.id},
                    deadline=campaign.deadline,
                    horizon_days=ENDING_DAYS,
                )
        if mine is not None and campaign.is_funded:
            yield from _of_backer(scene, campaign.id, mine.number)


def _of_backer(scene: Scene, campaign_id: str, number: int) -> Iterator[Candidate]:
    campaign = scene.board.campaigns[campaign_id]
    backing = next(one for one in scene.facts.backed if one.campaign == campaign_id and one.number == number)
    words = Words("why_backed", {"title": campaign.title, "quantity": backing.quantity})
    reasons = (Reason(words, PROVED, {"campaign": campaign_id, "pledge": number}),)
    is_vote = bool(campaign.round) and backing.voted_round != campaign.round
    if not is_vote and (campaign.round or campaign.due_at < scene.now):
        return
    until = campaign.until if is_vote else campaign.due_at
    fields = {"title": campaign.title, "step": campaign.step_title, "until": day_of(scene, until)}
    topic = "milestone_vote" if is_vote else "campaign_milestone"
    yield Candidate(
        topic=topic,
        kind=ANTICIPATE,
        subject=campaign_id,
        occasion=f"{campaign.step_title} {campaign.round}",
        words=Words(topic, fields),
        reasons=reasons,
        relevance=0.9 if is_vote else 0.5,
        scopes=frozenset({CAMPAIGNS}),
        action={"kind": "vote_milestone" if is_vote else "look", "campaign": campaign_id, "pledge": number},
        deadline=until if is_vote else 0,
        effort_minutes=3.0 if is_vote else 1.0,
    )


def _votes(scene: Scene) -> Iterator[Candidate]:
    if VOICE not in scene.facts.scopes:
        return
    backed = {backing.campaign for backing in scene.facts.backed}
    for proposal in scene.board.proposals:
        may_vote = proposal.campaign in backed if proposal.campaign else scene.facts.joined_at <= proposal.snapshot_at
        if proposal.id in scene.facts.voted or not may_vote:
            continue
        fields = {"title": proposal.title, "until": day_of(scene, proposal.voting_until)}
        yield Candidate(
            topic="open_vote",
            kind=ANTICIPATE,
            subject=proposal.id,
            occasion=proposal.id,
            words=Words("open_vote", fields),
            reasons=(Reason(Words("why_member"), PROVED, {"proposal": proposal.id}),),
            relevance=0.8 if scene.facts.voted else 0.5,
            scopes=frozenset({VOICE}),
            action={"kind": "vote", "proposal": proposal.id},
            deadline=proposal.voting_until,
            horizon_days=VOTE_DAYS,
        )


def find_winning_back(scene: Scene) -> Iterator[Candidate]:
    """Who grew silent, by its own rhythm."""
    profile, purchases = scene.profile, scene.facts.purchases
    if not purchases or profile.stage not in ("cooling", "gone") or profile.leaving < WIN_BACK_LEAVING:
        return
    last = purchases[-1]
    days = (scene.now - last.time) // DAY_SECONDS
    yield Candidate(
        topic="winning_back",
        kind=ANTICIPATE,
        subject="fan",
        occasion=last.receipt,
        words=Words("winning_back", {"days": days}),
        reasons=(
            _silence(scene, last),
            Reason(Words("why_guess"), GUESSED, {"leaving": profile.leaving}),
        ),
        relevance=profile.leaving,
        scopes=receipt_scopes(scene),
        action={"kind": "tell_us"},
        receipts=frozenset({last.receipt}),
    )
