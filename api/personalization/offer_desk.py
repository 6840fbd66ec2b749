"""Plans of offers at one node: made, drawn, handed to the brand for its signature, reported. No key is here: the brand signs."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

from api.http.receipt_desk import ReceiptDesk
from api.personalization.offer_plans import (
    Choice,
    Crowd,
    Judged,
    OfferWish,
    Open,
    choose,
    is_in_segment,
    items_of,
    judge,
    refuse_more,
    show_choice,
    write_offer,
)
from api.personalization.offer_report import Outcome, cited_share, look_up, show_lift, show_outcomes
from api.personalization.service import Personalization
from api.receipts.offer_plans import HELD_OUT, DrawnOffer, KeptPlan
from api.receipts.store import ReceiptStore
from ledger.domains.loyalty.state import Member, member_key
from ledger.domains.offers.offer_issue import OfferEntry
from ledger.domains.offers.state import Offer, offer_key
from ledger.domains.offers.terms import decode_offer, encode_offer
from ledger.errors import Code, LedgerError
from ledger.types import Hash, ProgramId, Timestamp
from node.clock import Clock
from node.store.reader import Reader, Snapshot

PLAN_BYTES: Final = 16
JUDGED_AT_ONCE: Final = 100
"""Fans that are judged before others have their turn."""
ENDED_LOOKED_AT: Final = 2_000
"""Offers of earlier plans by which the share of citations is measured, the latest plans first."""
OFFERS_LISTED_MAX: Final = 200

NO_PLAN = Code("plan.unknown", "the program has no plan {plan}", "`fansumer brand offers plans PROGRAM` lists them.")
TOO_FEW = Code(
    "plan.too_few",
    "this plan would reach fewer than {minimum} fans, or tell so few apart from a wider segment",
    "Take a wider segment, a larger budget, or another goal: of few fans nothing is told.",
)
FAN_CAP_TOO_LOW = Code(
    "plan.fan_cap",
    "one offer is of {points} points, and one fan may be promised {maximum}",
    "Offer fewer points, or allow a fan more.",
)
NO_POINT_VALUE = Code(
    "plan.no_point_value",
    "what a point is worth in cents is not known: no reward of the program says what it is worth, and its terms promise no floor",
    "Give the budget in points, or list a reward with its value in cents.",
)


class PlanRefused(LedgerError):
    """A plan that is well-formed and can't be made, or is not there."""


