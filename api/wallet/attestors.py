"""What attestors and holders of recovery keys put on the chain: votes, evidence, and changes of their set.

Votes and evidence are free; a change pays its fee. The keys that sign a change need no coin and no account: they sign a file.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.wallet.wallet import Sent, Wallet
from ledger.domains.finality.attest import Attest
from ledger.domains.finality.evidence import GiveEvidence, SignedLink
from ledger.domains.finality.replace_silent import ReplaceSilent, replacement_hash
from ledger.domains.finality.set_attestors import SetAttestors, choice_hash
from ledger.finality.votes import Checkpoint, Evidence, SignedVote
from ledger.keys import public_key_of, sign, verify
from ledger.params import Attestor
from ledger.transaction import Prepaid
from ledger.types import BlockHash, ChainId, Hash, Height, PrivateSeed, PublicKey, Signature

Change = SetAttestors | ReplaceSilent


class Attestors:
    """Acts of finality from one wallet, which pays where something is to be paid."""

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet

    def attest(self, votes: Iterable[SignedVote]) -> Sent:
        """Put votes for one link on the chain, free."""
        by_key = {signed.key: signed for signed in votes}
        vote = next(iter(by_key.values())).vote
        pairs = tuple((key, by_key[key].signature) for key in sorted(by_key))
        payload = Attest(vote.set_number, vote.source, vote.target, pairs)
        return self._wallet.send("finality.attest", payload, self._wallet.main, payment=Prepaid())

    def give_evidence(self, evidence: Evidence) -> Sent:
        """Show that an attestor lied, free."""
        first, second = (
            SignedLink(signed.vote.set_number, signed.vote.source, signed.vote.target, signed.signature)
            for signed in evidence.votes
        )
        payload = GiveEvidence(evidence.key, first, second)
        return self._wallet.send("finality.evidence", payload, self._wallet.main, payment=Prepaid())

    def set_attestors(self, change: SetAttestors) -> Sent:
        """Send a change that a quorum of the set signed."""
        return self._wallet.send("finality.set_attestors", change, self._wallet.main)

    def replace_silent(self, change: ReplaceSilent) -> Sent:
        """Send a replacement that recovery keys signed."""
        return self._wallet.send("finality.replace_silent", change, self._wallet.main)


def change_hash(chain_id: ChainId, change: Change) -> Hash:
    """What those sign who approve of a change."""
    if isinstance(change, ReplaceSilent):
        return replacement_hash(chain_id, change.set_number, change.final, change.members)
    return choice_hash(chain_id, change.set_number, change.members)


def change_to_mapping(chain_id: ChainId, change: Change) -> dict[str, Any]:
    """A change as a file holds it: hex, and block hashes reversed as people are shown them."""
    final = (change.final.height, change.final.hash[::-1].hex()) if isinstance(change, ReplaceSilent) else None
    return {
        "chain_id": chain_id.hex(),
        "set_number": change.set_number,
        "final": final,
        "members": [[member.key.hex(), member.weight] for member in change.members],
        "approvals": [[key.hex(), signature.hex()] for key, signature in change.approvals],
    }


def change_from_mapping(mapping: Mapping[str, Any]) -> tuple[ChainId, Change]:
    """Read what `change_to_mapping` wrote. Raises ValueError, KeyError, TypeError."""
    members = tuple(
        sorted((Attestor(PublicKey(bytes.fromhex(key)), int(weight)) for key, weight in mapping["members"]), key=_key)
    )
    approvals = tuple(
        sorted(
            (PublicKey(bytes.fromhex(key)), Signature(bytes.fromhex(signature)))
            for key, signature in mapping["approvals"]
        )
    )
    chain_id, number, final = ChainId(bytes.fromhex(mapping["chain_id"])), int(mapping["set_number"]), mapping["final"]
    if final is None:
        return chain_id, SetAttestors(number, members, approvals)
    checkpoint = Checkpoint(Height(int(final[0])), BlockHash(bytes.fromhex(final[1])[::-1]))
    return chain_id, ReplaceSilent(number, checkpoint, members, approvals)


def _key(member: Attestor) -> bytes:
    return member.key


def approve(chain_id: ChainId, change: Change, seed: PrivateSeed) -> Change:
    """The change with one approval more; approvals that are wrong for it are left out."""
    message = change_hash(chain_id, change)
    kept = {key: signature for key, signature in change.approvals if verify(key, message, signature)}
    kept[public_key_of(seed)] = sign(seed, message)
    approvals = tuple(sorted(kept.items()))
    if isinstance(change, ReplaceSilent):
        return ReplaceSilent(change.set_number, change.final, change.members, approvals)
    return SetAttestors(change.set_number, change.members, approvals)
