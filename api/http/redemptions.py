"""Redemptions as people see them: what became of each unit, and whether the shop accepted it before it is deep (spec RWD-10)."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.http.deps import Services
from ledger.domains.rewards.acceptance import SETTLED_DEPTH, SignedAcceptance, encode_acceptance
from ledger.domains.rewards.holds import HoldReleased
from ledger.domains.rewards.redeem import Redeem, RedemptionOpened
from ledger.domains.rewards.redeem_fulfil import RedemptionFulfilled
from ledger.domains.rewards.redeem_refund import RedemptionRefunded
from ledger.domains.rewards.state import Fulfilment, Hold, fulfilment_key, hold_key
from ledger.hashing import object_id
from ledger.policy import address_of_key
from ledger.transaction import Transaction
from ledger.types import HoldId, TxId
from node.store.reader import HistoryRow, Snapshot

EVENTS_OF_ONE: Final = 2_002
"""A redemption of 1,000 units is opened and released once, and each unit is handed out and taken back once at most."""

WAITING: Final = "waiting"
ACCEPTED: Final = "accepted by the shop"
SETTLED: Final = "settled"
BORNE: Final = "borne by the shop"
TEXTS: Final = {
    WAITING: "The points are held. It is safe for the shop once {depth} blocks stand on it; now {confirmations} do.",
    ACCEPTED: "The shop hands it out at its own risk until {depth} blocks stand on it; now {confirmations} do.",
    SETTLED: "Deep enough in the chain: {confirmations} blocks stand on it.",
    BORNE: "It fell out of the chain. The shop accepted it and bears it: the fan owes nothing.",
}


def standing_of(confirmations: int, *, is_known: bool, acceptance: SignedAcceptance | None) -> str:
    """What is shown of a redemption with so many blocks from its own to the tip; 0: in none, and `is_known` says if it waits."""
    depth = depth_of(acceptance)
    if confirmations >= depth:
        return SETTLED
    if acceptance is None:
        return WAITING
    return ACCEPTED if is_known else BORNE


def depth_of(acceptance: SignedAcceptance | None) -> int:
    """The depth at which a redemption is settled: the acceptance names one, else the usual one."""
    return SETTLED_DEPTH if acceptance is None else acceptance.statement.depth


@dataclass(frozen=True, slots=True)
class SeenRedemption:
    """A redemption with all that is known of it but its acceptance; `confirmations` 0: it is in no block."""

    hold: HoldId
    confirmations: int
    is_known: bool
    facts: dict[str, Any]


def see_in_chain(services: Services, view: Snapshot, hold_id: HoldId) -> SeenRedemption | None:
    """From its events, which stay, and from its records, which go when it ends. None if no block has it."""
    rows = view.history(hold_id, None, EVENTS_OF_ONE)
    opening = next((row for row in rows if isinstance(row.event, RedemptionOpened)), None)
    if opening is None:
        return None
    event = opening.event
    assert isinstance(event, RedemptionOpened), "it was found so"
    hold: Hold | None = view.record(hold_key(hold_id))
    released = sum(row.event.quantity for row in rows if isinstance(row.event, HoldReleased))
    confirmations = view.tip().height - opening.height + 1
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
    return SeenRedemption(hold_id, confirmations, True, facts)


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
    return SeenRedemption(hold, 0, True, NOTHING_YET | facts)


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
    return SeenRedemption(statement.hold, 0, False, NOTHING_YET | facts)


def show_redemption(services: Services, seen: SeenRedemption, acceptance: SignedAcceptance | None) -> dict[str, Any]:
    """What is answered: facts, standing, and the acceptance itself, which the fan may keep."""
    standing = standing_of(seen.confirmations, is_known=seen.is_known, acceptance=acceptance)
    depth = depth_of(acceptance)
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
        "says": TEXTS[standing].format(depth=depth, confirmations=seen.confirmations),
        "confirmations": seen.confirmations,
        "depth": depth,
        "accepted": accepted,
    }
