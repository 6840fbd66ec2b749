"""How deep something lies in the chain, and what reversing it would cost, as answers show it (spec FIN-11)."""

from typing import Any

from api.http.deps import Services
from ledger.finality.reversal import least_turning, rent_of
from ledger.types import Height, Work
from node.depth import Depth, Marks, read_marks, work_from
from node.store.reader import Snapshot


def marks_of(services: Services, view: Snapshot) -> Marks:
    """Where on the chain of this snapshot the tip is, and what is justified and final."""
    return read_marks(view, services.node.chain.finality.known)


def in_no_block(services: Services) -> Depth:
    """The depth of what is in no block."""
    unknown = False if services.node.chain.finality.is_active else None
    return Depth(0, unknown, unknown)


def show_depth(depth: Depth) -> dict[str, Any]:
    """Blocks and finality of something, for an answer."""
    return {"confirmations": depth.confirmations, "justified": depth.justified, "final": depth.final}


def show_reversal(services: Services, view: Snapshot, marks: Marks, height: Height) -> dict[str, Any]:
    """The estimate for what stands at `height` of the active chain."""
    return _show_cost(services, work_from(view, height), _show_attestors(marks, marks.depth_of(height)))


def show_nothing_to_reverse(services: Services) -> dict[str, Any]:
    """The estimate for what is in no block: nothing stands on it."""
    return _show_cost(services, Work(0), None)


def _show_cost(services: Services, work: Work, attestors: dict[str, Any] | None) -> dict[str, Any]:
    price = services.settings.rent_price_cents
    return {
        "is_estimate": True,
        "work": f"{work:x}",
        "rent_microcents": rent_of(work, price_cents=price),
        "rent_price_cents": price,
        "attestors": attestors,
    }


def _show_attestors(marks: Marks, depth: Depth) -> dict[str, Any] | None:
    if marks.attestors is None or not depth.justified:
        return None
    turning = least_turning(marks.attestors)
    return {
        "set_number": marks.attestors.number,
        "weight": marks.attestors.weight,
        "members": len(marks.attestors.members),
        "turn_weight_min": turning.weight_min,
        "turn_members_min": turning.members_min,
        "is_provable": bool(depth.final),
    }
