"""All that this node holds on the account that asks: what it consented to, who read what, a copy of everything, and deletion."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.http.deps import Services, program_test, services_of
from api.http.openapi import SIGNED, answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.rendering import ANSWER, json_response
from api.http.routers.receipts import show_whole_receipt
from api.http.schemas.own_data import ConsentsAnswer, DeletionAnswer, ExportAnswer, ReadsAnswer
from api.http.signatures import authenticate
from api.personalization.own_rows import show_personal
from api.receipts.access_log import GIVEN, Read
from api.receipts.revocation_notes import Note
from api.words import show_time
from ledger.domains.consent.state import PURPOSE_NAMES, Consent, consent_key
from ledger.domains.rewards.acceptance import encode_acceptance
from ledger.types import Address
from node.store.reader import ListedRow, Snapshot

FORMAT: Final = "fansumer export 1"
ROWS_PER_CHUNK: Final = 200
PUBLIC: Final = (
    "It is public, under a pseudonym, stands in every node's copy, and the chain would not verify without it."
)

GONE: Final = (
    ("receipts", "receipts"),
    ("lines", "lines of receipts"),
    ("gifts", "gift marks"),
    ("reads", "rows of the log of reads"),
    ("revocations", "notes of revocations that are in a block"),
    ("acceptances", "shops' acceptances of redemptions"),
    ("openings", "openings of sealed ballots, which this node will not send any more"),
    ("texts", "texts that you wrote"),
    ("delivery_forms", "delivery forms for campaigns"),
    ("behaviour", "what you looked at and searched for"),
    ("preferences", "preferences and corrections of your profile"),
    ("messages", "messages that were decided for you"),
    ("feedback", "what you did with messages"),
    ("deliveries", "messages that were sent out, or wait for that"),
    (
        "drawn_offers",
        "terms of offers that plans drew for you, without which nobody can show what an offer on the chain asks for",
    ),
)
"""Fields of `Deleted`, in words."""
REMAINS: Final = (
    ("records", "records on the chain", PUBLIC),
    ("earlier_records", "what records on the chain were before", PUBLIC),
    ("blocks", "blocks that name the account", PUBLIC),
    ("events", "rows of what happened, made from the blocks", PUBLIC),
    ("lists", "rows of lists, made from the blocks", PUBLIC),
    ("pending", "transactions that wait for a block", "They go with the next block, or when they expire."),
    (
        "revocations",
        "noted revocations",
        "No block holds them yet, and without the note your consent would come back. They go by themselves after that.",
    ),
    ("reads_of_others", "rows that say what you read of others", "They belong to those whose data you read."),
    ("", "hashes of erased receipts", "So that nobody can hand them over again; whose each was is not kept."),
    ("", "hashes of erased texts", "They stand on the chain; kept so that nobody can hand the texts over again."),
    ("", "hashes of the nonces of your signed requests", "So that nobody can send them again; gone in two minutes."),
    ("", "the shop's own copies of receipts", "A till keeps what it signed; ask the shop."),
    ("", "backups, snapshots and logs of the operator", "No program reaches copies that were made; ask the operator."),
)
"""What a deletion leaves, and why. Without a name: what nobody can count."""

LEFT_OUT: Final = (
    ("hashes of erased receipts", "Whose each was is not kept: a hash whose salt is gone says nothing."),
    ("blocks that wait for their parent or their time", "They are in memory only, and no part of the chain yet."),
    ("nonces of signed requests", "Hashes without a name, forgotten after two minutes."),
    ("the shop's own copies", "A till keeps what it signed; ask the shop."),
    (
        "backups, logs and caches of the operator",
        "No program knows which copies its operator has made; ask the operator.",
    ),
)
"""What the export does not hold, and why."""

router = APIRouter(prefix="/v1/me", tags=["own data"])


@router.get(
    "/consents", summary="What the account consented to", responses=answers(ConsentsAnswer), openapi_extra=SIGNED
)
async def list_consents(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Every consent of the account that asks, and whether this node lets anybody act on it now.

    A revocation that this node has received counts at once: `revocation_received`, until a block holds it.
    """
    services = services_of(request)
    account = await authenticate(request)
    await services.consents.ready()
    page = Page("me.consents", (account,), cursor, limit, width=2)
    with services.reader.snapshot() as view:
        rows = view.listed(account, "consent", page.place, page.rows_wanted)
        return json_response(
            page.answer(rows, lambda row: row.position, lambda row: _show_consent(services, view, account, row))
        )


