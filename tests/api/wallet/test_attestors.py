"""Changes of the attestors' set as files that several sign, and what is sent."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from api.wallet.attestors import Attestors, approve, change_from_mapping, change_hash, change_to_mapping
from ledger.domains.finality.replace_silent import ReplaceSilent
from ledger.domains.finality.set_attestors import SetAttestors
from ledger.finality.votes import make_evidence
from ledger.registry import KINDS
from ledger.transaction import Prepaid
from tests.support.attested import KEYS, SEEDS, AttestedBranches, attestors
from tests.support.shop import FAN

MEMBERS = attestors(1, 2, 3)


def made() -> AttestedBranches:
    chain = AttestedBranches()
    chain.mine(5)
    return chain


@pytest.mark.parametrize("is_replacement", [False, True])
def test_a_file_goes_from_hand_to_hand(is_replacement: bool) -> None:
    chain = made()
    change: Any = SetAttestors(0, MEMBERS, ())
    if is_replacement:
        change = ReplaceSilent(0, chain.checkpoint(0), MEMBERS, ())
    for place in (2, 0, 1, 0):
        chain_id, change = change_from_mapping(change_to_mapping(chain.chain_id, change))
        change = approve(chain_id, change, SEEDS[KEYS[place]])
    assert [key for key, _ in change.approvals] == KEYS[:3]
    expected = chain.replacement(MEMBERS, 0, 1, 2) if is_replacement else chain.choice(MEMBERS, 0, 1, 2)
    assert change == expected
    other = change_to_mapping(chain.chain_id, change)
    other["members"] = other["members"][1:]
    chain_id, changed = change_from_mapping(other)
    assert change_hash(chain_id, changed) != change_hash(chain_id, change)
    assert len(approve(chain_id, changed, SEEDS[KEYS[4]]).approvals) == 1, "who signed something else is left out"


@dataclass
class FakeWallet:
    """Takes what would be sent."""

    main: Any = FAN
    sent: list[tuple[str, Any, Any]] = field(default_factory=list)

    def send(self, kind: str, payload: Any, author: Any, *, payment: Any = None) -> None:
        assert author is self.main
        self.sent.append((kind, payload, payment))


def test_what_is_sent() -> None:
    chain, wallet = made(), FakeWallet()
    acts = Attestors(wallet)  # type: ignore[arg-type]  # what it uses of a wallet
    acts.attest([chain.signed(0, 4, place) for place in (1, 0)])
    chain.mine(8)
    lie = make_evidence(chain.signed(4, 8, 3), chain.signed(0, 12, 3))
    assert lie is not None
    acts.give_evidence(lie)
    assert KINDS["finality.evidence"].check(wallet.sent[-1][1]) is None
    acts.set_attestors(chain.choice(MEMBERS, 0, 1, 2))
    acts.replace_silent(chain.replacement(MEMBERS, 9, 10))
    kinds = [(kind, payment) for kind, _, payment in wallet.sent]
    assert kinds == [
        ("finality.attest", Prepaid()),
        ("finality.evidence", Prepaid()),
        ("finality.set_attestors", None),
        ("finality.replace_silent", None),
    ]
    assert wallet.sent[0][1] == chain.attestation(0, 4, 0, 1)
