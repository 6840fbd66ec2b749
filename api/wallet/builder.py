"""From a payload to signed bytes: the only place on the client's side where transactions are put together.

    build            everything at once: body, exact fee, every signature, checked by the ledger's own decoder
    draft_body       the unsigned bytes, where several people sign in several places
    sign_body        one signer's witness over such bytes
    join_witnesses   body and witnesses as one transaction

Nothing here opens a socket or reads a clock: heights, salt and keys are arguments. The ledger's shapes decide what is valid;
a payload outside of them raises `Malformed` with the ledger's code, before anything is signed.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.wallet.errors import WalletError
from api.wallet.json_numbers import whole_number
from ledger import keys, registry
from ledger.errors import Code
from ledger.params import Params
from ledger.policy import Policy, single_key_policy
from ledger.transaction import (
    ENVELOPE_VERSION,
    Body,
    OwnFee,
    Payment,
    Witness,
    decode_transaction,
    encode_body,
    encode_transaction,
    signing_hash,
    weigh,
)
from ledger.types import INTEGER_MAX, Address, Amount, ChainId, Height, PrivateSeed, Signature

SALT_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
VALID_BLOCKS: Final = 100
"""How long a wallet's transaction stays valid, where the chain allows it: minutes on a dev chain, hours on a slow one."""

UNKNOWN_KIND = Code(
    "builder.unknown_kind", "the kind {kind} is unknown to this wallet", "Check the name, or update fansumer."
)
FEE_TOO_LARGE = Code(
    "builder.fee_too_large", "no fee within the limits pays for this transaction", "Choose a lower fee rate."
)
WRONG_SEEDS = Code(
    "builder.wrong_seeds",
    "the account's policy needs {threshold} different keys of its own, and {found} were given",
    "Give as many of the policy's keys as its threshold says.",
)
WRONG_COSIGNERS = Code(
    "builder.wrong_cosigners",
    "this transaction is signed by {expected} accounts, in their order; {found} signers were given",
    "Let the accounts that the payload names counter-sign, and nobody else.",
)


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What a wallet must know of a chain to build for it. Amounts are coin in its smallest unit, rates coin a weight unit."""

    name: str
    chain_id: ChainId
    address_prefix: str
    fee_rate_min: Amount
    record_deposit: Amount
    account_minimum: Amount
    validity_blocks_max: int

    @staticmethod
    def of_params(params: Params, chain_id: ChainId) -> "ChainFacts":
        """The facts that a node's params hold."""
        return ChainFacts(
            name=params.name,
            chain_id=chain_id,
            address_prefix=params.address_prefix,
            fee_rate_min=params.fee_rate_min,
            record_deposit=params.record_deposit,
            account_minimum=params.account_minimum,
            validity_blocks_max=params.validity_blocks_max,
        )

    @staticmethod
    def of_answer(answer: Mapping[str, Any]) -> "ChainFacts":
        """The facts in the answer to `GET /v1/chain`. Raises KeyError, TypeError or ValueError where it is no such answer."""
        return ChainFacts(
            name=str(answer["name"]),
            chain_id=ChainId(bytes.fromhex(answer["chain_id"])),
            address_prefix=str(answer["address_prefix"]),
            fee_rate_min=Amount(whole_number(answer["fee_rate_min"])),
            record_deposit=Amount(whole_number(answer["record_deposit"])),
            account_minimum=Amount(whole_number(answer["account_minimum"])),
            validity_blocks_max=whole_number(answer["validity_blocks_max"]),
        )

    def valid_until(self, valid_from: Height, blocks: int = VALID_BLOCKS) -> Height:
        """The last height of a range of `blocks` that begins at `valid_from`, cut to what the chain allows."""
        return Height(valid_from + min(blocks, self.validity_blocks_max) - 1)


@dataclass(frozen=True, slots=True)
class Signer:
    """An account and the keys that sign for it: `Signer(seed, address)`, or `Signer.of_seed(seed)` for an ordinary account.

    An m-of-n account shows its `policy` and signs with m seeds: `seed` and `more_seeds`, in any order. No seed is ever printed.
    """

    seed: PrivateSeed = field(repr=False)
    address: Address
    policy: Policy | None = None
    more_seeds: tuple[PrivateSeed, ...] = field(default=(), repr=False)

    @staticmethod
    def of_seed(seed: PrivateSeed) -> "Signer":
        """The ordinary account of one key."""
        return Signer(seed, Address(single_key_policy(keys.public_key_of(seed)).hash))

    @staticmethod
    def of_policy(policy: Policy, seeds: Sequence[PrivateSeed], address: Address | None = None) -> "Signer":
        """An account with a policy of several keys; `address` only where the policy was changed after the account was made.

        Raises WalletError builder.wrong_seeds, or Malformed witness.policy.
        """
        policy.check()
        if not seeds:
            raise WalletError(WRONG_SEEDS, threshold=policy.threshold, found=0)
        signer = Signer(seeds[0], Address(policy.hash) if address is None else address, policy, tuple(seeds[1:]))
        signer.indexed_seeds()
        return signer

    def shown_policy(self) -> Policy:
        """The policy that its witness shows."""
        return single_key_policy(keys.public_key_of(self.seed)) if self.policy is None else self.policy

    def indexed_seeds(self) -> tuple[tuple[int, PrivateSeed], ...]:
        """Each seed with the index of its key, ascending. Raises WalletError builder.wrong_seeds."""
        policy = self.shown_policy()
        if not all((self.seed, *self.more_seeds)):
            raise WalletError(WRONG_SEEDS, threshold=policy.threshold, found=0)
        places = {key: index for index, key in enumerate(policy.keys)}
        found = {places.get(keys.public_key_of(seed), -1): seed for seed in (self.seed, *self.more_seeds)}
        if -1 in found or len(found) != policy.threshold or len(self.more_seeds) + 1 != policy.threshold:
            raise WalletError(WRONG_SEEDS, threshold=policy.threshold, found=len(self.more_seeds) + 1)
        return tuple(sorted(found.items()))


