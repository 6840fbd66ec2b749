"""Products: what runs out, what is there again or costs less, what is new, and what the fan would not have thought of."""

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from typing import Final

from api.personalization.assist import bought_reason, day_of, receipt_scopes
from api.personalization.candidates import ANTICIPATE, GUESSED, PROVED, SAID, Candidate, Reason, Scene, Words
from api.personalization.catalogue import Product
from api.personalization.facts import BEHAVIOUR, CAMPAIGNS, LINKED, VOICE, Purchase
from api.personalization.predictor import (
    BY_MODEL,
    BY_PAIRS,
    BY_POPULARITY,
    Scored,
    dislikes_of,
    gaps_by_item,
    has_lots,
    may_offer,
    times_by_item,
)
from api.personalization.profile import usual_items
from api.personalization.rhythm import DAY_SECONDS
from api.personalization.texts import show_money
from ledger.domains.loyalty.rules import RatePerCode

NEWS_DAYS: Final = 7
"""A price that fell, a product that is there again or new: news for a week."""
DUE_SCORE: Final = 0.8
AGAIN_TIMES: Final = 3
"""Bought so often, a category is bought again and again."""
DISCOVERIES: Final = 3
LOOKED_AT: Final = 20
"""Discoveries among which a new category is looked for."""
USUAL_ITEMS: Final = 2
"""In a challenge of one's own."""


def find_discoveries(scene: Scene) -> Iterator[Candidate]:
    """All that might be said of products."""
    yield from _made_with_you(scene)
    yield from find_replenishments(scene)
    yield from _news(scene)
    found = [one for one in scene.predictor.discover(scene.facts, scene.catalogue, DISCOVERIES) if one.score > 0]
    for scored in found:
        yield _discovery(scene, scored)
    yield from find_challenge(scene)


def find_new_things(scene: Scene) -> Iterator[Candidate]:
    """What a fan may like and whose category code it never bought, the likeliest first: what an offer can ask for."""
    known = {scene.catalogue.code(item) for item in times_by_item(scene.facts)}
    for scored in scene.predictor.discover(scene.facts, scene.catalogue, LOOKED_AT):
        if scored.score > 0 and scene.catalogue.code(scored.item) not in known | {""}:
            yield _discovery(scene, scored)


def scopes_of(scene: Scene) -> frozenset[str]:
    """The scopes by which taste is known."""
    return receipt_scopes(scene) | ({BEHAVIOUR} & scene.facts.scopes)


def linked_scopes(linked: Collection[str]) -> frozenset[str]:
    """The scope by which what linked programs know is used: none, where they are none."""
    return frozenset({LINKED}) if linked else frozenset()


def _made_with_you(scene: Scene) -> Iterator[Candidate]:
    mine = {backing.campaign for backing in scene.facts.backed} | scene.facts.voted | set(scene.facts.contributed)
    known, dislikes = times_by_item(scene.facts), dislikes_of(scene.facts)
    for item in scene.catalogue.made:
        product = scene.catalogue.products[item]
        if product.made_from.lower() not in mine or item in known or not may_offer(item, scene.catalogue, dislikes):
            continue
        yield Candidate(
            topic="made_with_you",
            kind=ANTICIPATE,
            subject=item,
            occasion=product.made_from,
            words=Words("made_with_you", {"item": scene.names(item)}),
            reasons=(
                Reason(Words("why_contributed"), SAID, {"made_from": product.made_from}),
                Reason(Words("why_brand_says"), SAID, {"product": item}),
            ),
            relevance=0.9,
            scopes=scene.facts.scopes & {CAMPAIGNS, VOICE},
            action={"kind": "look", "item": item},
        )


def find_replenishments(scene: Scene) -> Iterator[Candidate]:
    """What runs out by one's own rhythm."""
    for scored in scene.predictor.next_basket(scene.facts, scene.catalogue, scene.now, DISCOVERIES):
        if scored.score < DUE_SCORE:
            continue
        last = _last_with(scene, scored.item)
        if last is None:
            continue
        fields = {"item": scene.names(scored.item), "days": gaps_by_item(scene.facts)[scored.item]}
        yield Candidate(
            topic="replenish",
            kind=ANTICIPATE,
            subject=scored.item,
            occasion=last.receipt,
            words=Words("replenish", fields),
            reasons=replenish_reasons(scene, scored),
            relevance=scored.score,
            scopes=scopes_of(scene),
            action={"kind": "buy", "item": scored.item},
            receipts=frozenset({last.receipt}),
        )


