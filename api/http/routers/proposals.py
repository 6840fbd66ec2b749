"""Proposals, their ballots and tallies; what a voter needs; and the public record of promises."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import read_canonical
from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers, refuses, signed_body
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import RequestFault
from api.http.promises import collect_promises, obligation_days_late
from api.http.rendering import json_response
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.schemas.proposals import (
    AccountBallotsAnswer,
    BallotsAnswer,
    OpeningBody,
    OpeningKept,
    PowerAnswer,
    PromisesAnswer,
    ProposalAnswer,
    ProposalsAnswer,
)
from api.http.voice_words import show_tally, words_of_answer
from api.voice.opening import OPENING_BYTES_MAX, decode_opening
from api.words import show_time
from ledger.domains.loyalty.state import load_program
from ledger.domains.voice.ballot_reveal import (
    NOT_COMMITTED,
    REVEAL_OVER,
    REVEALED,
    WRONG_OPENING,
    RevealBallot,
)
from ledger.domains.voice.ballots import seal_choice
from ledger.domains.voice.power import Power, PowerProof, check_power, power_key
from ledger.domains.voice.state import (
    AGE_NAMES,
    METHOD_NAMES,
    MODE_NAMES,
    OBLIGATION_STATUS_NAMES,
    PROPOSAL_STATUS_NAMES,
    Ballot,
    Obligation,
    PledgedTo,
    Proposal,
    ballot_key,
    load_proposal,
    load_tally,
    obligation_key,
)
from ledger.domains.voice.tally import check_choice
from ledger.errors import Code, RuleViolation
from ledger.kinds import Context
from ledger.params import BALLOT_PROOFS_MAX
from ledger.state import Overlay
from ledger.types import Address, Height, ProgramId, ProposalId
from node.proofs import make_ballot_proof
from node.store.reader import ListedRow, Snapshot

BODY_BYTES_MAX: Final = OPENING_BYTES_MAX * 4 // 3 + 512
PLEDGES_LOOKED_AT_MAX: Final = 500
"""Pledges of one account that are looked through for those of one campaign."""


NO_POWER_HERE = Code(
    "power.unknown",
    "the account has no power in this proposal: {reason}",
    "Ask for the account that this program knows you by; who came after the snapshot does not vote on it.",
)
VOTING_OVER = Code(
    "power.voting_over", "voting is over since {until:time}", "Nothing: the proposal takes no more ballots."
)

router = APIRouter(tags=["proposals"])


@router.get("/v1/proposals", summary="All proposals", responses=answers(ProposalsAnswer))
async def list_proposals(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Proposals of all programs in the order in which they were made, each with what was counted so far."""
    services = services_of(request)
    page = Page("proposals", (), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        return _answer_page(services, view, page, b"")


@router.get("/v1/programs/{program}/proposals", summary="A program's proposals", responses=answers(ProposalsAnswer))
async def list_program_proposals(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """What was proposed to one program, in the order in which it was."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    page = Page("program.proposals", (program_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
        return _answer_page(services, view, page, program_id)


def _answer_page(services: Services, view: Snapshot, page: Page, parent: bytes) -> Response:
    rows = view.listed(parent, "proposal", page.place, page.rows_wanted)
    return json_response(
        page.answer(rows, lambda row: row.position, lambda row: _show_proposal(services, view, ProposalId(row.id)))
    )


@router.get("/v1/proposals/{proposal}", summary="One proposal", responses=answers(ProposalAnswer))
async def read_proposal(request: Request, proposal: IdText) -> Response:
    """What is asked, of whom, what was counted so far, who holds how much of it, and what the owner answered."""
    services = services_of(request)
    proposal_id = ProposalId(parse_id("proposal", proposal))
    with services.reader.snapshot() as view:
        return json_response(_show_proposal(services, view, proposal_id))


def _show_proposal(services: Services, view: Snapshot, proposal_id: ProposalId) -> dict[str, Any]:
    state = Overlay(view)
    found, tally = load_proposal(state, proposal_id), load_tally(state, proposal_id)
    obligation: Obligation | None = view.record(obligation_key(proposal_id))
    late = obligation_days_late(obligation, view)
    weight = services.renderer.plain(found.weight)
    return {
        "id": proposal_id.hex(),
        "program": found.program.hex(),
        "proposer": services.renderer.address(found.proposer),
        "title": found.title,
        "text": found.text.hex(),
        "method": METHOD_NAMES[found.method],
        "mode": MODE_NAMES[found.mode],
        "weight": {"cap": None, "campaign": None, **weight},
        "binding": found.is_binding,
        "status": PROPOSAL_STATUS_NAMES[found.status],
        "snapshot": {
            "height": found.snapshot_height,
            "time": found.snapshot_at,
            "root": found.snapshot_root.hex(),
            "slots": found.snapshot_slots,
            "electorate": found.electorate,
        },
        "voting_until": found.voting_until,
        "voting_until_date": show_time(found.voting_until),
        "voting_height": found.voting_height,
        "reveal_until": found.reveal_until or None,
        "reveal_until_date": show_time(found.reveal_until) if found.reveal_until else None,
        "answer_by": found.answer_by or None,
        "answered_at": found.answered_at or None,
        "why": found.why.hex() or None,
        "tally": show_tally(found, tally),
        "obligation": None if obligation is None else _show_obligation(obligation, late),
        "answer_in_words": words_of_answer(found, tally, obligation, late),
    }


def _show_obligation(obligation: Obligation, late: int) -> dict[str, Any]:
    return {
        "status": OBLIGATION_STATUS_NAMES[obligation.status],
        "due_at": obligation.due_at,
        "due_date": show_time(obligation.due_at),
        "grace_until": obligation.grace_until,
        "product": obligation.product.hex() or None,
        "fulfilled_at": obligation.fulfilled_at or None,
        "days_late": late,
        "evidence": obligation.evidence.hex() or None,
    }


@router.get("/v1/proposals/{proposal}/ballots", summary="A proposal's ballots", responses=answers(BallotsAnswer))
async def list_ballots(
    request: Request, proposal: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every ballot, in the order in which they came; of sealed ones the choice once somebody opened them."""
    services = services_of(request)
    proposal_id = ProposalId(parse_id("proposal", proposal))
    page = Page("proposal.ballots", (proposal_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        load_proposal(Overlay(view), proposal_id)
        rows = view.listed(proposal_id, "ballot", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_ballot(services, view, proposal_id, row))
        )


def _show_ballot(services: Services, view: Snapshot, proposal_id: ProposalId, row: ListedRow) -> dict[str, Any]:
    ballot: Ballot = view.record(ballot_key(proposal_id, Address(row.id)))
    return {
        "voter": services.renderer.address(row.id),
        "power": ballot.power,
        "membership": AGE_NAMES[ballot.age],
        "choice": list(ballot.choice) or None,
        "commitment": ballot.commitment.hex() or None,
        "cast_at": ballot.cast_at,
        "height": row.position[0],
    }


@router.get("/v1/accounts/{address}/ballots", summary="How an account voted", responses=answers(AccountBallotsAnswer))
async def list_account_ballots(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Its ballots in the order in which they came, each with what was asked, what came out, and what became of the answer."""
    services = services_of(request)
    voter = services.renderer.parse_address(address)
    page = Page("account.ballots", (voter,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(voter, "account_ballot", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_own_ballot(services, view, voter, row))
        )


def _show_own_ballot(services: Services, view: Snapshot, voter: Address, row: ListedRow) -> dict[str, Any]:
    asked = _show_proposal(services, view, ProposalId(row.id))
    cast = _show_ballot(services, view, ProposalId(row.id), ListedRow(voter, row.position))
    shown = {name: asked[name] for name in ("program", "title", "status", "answer_in_words")}
    options, winner = asked["tally"]["options"], asked["tally"]["winner"]
    return {
        "proposal": asked["id"],
        **shown,
        "chosen": [options[number]["text"] for number in cast["choice"] or ()],
        "winner": None if winner is None else options[winner]["text"],
        **cast,
    }


@router.get(
    "/v1/proposals/{proposal}/ballots/{address}/proof",
    response_class=Response,
    summary="Prove a ballot",
    responses=PROOF_ANSWERS,
)
async def read_ballot_proof(request: Request, proposal: IdText, address: AddressText, trust: Trust = None) -> Response:
    """The ballot in the latest state with its proposal and what became of the answer; `fansumer proof check` reads it."""
    services = services_of(request)
    voter = services.renderer.parse_address(address)
    wanted = ProposalId(parse_id("proposal", proposal))
    return await answer_proof(services, trust, lambda chain, known: make_ballot_proof(chain, wanted, voter, known))


@router.get(
    "/v1/proposals/{proposal}/power/{address}",
    summary="What an account may vote with",
    responses={**answers(PowerAnswer), **refuses(409)},
)
async def read_power(request: Request, proposal: IdText, address: AddressText) -> Response:
    """The account's power at the proposal's snapshot, and the records with their paths that its ballot shows.

    Check them: each leaf is in the tree of `slots` leaves under `root`, which the proposal's own record names.
    """
    services = services_of(request)
    voter = services.renderer.parse_address(address)
    proposal_id = ProposalId(parse_id("proposal", proposal))
    with services.reader.snapshot() as view:
        found = load_proposal(Overlay(view), proposal_id)
        if found.voting_is_over(_next_context(services, view)):
            raise RequestFault(VOTING_OVER, until=found.voting_until)
        numbers = _numbers_of(view, found, voter)
    keys = [power_key(found, voter, number) for number in numbers]
    shown = await asyncio.to_thread(services.node.snapshots.show, found, keys)
    proofs = [
        PowerProof(number, one.value_bytes, one.slot, one.path)
        for number, one in zip(numbers, shown, strict=True)
        if one is not None
    ]
    if isinstance(found.weight, PledgedTo):
        proofs = proofs[:BALLOT_PROOFS_MAX]
    if not proofs:
        raise RequestFault(NO_POWER_HERE, reason="it was not there at the snapshot")
    with services.reader.snapshot() as view:
        power, age = _power(view, found, voter, proofs)
        ballot: Ballot | None = view.record(ballot_key(proposal_id, voter))
    return json_response(
        {
            "proposal": proposal_id.hex(),
            "address": services.renderer.address(voter),
            "power": power,
            "membership": AGE_NAMES[age],
            "root": found.snapshot_root.hex(),
            "slots": found.snapshot_slots,
            "proofs": [_show_proof(proof) for proof in proofs],
            "has_voted": ballot is not None,
        }
    )


def _power(view: Snapshot, proposal: Proposal, voter: Address, proofs: list[PowerProof]) -> Power:
    """As the ledger finds it. Raises `power.unknown`."""
    try:
        return check_power(Overlay(view), proposal, voter, proofs)
    except RuleViolation as fault:
        raise RequestFault(NO_POWER_HERE, reason=fault.fields.get("reason", str(fault))) from fault


def _next_context(services: Services, view: Snapshot) -> Context:
    """As a transaction in the next block would find it; its state root is not looked at here."""
    tip = view.tip()
    params = services.node.chain.params
    return Context(params, Height(tip.height + 1), tip.header.time, tip.header.merkle_root)


def _numbers_of(view: Snapshot, proposal: Proposal, voter: Address) -> list[int]:
    """0 for a membership; of pledges those that the account made to the campaign."""
    if not isinstance(proposal.weight, PledgedTo):
        return [0]
    campaign = proposal.weight.campaign
    rows = view.listed(voter, "account_pledge", None, PLEDGES_LOOKED_AT_MAX)
    return sorted(int.from_bytes(row.id[32:], "big") for row in rows if row.id[:32] == campaign)


def _show_proof(proof: PowerProof) -> dict[str, Any]:
    return {
        "number": proof.number,
        "value": proof.value.hex(),
        "slot": proof.slot,
        "path": [node.hex() for node in proof.path],
    }


@router.post(
    "/v1/openings",
    status_code=201,
    summary="Hand the opening of a sealed ballot over",
    responses=answers(OpeningKept, 201),
    openapi_extra=signed_body(
        "The canonical bytes of one opening: [proposal, voter, choice, salt], as the payload of `ballot.reveal`.",
        OpeningBody,
    ),
)
async def keep_opening(request: Request) -> Response:
    """The node keeps the opening and sends it as soon as voting is over, so that forgetting to reveal costs nothing.

    It must open a commitment that stands in a block. Whoever runs this node can read it before the end; nobody else can.
    """
    services = services_of(request)
    opening = decode_opening(await read_canonical(request, "opening", BODY_BYTES_MAX))
    with services.reader.snapshot() as view:
        _check_opening(services, view, opening)
    is_new = await services.openings.keep(opening)
    await services.submissions.run(services.openings.send_waiting)
    answer = {
        "proposal": opening.proposal.hex(),
        "voter": services.renderer.address(opening.voter),
        "is_new": is_new,
    }
    return json_response(answer, 201)


def _check_opening(services: Services, view: Snapshot, opening: RevealBallot) -> None:
    """Raises in this order: proposal.unknown, ballot.not_committed, .revealed, .reveal_over, .wrong_opening, .choice."""
    proposal = load_proposal(Overlay(view), opening.proposal)
    ballot: Ballot | None = view.record(ballot_key(opening.proposal, opening.voter))
    if ballot is None or not ballot.commitment:
        raise RuleViolation(NOT_COMMITTED, voter=opening.voter)
    if ballot.choice:
        raise RuleViolation(REVEALED, voter=opening.voter)
    if proposal.revealing_is_over(_next_context(services, view)):
        raise RuleViolation(REVEAL_OVER, until=proposal.reveal_until)
    if seal_choice(opening.proposal, opening.voter, opening.choice, opening.salt) != ballot.commitment:
        raise RuleViolation(WRONG_OPENING, voter=opening.voter)
    check_choice(proposal, opening.choice)


@router.get("/v1/programs/{program}/promises", summary="A program's promises", responses=answers(PromisesAnswer))
async def read_program_promises(request: Request, program: IdText) -> Response:
    """What was proposed to the program and what its owner answered, kept, did late or broke; and its owner's campaigns."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        owner = load_program(Overlay(view), program_id).owner
        return json_response(collect_promises(services, view, [program_id], owner))


@router.get("/v1/accounts/{address}/promises", summary="A creator's promises", responses=answers(PromisesAnswer))
async def read_account_promises(request: Request, address: AddressText) -> Response:
    """The same of all programs that an account owns, and of the campaigns that it created."""
    services = services_of(request)
    creator = services.renderer.parse_address(address)
    with services.reader.snapshot() as view:
        rows = view.listed(creator, "account_program", None, PLEDGES_LOOKED_AT_MAX)
        return json_response(collect_promises(services, view, [ProgramId(row.id) for row in rows], creator))
