"""Proposals of the golden chain: a ranked one, a sealed one and a binding one, with their ballots, answers and an obligation."""

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.state import pledge_key
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit
from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.ballot_cast import CastBallot
from ledger.domains.voice.ballot_commit import CommitBallot
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.domains.voice.ballots import seal_choice
from ledger.domains.voice.obligation_fulfil import ObligationFulfil
from ledger.domains.voice.power import PowerProof
from ledger.domains.voice.proposal_create import ProposalCreate
from ledger.domains.voice.proposal_respond import Adopt, Decline, ProposalRespond
from ledger.domains.voice.state import (
    APPROVAL,
    OPENLY,
    RANKED,
    SEALED,
    SINGLE,
    EachMember,
    EarnedPoints,
    PledgedTo,
)
from ledger.hashing import object_id
from ledger.transaction import Prepaid, Sponsored, Transaction
from ledger.types import CampaignId, Hash, ProgramId, ProposalId, RecordKey, Timestamp
from tests.support.memory_chain import DAY_SECONDS, MemoryState, Signer

if TYPE_CHECKING:
    from golden_chain import GoldenChain

OWNER, FAN, NEWCOMER, HELPER = (Signer.named(name) for name in ("owner", "fan", "newcomer", "helper"))
TEXT, WHY, EVIDENCE = (Hash(bytes([number]) * 32) for number in (0xA1, 0xA2, 0xA3))
SALT = bytes(range(224, 256))
"""Of every sealed choice."""
ROUNDS = ("rye", "spelt", "wheat")


def _shown(state: MemoryState, key: RecordKey, number: int = 0) -> tuple[PowerProof, ...]:
    """A record at the snapshot."""
    stored = state.records[key]
    return (PowerProof(number, stored.value_bytes, stored.slot, state.tree.inclusion_path(stored.slot)),)


def _ask(chain: "GoldenChain", program: ProgramId, campaign: CampaignId) -> list[ProposalId]:
    """Three proposals in one block: ranked by points, sealed for everybody, and binding for backers."""
    sign, until = chain.scenario.sign, Timestamp(chain.scenario.time + DAY_SECONDS)
    drafts = (
        (ROUNDS, RANKED, OPENLY, EarnedPoints(400), Timestamp(0)),
        (("yes", "no"), SINGLE, SEALED, EachMember(), Timestamp(until + DAY_SECONDS)),
        (("now", "next year", "sp\u00e4ter"), APPROVAL, OPENLY, PledgedTo(campaign), Timestamp(0)),
    )
    asked = [
        ProposalCreate(program, "Which bread?", TEXT, options, method, mode, weight, 1, until, reveal_until)
        for options, method, mode, weight, reveal_until in drafts
    ]
    signed = [sign("proposal.create", payload, author=OWNER) for payload in asked]
    _add_alone(chain, *signed, is_first=False)
    return [ProposalId(object_id("proposal", tx.txid, 0)) for tx in signed]


def _add_alone(chain: "GoldenChain", *transactions: Transaction, is_first: bool = True) -> None:
    """A block a second after the one before it, so that no due work falls into it; before the first one, what is due is done."""
    if is_first:
        chain.add(time=chain.scenario.time + 1)
    chain.add(transactions, time=chain.scenario.time + 1)


def _mine_until(chain: "GoldenChain", time: int, blocks: int) -> None:
    """Empty blocks, of which the last has this time."""
    for _ in range(blocks - 1):
        chain.add()
    chain.add(time=time)


def add_proposals(chain: "GoldenChain", program: ProgramId) -> None:
    """Ask, vote, reveal, answer, and fulfil one of two obligations."""
    sign, pool = chain.scenario.sign, Sponsored(program)
    deadline = Timestamp(chain.scenario.time + 300 * DAY_SECONDS)
    create = sign("campaign.create", CampaignTerms("Roastery", CoinUnit(), 2_000, deadline), author=OWNER)
    _add_alone(chain, create)
    campaign = CampaignId(object_id("campaign", create.txid, 0))
    _add_alone(chain, sign("pledge", PledgeMake(campaign, 300, 0), author=FAN), is_first=False)
    state = deepcopy(chain.scenario.state)
    ranked, sealed, binding = _ask(chain, program, campaign)
    fan, newcomer = (_shown(state, member_key(program, signer.address)) for signer in (FAN, NEWCOMER))
    commitments = [seal_choice(sealed, signer.address, (1,), SALT) for signer in (FAN, NEWCOMER)]
    _add_alone(
        chain,
        sign("ballot.cast", CastBallot(ranked, (1, 0), fan), author=FAN, payment=pool),
        sign("ballot.cast", CastBallot(ranked, (2, 1, 0), newcomer), author=NEWCOMER, payment=pool),
        sign("ballot.cast", CastBallot(binding, (0, 2), _shown(state, pledge_key(campaign, 0))), author=FAN),
        sign("ballot.commit", CommitBallot(sealed, commitments[0], fan), author=FAN),
        sign("ballot.commit", CommitBallot(sealed, commitments[1], newcomer), author=NEWCOMER, payment=pool),
        is_first=False,
    )
    _mine_until(chain, chain.scenario.time + DAY_SECONDS, 6)
    reveal = RevealBallot(sealed, FAN.address, (1,), SALT)
    # In the block before it revealing begins, and the open ones are counted.
    _add_alone(chain, sign("ballot.reveal", reveal, author=HELPER, payment=Prepaid()))
    _mine_until(chain, chain.scenario.time + DAY_SECONDS, 6)
    _answer(chain, (ranked, sealed, binding))


def _answer(chain: "GoldenChain", proposals: Sequence[ProposalId]) -> None:
    """Adopt two, one of which is done in time; the other is broken when its grace is over. The third stays unanswered."""
    sign, due = chain.scenario.sign, Timestamp(chain.scenario.time + DAY_SECONDS)
    ranked, sealed, binding = proposals
    answers = ((binding, Adopt(due, Hash(b""))), (ranked, Adopt(due, Hash(b""))), (sealed, Decline()))
    said = [sign("proposal.respond", ProposalRespond(which, answer, WHY), author=OWNER) for which, answer in answers]
    _add_alone(chain, *said)
    _add_alone(chain, sign("obligation.fulfil", ObligationFulfil(ranked, EVIDENCE), author=OWNER), is_first=False)
    _mine_until(chain, chain.scenario.time + 32 * DAY_SECONDS, 5)
    chain.add()
