"""Redemptions as people see them: what became of each unit, and whether the shop hands it out by now (spec RWD-10, RWD-11)."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.hand_out import BLOCKS, JUSTIFIED, POOL, HandOut
from api.http.deps import Services
from api.http.worth import in_no_block, show_depth
from api.words import counted
from api.worth_words import speak_depth
from ledger.domains.rewards.acceptance import SignedAcceptance, encode_acceptance
from ledger.domains.rewards.holds import HoldReleased
from ledger.domains.rewards.redeem import Redeem, RedemptionOpened
from ledger.domains.rewards.redeem_fulfil import RedemptionFulfilled
from ledger.domains.rewards.redeem_refund import RedemptionRefunded
from ledger.domains.rewards.state import Fulfilment, Hold, fulfilment_key, hold_key
from ledger.hashing import object_id
from ledger.policy import address_of_key
from ledger.transaction import Transaction
from ledger.types import HoldId, ProgramId, TxId
from node.depth import Depth, Marks
from node.store.reader import HistoryRow, Snapshot

EVENTS_OF_ONE: Final = 2_002
"""A redemption of 1,000 units is opened and released once, and each unit is handed out and taken back once at most."""

WAITING: Final = "waiting"
ACCEPTED: Final = "accepted by the shop"
SETTLED: Final = "settled"
BORNE: Final = "borne by the shop"


def standing_of(depth: Depth, *, is_known: bool, acceptance: SignedAcceptance | None, hand_out: HandOut) -> str:
    """What is shown of a redemption at this depth; in no block, `is_known` says if it waits for one."""
    if acceptance is None:
        return SETTLED if hand_out.is_reached(depth) else WAITING
    if depth.confirmations >= acceptance.statement.depth or depth.final:
        return SETTLED
    return ACCEPTED if is_known else BORNE


def speak_standing(standing: str, depth: Depth, acceptance: SignedAcceptance | None, hand_out: HandOut) -> str:
    """The standing in a sentence or two."""
    if standing == BORNE:
        return "It fell out of the chain. The shop accepted it and bears it: the fan owes nothing."
    count, deep = depth.confirmations, speak_depth(show_depth(depth))
    now = f"now {count} {'does' if count == 1 else 'do'}"
    if standing == ACCEPTED:
        assert acceptance is not None, "that is why it is accepted"
        return f"The shop hands it out at its own risk until {acceptance.statement.depth} blocks stand on it; {now}."
    if standing == WAITING and hand_out.level == BLOCKS:
        return f"The points are held. It is safe for the shop once {hand_out.wanted}; {now}."
    if standing == WAITING:
        return f"The points are held. The shop hands it out once {hand_out.wanted}; now it is {deep}."
    if depth.final:
        return "Final: no node that knows it takes it back."
    if acceptance is None and hand_out.level in (POOL, JUSTIFIED):
        return f"The shop hands it out once {hand_out.wanted}; now it is {deep}."
    return f"Deep enough in the chain: {counted(count, 'block')} {'stands' if count == 1 else 'stand'} on it."


@dataclass(frozen=True, slots=True)
class SeenRedemption:
    """A redemption with all that is known of it but its acceptance and what its program waits for."""

    hold: HoldId
    program: ProgramId
    depth: Depth
    is_known: bool
    facts: dict[str, Any]


def see_in_chain(services: Services, view: Snapshot, marks: Marks, hold_id: HoldId) -> SeenRedemption | None:
    """From its events, which stay, and from its records, which go when it ends. None if no block has it. `marks` are the view's."""
    rows = view.history(hold_id, None, EVENTS_OF_ONE)
    opening = next((row for row in rows if isinstance(row.event, RedemptionOpened)), None)
    if opening is None:
        return None
    event = opening.event
    assert isinstance(event, RedemptionOpened), "it was found so"
    hold: Hold | None = view.record(hold_key(hold_id))
    released = sum(row.event.quantity for row in rows if isinstance(row.event, HoldReleased))
    facts = {
        "id": hold_id.hex(),
        "txid": None if opening.txid is None else opening.txid.hex(),
        "program": event.program.hex(),
        "member": services.renderer.address(event.member),
        "reward": event.reward.hex(),
        "quantity": event.quantity,
        "points": event.points,
        "held": 0 if hold is None else hold.quantity,
        "released": released,
        "height": opening.height,
        "expires_at": None if hold is None else hold.expires_at,
        "expires_height": None if hold is None else hold.expires_height,
        **_show_fulfilments(view, rows),
    }
    return SeenRedemption(hold_id, event.program, marks.depth_of(opening.height), True, facts)


