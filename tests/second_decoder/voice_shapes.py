"""Shapes of voice and participation, copied from the prose: kinds and records of VOI, MIS and REV."""

# As KIND_SHAPES of layouts.
VOICE_KINDS = {
    # VOI-1, VOI-3, VOI-4, VOI-6, VOI-7
    "proposal.create": (
        """[program: id, title: text 1..128, text: id, options: list 2..16 of text 1..64, method: int 0..2, mode: int 0..1,
            weight: ballot_weight, quorum: int 1..2^32-1, voting_until: int 0..2^40, reveal_until: int 0..2^40]""",
        4,
        3,
        3,
        False,
    ),
    "ballot.cast": (
        "[proposal: id, choice: list 1..16 of int 0..15, proofs: list 1..8 of power_proof]",
        3,
        1,
        0,
        False,
    ),
    "ballot.commit": ("[proposal: id, commitment: id, proofs: list 1..8 of power_proof]", 3, 1, 0, False),
    "ballot.reveal": ("[proposal: id, voter: id, choice: list 1..16 of int 0..15, salt: bytes 32]", 2, 0, 0, True),
    "proposal.respond": (
        "[proposal: id, answer: one of: 0 Adopt[due_at: int 0..2^40, product: id?], 1 Decline[], why: id]",
        3,
        2,
        1,
        False,
    ),
    "obligation.fulfil": ("[proposal: id, evidence: id]", 1, 0, 0, False),
    # MIS-1, MIS-3, MIS-4
    "mission.create": (
        "[program: id, title: text 1..128, text: id, until: int 0..2^40, places: int 0..2^31-1]",
        2,
        1,
        0,
        False,
    ),
    "contribution.record": ("[slip: slip, signature: bytes 64]", 3, 1, 0, False),
    "contribution.credit": (
        "[contribution: id, product: one of: 0 CampaignProduct[campaign: id], 1 RewardProduct[reward: id]]",
        1,
        0,
        0,
        False,
    ),
    # REV-3, REV-4
    "review": ("[subject, standing, stance: int 0..1, score: int 1..5, text: id?]", 4, 2, 0, False),
    "review.reply": ("[subject, author: id, text: id]", 2, 0, 0, False),
}

# As RECORD_SHAPES of layouts.
VOICE_RECORDS = {
    "o": (
        "Obligation",
        "proposal:id",
        """[payer, deposit, program: id, due_at: int 0..2^40, grace_until: int 0..2^40, grace_height: int 0..2^32-1, product: id?,
            status: int 0..3, fulfilled_at: int 0..2^40, evidence: id?]""",
    ),
    "p": (
        "Proposal",
        "proposal:id",
        """[payer, deposit, program: id, proposer: id, title: text 1..128, text: id, options: list 2..16 of text 1..64,
            method: int 0..2, mode: int 0..1, weight: ballot_weight, quorum: int 1..2^32-1, snapshot_height: int 0..2^32-1,
            snapshot_at: int 0..2^40, snapshot_root: id, snapshot_slots: int 1..M, electorate: int 0..M,
            voting_until: int 0..2^40, voting_height: int 0..2^32-1, reveal_until: int 0..2^40, reveal_height: int 0..2^32-1,
            status: int 0..6, leaders: list 0..16 of int 0..15, answer_by: int 0..2^40, answer_height: int 0..2^32-1,
            answered_at: int 0..2^40, why: id?]""",
    ),
    "t": (
        "Tally",
        "proposal:id",
        """[counted: int 0..2^32-1, committed: int 0..2^32-1, power: int 0..M, largest: int 0..M, squares: bytes 32,
            counts: list 2..144 of int 0..M, ages: list 6..6 of [voters: int 0..2^32-1, power: int 0..M]]""",
    ),
    "v": (
        "Ballot",
        "proposal:id voter:id",
        """[payer, deposit, prepaid, power: int 1..M, age: int 0..5, commitment: id?, choice: list 0..16 of int 0..15,
            cast_at: int 0..2^40]""",
    ),
    "m": (
        "Mission",
        "mission:id",
        """[payer, deposit, program: id, title: text 1..128, text: id, until: int 0..2^40, places: int 0..2^31-1,
            taken: int 0..2^31-1]""",
    ),
    "c": (
        "Contribution",
        "contribution:id",
        """[payer, deposit, program: id, fan: id, mission: id?, role: int 0..3, work: id, issuer: id, worked_at: int 0..2^40,
            recorded_at: int 0..2^40, credited_at: int 0..2^40, product: id?]""",
    ),
    "r": (
        "Review",
        "subject:id author:id",
        """[payer, deposit, stance: int 0..1, score: int 1..5, text: id?, standing, first_at: int 0..2^40,
            latest_at: int 0..2^40, revisions: int 1..M, reply: id?, replied_at: int 0..2^40, replies: int 0..M]""",
    ),
    "s": (
        "Scores",
        "subject:id",
        "[endorsing: list 5..5 of int 0..M, criticising: list 5..5 of int 0..M, replies: int 0..M]",
    ),
}
