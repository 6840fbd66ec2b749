"""Answers about proposals, ballots and promises."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from api.http.schemas.answer import (
    BASE64_PATTERN,
    EXAMPLE_ADDRESS,
    EXAMPLE_CURSOR,
    EXAMPLE_DATE,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    EXAMPLE_TXID,
    Answer,
    Example,
    PageAnswer,
)

Method = Literal["single", "approval", "ranked"]
Mode = Literal["open", "sealed"]
Status = Literal["voting", "revealing", "ended", "adopted", "declined", "silent", "lapsed"]


class WeightItem(Answer):
    """What a ballot weighs: one for each member; points earned past the return window, at most `cap`; or pledges to `campaign`."""

    type: Literal["each_member", "earned_points", "pledged_to"]
    cap: int | None
    campaign: str | None

    EXAMPLE: ClassVar[Example] = {"type": "each_member", "cap": None, "campaign": None}


class OptionItem(Answer):
    """One option. `power` null: options are ranked, and compared in pairs."""

    number: int
    text: str
    power: int | None

    EXAMPLE: ClassVar[Example] = {"number": 0, "text": "rye", "power": 12}


class ConcentrationItem(Answer):
    """How much of the power few ballots hold. `squares`: the sum of the squares of all powers, 32 bytes in hex."""

    largest: int
    largest_share_per_mille: int
    squares: str
    effective_voters_hundredths: int

    EXAMPLE: ClassVar[Example] = {
        "largest": 1,
        "largest_share_per_mille": 58,
        "squares": "00" * 31 + "11",
        "effective_voters_hundredths": 1_700,
    }


class AgeItem(Answer):
    """Voters whose membership was so old at the snapshot."""

    membership: str
    voters: int
    power: int

    EXAMPLE: ClassVar[Example] = {"membership": "90 to 364 days", "voters": 9, "power": 9}


class TallyItem(Answer):
    """What was counted. `leaders` are the options that nobody beat, by number; the first of them is the `winner`.

    `pairwise` row i, column j: the power of those who prefer option i to j. `abstained`: sealed ballots that nobody opened.
    """

    counted: int
    committed: int
    abstained: int
    power: int
    quorum: int
    quorum_met: bool
    options: list[OptionItem]
    pairwise: list[list[int]] | None
    leaders: list[int]
    winner: int | None
    concentration: ConcentrationItem
    ages: list[AgeItem]
    in_words: str

    EXAMPLE: ClassVar[Example] = {
        "counted": 17,
        "committed": 0,
        "abstained": 0,
        "power": 17,
        "quorum": 3,
        "quorum_met": True,
        "options": [OptionItem.EXAMPLE, {"number": 1, "text": "spelt", "power": 5}],
        "pairwise": None,
        "leaders": [0],
        "winner": 0,
        "concentration": ConcentrationItem.EXAMPLE,
        "ages": [AgeItem.EXAMPLE],
        "in_words": '"rye" won; 17 voters of 250 who might vote are counted; the quorum of 3 is met; ...',
    }


class ObligationItem(Answer):
    """What adopting led to. `product`: a campaign or a reward. `evidence`: hash of what the owner shows for it."""

    status: Literal["open", "kept", "late", "broken"]
    due_at: int
    due_date: str
    grace_until: int
    product: str | None
    fulfilled_at: int | None
    days_late: int
    evidence: str | None

    EXAMPLE: ClassVar[Example] = {
        "status": "open",
        "due_at": EXAMPLE_TIME,
        "due_date": EXAMPLE_DATE,
        "grace_until": EXAMPLE_TIME + 2_592_000,
        "product": None,
        "fulfilled_at": None,
        "days_late": 0,
        "evidence": None,
    }


class SnapshotItem(Answer):
    """The state that decides who may vote: after the block at `height`."""

    height: int
    time: int
    root: str
    slots: int
    electorate: int

    EXAMPLE: ClassVar[Example] = {
        "height": 1_440,
        "time": EXAMPLE_TIME,
        "root": "c4" * 32,
        "slots": 1_024,
        "electorate": 250,
    }


class ProposalAnswer(Answer):
    """A proposal, how far it has come, and what was counted so far.

    `text` and `why` are hashes of texts: `GET /v1/texts/{text}`.
    """

    id: str
    program: str
    proposer: str
    title: str
    text: str
    method: Method
    mode: Mode
    weight: WeightItem
    binding: bool
    status: Status
    snapshot: SnapshotItem
    voting_until: int
    voting_until_date: str
    voting_height: int
    reveal_until: int | None
    reveal_until_date: str | None
    answer_by: int | None
    answered_at: int | None
    why: str | None
    tally: TallyItem
    obligation: ObligationItem | None
    answer_in_words: str

    EXAMPLE: ClassVar[Example] = {
        "id": EXAMPLE_ID,
        "program": EXAMPLE_ID,
        "proposer": EXAMPLE_ADDRESS,
        "title": "Which bread shall it be?",
        "text": "a5" * 32,
        "method": "single",
        "mode": "open",
        "weight": WeightItem.EXAMPLE,
        "binding": False,
        "status": "adopted",
        "snapshot": SnapshotItem.EXAMPLE,
        "voting_until": EXAMPLE_TIME,
        "voting_until_date": EXAMPLE_DATE,
        "voting_height": 1_500,
        "reveal_until": None,
        "reveal_until_date": None,
        "answer_by": EXAMPLE_TIME + 2_592_000,
        "answered_at": EXAMPLE_TIME,
        "why": "b5" * 32,
        "tally": TallyItem.EXAMPLE,
        "obligation": ObligationItem.EXAMPLE,
        "answer_in_words": "Adopted, due by 2026-11-01T02:26:40Z; not yet fulfilled.",
    }


class ProposalsAnswer(PageAnswer):
    """Proposals in the order in which they were made."""

    items: list[ProposalAnswer]

    EXAMPLE: ClassVar[Example] = {"items": [ProposalAnswer.EXAMPLE], "next_cursor": None}


class BallotItem(Answer):
    """One ballot, which stays. `choice` null: it is sealed. `commitment` null: it was open from the start."""

    voter: str
    power: int
    membership: str
    choice: list[int] | None
    commitment: str | None
    cast_at: int
    height: int

    EXAMPLE: ClassVar[Example] = {
        "voter": EXAMPLE_ADDRESS,
        "power": 1,
        "membership": "90 to 364 days",
        "choice": [0],
        "commitment": None,
        "cast_at": EXAMPLE_TIME,
        "height": 1_450,
    }


class BallotsAnswer(PageAnswer):
    """Ballots in the order in which they were cast."""

    items: list[BallotItem]

    EXAMPLE: ClassVar[Example] = {"items": [BallotItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class AccountBallotItem(BallotItem):
    """A ballot with what was asked, which option leads or won (null: none yet), and what became of the answer, in words."""

    proposal: str
    program: str
    title: str
    status: str
    answer_in_words: str
    chosen: list[str]
    winner: str | None

    EXAMPLE: ClassVar[Example] = {
        **BallotItem.EXAMPLE,
        "proposal": EXAMPLE_TXID,
        "program": EXAMPLE_ID,
        "title": "Which bread shall it be?",
        "status": "adopted",
        "answer_in_words": "Adopted, due by 2026-11-01T02:26:40Z; not yet fulfilled.",
        "chosen": ["rye"],
        "winner": "rye",
    }


class AccountBallotsAnswer(PageAnswer):
    """The ballots of one account in the order in which they were cast."""

    items: list[AccountBallotItem]

    EXAMPLE: ClassVar[Example] = {"items": [AccountBallotItem.EXAMPLE], "next_cursor": EXAMPLE_CURSOR}


class ProofItem(Answer):
    """A record at the snapshot: what a ballot shows. `number` is a pledge's; `path` has the lowest hash first."""

    number: int
    value: str
    slot: int
    path: list[str]

    EXAMPLE: ClassVar[Example] = {"number": 0, "value": "9100", "slot": 12, "path": ["c4" * 32]}


