"""Missions, contributions and reviews of the golden chain: what was done and said, what came of it, a revision and two replies."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.domains.voice.contribution_credit import CampaignProduct, ContributionCredit, RewardProduct
from ledger.domains.voice.contribution_record import ContributionRecord
from ledger.domains.voice.contributions import IDEA, TRANSLATING, ContributionSlip, contribution_id_of, sign_slip
from ledger.domains.voice.mission_create import MissionCreate
from ledger.domains.voice.review import ReviewWrite
from ledger.domains.voice.review_reply import ReviewReply
from ledger.domains.voice.reviews import (
    CRITICISE,
    ENDORSE,
    CampaignSubject,
    Contributed,
    Earned,
    PledgeStanding,
    ProgramSubject,
    Redeemed,
)
from ledger.domains.voice.texts import TextDocument, text_hash
from ledger.hashing import object_id
from ledger.transaction import Sponsored
from ledger.types import CampaignId, Hash, MissionId, ProgramId, RewardId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Signer

if TYPE_CHECKING:
    from golden_chain import GoldenChain

OWNER, TILL, FAN, FRIEND, NEWCOMER = (Signer.named(name) for name in ("owner", "till", "fan", "friend", "newcomer"))
WORK = Hash(b"\xb1" * 32)
NO_TEXT = Hash(b"")
TEXTS = [
    TextDocument(bytes([number]) * 32, text)
    for number, text in (
        (1, "Translate the label, line by line."),
        (2, "Der Kaffee war kalt. \u2615"),
        (3, "It came, and it shines."),
        (4, "Now it is warm."),
        (5, "Thank you; we moved the counter."),
    )
]
"""What the hashes of texts stand for: a mission, three reviews, and the two replies."""
ASKED, COLD, SHINES, WARM, THANKS = (text_hash(document) for document in TEXTS)


def _slip_of(
    chain: "GoldenChain", program: ProgramId, fan: Signer, mission: MissionId, role: int
) -> ContributionRecord:
    slip = ContributionSlip(
        version=1,
        program=program,
        fan=fan.address,
        mission=mission,
        role=role,
        work=WORK,
        issuer=TILL.key,
        time=Timestamp(chain.scenario.time - 60),
        salt=bytes(range(role, role + 32)),
    )
    signed = sign_slip(slip, chain.scenario.chain_id, TILL.seeds[0])
    return ContributionRecord(signed.slip, signed.signature)


def add_reviews(chain: "GoldenChain", program: ProgramId, reward: RewardId, campaigns: Sequence[CampaignId]) -> None:
    """A mission, two contributions, what came of them, reviews of the program and of two campaigns, a revision, and two replies.

    The first campaign is the friend's, and the fan has pledged to it; the second is the owner's, with a pledge of the friend.
    """
    sign, pool = chain.scenario.sign, Sponsored(program)
    until = Timestamp(chain.scenario.time + 30 * DAY_SECONDS)
    create = sign("mission.create", MissionCreate(program, "Translate the label", ASKED, until, 2), author=OWNER)
    mission = MissionId(object_id("mission", create.txid, 0))
    chain.add((create,))
    helped = _slip_of(chain, program, FAN, mission, TRANSLATING)
    thought = _slip_of(chain, program, NEWCOMER, MissionId(b""), IDEA)
    chain.add(
        (
            sign("contribution.record", helped, author=FAN),
            sign("contribution.record", thought, author=NEWCOMER, payment=pool),
        )
    )
    done, idea = contribution_id_of(helped.slip), contribution_id_of(thought.slip)
    shop, backed = ProgramSubject(program), PledgeStanding(campaigns[0], 0)
    lamps, ovens = (CampaignSubject(campaign) for campaign in campaigns)
    chain.add(
        (
            sign("contribution.credit", ContributionCredit(done, CampaignProduct(campaigns[1])), author=OWNER),
            sign("contribution.credit", ContributionCredit(idea, RewardProduct(reward)), author=OWNER),
            sign("review", ReviewWrite(shop, Redeemed(), CRITICISE, 2, COLD), author=FAN),
            sign("review", ReviewWrite(lamps, backed, ENDORSE, 5, SHINES), author=FAN),
            sign("review", ReviewWrite(ovens, Contributed(done), ENDORSE, 4, NO_TEXT), author=FAN),
            sign("review", ReviewWrite(shop, PledgeStanding(campaigns[1], 0), ENDORSE, 3, NO_TEXT), author=FRIEND),
        )
    )
    chain.add(
        (
            sign("review", ReviewWrite(shop, Earned(), ENDORSE, 3, WARM), author=FAN),
            sign("review.reply", ReviewReply(shop, FAN.address, THANKS), author=OWNER),
            sign("review.reply", ReviewReply(lamps, FAN.address, THANKS), author=FRIEND),
        )
    )
