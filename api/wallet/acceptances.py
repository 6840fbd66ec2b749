"""A shop's word on a redemption, at both ends: the till signs what it sees, the fan checks it without a network (spec RWD-10)."""

from typing import Any

from api.wallet.client import Answer
from api.wallet.errors import WalletError
from api.wallet.wallet import Wallet
from ledger import keys
from ledger.address import encode_address
from ledger.domains.rewards.acceptance import (
    ACCEPTANCE_VERSION,
    AcceptanceStatement,
    SignedAcceptance,
    acceptance_is_signed,
    sign_acceptance,
)
from ledger.errors import Code
from ledger.policy import address_of_key
from ledger.types import Address, ChainId, HoldId, ProgramId, Timestamp, TxId

NOT_ACCEPTABLE = Code(
    "acceptance.nothing_to_bear",
    "the redemption is {standing}",
    "Only one that waits for blocks is accepted; one that is settled is handed out, one that fell out is asked for again.",
)
WRONG_SIGNATURE = Code(
    "acceptance.wrong_signature",
    "this acceptance was not signed by the till that it names, or not for this chain",
    "Do not rely on it. Ask the shop again, and give the chain's id as your node shows it.",
)
WRONG_TILL = Code(
    "acceptance.wrong_till",
    "this acceptance was signed by {account}, not by {till}",
    "Ask the shop which of its tills accepted.",
)


def accept_redemption(wallet: Wallet, redemption: Answer, *, now: Timestamp, depth: int) -> SignedAcceptance:
    """The main account's acceptance of what the node shows. Raises WalletError acceptance.nothing_to_bear, Malformed shape.*."""
    if redemption["standing"] != "waiting":
        raise WalletError(NOT_ACCEPTABLE, standing=redemption["standing"])
    seed = wallet.main.seed
    statement = AcceptanceStatement(
        version=ACCEPTANCE_VERSION,
        program=ProgramId(bytes.fromhex(redemption["program"])),
        txid=TxId(bytes.fromhex(redemption["txid"])),
        hold=HoldId(bytes.fromhex(redemption["id"])),
        member=wallet.read_address(redemption["member"]),
        till=keys.public_key_of(seed),
        accepted_at=now,
        depth=depth,
    )
    return sign_acceptance(statement, wallet.facts.chain_id, seed)


def check_acceptance(signed: SignedAcceptance, chain_id: ChainId, *, till: Address | None = None) -> None:
    """Raise WalletError acceptance.wrong_signature, or acceptance.wrong_till where another one than `till` signed."""
    if not acceptance_is_signed(signed, chain_id):
        raise WalletError(WRONG_SIGNATURE)
    found = address_of_key(signed.statement.till)
    if till is not None and found != till:
        raise WalletError(WRONG_TILL, account=found, till=till)


def describe_acceptance(signed: SignedAcceptance, prefix: str | None) -> dict[str, Any]:
    """What an acceptance says, for people; addresses are hex without the network's prefix."""
    statement = signed.statement

    def show(address: Address) -> str:
        return address.hex() if prefix is None else encode_address(prefix, address)

    return {
        "redemption": statement.hold.hex(),
        "txid": statement.txid.hex(),
        "program": statement.program.hex(),
        "member": show(statement.member),
        "till": show(address_of_key(statement.till)),
        "accepted_at": statement.accepted_at,
        "depth": statement.depth,
        "says": f"The shop hands it out at its own risk until {statement.depth} blocks stand on it; should it fall out of the "
        "chain, the shop bears it.",
    }
