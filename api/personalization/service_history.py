"""A fan's history at hand for a program's service staff: as far as the fan let it, for as long, for a stated reason (spec PER-8).

`consent_gate` alone reads by this module: `service_parts` says which parts the fan opened, the others read them. Nothing of it goes
into a profile, a message or a figure, and what a fan criticised is shown as what it said to the brand: nothing is computed from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from api.consent.gate import ConsentGate
from api.http.standing import show_pledge, show_standing
from api.personalization.candidates import QUESTION
from api.personalization.chain_facts import is_of_program
from api.receipts.inbox import KeptMessage
from api.receipts.store import KeptReceipt, ReceiptStore
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.crowdfunding.state import Campaign, campaign_key
from ledger.domains.loyalty.state import Member, Program, member_key, program_key
from ledger.domains.voice.reviews import STANCE_NAMES, Review, review_key
from ledger.errors import Code
from ledger.types import Address, CampaignId, Hash, ProgramId
from node.store.reader import HistoryRow, Position, Snapshot

SERVICE: Final = "service"
"""The scope, granted by its name, that opens all parts; `service/PART` opens one."""
STANDING: Final = "standing"
RECEIPTS: Final = "receipts"
CAMPAIGNS: Final = "campaigns"
VOICE: Final = "voice"
MESSAGES: Final = "messages"
PARTS: Final = (STANDING, RECEIPTS, CAMPAIGNS, VOICE, MESSAGES)
CONSENT_SECONDS_MAX: Final = 30 * 86_400
"""A consent for service ends so long after it was granted, whatever it says: help is asked for a case, not for ever."""
SCANNED_MAX: Final = 2_000
"""Rows of a fan's history, or of its lists, that are looked through for those of the program."""
ROWS_READ: Final = 200
POINTS_EVENTS: Final = frozenset(
    {"member.joined", "member.left", "points.earned", "points.adjusted", "points.reversed", "tier.reached"}
)
REDEEM_EVENTS: Final = frozenset({"redeem.opened", "redeem.fulfilled", "redeem.refunded", "redeem.released"})

NOT_GRANTED: Final = Code(
    "service.not_granted",
    "the fan has not opened its history to this program's service staff, or not any more",
    "Ask the fan: `fansumer wallet consent grant PROGRAM --purpose personalise --scope service --minutes 30`.",
)


@dataclass(frozen=True, slots=True)
class Look:
    """Who looks and why, as the fan is told: the account that signed, what its holder is called at the shop, and the reason."""

    reader: Address
    staff: str
    why: str
    limit: int


@dataclass(frozen=True, slots=True)
class Section:
    """The latest rows of one kind; `has_more`: there are older ones."""

    rows: Sequence[Any] = ()
    has_more: bool = False

    @staticmethod
    def of(rows: Sequence[Any], limit: int) -> "Section":
        """The first `limit` of some more."""
        return Section(rows[:limit], len(rows) > limit)


@dataclass(frozen=True, slots=True)
class ServiceHistory:
    """What a look gives. `parts` are those that the fan opened, each with the time at which that ends; the others are empty."""

    parts: dict[str, int]
    standing: dict[str, Any] | None = None
    points: Section = Section()
    redemptions: Section = Section()
    pledges: Section = Section()
    said: Section = Section()
    receipts: Section = Section()
    messages: Section = Section()

    @property
    def count(self) -> int:
        """How many items were given: what the fan's log says."""
        sections = (self.points, self.redemptions, self.pledges, self.said, self.receipts, self.messages)
        return sum(len(section.rows) for section in sections) + (self.standing is not None)


def service_parts(consents: ConsentGate, view: Snapshot, fan: Address, program: ProgramId, now: int) -> dict[str, int]:
    """The parts that are open now, each with the time at which its consent ends."""
    found: dict[str, int] = {}
    for part in PARTS:
        for scope in (SERVICE, f"{SERVICE}/{part}"):
            consent = consents.find_active(view, fan, program, PERSONALISE, scope, by_name=True)
            if consent is not None:
                last = consent.granted_at + CONSENT_SECONDS_MAX
                until = min(consent.expires_at or last, last)
                if now < until:
                    found[part] = max(found.get(part, 0), until)
    return found


