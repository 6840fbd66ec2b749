"""Texts off the chain and their hashes, and the records that missions, contributions and reviews look at."""

import pytest

from ledger.domains.voice.contribution_credit import CONTRIBUTION_CREDIT, CampaignProduct, ContributionCredit
from ledger.domains.voice.contribution_record import CONTRIBUTION_RECORD, ContributionRecord
from ledger.domains.voice.contributions import TESTING, ContributionSlip, contribution_key, mission_key
from ledger.domains.voice.mission_create import MISSION_CREATE, MissionCreate
from ledger.domains.voice.review import REVIEW, ReviewWrite
from ledger.domains.voice.review_reply import REVIEW_REPLY, ReviewReply
from ledger.domains.voice.reviews import ENDORSE, CampaignSubject, Earned, review_key, scores_key, subject_key
from ledger.domains.voice.texts import TextDocument, decode_text, encode_text, text_hash
from ledger.errors import Malformed
from ledger.types import CampaignId, ContributionId, Hash, MissionId, ProgramId, Signature, Timestamp
from tests.support.shop import FAN, OWNER, TILL, some_hash

PROGRAM, MISSION = ProgramId(b"p" * 32), MissionId(b"m" * 32)


def test_a_text_is_known_by_the_hash_of_its_document() -> None:
    document = TextDocument(b"s" * 32, "Gr\u00fc\u00dfe")
    assert decode_text(encode_text(document)) == document
    assert text_hash(document) != text_hash(TextDocument(b"t" * 32, document.text))
    with pytest.raises(Malformed):
        decode_text(b"\x90")


def test_kinds_say_which_records_they_look_at() -> None:
    slip = ContributionSlip(
        1, PROGRAM, FAN.address, MISSION, TESTING, some_hash("work"), TILL.key, Timestamp(1), bytes(32)
    )
    record = ContributionRecord(slip, Signature(bytes(64)))
    assert mission_key(MISSION) in CONTRIBUTION_RECORD.reads(FAN.address, record)
    contribution = ContributionId(b"c" * 32)
    credit = ContributionCredit(contribution, CampaignProduct(CampaignId(b"f" * 32)))
    assert contribution_key(contribution) in CONTRIBUTION_CREDIT.reads(OWNER.address, credit)
    create = MissionCreate(PROGRAM, "Help", some_hash("text"), Timestamp(9), 0)
    assert len(MISSION_CREATE.reads(OWNER.address, create)) == 1
    subject = CampaignSubject(CampaignId(b"f" * 32))
    review = ReviewWrite(subject, Earned(), ENDORSE, 5, Hash(b""))
    keys = (subject_key(subject), review_key(subject.id, FAN.address), scores_key(subject.id))
    assert REVIEW.reads(FAN.address, review) == keys
    assert set(REVIEW_REPLY.reads(OWNER.address, ReviewReply(subject, FAN.address, some_hash("text")))) >= {keys[0]}
