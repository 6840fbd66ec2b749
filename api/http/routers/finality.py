"""Finality: who attests, what is justified and final, and whether something is wrong."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import services_of
from api.http.openapi import answers
from api.http.rendering import json_response, show_hash
from api.http.schemas.finality import FinalityAnswer
from ledger.domains.finality.state import FINALITY_KEY, Finality, Justified
from ledger.params import Attestor
from node.finality.keeper import Known
from node.stall import SILENT_INTERVALS

router = APIRouter(prefix="/v1", tags=["chain"])


@router.get("/finality", summary="Which blocks are final, and who says so", responses=answers(FinalityAnswer))
async def read_finality(request: Request) -> Response:
    """The attestors in force, changes that wait, and the last justified and final checkpoints."""
    services = services_of(request)
    with services.reader.snapshot() as view:
        tip = view.tip()
        finality: Finality | None = view.record(FINALITY_KEY)
    interval = services.params.checkpoint_interval_blocks
    answer: dict[str, Any] = dict.fromkeys(FinalityAnswer.model_fields)
    answer |= {"attested": finality is not None, "interval_blocks": interval, "silent": False}
    if finality is not None:
        known = services.node.chain.finality.known
        answer |= _show_record(finality) | _show_known(known)
        answer["blocks_since_justified"] = max(tip.height - known.justified.height, 0)
        answer["silent"] = tip.height - finality.silent_since_height >= SILENT_INTERVALS * interval
    return json_response(answer)


def _show_record(finality: Finality) -> dict[str, Any]:
    in_force = finality.in_force
    return {
        "set": {
            "number": in_force.number,
            "weight": in_force.weight,
            "quorum_weight": 2 * in_force.weight // 3 + 1,
            "since_height": finality.since_height,
            "replaces_silent": finality.replaces_silent,
            "members": _show_members(in_force.members),
        },
        "scheduled": next(
            (
                {
                    "holder_height": found.holder_height,
                    "chosen": found.is_chosen,
                    "members": _show_members(found.members),
                }
                for found in finality.scheduled
            ),
            None,
        ),
        "replacement": next(
            (
                {"effective_at": found.effective_at, "members": _show_members(found.members)}
                for found in finality.replacement
            ),
            None,
        ),
        "chain_justified": _show_checkpoint(finality.justified[-1]) if finality.justified else None,
        "chain_final": _show_checkpoint(finality.final) if finality.justified else None,
        "silent_since": finality.silent_since,
        "silent_since_height": finality.silent_since_height,
    }


def _show_known(known: Known) -> dict[str, Any]:
    conflict = None
    if known.conflict is not None:
        one, other = known.conflict
        conflict = {
            "known_height": one.height,
            "known_hash": show_hash(one.hash),
            "other_height": other.height,
            "other_hash": show_hash(other.hash),
        }
    return {
        "justified": _show_checkpoint(known.justified),
        "final": _show_checkpoint(known.final),
        "conflict": conflict,
    }


def _show_checkpoint(found: Justified) -> dict[str, Any]:
    return {"height": found.height, "hash": show_hash(found.hash), "set_number": found.set_number}


def _show_members(members: tuple[Attestor, ...]) -> list[dict[str, Any]]:
    return [{"key": member.key.hex(), "weight": member.weight} for member in members]
