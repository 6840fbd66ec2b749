"""For attestors: what is to be voted for, and where their votes are handed over (spec ATT-4, NET-20)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import read_canonical
from api.http.deps import Services, parse_id, services_of
from api.http.openapi import answers
from api.http.problems import RequestFault
from api.http.rendering import json_response, show_hash
from api.http.schemas.answer import EXAMPLE_ID, ID_PATTERN
from api.http.schemas.attesting import AttestorAnswer, VoteBody, VotesAnswer, VoteTaken
from ledger.errors import Code
from ledger.finality.votes import SIGNED_VOTE_BYTES_MAX, Checkpoint, SignedVote
from ledger.types import PublicKey
from node.attest.desk import VoteDesk

BODY_BYTES_MAX: Final = 4 * SIGNED_VOTE_BYTES_MAX
VOTES_SHOWN_MAX: Final = 1_000
VOTE_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The canonical bytes of one signed vote (spec FIN-2).",
        "content": {
            "application/msgpack": {"schema": {"type": "string", "format": "binary"}, "example": "<the vote's bytes>"},
            "application/json": {"schema": VoteBody.model_json_schema(), "example": VoteBody.EXAMPLE},
        },
    }
}

KeyText = Annotated[
    str,
    Path(
        description="An attestor's public key.",
        examples=[EXAMPLE_ID],
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]
TargetHeight = Annotated[
    int | None,
    Query(alias="height", ge=0, le=2**32 - 1, description="Only votes for this height.", examples=[1_440]),
]

NO_ATTESTORS = Code(
    "attest.no_attestors",
    "this chain's params name no attestors",
    "Nothing is to be voted for: on this chain the most work decides.",
)

router = APIRouter(prefix="/v1/finality", tags=["chain"])


def _desk_of(services: Services) -> VoteDesk:
    """Raises `attest.no_attestors`."""
    desk = services.node.desk
    if desk is None:
        raise RequestFault(NO_ATTESTORS)
    return desk


@router.post(
    "/votes",
    status_code=202,
    summary="Hand over an attestor's vote",
    responses=answers(VoteTaken, 202),
    openapi_extra=VOTE_BODY,
)
async def take_vote(request: Request) -> Response:
    """Check a signed vote, tell all other nodes, and put it into the next block. The same bytes twice count once."""
    services = services_of(request)
    desk = _desk_of(services)
    signed = SignedVote.decode(await read_canonical(request, "vote", BODY_BYTES_MAX))
    verdict = await services.submissions.run(lambda: desk.submit(signed))
    return json_response({"verdict": verdict.name.lower(), **_show_vote(signed)}, 202)


@router.get("/votes", summary="Votes that are not final yet", responses=answers(VotesAnswer))
async def read_votes(request: Request, height: TargetHeight = None) -> Response:
    """Votes that this node knows above the last final checkpoint, by target and key; at most 1,000."""
    services = services_of(request)
    desk = _desk_of(services)
    known = await services.submissions.run(desk.standing)
    votes = [said for said in known if isinstance(said, SignedVote)]
    found = sorted(
        (vote for vote in votes if height is None or vote.vote.target.height == height),
        key=lambda signed: (-signed.vote.target.height, signed.key),
    )
    return json_response({"items": [_show_vote(signed) for signed in found[:VOTES_SHOWN_MAX]]})


@router.get("/attestors/{key}", summary="What an attestor is to vote for", responses=answers(AttestorAnswer))
async def read_attestor(request: Request, key: KeyText) -> Response:
    """What an attestor with this key votes for next, whether the key counts, and which of its votes this node knows."""
    services = services_of(request)
    desk = _desk_of(services)
    wanted = PublicKey(parse_id("key", key))
    sight = await services.submissions.run(lambda: desk.sight(wanted))
    return json_response(
        {
            "key": wanted.hex(),
            "chain_id": sight.chain_id.hex(),
            "interval_blocks": sight.interval,
            "height": sight.tip,
            "is_fresh": sight.is_fresh,
            "source": _show_checkpoint(sight.source),
            "target": _show_checkpoint(sight.target),
            "set_number": sight.set_number,
            "is_member": sight.is_member,
            "votes": [_show_vote(signed) for signed in sight.own_votes],
        }
    )


def _show_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"height": checkpoint.height, "hash": show_hash(checkpoint.hash)}


def _show_vote(signed: SignedVote) -> dict[str, Any]:
    vote = signed.vote
    return {
        "key": signed.key.hex(),
        "set_number": vote.set_number,
        "source": _show_checkpoint(vote.source),
        "target": _show_checkpoint(vote.target),
        "raw": signed.encode().hex(),
    }
