"""What one proof says of something that a fan raised: read from what is proven, and from nothing else."""

from dataclasses import dataclass
from typing import Any, Final

from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.state import (
    DONE,
    FUNDED,
    OPEN,
    STATUS_NAMES,
    Campaign,
    FormerPledge,
    Pledge,
    campaign_key,
    campaign_terms_key,
)
from ledger.domains.crowdfunding.terms import CampaignTerms, PointsUnit
from ledger.domains.loyalty.state import Program, program_key
from ledger.domains.rewards.state import Reward, reward_key
from ledger.domains.voice.contributions import ROLE_NAMES, Contribution
from ledger.domains.voice.reviews import STANCE_NAMES, STANDING_NAMES, Review
from ledger.domains.voice.state import (
    OBLIGATION_STATUS_NAMES,
    PROPOSAL_STATUS_NAMES,
    Ballot,
    Obligation,
    Proposal,
    obligation_key,
    proposal_key,
)
from ledger.errors import show_moment
from ledger.proofs import ProofReport, ShownRecord, ShownTransaction
from ledger.transaction import decode_transaction
from ledger.types import Address, CampaignId, Hash, ProgramId, ProposalId, RewardId

PLEDGE: Final = "pledge"
VOTE: Final = "vote"
WORK: Final = "work"
REVIEW: Final = "review"
GONE_BACK: Final = {
    "failed": "The goal was not reached: everything went back.",
    "cancelled": "The creator gave up",
    "rejected": "The backers refused a step",
    "overdue": "The creator did not show a step in time",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that an account did, and what it led to by the state after the proof's block, in words and as `details`."""

    what: str
    account: Address
    id: bytes
    title: str
    did: str
    led_to: str
    details: dict[str, Any]


def tell_fact(report: ProofReport) -> Fact | None:
    """What a proof that holds shows of this kind, by its first claim; None if that is something else."""
    records = {bytes(item.key): item.record for item in report.shown if isinstance(item, ShownRecord)}
    first = report.shown[0]
    if isinstance(first, ShownTransaction):
        return _of_transaction(first, report, records)
    key, record = first.key[1:], first.record
    if isinstance(record, Pledge | FormerPledge):
        return _of_pledge(record, CampaignId(key[:32]), int.from_bytes(key[32:], "big"), records)
    if isinstance(record, Ballot):
        return _of_ballot(record, ProposalId(key[:32]), Address(key[32:]), records)
    if isinstance(record, Contribution):
        return _of_contribution(record, key, records)
    if isinstance(record, Review):
        return _of_review(record, key[:32], Address(key[32:]), records)
    return None


def _of_pledge(
    pledge: Pledge | FormerPledge, campaign_id: CampaignId, number: int, records: dict[bytes, Any]
) -> Fact | None:
    """A pledge, or what one left that came back in part."""
    campaign: Campaign | None = records.get(campaign_key(campaign_id))
    terms: CampaignTerms | None = records.get(campaign_terms_key(campaign_id))
    if campaign is None or terms is None:
        return None
    details: dict[str, Any] = {"campaign": campaign_id.hex(), "number": number, "quantity": pledge.quantity}
    came_back = ""
    if isinstance(pledge, FormerPledge):
        details["came_back"] = pledge.returned
        came_back = f" Of the pledge {_quantity(pledge.returned, terms, records)} came back."
    return Fact(
        PLEDGE,
        pledge.backer,
        campaign_id,
        terms.title,
        f"pledged {_quantity(pledge.quantity, terms, records)}",
        _tell_campaign(campaign, terms) + came_back,
        details | _describe(campaign, terms),
    )


def _of_transaction(shown: ShownTransaction, report: ProofReport, records: dict[bytes, Any]) -> Fact | None:
    """The transaction of a pledge whose record is not shown: it went back, or its backer took it back."""
    transaction = decode_transaction(shown.raw, report.chain_id)
    payload = transaction.payload
    if not isinstance(payload, PledgeMake) or any(shown.results):
        return None
    campaign: Campaign | None = records.get(campaign_key(payload.campaign))
    terms: CampaignTerms | None = records.get(campaign_terms_key(payload.campaign))
    if campaign is None or terms is None:
        return None
    led_to = _tell_campaign(campaign, terms)
    if campaign.status in (OPEN, FUNDED, DONE):
        led_to = f"The pledge is not shown to be on record any more: its backer may have ended it. {led_to}"
    details = {"campaign": payload.campaign.hex(), "quantity": payload.quantity, "txid": shown.txid.hex()}
    return Fact(
        PLEDGE,
        transaction.author,
        payload.campaign,
        terms.title,
        f"pledged {_quantity(payload.quantity, terms, records)} on {show_moment(shown.time)}",
        led_to,
        details | _describe(campaign, terms),
    )


def _quantity(quantity: int, terms: CampaignTerms, records: dict[bytes, Any]) -> str:
    if not isinstance(terms.unit, PointsUnit):
        return f"{quantity:,} coin"
    program: Program | None = records.get(program_key(terms.unit.program))
    if program is None or program.decimals:
        return f"{quantity:,} of the smallest unit of a program's points"
    return f"{quantity:,} {program.unit}"


def _describe(campaign: Campaign, terms: CampaignTerms) -> dict[str, Any]:
    return {
        "status": STATUS_NAMES[campaign.status],
        "goal": terms.goal,
        "pledged": campaign.pledged,
        "released": campaign.released,
        "returned": campaign.returned,
        "late_days": list(campaign.late_days),
        "delivered_at": campaign.delivered_at or None,
    }


def _tell_campaign(campaign: Campaign, terms: CampaignTerms) -> str:
    """What became of a campaign, in a sentence."""
    late = max(campaign.late_days, default=0)
    how_late = f"{late} day{'' if late == 1 else 's'} late" if late else "in time"
    if campaign.status == OPEN:
        return f"Still open: {campaign.pledged:,} of {terms.goal:,} pledged."
    if campaign.status == FUNDED:
        return f"Funded, {len(campaign.late_days)} of {terms.steps} steps taken, {how_late}."
    if campaign.status == DONE:
        if not campaign.delivered_at:
            return f"Funded, and everything was released, {how_late}."
        return f"Funded, and delivered on {show_moment(campaign.delivered_at)}, {how_late}."
    said = GONE_BACK[STATUS_NAMES[campaign.status]]
    if said.endswith("."):
        return said
    left = campaign.escrowed
    on_its_way = f", {left:,} are on their way" if left else ""
    return f"{said}: of {campaign.pledged:,} pledged {campaign.returned:,} went back{on_its_way}."


def _of_ballot(ballot: Ballot, proposal_id: ProposalId, voter: Address, records: dict[bytes, Any]) -> Fact | None:
    proposal: Proposal | None = records.get(proposal_key(proposal_id))
    if proposal is None:
        return None
    obligation: Obligation | None = records.get(obligation_key(proposal_id))
    chosen = [proposal.options[number] for number in ballot.choice]
    winner = proposal.options[proposal.leaders[0]] if proposal.leaders else None
    became = "open" if obligation is None else OBLIGATION_STATUS_NAMES[obligation.status]
    status = PROPOSAL_STATUS_NAMES[proposal.status]
    return Fact(
        VOTE,
        voter,
        proposal_id,
        proposal.title,
        f"voted for {', then '.join(chosen)}" if chosen else "cast a sealed ballot that was not opened",
        _tell_proposal(status, winner, obligation, became),
        {
            "proposal": proposal_id.hex(),
            "program": proposal.program.hex(),
            "chosen": chosen,
            "power": ballot.power,
            "winner": winner,
            "status": status,
            "answer": None if obligation is None else became,
            "due_at": None if obligation is None else obligation.due_at,
            "fulfilled_at": None if obligation is None else obligation.fulfilled_at or None,
            "product": None if obligation is None else obligation.product.hex() or None,
        },
    )


def _tell_proposal(status: str, winner: str | None, obligation: Obligation | None, became: str) -> str:
    """What came out, and what became of the answer."""
    result = (
        f"{winner} won" if winner is not None else "Nothing was counted yet" if status == "voting" else "Nobody won"
    )
    if obligation is None:
        return f"{result}; {status}."
    when = f" on {show_moment(obligation.fulfilled_at)}" if obligation.fulfilled_at else ""
    words = {"open": f"adopted, due by {show_moment(obligation.due_at)}"}.get(became, f"adopted and {became}{when}")
    return f"{result}; {words}."


def _of_contribution(found: Contribution, key: bytes, records: dict[bytes, Any]) -> Fact | None:
    program: Program | None = records.get(program_key(found.program))
    if program is None:
        return None
    product = _title_of(found, records)
    led_to = "The brand has not said what came of it."
    if found.credited_at:
        named = f'"{product}"' if product is not None else found.product.hex()
        led_to = f"It led to {named}, as the brand said on {show_moment(found.credited_at)}."
    return Fact(
        WORK,
        found.fan,
        key,
        program.name,
        f"{ROLE_NAMES[found.role]}, on {show_moment(found.worked_at)}, signed by both",
        led_to,
        {
            "contribution": key.hex(),
            "program": found.program.hex(),
            "mission": found.mission.hex() or None,
            "role": ROLE_NAMES[found.role],
            "work": found.work.hex(),
            "credited_at": found.credited_at or None,
            "product": found.product.hex() or None,
            "product_title": product,
        },
    )


def _title_of(found: Contribution, records: dict[bytes, Any]) -> str | None:
    """The name of what came of it, where the proof holds that."""
    reward: Reward | None = records.get(reward_key(found.program, RewardId(found.product)))
    if reward is not None:
        return reward.name
    terms: CampaignTerms | None = records.get(campaign_terms_key(CampaignId(found.product)))
    return None if terms is None else terms.title


def _of_review(review: Review, subject: bytes, author: Address, records: dict[bytes, Any]) -> Fact | None:
    program: Program | None = records.get(program_key(ProgramId(subject)))
    terms: CampaignTerms | None = records.get(campaign_terms_key(CampaignId(subject)))
    if program is None and terms is None:
        return None
    answered = f"Answered on {show_moment(review.replied_at)}." if review.replies else "It was not answered."
    return Fact(
        REVIEW,
        author,
        Hash(subject),
        terms.title if terms is not None else program.name if program is not None else "",
        f"{STANCE_NAMES[review.stance]}, {review.score} of 5, having {STANDING_NAMES[review.standing.tag]} there",
        answered,
        {
            "subject": subject.hex(),
            "stance": STANCE_NAMES[review.stance],
            "score": review.score,
            "text": review.text.hex() or None,
            "standing": STANDING_NAMES[review.standing.tag],
            "first_at": review.first_at,
            "latest_at": review.latest_at,
            "revisions": review.revisions,
            "replies": review.replies,
        },
    )
