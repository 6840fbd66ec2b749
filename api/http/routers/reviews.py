"""Reviews of programs and campaigns: what their fans say, counted by every node; nobody can delete one."""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import AddressText, IdText, Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import json_response
from api.http.routers.proofs import PROOF_ANSWERS, Trust, answer_proof
from api.http.schemas.voice import AccountReviewsAnswer, ReviewAnswer, ReviewsAnswer, RevisionsAnswer
from ledger.domains.crowdfunding.state import campaign_key
from ledger.domains.loyalty.state import program_key
from ledger.domains.voice.review import ReviewWritten
from ledger.domains.voice.review_reply import NO_REVIEW
from ledger.domains.voice.reviews import (
    NO_SCORES,
    STANCE_NAMES,
    STANDING_NAMES,
    Review,
    Scores,
    review_key,
    scores_key,
)
from ledger.errors import Code, RuleViolation
from ledger.types import Address, CampaignId, Hash, ProgramId
from node.proofs import make_review_proof
from node.store.reader import ListedRow, Position, Snapshot

NO_SUBJECT = Code(
    "review.no_subject",
    "there is no program or campaign {subject}",
    "List programs or campaigns, and name one of them.",
)

router = APIRouter(prefix="/v1", tags=["reviews"])


@router.get("/reviews/{subject}", summary="What is said of a subject", responses=answers(ReviewsAnswer))
async def list_reviews(request: Request, subject: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """All reviews of a program or a campaign, each as it is now, and how many say what."""
    services = services_of(request)
    subject_id = Hash(parse_id("subject", subject))
    page = Page("reviews", (subject_id,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        _require_subject(view, subject_id)
        scores: Scores = view.record(scores_key(subject_id)) or NO_SCORES
        rows = view.listed(subject_id, "review", page.place, page.rows_wanted)
        found = {row: _review(view, subject_id, Address(row.id)) for row in rows}
    here = await texts_here(services, (text for one in found.values() for text in (one.text, one.reply)))
    answer = page.answer(
        rows, _position, lambda row: _show_review(services, subject_id, Address(row.id), found[row], here)
    )
    return json_response({"scores": services.renderer.plain(scores), **answer})


@router.get("/accounts/{address}/reviews", summary="What an account says", responses=answers(AccountReviewsAnswer))
async def list_account_reviews(
    request: Request, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every review of this account, each as it is now."""
    services = services_of(request)
    account = services.renderer.parse_address(address)
    page = Page("account.reviews", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "account_review", page.place, page.rows_wanted)
        found = {row: _review(view, Hash(row.id), account) for row in rows}
    here = await texts_here(services, (text for one in found.values() for text in (one.text, one.reply)))
    return json_response(
        page.answer(rows, _position, lambda row: _show_review(services, Hash(row.id), account, found[row], here))
    )


@router.get("/reviews/{subject}/{address}", summary="One review", responses=answers(ReviewAnswer))
async def read_review(request: Request, subject: IdText, address: AddressText) -> Response:
    """What one author says of a subject now, and the subject's last reply."""
    services = services_of(request)
    subject_id, author = Hash(parse_id("subject", subject)), services.renderer.parse_address(address)
    with services.reader.snapshot() as view:
        found = _review(view, subject_id, author)
    here = await texts_here(services, (found.text, found.reply))
    return json_response(_show_review(services, subject_id, author, found, here))


@router.get("/reviews/{subject}/{address}/revisions", summary="All that it said", responses=answers(RevisionsAnswer))
async def list_revisions(
    request: Request, subject: IdText, address: AddressText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Every revision of one author's review, the latest first. What was said once stays."""
    services = services_of(request)
    subject_id, author = Hash(parse_id("subject", subject)), services.renderer.parse_address(address)
    page = Page("review.revisions", (subject_id, author), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        _review(view, subject_id, author)
        rows = list(_written(view, author, subject_id, page))
    here = await texts_here(services, (revision.text for _, revision in rows))
    return json_response(page.answer(rows, lambda row: row[0], lambda row: _show_revision(*row, here)))


def _written(view: Snapshot, author: Address, subject: Hash, page: Page) -> Iterator[tuple[Position, ReviewWritten]]:
    """The author's revisions about the subject, the latest first, from a place on among all that it wrote."""
    place, wanted = page.place, page.rows_wanted
    while wanted:
        rows = view.history(author, place, page.rows_wanted, ReviewWritten.name)
        for row in rows:
            place = (row.height, row.sequence)
            if isinstance(row.event, ReviewWritten) and row.event.subject == subject and wanted:
                yield place, row.event
                wanted -= 1
        if len(rows) < page.rows_wanted:
            return


@router.get(
    "/reviews/{subject}/{address}/proof",
    response_class=Response,
    summary="Prove a review",
    responses=PROOF_ANSWERS,
)
async def read_review_proof(request: Request, subject: IdText, address: AddressText, trust: Trust = None) -> Response:
    """The review's record in the latest state; `fansumer proof check` reads it without a network."""
    services = services_of(request)
    subject_id, author = Hash(parse_id("subject", subject)), services.renderer.parse_address(address)
    return await answer_proof(services, trust, lambda chain, known: make_review_proof(chain, subject_id, author, known))


async def texts_here(services: Services, wanted: Iterable[bytes]) -> set[Hash]:
    """Which of these texts the node has."""
    named = {Hash(text) for text in wanted if text}
    return await services.receipts.run(lambda store: store.texts.held(named)) if named else set()


def _require_subject(view: Snapshot, subject: Hash) -> None:
    keys = (program_key(ProgramId(subject)), campaign_key(CampaignId(subject)))
    if all(view.stored(key) is None for key in keys):
        raise RuleViolation(NO_SUBJECT, subject=subject)


def _review(view: Snapshot, subject: Hash, author: Address) -> Review:
    found: Review | None = view.record(review_key(subject, author))
    if found is None:
        raise RuleViolation(NO_REVIEW, author=author)
    return found


def _position(row: ListedRow) -> tuple[int, int]:
    return row.position


def _show_review(services: Services, subject: Hash, author: Address, review: Review, here: set[Hash]) -> dict[str, Any]:
    return {
        "subject": subject.hex(),
        "author": services.renderer.address(author),
        "stance": STANCE_NAMES[review.stance],
        "score": review.score,
        "text": review.text.hex() or None,
        "text_here": review.text in here,
        "standing": STANDING_NAMES[review.standing.tag],
        "first_at": review.first_at,
        "latest_at": review.latest_at,
        "revisions": review.revisions,
        "reply": review.reply.hex() or None,
        "reply_here": review.reply in here,
        "replied_at": review.replied_at or None,
        "replies": review.replies,
    }


def _show_revision(place: Position, event: ReviewWritten, here: set[Hash]) -> dict[str, Any]:
    return {
        "height": place[0],
        "revision": event.revision,
        "stance": STANCE_NAMES[event.stance],
        "score": event.score,
        "text": event.text.hex() or None,
        "text_here": event.text in here,
        "standing": STANDING_NAMES[event.standing],
    }
