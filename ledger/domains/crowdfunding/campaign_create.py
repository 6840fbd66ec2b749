"""`campaign.create`: a creator asks fans to back a product before it exists (spec CRF-1)."""

from ledger.coin import lock_deposit
from ledger.domains.crowdfunding.decisions import decide_at
from ledger.domains.crowdfunding.events import CampaignCreated
from ledger.domains.crowdfunding.state import OPEN, Campaign, campaign_key, campaign_terms_key
from ledger.domains.crowdfunding.terms import CampaignTerms, PointsUnit, check_terms
from ledger.domains.loyalty.program_sunset import refuse_closed
from ledger.domains.loyalty.program_update import NOT_OWNER
from ledger.domains.loyalty.state import load_program, program_key
from ledger.errors import Code, RuleViolation
from ledger.hashing import object_id
from ledger.kinds import APPLIED, Call, Context, Cost, Kind
from ledger.params import CAMPAIGN_DUE_SECONDS_MAX, CAMPAIGN_MILESTONES_MAX, CAMPAIGN_SECONDS_MAX, SHARES
from ledger.schema import Struct
from ledger.state import RuleView
from ledger.types import Address, CampaignId, Height, ProgramId, RecordKey, Timestamp

BAD_DEADLINE = Code(
    "campaign.deadline",
    "the deadline {deadline:time} is not within the next 400 days of {now:time}",
    "Choose a deadline in the future, at most 400 days away.",
)
TOO_LONG = Code(
    "campaign.too_long",
    "the last step is due at {last:time}, later than {latest:time}, five years from now",
    "Promise what can be held within five years.",
)


def apply(view: RuleView, call: Call, payload: CampaignTerms, context: Context) -> tuple[str, ...]:
    """Codes in order: `campaign.deadline`, `campaign.too_long`, `program.unknown`, `program.closed`, `program.not_owner`,
    `coin.insufficient` or `coin.pool_insufficient`.

    The payload is the terms as they are kept. The campaign's id is `object_id("campaign", txid, 0)`.
    """
    if not context.time < payload.deadline <= context.time + CAMPAIGN_SECONDS_MAX:
        raise RuleViolation(BAD_DEADLINE, deadline=payload.deadline, now=context.time)
    latest = context.time + CAMPAIGN_DUE_SECONDS_MAX
    if payload.last_due > latest:
        raise RuleViolation(TOO_LONG, last=payload.last_due, latest=latest)
    program_id = ProgramId(b"")
    if isinstance(payload.unit, PointsUnit):
        program_id = payload.unit.program
        program = load_program(view, program_id)
        refuse_closed(program, context.time)
        if program.owner != (payload.unit.licensor or call.author):
            raise RuleViolation(NOT_OWNER)
    deposit = lock_deposit(view, call, context)
    campaign_id = CampaignId(object_id("campaign", call.txid, 0))
    campaign = Campaign(
        creator=call.author,
        payer=call.payer,
        deposit=deposit,
        unit=payload.unit,
        status=OPEN,
        pledged=0,
        weight=0,
        own_weight=0,
        escrowed=0,
        released=0,
        returned=0,
        pledges=0,
        taken=(0,) * len(payload.tiers),
        added=(0,) * len(payload.add_ons),
        stage=0,
        until=Timestamp(0),
        until_height=Height(0),
        step=0,
        shares_left=SHARES,
        attempt=1,
        round=0,
        submitted_at=Timestamp(0),
        basis=0,
        yes=0,
        no=0,
        late_days=(),
        delivered_at=Timestamp(0),
        updates=0,
        refund_total=0,
        refund_weight=0,
        backing=0,
    )
    view.put(campaign_terms_key(campaign_id), payload)
    view.put(campaign_key(campaign_id), decide_at(view, campaign_id, campaign, payload.deadline, context))
    view.emit(
        CampaignCreated(campaign_id, call.author, payload.title, payload.goal, payload.deadline, program_id),
    )
    return (APPLIED,)


def cosigners(payload: CampaignTerms) -> tuple[Address, ...]:
    """The owner of a program whose points another one collects."""
    return (payload.unit.licensor,) if isinstance(payload.unit, PointsUnit) and payload.unit.licensor else ()


def cost(payload: CampaignTerms) -> Cost:
    """Campaign, terms and due item are made, the payer touched. Settlement and each step that there can be leave a decision."""
    return Cost(records=4, slots=3, due=2 + CAMPAIGN_MILESTONES_MAX)


def reads(author: Address, payload: CampaignTerms) -> tuple[RecordKey, ...]:
    """The program whose points are collected."""
    return (program_key(payload.unit.program),) if isinstance(payload.unit, PointsUnit) else ()


CAMPAIGN_CREATE = Kind(
    name="campaign.create",
    anchor="CRF-1",
    payload=Struct(CampaignTerms),
    apply=apply,
    cost=cost,
    reads=reads,
    cosigners=cosigners,
    check=check_terms,
)