class PowerAnswer(Answer):
    """What an account's ballot would weigh, and the proofs that show it."""

    proposal: str
    address: str
    power: int
    membership: str
    root: str
    slots: int
    proofs: list[ProofItem]
    has_voted: bool

    EXAMPLE: ClassVar[Example] = {
        "proposal": EXAMPLE_ID,
        "address": EXAMPLE_ADDRESS,
        "power": 1,
        "membership": "90 to 364 days",
        "root": "c4" * 32,
        "slots": 1_024,
        "proofs": [ProofItem.EXAMPLE],
        "has_voted": False,
    }


class OpeningBody(Answer):
    """The opening of a sealed ballot, in JSON: its canonical bytes in base64."""

    opening: str = Field(json_schema_extra={"format": "byte", "pattern": BASE64_PATTERN})

    EXAMPLE: ClassVar[Example] = {"opening": "lMQgX19fX18="}


class OpeningKept(Answer):
    """An opening is kept, and will be sent when voting is over. `is_new` false: it was here."""

    proposal: str
    voter: str
    is_new: bool

    EXAMPLE: ClassVar[Example] = {"proposal": EXAMPLE_ID, "voter": EXAMPLE_ADDRESS, "is_new": True}


class PromiseItem(Answer):
    """One thing that was promised or asked for, and what became of it. `state` is a word of its kind."""

    kind: Literal["proposal", "campaign"]
    id: str
    program: str | None
    title: str
    height: int
    state: str
    due_at: int | None
    due_date: str | None
    days_late: int
    in_words: str
    details: dict[str, Any]

    EXAMPLE: ClassVar[Example] = {
        "kind": "proposal",
        "id": EXAMPLE_TXID,
        "program": EXAMPLE_ID,
        "title": "Which bread shall it be?",
        "height": 1_440,
        "state": "late",
        "due_at": EXAMPLE_TIME,
        "due_date": EXAMPLE_DATE,
        "days_late": 19,
        "in_words": "Adopted and late: fulfilled on 2026-11-20T02:26:40Z, 19 days after 2026-11-01T02:26:40Z.",
        "details": {},
    }


class PromisesAnswer(Answer):
    """The public record of promises: the newest last. `is_whole` false: there are more than one answer holds."""

    program: str | None
    owner: str
    counts: dict[str, int]
    items: list[PromiseItem]
    is_whole: bool

    EXAMPLE: ClassVar[Example] = {
        "program": EXAMPLE_ID,
        "owner": EXAMPLE_ADDRESS,
        "counts": {"late": 1},
        "items": [PromiseItem.EXAMPLE],
        "is_whole": True,
    }