def _last_with(scene: Scene, item: str) -> Purchase | None:
    """The last purchase of an item."""
    bought = (one for one in reversed(scene.facts.purchases) if any(line.item == item for line in one.lines))
    return next(bought, None)


def replenish_reasons(scene: Scene, scored: Scored) -> tuple[Reason, ...]:
    """Why something may be needed again: how often it was bought, when it was last, and whether a model says so."""
    last = _last_with(scene, scored.item)
    reasons = [_bought_often(scene, scored.item)]
    if last is not None:
        reasons.append(bought_reason(scene, last, scored.item))
    if scored.grounds == BY_MODEL:
        reasons.append(_guessed_by_model(scene, "why_model"))
    return tuple(reasons)


def _guessed_by_model(scene: Scene, words: str, **fields: object) -> Reason:
    return Reason(Words(words, fields), GUESSED, {"version": scene.predictor.version_of(scene.facts)})


def _news(scene: Scene) -> Iterator[Candidate]:
    document = scene.facts.wishes.document
    wished = set(document.get("wishes", ())) | {deed.item for deed in scene.facts.behaviour}
    disliked = set(document.get("dislikes", ()))
    usual = set(usual_items(scene.facts, AGAIN_TIMES))
    again = {taste.name: taste for taste in scene.profile.categories if taste.times >= AGAIN_TIMES}
    known = times_by_item(scene.facts)
    since = scene.now - NEWS_DAYS * DAY_SECONDS
    for product in scene.catalogue.news(since):
        item = product.item
        if item in disliked or product.category in disliked or not product.in_stock or product.recall:
            continue
        is_needed = item in usual and not has_lots(item, scene.facts, scene.now)
        is_wanted = (item in wished or is_needed) and not (item in known and scene.lasts(item))
        if is_wanted and product.restocked_at > since:
            yield _news_item(
                scene, product, "back_in_stock", product.restocked_at, _why_wanted(scene, item, wished), {}
            )
        elif is_wanted and product.cheaper_at > since and product.price_before_cents > product.price_cents:
            prices = {"price": show_money(product.price_cents), "before": show_money(product.price_before_cents)}
            yield _news_item(scene, product, "price_drop", product.cheaper_at, _why_wanted(scene, item, wished), prices)
        elif product.first_at > max(since, scene.catalogue.begun) and product.category in again and item not in known:
            taste = again[product.category]
            fields = {"category": product.category, "times": taste.times}
            source = {"category": product.category, **({"linked_programs": list(taste.linked)} if taste.linked else {})}
            words = Words("why_taste_linked" if taste.linked else "why_taste", fields)
            why = Reason(words, SAID, source)
            yield _news_item(scene, product, "new_in_category", product.first_at, why, fields, taste.linked)


def _why_wanted(scene: Scene, item: str, wished: set[str]) -> Reason:
    return Reason(Words("why_wish"), SAID, {"product": item}) if item in wished else _bought_often(scene, item)


def _bought_often(scene: Scene, item: str) -> Reason:
    bought = times_by_item(scene.facts).get(item, [])
    fields = {"item": scene.names(item), "times": len(bought), "days": gaps_by_item(scene.facts).get(item) or 0}
    return Reason(Words("why_bought_often", fields), SAID, {"product": item})


def _news_item(
    scene: Scene,
    product: Product,
    topic: str,
    at: int,
    why: Reason,
    fields: Mapping[str, object],
    linked: tuple[str, ...] = (),
) -> Candidate:
    return Candidate(
        topic=topic,
        kind=ANTICIPATE,
        subject=product.item,
        occasion=str(at),
        words=Words(topic, {"item": scene.names(product.item), **fields}),
        reasons=(why, Reason(Words("why_brand_says"), SAID, {"product": product.item})),
        relevance=0.7,
        scopes=scopes_of(scene) | linked_scopes(linked),
        linked=linked,
        action={"kind": "buy", "item": product.item},
    )


def discovery_reasons(scene: Scene, scored: Scored) -> tuple[Reason, ...]:
    """Why something that was never bought is recommended: what speaks for it, and that it is a guess."""
    reasons: list[Reason] = []
    for item in scored.because[:2]:
        last = _last_with(scene, item)
        if last is not None:
            reasons.append(bought_reason(scene, last, item))
    if scored.grounds == BY_MODEL:
        words = "why_together" if reasons else "why_model"
        reasons.append(_guessed_by_model(scene, words, item=scene.names(scored.item)))
    elif scored.grounds == BY_POPULARITY:
        reasons.append(_guessed_by_model(scene, "why_popular", item=scene.names(scored.item)))
    elif scored.grounds == BY_PAIRS:
        reasons.append(Reason(Words("why_pairs", {"item": scene.names(scored.item)}), SAID, {"product": scored.item}))
    else:
        reasons.append(Reason(Words("why_wish"), SAID, {"product": scored.item}))
    reasons.append(Reason(Words("why_never"), SAID, {}))
    reasons.append(Reason(Words("why_guess"), GUESSED, {"score": scored.score}))
    return tuple(reasons)