def _show_fulfilments(view: Snapshot, rows: Sequence[HistoryRow]) -> dict[str, Any]:
    refunded: dict[bytes, int] = {}
    shown: list[dict[str, Any]] = []
    for row in rows:  # the newest first, so refunds come before what they refund
        event = row.event
        if isinstance(event, RedemptionRefunded):
            refunded[event.fulfilment] = refunded.get(event.fulfilment, 0) + event.quantity
        elif isinstance(event, RedemptionFulfilled):
            kept: Fulfilment | None = view.record(fulfilment_key(event.fulfilment)) if event.fulfilment else None
            shown.append(
                {
                    "id": event.fulfilment.hex() or None,
                    "height": row.height,
                    "quantity": event.quantity,
                    "points": event.points,
                    "codes": [code.hex() for code in event.codes],
                    "refunded": refunded.get(event.fulfilment, 0),
                    "refundable": 0 if kept is None else kept.quantity,
                    "refundable_until": None if kept is None else kept.keep_until,
                }
            )
    shown.reverse()
    return {
        "fulfilled": sum(found["quantity"] for found in shown),
        "refunded": sum(refunded.values()),
        "fulfilments": shown,
    }


def see_waiting(services: Services, wanted: bytes) -> SeenRedemption | None:
    """A redemption in the mempool by its transaction, or by the hold that this will open. Asked in the writer's thread."""
    with services.node.lock:
        found = services.node.mempool.get(TxId(wanted))
        if found is None:
            waiting = services.node.mempool.of_kind("redeem")
            found = next((each for each in waiting if object_id("hold", each.txid, 0) == wanted), None)
    return None if found is None or found.kind.name != "redeem" else _see_transaction(services, found)


def _see_transaction(services: Services, transaction: Transaction) -> SeenRedemption:
    payload: Redeem = transaction.payload
    hold = HoldId(object_id("hold", transaction.txid, 0))
    facts = {
        "id": hold.hex(),
        "txid": transaction.txid.hex(),
        "program": payload.program.hex(),
        "member": services.renderer.address(transaction.author),
        "reward": payload.reward.hex(),
        "quantity": payload.quantity,
        "points": None,
    }
    return SeenRedemption(hold, payload.program, in_no_block(services), True, NOTHING_YET | facts)


NOTHING_YET: Final[dict[str, Any]] = {
    "held": 0,
    "fulfilled": 0,
    "released": 0,
    "refunded": 0,
    "height": None,
    "expires_at": None,
    "expires_height": None,
    "fulfilments": [],
}


def see_fallen_out(services: Services, acceptance: SignedAcceptance) -> SeenRedemption:
    """A redemption of which nothing but its acceptance is left."""
    statement = acceptance.statement
    facts = {
        "id": statement.hold.hex(),
        "txid": statement.txid.hex(),
        "program": statement.program.hex(),
        "member": services.renderer.address(statement.member),
        "reward": None,
        "quantity": None,
        "points": None,
    }
    return SeenRedemption(statement.hold, statement.program, in_no_block(services), False, NOTHING_YET | facts)


def show_hand_out(hand_out: HandOut) -> dict[str, Any]:
    """What a program waits for before it hands out."""
    return {
        "level": hand_out.level,
        "blocks": hand_out.blocks or None,
        "chosen_at": hand_out.chosen_at or None,
        "says": f"What is redeemed is handed out once {hand_out.wanted}.",
    }


def show_redemption(
    services: Services, seen: SeenRedemption, acceptance: SignedAcceptance | None, hand_out: HandOut
) -> dict[str, Any]:
    """What is answered: facts, standing, what its program waits for, and the acceptance itself, which the fan may keep."""
    standing = standing_of(seen.depth, is_known=seen.is_known, acceptance=acceptance, hand_out=hand_out)
    accepted = None
    if acceptance is not None:
        statement = acceptance.statement
        accepted = {
            "till": services.renderer.address(address_of_key(statement.till)),
            "accepted_at": statement.accepted_at,
            "depth": statement.depth,
            "acceptance": b64encode(encode_acceptance(acceptance)).decode(),
        }
    return {
        **seen.facts,
        "standing": standing,
        "says": speak_standing(standing, seen.depth, acceptance, hand_out),
        **show_depth(seen.depth),
        "depth": (hand_out.blocks or None) if acceptance is None else acceptance.statement.depth,
        "waits_for": show_hand_out(hand_out),
        "accepted": accepted,
    }