def new_salt() -> bytes:
    """Eight random bytes: what makes two equal transactions two."""
    return secrets.token_bytes(SALT_BYTES)


def build(
    facts: ChainFacts,
    kind: str,
    payload: Any,
    author: Signer,
    *,
    valid_from: Height,
    valid_until: Height | None = None,
    cosigners: Sequence[Signer] = (),
    payment: Payment | None = None,
    salt: bytes | None = None,
    fee_rate: Amount | None = None,
) -> bytes:
    """The canonical bytes of a signed transaction, checked by the ledger's own decoder.

    Without `payment` the author pays the least fee that its own weight asks for, at `fee_rate` or the chain's least rate.
    `salt` is random unless given. Raises WalletError (builder.*) and Malformed or RuleViolation of the ledger.
    """
    signers = (author, *cosigners)
    body_bytes = draft_body(
        facts,
        kind,
        payload,
        author.address,
        policies=tuple(signer.shown_policy() for signer in signers),
        valid_from=valid_from,
        valid_until=facts.valid_until(valid_from) if valid_until is None else valid_until,
        payment=payment,
        salt=new_salt() if salt is None else salt,
        fee_rate=fee_rate,
    )
    named = tuple(registry.KINDS[kind].cosigners(payload))
    if tuple(signer.address for signer in cosigners) != named:
        raise WalletError(WRONG_COSIGNERS, expected=1 + len(named), found=len(signers))
    return join_witnesses(facts, body_bytes, tuple(sign_body(facts, body_bytes, signer) for signer in signers))


def draft_body(
    facts: ChainFacts,
    kind: str,
    payload: Any,
    author: Address,
    *,
    policies: Sequence[Policy],
    valid_from: Height,
    valid_until: Height,
    payment: Payment | None,
    salt: bytes,
    fee_rate: Amount | None = None,
) -> bytes:
    """The unsigned bytes of a body. `policies` of all who will sign are needed only to weigh it for an own fee."""
    if kind not in registry.KINDS:
        raise WalletError(UNKNOWN_KIND, kind=kind)
    rule = registry.KINDS[kind]
    rule.check(rule.payload.decode(rule.payload.encode(payload), "payload"))
    body = Body(
        version=ENVELOPE_VERSION,
        chain_tag=facts.chain_id[:4],
        kind=kind,
        salt=salt,
        author=author,
        valid_from=valid_from,
        valid_until=valid_until,
        payment=OwnFee(Amount(0)) if payment is None else payment,
    )
    if payment is not None:
        return encode_body(body, payload)
    return _with_exact_fee(body, payload, policies, facts.fee_rate_min if fee_rate is None else fee_rate)


def _with_exact_fee(body: Body, payload: Any, policies: Sequence[Policy], fee_rate: Amount) -> bytes:
    """The body with the least own fee that pays for its weight.

    The fee's own bytes count in the weight, and a larger fee never takes fewer bytes: the least fee that pays is reached
    from 0 upwards, after at most as many steps as an integer has lengths.
    """
    witnesses = tuple(_blank_witness(policy) for policy in policies)
    signature_count = sum(policy.threshold for policy in policies)
    rule = registry.KINDS[body.kind]
    fee = Amount(0)
    while True:
        body_bytes = encode_body(_with_fee(body, fee), payload)
        size = len(encode_transaction(body_bytes, witnesses))
        needed = Amount(weigh(rule, payload, size=size, signatures=signature_count) * fee_rate)
        if needed > INTEGER_MAX:
            raise WalletError(FEE_TOO_LARGE)
        if needed == fee:
            return body_bytes
        assert needed > fee, "a larger fee takes no fewer bytes"
        fee = needed


def _with_fee(body: Body, fee: Amount) -> Body:
    return Body(
        version=body.version,
        chain_tag=body.chain_tag,
        kind=body.kind,
        salt=body.salt,
        author=body.author,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        payment=OwnFee(fee),
    )


def _blank_witness(policy: Policy) -> Witness:
    """A witness as large as the real one."""
    return Witness(policy, tuple((index, Signature(bytes(SIGNATURE_BYTES))) for index in range(policy.threshold)))


def sign_body(facts: ChainFacts, body_bytes: bytes, signer: Signer) -> Witness:
    """One signer's witness over the bytes of a body. Raises WalletError builder.wrong_seeds."""
    message = signing_hash(facts.chain_id, body_bytes)
    signatures = tuple((index, keys.sign(seed, message)) for index, seed in signer.indexed_seeds())
    return Witness(signer.shown_policy(), signatures)


def join_witnesses(facts: ChainFacts, body_bytes: bytes, witnesses: Sequence[Witness]) -> bytes:
    """Body and witnesses as one transaction, checked by the ledger's own decoder."""
    raw = encode_transaction(body_bytes, tuple(witnesses))
    decode_transaction(raw, facts.chain_id)
    return raw