def _show_consent(services: Services, view: Snapshot, account: Address, row: ListedRow) -> dict[str, Any]:
    grantee, purpose, scope = row.id[:32], row.id[32], row.id[33:].decode()
    key = consent_key(account, grantee, purpose, scope)
    consent: Consent = view.record(key)
    is_active = services.consents.find_active(view, account, grantee, purpose, scope, by_name=True) is not None
    if is_active:
        state = "active"
    elif consent.revoked_at:
        state = "revoked"
    else:
        state = "revocation_received" if services.revocations.stands(view, key) else "expired"
    return {
        "grantee": grantee.hex() if program_test(view)(grantee) else services.renderer.address(grantee),
        "purpose": PURPOSE_NAMES[purpose],
        "scope": scope,
        "granted_at": consent.granted_at,
        "expires_at": consent.expires_at or None,
        "revoked_at": consent.revoked_at or None,
        "state": state,
        "obeyed": is_active,
    }


@router.get("/access-log", summary="Who read the account's data", responses=answers(ReadsAnswer), openapi_extra=SIGNED)
@router.get("/reads", summary="Who read the account's data", responses=answers(ReadsAnswer), openapi_extra=SIGNED)
async def list_reads(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Every read by a partner or by a program's personalization of the last year, also those that were refused.

    A partner's reads have a row each. Those that were refused, and those of personalization, are counted by day; its rows name the
    program as the reader, and as the scope what for. The same under both paths.
    """
    services = services_of(request)
    account = await authenticate(request)
    page = Page("me.reads", (account,), cursor, limit, width=1)
    before, now = None if page.position is None else page.position[0], services.node.clock.now()
    rows = await services.receipts.run(
        lambda store: store.log.page(account, now=now, before=before, limit=page.rows_wanted)
    )
    return json_response(page.answer(rows, lambda row: (row.number,), lambda row: show_read(services, row)))


def show_read(services: Services, read: Read) -> dict[str, Any]:
    """A row of the log, without whose data it is."""
    return {
        "time": read.first_at,
        "date": show_time(read.first_at),
        "until": read.last_at,
        "times": read.times,
        "reader": read.program.hex() if read.reader == read.program else services.renderer.address(read.reader),
        "program": read.program.hex(),
        "purpose": PURPOSE_NAMES[read.purpose],
        "scope": read.scope,
        "given": read.given,
        "code": None if read.code == GIVEN else read.code,
    }


@router.get(
    "/export",
    summary="Everything that this node holds on the account",
    responses=answers(ExportAnswer),
    openapi_extra=SIGNED,
)
async def export_all(request: Request) -> Response:
    """One JSON document: chain records, read model, receipts with lines, gift marks, the log, what waits, noted revocations.

    It is made while it is sent; `complete` is its last field, so that a document that was cut off is no JSON. The chain is looked
    through from its first block, which may take seconds.
    """
    services = services_of(request)
    account = await authenticate(request)
    await services.consents.ready()
    found = await services.exports.collect(account)
    head = {
        "format": FORMAT,
        "account": services.renderer.address(account),
        "chain_id": services.chain_id.hex(),
        "made_at": services.node.clock.now(),
        **found,
        "revocations": [_show_note(note) for note in services.revocations.of_fan(account)],
    }
    return StreamingResponse(_write_export(services, account, head), media_type="application/json")


def _show_note(note: Note) -> dict[str, Any]:
    return {
        "consent": note.consent.hex(),
        "txid": note.txid.hex(),
        "height": note.height,
        "noted_at": note.noted_at,
        "lifted_by": None if note.lifted_by is None else note.lifted_by.hex(),
        "raw": b64encode(note.raw).decode(),
    }


async def _write_export(services: Services, account: Address, head: dict[str, Any]) -> AsyncIterator[bytes]:
    """The document piece by piece: what is many is read in pages."""
    marks = await services.receipts.run(lambda store: store.gifts.all_of(account))
    gifts = [{"receipt": receipt.hex(), "marked_at": marked_at} for receipt, marked_at in marks]
    own, others = await _read_log(services, account)
    kept = await services.receipts.run(lambda store: store.acceptances.all_of(account))
    accepted = [
        {"redemption": found.statement.hold.hex(), "acceptance": b64encode(encode_acceptance(found)).decode()}
        for found in kept
    ]
    sealed = await services.receipts.run(lambda store: store.openings.all_of(account))
    opened = [{"proposal": found.proposal.hex(), "choice": found.choice, "salt": found.salt.hex()} for found in sealed]
    written = await services.receipts.run(lambda store: store.texts.all_of(account))
    texts = [
        {"text": found.hex(), "salt": document.salt.hex(), "content": document.text, "kept_at": kept_at}
        for found, document, kept_at in written
    ]
    forms = [
        {
            "campaign": form.campaign.hex(),
            "number": form.number,
            "kept_at": form.kept_at,
            "form": b64encode(form.form).decode(),
        }
        for form in await services.receipts.run(lambda store: store.delivery_forms.all_of(account))
    ]
    kept_here = {
        "acceptances": accepted,
        "delivery_forms": forms,
        "openings": opened,
        "gifts": gifts,
        "reads": own,
        "reads_of_others": others,
        "texts": texts,
        **(await services.receipts.run(lambda store: show_personal(store, account))),
    }
    yield ANSWER.dump_json({**head, **kept_here})[:-1]
    yield b',"receipts":['
    before: int | None = None
    is_first = True
    while True:
        at = before
        rows = await services.receipts.run(
            lambda store, at=at: store.page(account, program=None, period=None, before=at, limit=ROWS_PER_CHUNK)
        )
        for row in rows:
            yield (b"" if is_first else b",") + ANSWER.dump_json(show_whole_receipt(services, row))
            is_first, before = False, row.number
        if len(rows) < ROWS_PER_CHUNK:
            break
    left_out = [{"what": what, "why": why} for what, why in LEFT_OUT]
    yield b'],"left_out":' + ANSWER.dump_json(left_out) + b',"complete":true}'


async def _read_log(services: Services, account: Address) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What was read of the account, and what it read of others."""
    own: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    after = 0
    while True:
        at = after
        rows = await services.receipts.run(
            lambda store, at=at: store.log.all_of(account, after=at, limit=ROWS_PER_CHUNK)
        )
        for row in rows:
            (own if row.member == account else others).append(show_read(services, row))
            after = row.number
        if len(rows) < ROWS_PER_CHUNK:
            return own, others


@router.delete(
    "",
    summary="Delete what can be deleted of the account",
    responses=answers(DeletionAnswer),
    openapi_extra=SIGNED,
)
async def delete_all(request: Request) -> Response:
    """Receipts with their lines, gift marks, the log of reads, shops' acceptances, delivery forms, openings of sealed ballots,
    texts that it wrote, and notes of revocations that a block holds: once this answers, no file of this node has them any more.

    The answer says what remains, and why. Points are not touched. Harmless a second time.
    """
    services = services_of(request)
    account = await authenticate(request)
    await services.consents.ready()
    on_chain = await services.exports.count(account)
    now = services.node.clock.now()
    with services.reader.snapshot() as view:
        ended = services.revocations.ended(view, account)
    deleted = await services.receipts.delete_all(account, now, ended)
    services.revocations.forget(ended)
    services.openings.forget_voter(account)
    services.personal.gate.forget(account)
    as_reader = await services.receipts.run(lambda store: store.log.count_as_reader(account))
    kept = on_chain | {"revocations": len(services.revocations.of_fan(account)), "reads_of_others": as_reader}
    return json_response(
        {
            "account": services.renderer.address(account),
            "time": now,
            "gone": [{"what": what, "count": getattr(deleted, name)} for name, what in GONE],
            "remains": [
                {"what": what, "count": kept.get(name), "why": why}
                for name, what, why in REMAINS
                if kept.get(name) != 0
            ],
        }
    )
