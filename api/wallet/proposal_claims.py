"""What a node says of a proposal over HTTP, to be held against a recount of its blocks (spec AUD-8)."""

from typing import Any

from api.wallet.client import Answer, Client
from ledger.address import decode_address
from ledger.types import ProposalId
from node.recount import Claim, ClaimedBallot

ENDED = frozenset({"ended", "adopted", "declined", "silent", "lapsed"})


def fetch_claim(client: Client, proposal_id: ProposalId, prefix: str) -> Claim:
    """Tally, leaders and all ballots as the node shows them."""
    shown = client.proposals.one(proposal_id)
    ballots = {
        decode_address(prefix, found["voter"]): ClaimedBallot(int(found["power"]), tuple(found["choice"] or ()))
        for found in client.every(client.proposals.ballots, proposal_id)
    }
    return Claim(
        ballots, _figures(shown["tally"]), tuple(shown["tally"]["leaders"]) if shown["status"] in ENDED else None
    )


def _figures(tally: Answer) -> dict[str, Any]:
    rows = tally["pairwise"]
    counts = (
        [option["power"] for option in tally["options"]] if rows is None else [cell for row in rows for cell in row]
    )
    return {
        "counted": tally["counted"],
        "committed": tally["committed"],
        "power": tally["power"],
        "largest": tally["concentration"]["largest"],
        "squares": int(tally["concentration"]["squares"], 16),
        "counts": tuple(counts),
        "ages": tuple((found["voters"], found["power"]) for found in tally["ages"]),
    }
