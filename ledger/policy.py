"""Who may sign for an account (spec ACC-1)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from ledger.codec import pack_shaped
from ledger.errors import Code, Malformed
from ledger.hashing import POLICY
from ledger.params import POLICY_KEYS_MAX
from ledger.schema import Integer, ListOf, Octets
from ledger.types import Address, Hash, PublicKey

BAD_POLICY = Code(
    "witness.policy",
    "the witness's policy is not valid: {reason}",
    "Keys strictly ascending, threshold within 1 and their number.",
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may sign for an account: `threshold` of `keys`. Its hash is the address of a new account (spec ACC-1)."""

    threshold: Annotated[int, Integer(1, POLICY_KEYS_MAX)]
    keys: Annotated[tuple[PublicKey, ...], ListOf(Octets(32, 32), 1, POLICY_KEYS_MAX)]

    def check(self) -> None:
        """Raise `Malformed` unless keys ascend strictly and the threshold is within their number."""
        if any(a >= b for a, b in pairwise(self.keys)):
            raise Malformed(BAD_POLICY, reason="keys are not strictly ascending")
        if self.threshold > len(self.keys):
            raise Malformed(BAD_POLICY, reason="threshold above the number of keys")

    @property
    def hash(self) -> Hash:
        """The policy's hash: `POLICY([threshold, keys])`."""
        return Hash(POLICY(pack_shaped((self.threshold, self.keys))))


def single_key_policy(key: PublicKey) -> Policy:
    """The policy of an ordinary account: one key."""
    return Policy(1, (key,))


def address_of_key(key: PublicKey) -> Address:
    """The address of the ordinary account of one key."""
    return Address(single_key_policy(key).hash)
