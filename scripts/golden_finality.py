"""Attestors on the golden chain: a silent set is to be replaced, votes cancel that, one of it lied, and it chooses the next set."""

from typing import TYPE_CHECKING

from ledger.domains.finality.attest import Attest
from ledger.domains.finality.evidence import GiveEvidence, SignedLink
from ledger.domains.finality.replace_silent import ReplaceSilent, replacement_hash
from ledger.domains.finality.set_attestors import SetAttestors, choice_hash
from ledger.domains.finality.state import FINALITY_KEY
from ledger.finality.votes import Checkpoint, Vote, sign_vote
from ledger.keys import public_key_of, sign
from ledger.params import Attestor, Params
from ledger.transaction import Prepaid, Transaction
from ledger.types import BlockHash, Hash, Height, PrivateSeed, PublicKey, Signature
from tests.support.memory_chain import Scenario, Signer

if TYPE_CHECKING:
    from golden_chain import GoldenChain

SEEDS = {public_key_of(seed): seed for seed in (PrivateSeed(bytes([number]) * 32) for number in range(101, 108))}
KEYS = tuple(sorted(SEEDS))
ATTESTORS = tuple(Attestor(key, weight) for key, weight in zip(KEYS[:4], (3, 3, 3, 1), strict=True))
NEXT = tuple(Attestor(key, 2**32 - 1) for key in KEYS[1:5])
RECOVERY_KEYS = KEYS[5:]
INTERVAL = 4


class AttestedScenario(Scenario):
    """A scenario whose blocks have hashes of their own."""

    def __init__(self, params: Params) -> None:
        super().__init__(params=params)
        self.hashes = [self.genesis.block.hash]

    def hash_at(self, height: Height) -> BlockHash:
        """The hash of the block at `height`."""
        return self.hashes[height]


def _signed(message: Hash, *keys: PublicKey) -> tuple[tuple[PublicKey, Signature], ...]:
    return tuple((key, sign(SEEDS[key], message)) for key in keys)


def _checkpoint(scenario: Scenario, height: int) -> Checkpoint:
    return Checkpoint(Height(height), scenario.hash_at(Height(height)))


def _attest(scenario: Scenario, source: int, target: int, *keys: PublicKey) -> Attest:
    ends = _checkpoint(scenario, source), _checkpoint(scenario, target)
    vote = Vote(scenario.chain_id, 0, *ends)
    return Attest(0, *ends, tuple((key, sign_vote(SEEDS[key], key, vote).signature) for key in keys))


def _lie(scenario: Scenario, source: int, target: int, key: PublicKey) -> GiveEvidence:
    links: list[SignedLink] = []
    for block_hash in (scenario.hash_at(Height(target)), BlockHash(bytes(32))):
        start, end = _checkpoint(scenario, source), Checkpoint(Height(target), block_hash)
        signature = sign_vote(SEEDS[key], key, Vote(scenario.chain_id, 0, start, end)).signature
        links.append(SignedLink(0, start, end, signature))
    return GiveEvidence(key, links[0], links[1])


def begin_replacement(scenario: Scenario, author: Signer) -> Transaction:
    """Nothing was justified for days: both recovery keys act."""
    final = _checkpoint(scenario, 0)
    approvals = _signed(replacement_hash(scenario.chain_id, 0, final, NEXT), *RECOVERY_KEYS)
    return scenario.sign("finality.replace_silent", ReplaceSilent(0, final, NEXT, approvals), author=author)


def vote_and_choose(scenario: Scenario, author: Signer) -> tuple[Transaction, ...]:
    """A quorum votes for the newest checkpoint that was noted; one of it lied; all choose the next set."""
    target = (scenario.height - 2) // INTERVAL * INTERVAL
    choice = _signed(choice_hash(scenario.chain_id, 0, NEXT), *KEYS[:3])
    return (
        scenario.sign("finality.attest", _attest(scenario, 0, target, KEYS[3]), author=author, payment=Prepaid()),
        scenario.sign("finality.attest", _attest(scenario, 0, target, *KEYS[:2]), author=author, payment=Prepaid()),
        scenario.sign("finality.evidence", _lie(scenario, 0, target, KEYS[0]), author=author, payment=Prepaid()),
        scenario.sign("finality.set_attestors", SetAttestors(0, NEXT, choice), author=author),
    )


def vote_on(scenario: Scenario, author: Signer) -> Transaction:
    """From the highest justified checkpoint to the newest, by all who count."""
    source: int = scenario.record(FINALITY_KEY).justified[-1].height
    payload = _attest(scenario, source, (scenario.height - 2) // INTERVAL * INTERVAL, *KEYS[:3])
    return scenario.sign("finality.attest", payload, author=author, payment=Prepaid())


def attest(chain: "GoldenChain", *, author: Signer) -> None:
    """The replacement begins and is cancelled; two checkpoints become final, and with the second one the next set comes."""
    chain.add()
    chain.add((begin_replacement(chain.scenario, author),))
    chain.add(vote_and_choose(chain.scenario, author))
    chain.add()
    while chain.scenario.record(FINALITY_KEY).number == 0:
        is_new = not (chain.scenario.height - 2) % INTERVAL
        chain.add((vote_on(chain.scenario, author),) if is_new else ())
    chain.add()
