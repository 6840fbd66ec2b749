"""The read model: rows made from events, and nothing else (see `node/store/tables.py`).

`history` needs no knowledge of an event. `listing` does: one line here for each event that makes something to list.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ledger.codec import pack_shaped
from ledger.domains.challenges.events import ChallengeCompleted, ChallengeCreated
from ledger.domains.consent.consent_grant import ConsentGranted
from ledger.domains.crowdfunding.events import CampaignCreated, Pledged, UpdatePosted
from ledger.domains.loyalty.events import (
    BatchSettled,
    ContestOpened,
    IssuerGranted,
    MemberJoined,
    PointsReversed,
    ProgramCreated,
)
from ledger.domains.offers.events import OfferIssued, OfferReversed
from ledger.domains.rewards.redeem import RedemptionOpened
from ledger.domains.rewards.reward_list import RewardListed
from ledger.domains.voice.contribution_record import ContributionRecorded
from ledger.domains.voice.events import BallotCast, BallotCommitted, ProposalAnswered
from ledger.domains.voice.mission_create import MissionCreated
from ledger.domains.voice.proposal_create import ProposalCreated
from ledger.domains.voice.review import ReviewWritten
from ledger.domains.voice.review_reply import ReviewReplied
from ledger.events import Event, event_shape
from ledger.transaction import Transaction
from ledger.types import Height
from node.store.engine import Bulk
from node.store.tables import history, listing, transactions

Listed = tuple[bytes, str, bytes]
"""(parent, kind, id)."""


def _consent_id(event: ConsentGranted) -> bytes:
    """Grantee, purpose and scope: what follows the fan in the consent's key."""
    return event.grantee + bytes((event.purpose,)) + event.scope.encode()


LISTED: dict[type[Event], Callable[[Any], tuple[Listed, ...]]] = {
    ProgramCreated: lambda e: ((b"", "program", e.program), (e.owner, "account_program", e.program)),
    RewardListed: lambda e: ((e.program, "reward", e.reward),),
    IssuerGranted: lambda e: ((e.program, "issuer", e.issuer),),
    MemberJoined: lambda e: ((e.program, "member", e.member), (e.member, "membership", e.program)),
    BatchSettled: lambda e: ((e.program, "batch", e.batch),),
    ContestOpened: lambda e: ((e.program, "contest", e.contest), (e.member, "account_contest", e.contest)),
    PointsReversed: lambda e: ((e.program, "return", e.returned),),
    OfferIssued: lambda e: ((e.program, "offer", e.offer), (e.member, "account_offer", e.offer)),
    OfferReversed: lambda e: ((e.program, "return", e.returned),),
    RedemptionOpened: lambda e: ((e.program, "hold", e.hold), (e.member, "account_hold", e.hold)),
    ConsentGranted: lambda e: ((e.fan, "consent", _consent_id(e)),),
    CampaignCreated: lambda e: ((b"", "campaign", e.campaign), (e.creator, "account_campaign", e.campaign)),
    ProposalCreated: lambda e: (
        (b"", "proposal", e.proposal),
        (e.program, "proposal", e.proposal),
        (e.proposer, "account_proposal", e.proposal),
        (e.text, "text", e.proposer),
    ),
    ProposalAnswered: lambda e: ((e.why, "text", e.owner),),
    BallotCast: lambda e: ((e.proposal, "ballot", e.voter), (e.voter, "account_ballot", e.proposal)),
    BallotCommitted: lambda e: ((e.proposal, "ballot", e.voter), (e.voter, "account_ballot", e.proposal)),
    ChallengeCreated: lambda e: ((e.program, "challenge", e.challenge),),
    ChallengeCompleted: lambda e: (
        (e.challenge, "completion", e.member + e.occurrence.to_bytes(4, "big")),
        (e.member, "own_completion", e.challenge + e.occurrence.to_bytes(4, "big")),
    ),
    MissionCreated: lambda e: ((e.program, "mission", e.mission), (e.text, "text", e.owner)),
    ContributionRecorded: lambda e: (
        (e.program, "contribution", e.contribution),
        (e.fan, "account_contribution", e.contribution),
    ),
    ReviewWritten: lambda e: (
        (e.subject, "review", e.author),
        (e.author, "account_review", e.subject),
        *(((e.text, "text", e.author),) if e.text else ()),
    ),
    ReviewReplied: lambda e: ((e.text, "text", e.replier),),
    UpdatePosted: lambda e: ((e.text_hash, "text", e.creator),),
    Pledged: lambda e: (
        (e.campaign, "pledge", e.number.to_bytes(4, "big")),
        (e.backer, "account_pledge", e.campaign + e.number.to_bytes(4, "big")),
    ),
}


class Index:
    """Writes the read model's rows of a block, and deletes them when the block is taken back."""

    def __init__(self, connection: Connection) -> None:
        dialect_insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
        self._connection = connection
        self._transactions = Bulk(connection, dialect_insert(transactions), ("txid", "height", "position"))
        self._history = Bulk(
            connection,
            dialect_insert(history),
            ("subject", "height", "sequence", "place", "name", "data"),
        )
        self._listing = Bulk(
            connection,
            dialect_insert(listing).on_conflict_do_nothing(),
            ("parent", "kind", "id", "height", "sequence"),
        )

    def write(
        self, height: Height, block_transactions: Sequence[Transaction], events: Sequence[tuple[int, Event]]
    ) -> None:
        """Add the rows of the block at `height`."""
        self._transactions.run([(tx.txid, height, position) for position, tx in enumerate(block_transactions)])
        rows: list[tuple[bytes, int, int, int, str, bytes]] = []
        listed: list[tuple[bytes, str, bytes, int, int]] = []
        for sequence, (place, event) in enumerate(events):
            data = pack_shaped(event_shape(event.name).encode(event))
            # An event may name one id twice: who grants a consent to itself has it once in its history.
            subjects = dict.fromkeys(event.subjects())
            rows.extend((subject, height, sequence, place, event.name, data) for subject in subjects)
            list_rows = LISTED.get(type(event))
            if list_rows is not None:
                listed.extend((*row, height, sequence) for row in list_rows(event))
        rows.sort()
        self._history.run(rows)
        self._listing.run(listed)

    def take_back(self, height: Height) -> None:
        """Delete the rows of the block at `height`."""
        for table in (transactions, history, listing):
            self._connection.execute(delete(table).where(table.c.height == height))