def read_chain(
    view: Snapshot, fan: Address, program_id: ProgramId, parts: dict[str, int], limit: int
) -> dict[str, Any]:
    """The sections that the chain holds, as fields of `ServiceHistory`. The fan is, or was, a member."""
    found: dict[str, Any] = {}
    program: Program = view.record(program_key(program_id))
    if STANDING in parts:
        member: Member = view.record(member_key(program_id, fan))
        held = sum(hold.points for _, hold in view.open_holds(fan) if hold.program == program_id)
        found["standing"] = show_standing(view, program_id, program, member, view.tip().header.time, held)
        found["points"] = Section.of(_find_events(view, fan, program_id, POINTS_EVENTS, limit + 1), limit)
        found["redemptions"] = Section.of(_find_events(view, fan, program_id, REDEEM_EVENTS, limit + 1), limit)
    if CAMPAIGNS in parts:
        found["pledges"] = Section.of(list(_find_pledges(view, fan, program_id, program))[: -limit - 2 : -1], limit)
    if VOICE in parts:
        said = sorted(_find_said(view, fan, program_id, program), key=lambda one: one["at"], reverse=True)
        found["said"] = Section.of(said, limit)
    return found


def _find_events(
    view: Snapshot, fan: Address, program: ProgramId, names: frozenset[str], wanted: int
) -> list[HistoryRow]:
    found: list[HistoryRow] = []
    place: Position | None = None
    for _ in range(SCANNED_MAX // ROWS_READ):
        rows = view.history(fan, place, ROWS_READ)
        found += [row for row in rows if row.event.name in names and getattr(row.event, "program", None) == program]
        if len(rows) < ROWS_READ or len(found) >= wanted:
            break
        place = (rows[-1].height, rows[-1].sequence)
    return found[:wanted]


def _find_pledges(view: Snapshot, fan: Address, program_id: ProgramId, program: Program) -> Iterator[dict[str, Any]]:
    """From the events, the oldest first: the record of a pledge that went back is deleted."""
    for row in view.listed_last(fan, "account_pledge", SCANNED_MAX):
        campaign_id = CampaignId(row.id[:32])
        campaign: Campaign | None = view.record(campaign_key(campaign_id))
        if campaign is None or not is_of_program(view, campaign_id, program_id, program):
            continue
        yield show_pledge(view, campaign_id, campaign, row.position)


def _find_said(view: Snapshot, fan: Address, program_id: ProgramId, program: Program) -> Iterator[dict[str, Any]]:
    for row in view.listed_last(fan, "account_review", SCANNED_MAX):
        is_own = row.id == program_id or is_of_program(view, CampaignId(row.id), program_id, program)
        review: Review | None = view.record(review_key(Hash(row.id), fan)) if is_own else None
        if review is not None:
            yield {
                "subject": row.id.hex(),
                "stance": STANCE_NAMES[review.stance],
                "score": review.score,
                "at": review.latest_at,
                "text": review.text.hex() or None,
                "replied_at": review.replied_at or None,
            }


def read_store(
    store: ReceiptStore,
    fan: Address,
    program: ProgramId,
    found: dict[str, Any],
    parts: dict[str, int],
    look: Look,
    now: int,
) -> ServiceHistory:
    """The whole history: what the chain gave, and what this node keeps. Gifts and messages that were held out are left out."""
    more: dict[str, Any] = {}
    if RECEIPTS in parts:
        kept: list[KeptReceipt] = store.page(
            fan, program=program, period=None, before=None, limit=look.limit + 1, with_gifts=False
        )
        more["receipts"] = Section.of(kept, look.limit)
    if MESSAGES in parts:
        gifts = {receipt.hex() for receipt, _ in store.gifts.all_of(fan)}
        sent: list[KeptMessage] = [
            one
            for one in store.inbox.all_of(fan, program)
            if not one.is_held_out and one.ready_at <= now and one.topic != QUESTION and not gifts & _receipts_of(one)
        ]
        more["messages"] = Section.of(sorted(sent, key=lambda one: (-one.ready_at, one.id)), look.limit)
    if "said" in found:
        section: Section = found["said"]
        more["said"] = replace(
            section, rows=[{**one, "content": _find_text(store, one["text"])} for one in section.rows]
        )
    return ServiceHistory(parts=parts, **{**found, **more})


def _receipts_of(message: KeptMessage) -> set[str]:
    """The receipts that a message rested on."""
    return set(message.document.get("receipts", ()))


def _find_text(store: ReceiptStore, text: str | None) -> str | None:
    """What was written, where this node has it: it is public by its hash."""
    document = None if text is None else store.texts.get(Hash(bytes.fromhex(text)))
    return None if document is None else document.text