class OfferDesk:
    """Reads fans through `personal` alone; what it keeps of them is theirs (see `receipts/offer_plans.py`)."""

    def __init__(self, personal: Personalization, reader: Reader, desk: ReceiptDesk, clock: Clock) -> None:
        self._personal = personal
        self._reader = reader
        self._desk = desk
        self._clock = clock

    # --- planning ---

    async def make(self, program: ProgramId, wish: OfferWish, budget_cents: int) -> dict[str, Any]:
        """Keep a plan that has drawn nobody, and say whom it would reach now. `budget_cents` other than 0 stands for the budget.

        Raises `program.unknown`, PlanRefused plan.fan_cap, plan.no_point_value, PlansRefused plan.too_many.
        """
        with self._reader.snapshot() as view:
            board = self._personal.boards.read(view, program)
        if wish.points_each > wish.fan_points_max:
            raise PlanRefused(FAN_CAP_TOO_LOW, points=wish.points_each, maximum=wish.fan_points_max)
        document = wish.to_document()
        if budget_cents:
            value = board.point_value()
            if value is None:
                raise PlanRefused(NO_POINT_VALUE)
            document["budget_points"] = int(budget_cents / value)
        plan = KeptPlan(secrets.token_bytes(PLAN_BYTES), program, document, self._clock.now())
        crowd = await self._personal.crowd(program, "plan")
        choice = await self._choose(program, crowd, OfferWish.of_document(document))
        cited = await self._cited_share(program, wish.goal)
        await self._desk.run(lambda store: store.offer_plans.add(plan))
        found = show_choice(choice, OfferWish.of_document(document), cited)
        value, expected = board.point_value(), found["expected_points"]
        cents = None if value is None or expected is None else round(expected * value)
        return {**_show_plan(plan, value), **found, "expected_cents": cents}

    async def _choose(self, program: ProgramId, crowd: Crowd, wish: OfferWish) -> Choice:
        """Whom a plan reaches now; what other plans gave the brand for a fan counts as in `entries`, signed or not."""
        judged: list[Judged] = []
        fans = [fan for fan in crowd.fans if is_in_segment(fan, wish)]
        for first in range(0, len(fans), JUDGED_AT_ONCE):
            await asyncio.sleep(0)  # others' turn
            chunk = fans[first : first + JUDGED_AT_ONCE]
            members = [fan.facts.fan for fan in chunk]
            given = await self._desk.run(lambda store, members=members: store.offer_plans.given_to(members, program))
            with self._reader.snapshot() as view:
                for fan in chunk:
                    allows = self._personal.gate.allows_offers(view, fan.facts.fan, fan.facts.program)
                    open_elsewhere = list(_given_offers(view, given.get(fan.facts.fan, ())))
                    found = judge(crowd, fan, wish, allows_offers=allows, given=open_elsewhere)
                    judged += [] if found is None else [found]
        return choose(crowd, judged, wish)

    async def _cited_share(self, program: ProgramId, goal: str) -> float | None:
        def read(store: ReceiptStore) -> list[DrawnOffer]:
            found: list[DrawnOffer] = []
            for plan in store.offer_plans.of_program(program):
                if plan.drawn_at and plan.document["goal"] == goal and len(found) < ENDED_LOOKED_AT:
                    found += store.offer_plans.drawn_by(plan.id)
            return found

        outcomes = await self._outcomes(await self._desk.run(read))
        return cited_share(one for one in outcomes.values() if one is not None)

    async def _outcomes(self, drawn: Sequence[DrawnOffer]) -> dict[Hash, Outcome | None]:
        offers = [one.offer for one in drawn if not one.is_held_out]
        found: dict[Hash, Outcome | None] = {}
        for first in range(0, len(offers), JUDGED_AT_ONCE):
            await asyncio.sleep(0)  # others' turn
            with self._reader.snapshot() as view:
                found |= {offer: look_up(view, offer) for offer in offers[first : first + JUDGED_AT_ONCE]}
        return found

    # --- drawing ---

    async def draw(self, program: ProgramId, plan_id: bytes) -> dict[str, Any]:
        """Draw a plan's fans and write their offers, once; what comes later changes nothing.

        Raises PlanRefused plan.unknown, plan.too_few.
        """
        plan = await self._find(program, plan_id)
        if not plan.drawn_at:
            crowd, wish = await self._personal.crowd(program, "offers"), OfferWish.of_document(plan.document)
            choice = await self._choose(program, crowd, wish)
            if choice.is_too_small:
                raise PlanRefused(TOO_FEW, minimum=show_choice(choice, wish, None)["minimum"])
            await self._keep(plan, crowd, choice, wish)
            plan = await self._find(program, plan_id)
        drawn = await self._desk.run(lambda store: store.offer_plans.drawn_by(plan.id))
        return {**self._show(plan), "proposed": sum(not one.is_held_out for one in drawn)}

    async def _keep(self, plan: KeptPlan, crowd: Crowd, choice: Choice, wish: OfferWish) -> None:
        with self._reader.snapshot() as view:
            begins_at = Timestamp(view.tip().header.time)
        ends_at, now = Timestamp(begins_at + wish.days * 86_400), self._clock.now()
        drawn: list[DrawnOffer] = []
        for one in (*choice.offered, *choice.held_out):
            facts = one.fan.facts
            if not self._personal.gate.still_holds(facts):
                continue
            document = {"goal": wish.goal, "items": list(items_of(one.candidate))}
            row = DrawnOffer(plan.id, facts.fan, plan.program, HELD_OUT, b"", document, now, ends_at)
            if not one.is_held_out:
                offer = write_offer(crowd, one, wish, begins_at)
                row = DrawnOffer(
                    plan.id, facts.fan, plan.program, offer.offer_id, encode_offer(offer), document, now, ends_at
                )
            drawn.append(row)
        drawn.sort(key=lambda row: bytes(row.member))  # the order says nothing of a fan
        await self._desk.run(lambda store: store.offer_plans.draw(plan, drawn, now, ends_at))

    async def entries(
        self, program: ProgramId, plan_id: bytes, after: int, limit: int
    ) -> list[tuple[int, OfferEntry | None]]:
        """Offers of a plan beyond a number, with the number of each; None for what is not to be issued: it was, it ended, its fan
        took the consent back or left, or an equal offer is open to it meanwhile. What is given counts as open from now on, so that
        no other plan gives its fan an equal one. One row beyond `limit`, if there is one, says that there are more; it is not
        given. Raises PlanRefused plan.unknown.
        """
        plan = await self._find(program, plan_id)
        wish = OfferWish.of_document(plan.document)
        rows = await self._desk.run(lambda store: store.offer_plans.to_issue(plan.id, after, limit + 1))
        theirs = await self._desk.run(
            lambda store: {row.member: store.offer_plans.of_member(row.member, program) for row in rows}
        )
        with self._reader.snapshot() as view:
            wanted = [row for row in rows[:limit] if self._may_issue(view, row, wish, theirs[row.member])]
        seen = {row.member: {one.offer for one in theirs[row.member] if one.given_at} for row in wanted}
        now = self._clock.now()
        given = await self._desk.run(lambda store: store.offer_plans.give(wanted, seen, now))
        return [(row.number, _entry_of(row) if row.number in given else None) for row in rows]

    def _may_issue(self, view: Snapshot, row: DrawnOffer, wish: OfferWish, theirs: Sequence[DrawnOffer]) -> bool:
        now = view.tip().header.time
        member: Member | None = view.record(member_key(row.program, row.member))
        if row.ends_at <= now or member is None or member.left_at or look_up(view, row.offer) is not None:
            return False
        if not self._personal.gate.allows_offers(view, row.member, row.program):
            return False
        goals = {one.offer: str(one.document["goal"]) for one in theirs}
        on_chain = [(goals.get(offer, ""), points) for offer, points in _open_offers(view, row, now)]
        given = _given_offers(view, [one for one in theirs if one.plan != row.plan and one.given_at])
        return not refuse_more(wish, [*on_chain, *given])

    # --- telling ---

    async def plans(self, program: ProgramId, first: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """A program's plans, the latest first, with their places in the list."""
        found = await self._desk.run(lambda store: store.offer_plans.of_program(program))
        return [(place, self._show(plan)) for place, plan in list(enumerate(found, start=1))[first : first + limit]]

    async def report(self, program: ProgramId, plan_id: bytes) -> dict[str, Any]:
        """What became of a plan. Raises PlanRefused plan.unknown."""
        plan = await self._find(program, plan_id)
        drawn = await self._desk.run(lambda store: store.offer_plans.drawn_by(plan.id))
        outcomes = await self._outcomes(drawn)
        fans = await self._personal.group(program, "report")
        now = self._clock.now()
        sums = show_outcomes(list(outcomes.values()))
        shown = self._show(plan)
        value = shown["point_cents"]
        return {
            **shown,
            "is_over": bool(plan.drawn_at) and now > plan.ends_at,
            **sums,
            "cost_cents": None if value is None else round(sums["cost_points"] * value),
            **show_lift(fans, drawn, outcomes, now),
        }

    def _show(self, plan: KeptPlan) -> dict[str, Any]:
        with self._reader.snapshot() as view:
            return _show_plan(plan, self._personal.boards.read(view, plan.program).point_value())

    async def _find(self, program: ProgramId, plan_id: bytes) -> KeptPlan:
        found = await self._desk.run(lambda store: store.offer_plans.find(program, plan_id))
        if found is None:
            raise PlanRefused(NO_PLAN, plan=plan_id.hex())
        return found


def _open_offers(view: Snapshot, row: DrawnOffer, now: int) -> list[tuple[Hash, int]]:
    found: list[tuple[Hash, int]] = []
    for listed in view.listed_last(row.member, "account_offer", OFFERS_LISTED_MAX):
        offer: Offer | None = view.record(offer_key(Hash(listed.id)))
        if offer is not None and offer.program == row.program and offer.is_open and offer.expires_at > now:
            found.append((Hash(listed.id), offer.points))
    return found


def _given_offers(view: Snapshot, given: Sequence[DrawnOffer]) -> Iterator[Open]:
    """Of what was given to the brand for one fan that which is on no chain: it may sign it whenever it likes, until it is over."""
    for one in given:
        if one.ends_at > view.tip().header.time and look_up(view, one.offer) is None:
            yield str(one.document["goal"]), decode_offer(one.sealed).points


def _entry_of(row: DrawnOffer) -> OfferEntry:
    offer = decode_offer(row.sealed)
    return OfferEntry(offer.member, offer.commitment, offer.points, offer.expires_at)


def _show_plan(plan: KeptPlan, value: Fraction | None) -> dict[str, Any]:
    return {
        "plan": plan.id.hex(),
        "program": plan.program.hex(),
        **plan.document,
        "made_at": plan.made_at,
        "drawn_at": plan.drawn_at or None,
        "ends_at": plan.ends_at or None,
        "point_cents": None if value is None else round(float(value), 4),
    }


def read_own_offers(
    view: Snapshot, drawn: Sequence[DrawnOffer], show: Callable[[DrawnOffer, Outcome], dict[str, Any]]
) -> list[dict[str, Any]]:
    """An account's drawn offers that were issued, as `show` shows each; what nobody promised is not there."""
    found = [(one, look_up(view, one.offer)) for one in drawn if not one.is_held_out]
    return [show(one, outcome) for one, outcome in found if outcome is not None]
