"""`program.update`: new terms; what could worsen a fan's position waits for the notice (spec LOY-3)."""

from dataclasses import dataclass
from typing import Annotated

from ledger.domains.loyalty.contest_security import lock_growth, reserve_for_contests
from ledger.domains.loyalty.events import ProgramUpdated
from ledger.domains.loyalty.program_sunset import NOT_OWNER, refuse_worse
from ledger.domains.loyalty.state import (
    Program,
    Terms,
    books_key,
    load_books,
    load_program,
    load_terms,
    program_key,
    terms_key,
)
from ledger.domains.loyalty.terms import check_sponsor_rate, check_terms, is_worse
from ledger.errors import Code, RuleViolation
from ledger.evolve import replace
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CONTEST_KEEP_SECONDS, TERMS_VERSIONS_MAX
from ledger.schema import Integer, Struct, identifier
from ledger.state import RuleView
from ledger.types import Address, ProgramId, RecordKey, Timestamp

STALE_VERSION = Code(
    "program.stale_version",
    "the update follows version {expected}, and the latest is {latest}",
    "Read the program again and base the update on its latest version.",
)
UPDATE_PENDING = Code(
    "program.update_pending",
    "version {version} is announced and not yet in force; a second change for the worse must wait",
    "Wait until it is in force, or publish an improvement, which withdraws it.",
)
CAP_BELOW_ISSUED = Code(
    "program.cap_below_issued",
    "the issuance cap {cap} is below the {issued} points issued and promised",
    "Choose a higher cap.",
)
TOO_MANY_VERSIONS = Code(
    "program.too_many_versions", "{count} versions are still needed", "Wait until receipts under old ones are settled."
)

VERSION_KEEP_SECONDS = CONTEST_KEEP_SECONDS + 124 * 86_400
"""A version is kept as long as a receipt under it can be settled (period and grace) or contested."""


@dataclass(frozen=True, slots=True)
class ProgramUpdate:
    """The complete new terms, and the latest version that they were written against."""

    program: Annotated[ProgramId, identifier()]
    latest_version: Annotated[int, Integer(1, 2**31 - 2)]
    terms: Annotated[Terms, Struct(Terms)]


def check(payload: ProgramUpdate) -> None:
    """Terms that contradict themselves are malformed."""
    check_terms(payload.terms)


def apply(view: RuleView, call: Call, payload: ProgramUpdate, context: Context) -> tuple[str, ...]:
    """Codes in order: `program.unknown`, `program.not_owner`, `program.stale_version`, `program.sponsor_rate`,
    `program.cap_below_issued`, `program.ending`, `program.update_pending`, `program.too_many_versions`,
    `program.collateral_too_large`, `coin.insufficient` or `coin.pool_insufficient`.
    """
    program = load_program(view, payload.program)
    if call.author != program.owner:
        raise RuleViolation(NOT_OWNER)
    latest = max(version for version, _ in program.versions)
    if payload.latest_version != latest:
        raise RuleViolation(STALE_VERSION, expected=payload.latest_version, latest=latest)
    check_sponsor_rate(payload.terms, context.params.fee_rate_min)
    books = load_books(view, payload.program)
    uncounted = books.contest_points_credited + books.challenge_points_reversed
    issued = books.issued + books.challenge_points + books.offered - uncounted
    if payload.terms.issuance_cap < issued:
        raise RuleViolation(CAP_BELOW_ISSUED, cap=payload.terms.issuance_cap, issued=issued)
    effective_from = _effective_from(view, payload, program, context)
    in_force = tuple(item for item in program.versions if item[1] <= context.time)
    versions = _with_version(in_force, latest + 1, effective_from, context.time)
    view.put(program_key(payload.program), replace(program, versions=versions))
    view.put(terms_key(payload.program, latest + 1), payload.terms)
    _reserve_for_contests(view, call, payload)
    view.emit(ProgramUpdated(payload.program, latest + 1, effective_from))
    return (APPLIED,)


def _reserve_for_contests(view: RuleView, call: Call, payload: ProgramUpdate) -> None:
    """Let the room for contests, and the coin that is put aside for it, grow with the new terms (spec LOY-14, COL-2)."""
    before = load_books(view, payload.program)
    lock_growth(view, call, before, reserve_for_contests(before, payload.terms))
    # The pool itself may have paid.
    view.put(books_key(payload.program), reserve_for_contests(load_books(view, payload.program), payload.terms))


def _effective_from(view: RuleView, payload: ProgramUpdate, program: Program, context: Context) -> Timestamp:
    """When the new terms begin. An improvement begins at once, and what was announced before it never does."""
    in_force = load_terms(view, payload.program, program.version_at(context.time))
    if not is_worse(in_force, payload.terms, today=program.day_at(context.time)):
        return context.time
    refuse_worse(program)
    pending = program.pending_version(context.time)
    if pending is not None:
        raise RuleViolation(UPDATE_PENDING, version=pending)
    return Timestamp(context.time + in_force.notice_days * 86_400)


def _with_version(
    in_force: tuple[tuple[int, int], ...], version: int, effective_from: Timestamp, now: Timestamp
) -> tuple[tuple[int, int], ...]:
    """Versions by time, without those that were replaced before `VERSION_KEEP_SECONDS`."""
    ordered = sorted((*in_force, (version, effective_from)), key=lambda item: (item[1], item[0]))
    kept = [
        item
        for item, following in zip(ordered, [*ordered[1:], None], strict=True)
        if following is None or following[1] >= now - VERSION_KEEP_SECONDS
    ]
    if len(kept) > TERMS_VERSIONS_MAX:
        raise RuleViolation(TOO_MANY_VERSIONS, count=len(in_force))
    return tuple(kept)


def cost(payload: ProgramUpdate) -> Cost:
    """The program and its books change, and terms are made."""
    return Cost(records=3, slots=1)


def reads(author: Address, payload: ProgramUpdate) -> tuple[RecordKey, ...]:
    """The program."""
    return (program_key(payload.program),)


PROGRAM_UPDATE = Kind(
    name="program.update",
    anchor="LOY-3",
    payload=Struct(ProgramUpdate),
    apply=apply,
    cost=cost,
    reads=reads,
    check=check,
)
