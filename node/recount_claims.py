"""What a store says of a proposal: its tally, its leaders and its ballots, to be held against a recount (spec AUD-8)."""

from sqlalchemy import Connection

from ledger.domains.voice.state import BALLOTS, ENDED, PROPOSALS, TALLIES
from ledger.types import Address, ProposalId
from node.recount import Claim, ClaimedBallot
from node.store.scan import scan_records


def read_claim(connection: Connection, proposal_id: ProposalId) -> Claim | None:
    """The claim of a store's records; None where they hold no such proposal. Raises `store.corrupt`."""
    proposals = [record for _, record in scan_records(connection, PROPOSALS.prefix + proposal_id)]
    tallies = [record for _, record in scan_records(connection, TALLIES.prefix + proposal_id)]
    if not proposals or not tallies:
        return None
    ballots = {
        Address(key[33:]): ClaimedBallot(record.power, record.choice)
        for key, record in scan_records(connection, BALLOTS.prefix + proposal_id)
    }
    proposal, tally = proposals[0], tallies[0]
    figures = {
        "counted": tally.counted,
        "committed": tally.committed,
        "power": tally.power,
        "largest": tally.largest,
        "squares": int.from_bytes(tally.squares, "big"),
        "counts": tally.counts,
        "ages": tally.ages,
    }
    return Claim(ballots, figures, proposal.leaders if proposal.status >= ENDED else None)