def _discovery(scene: Scene, scored: Scored) -> Candidate:
    reasons = discovery_reasons(scene, scored)
    receipts = {str(reason.source["receipt"]) for reason in reasons if "receipt" in reason.source}
    return Candidate(
        topic="discovery",
        kind=ANTICIPATE,
        subject=scored.item,
        occasion="",
        words=Words("discovery", {"item": scene.names(scored.item)}),
        reasons=reasons,
        relevance=scored.score,
        scopes=scopes_of(scene),
        action={"kind": "look", "item": scored.item},
        receipts=frozenset(receipts),
    )


def find_challenge(scene: Scene) -> Iterator[Candidate]:
    """Two usual items and one discovery in a new category, one that the terms reward if there is one; once a month."""
    usual = _usual_of_two_kinds(scene)
    known = {taste.name for taste in scene.profile.categories}
    found = scene.predictor.discover(scene.facts, scene.catalogue, LOOKED_AT)
    fresh = [one for one in found if one.score > 0 and scene.catalogue.categories.get(one.item, "") not in known | {""}]
    is_promised = any(promised.goal == "challenge" for promised in scene.facts.promised)
    if len(usual) < USUAL_ITEMS or not fresh or is_promised:
        return
    rates = rewarded_codes(scene)
    best = max(fresh, key=lambda one: rates.get(scene.catalogue.code(one.item), 0))  # of equal ones the likeliest
    names = [scene.names(item) for item in (*usual, best.item)]
    month = day_of(scene, scene.now)[:7]
    yield Candidate(
        topic="challenge",
        kind=ANTICIPATE,
        subject=" ".join((*usual, best.item)),
        occasion=month,
        words=Words("challenge", dict(zip(("first", "second", "item"), names, strict=True))),
        reasons=(
            *(_bought_often(scene, item) for item in usual),
            *discovery_reasons(scene, best),
            *_reward_reasons(scene, best.item),
        ),
        relevance=min(best.score + 0.3, 1.0),
        scopes=scopes_of(scene) | linked_scopes(scene.profile.linked),
        linked=scene.profile.linked,  # that nothing of the category was bought is true of these, too
        action={"kind": "challenge", "items": [*usual, best.item]},
    )


def _usual_of_two_kinds(scene: Scene) -> list[str]:
    """The two items that are bought most often, of two category codes where tills count them by these; nothing that lasts, is in
    no category, or is never offered.
    """
    by_code: dict[str, str] = {}
    dislikes = dislikes_of(scene.facts)
    for item in usual_items(scene.facts, AGAIN_TIMES):
        is_of_some = bool(scene.catalogue.categories.get(item))
        if is_of_some and not scene.lasts(item) and may_offer(item, scene.catalogue, dislikes):
            by_code.setdefault(scene.catalogue.code(item) or item, item)
    return list(by_code.values())[:USUAL_ITEMS]


def rewarded_codes(scene: Scene) -> dict[str, Fraction]:
    """Category codes for which the terms in force give points of their own, with the points per cent (spec LOY-6)."""
    rules = [rule for rule in scene.board.terms.rules if isinstance(rule, RatePerCode)]
    return {rule.code: Fraction(rule.points, rule.per_cents) for rule in rules}


def _reward_reasons(scene: Scene, item: str) -> Iterator[Reason]:
    code = scene.catalogue.code(item)
    if code in rewarded_codes(scene):
        yield Reason(Words("why_rewarded", {"category": code}), PROVED, {"program": scene.facts.program.hex()})


def item_reasons(scene: Scene, item: str) -> tuple[Reason, ...]:
    """What speaks for an item of an offer now: how often it was bought, or why it may be liked though it never was."""
    if item in times_by_item(scene.facts):
        return (_bought_often(scene, item),)
    found = scene.predictor.discover(scene.facts, scene.catalogue, LOOKED_AT)
    scored = next((one for one in found if one.item == item), Scored(item, 0.0))
    return (*discovery_reasons(scene, scored), *_reward_reasons(scene, item))
