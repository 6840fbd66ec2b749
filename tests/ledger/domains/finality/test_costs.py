"""What the kinds of finality read, cost, and tell whom."""

from ledger.domains.finality.attest import Attest
from ledger.domains.finality.events import (
    AttestorLied,
    CheckpointFinalised,
    CheckpointJustified,
    ReplacementBegun,
    ReplacementCancelled,
    SetChanged,
    SetChosen,
    VoteCounted,
)
from ledger.domains.finality.evidence import GiveEvidence
from ledger.domains.finality.replace_silent import ReplaceSilent
from ledger.domains.finality.set_attestors import SetAttestors
from ledger.domains.finality.state import FINALITY_KEY, SUBJECT, checkpoint_votes_key, liar_key
from ledger.kinds import Cost
from ledger.registry import KINDS
from ledger.types import BlockHash, Height, Timestamp
from tests.support.attested import KEYS, Attested, attestors
from tests.support.shop import FAN

CHAIN = Attested()
MEMBERS = attestors(1, 2)


def test_costs_and_reads() -> None:
    cases = {
        "finality.attest": (
            CHAIN.attestation(0, 4, 0, 1),
            Cost(records=2, signatures=2),
            (FINALITY_KEY, checkpoint_votes_key(Height(4))),
        ),
        "finality.evidence": (
            CHAIN.evidence(0, (0, 4), (0, 4)),
            Cost(records=2, slots=1, signatures=2),
            (FINALITY_KEY, liar_key(KEYS[0])),
        ),
        "finality.set_attestors": (
            CHAIN.choice(MEMBERS, 0, 1, 2),
            Cost(records=3, signatures=3),
            (FINALITY_KEY, liar_key(KEYS[1]), liar_key(KEYS[2])),
        ),
        "finality.replace_silent": (
            CHAIN.replacement(MEMBERS, 9, 10),
            Cost(records=3, signatures=2),
            (FINALITY_KEY, liar_key(KEYS[1]), liar_key(KEYS[2])),
        ),
    }
    assert set(cases) == {name for name in KINDS if name.startswith("finality.")}
    assert [type(case[0]) for case in cases.values()] == [Attest, GiveEvidence, SetAttestors, ReplaceSilent]
    for name, (payload, cost, reads) in cases.items():
        assert KINDS[name].cost(payload) == cost
        assert KINDS[name].reads(FAN.address, payload) == reads


def test_in_whose_history_they_are() -> None:
    height, block_hash, time = Height(4), BlockHash(b"h" * 32), Timestamp(5)
    for event, subjects in (
        (VoteCounted(KEYS[0], height, height), (KEYS[0],)),
        (CheckpointJustified(height, block_hash, 0), (SUBJECT, block_hash)),
        (CheckpointFinalised(height, block_hash), (SUBJECT, block_hash)),
        (AttestorLied(KEYS[0], height), (SUBJECT, KEYS[0])),
        (SetChosen(MEMBERS, height), (SUBJECT,)),
        (ReplacementBegun(MEMBERS, time), (SUBJECT,)),
        (ReplacementCancelled(time), (SUBJECT,)),
        (SetChanged(1, MEMBERS, replaces_silent=False, since_height=height), (SUBJECT,)),
    ):
        assert event.subjects() == subjects
    assert len(SUBJECT) == 32
