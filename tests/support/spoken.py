"""What fans say and do around a shop: a mission, a contribution to it, a review with its text, and the shop's reply."""

from dataclasses import dataclass

from ledger.domains.loyalty.state import SCOPES_ALL
from ledger.domains.voice.contribution_record import ContributionRecord
from ledger.domains.voice.contributions import (
    TESTING,
    ContributionSlip,
    SignedSlip,
    contribution_id_of,
    sign_slip,
)
from ledger.domains.voice.mission_create import MissionCreate
from ledger.domains.voice.review import ReviewWrite
from ledger.domains.voice.review_reply import ReviewReply
from ledger.domains.voice.reviews import CRITICISE, Earned, ProgramSubject
from ledger.domains.voice.texts import TextDocument, text_hash
from ledger.hashing import object_id
from ledger.types import ContributionId, MissionId, Timestamp
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.shop import FAN, OWNER, TILL, some_hash

ASKED = TextDocument(b"a" * 32, "Read the label aloud.")
CRITICISM = TextDocument(b"c" * 32, "The lamp flickers.")
REPLY = TextDocument(b"r" * 32, "We replace it.")


@dataclass(frozen=True)
class Spoken:
    """Ids of what was said and done."""

    mission: MissionId
    contribution: ContributionId
    texts: tuple[TextDocument, ...] = (ASKED, CRITICISM, REPLY)


def slip_of(shop: LiveShop, fan: Signer, mission: MissionId, number: int = 0) -> SignedSlip:
    """The till's slip for a fan."""
    slip = ContributionSlip(
        version=1,
        program=shop.program,
        fan=fan.address,
        mission=mission,
        role=TESTING,
        work=some_hash("work", number),
        issuer=TILL.key,
        time=Timestamp(shop.now),
        salt=number.to_bytes(32, "big"),
    )
    return sign_slip(slip, shop.node.chain.chain_id, TILL.seeds[0])


def speak(shop: LiveShop) -> Spoken:
    """FAN, who has earned, helps and criticises; the owner replies."""
    chain = shop.chain
    shop.grant(TILL, scopes=SCOPES_ALL)
    until = Timestamp(shop.now + 30 * DAY_SECONDS)
    chain.send(
        "mission.create", MissionCreate(shop.program, "Test the label", text_hash(ASKED), until, 5), author=OWNER
    )
    mission = MissionId(object_id("mission", chain.last_txid, 0))
    signed = slip_of(shop, FAN, mission)
    chain.send("contribution.record", ContributionRecord(signed.slip, signed.signature), author=FAN)
    subject = ProgramSubject(shop.program)
    chain.send("review", ReviewWrite(subject, Earned(), CRITICISE, 2, text_hash(CRITICISM)), author=FAN)
    chain.send("review.reply", ReviewReply(subject, FAN.address, text_hash(REPLY)), author=OWNER)
    return Spoken(mission, contribution_id_of(signed.slip))
