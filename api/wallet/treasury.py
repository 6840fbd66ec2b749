"""An account of several people: `m` of their keys sign together, each in a wallet of its own.

A **treasury file** says whose keys govern an account; it holds no secret, and each of them keeps a copy:

    {"format": "fansumer-treasury", "version": 1, "threshold": 2, "keys": ["<64 hex>", ...], "address": "<64 hex>"}

The address is that of the policy, or the account's own where its policy was changed to this one. `TreasuryWallet` takes the place
of a wallet: what it is asked to send it writes into a file (`api.wallet.together`), which is passed round and signed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.wallet.builder import ChainFacts, Signer, draft_body, new_salt
from api.wallet.client import Answer, Client
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.key_book import KeyBook, Place
from api.wallet.mnemonic import MasterSeed
from api.wallet.together import Party, Together
from api.wallet.wallet import Sent, Wallet
from api.wallet.whole_file import PUBLIC, write_whole
from api.words import shown_format
from ledger.errors import Code, Malformed
from ledger.hashing import TX
from ledger.policy import Policy
from ledger.transaction import Payment
from ledger.types import Address, Hash, Height, PrivateSeed, ProgramId, PublicKey, TxId

FORMAT: Final = "fansumer-treasury"
VERSION: Final = 1
TEXT_CHARACTERS_MAX: Final = 8_192
ID_DIGITS: Final = 64
HTTP_NOT_FOUND: Final = 404

BAD_TREASURY = Code(
    "treasury.bad_file",
    "this is no treasury file: {reason}",
    "Make one with `fansumer wallet treasury create`, or take a copy from somebody who has it.",
)
STALE = Code(
    "treasury.stale",
    "the account {address} is governed by the policy {policy_hash}, not by the keys in this file",
    "Take the treasury file that was made when its keys were changed.",
)
SIGN_FIRST = Code(
    "treasury.sign_first",
    "this must be signed by {threshold} people before anything else can follow; it is in {path}",
    "Pass the file round: fansumer wallet together sign FILE, then fansumer wallet together submit FILE.",
)
NO_KEY_HERE = Code(
    "treasury.no_key_here",
    "a treasury has one account, no keys, and nobody's receipts",
    "Use a wallet of your own for this.",
)


@dataclass(frozen=True, slots=True)
class Treasury:
    """Whose keys govern an account, and how many of them must sign."""

    policy: Policy
    address: Address

    @staticmethod
    def of_keys(keys: list[PublicKey], threshold: int, address: Address | None = None) -> "Treasury":
        """A treasury of these keys, in any order. Raises WalletError treasury.bad_file."""
        policy = Policy(threshold, tuple(sorted(keys)))
        try:
            policy.check()
        except Malformed as fault:
            raise WalletError(BAD_TREASURY, reason=str(fault.fields.get("reason", fault))) from None
        return Treasury(policy, Address(policy.hash) if address is None else address)

    def to_json(self) -> str:
        """The file's text."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "threshold": self.policy.threshold,
            "keys": [key.hex() for key in self.policy.keys],
            "address": self.address.hex(),
        }
        return json.dumps(document, indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> "Treasury":
        """Read a file's text. Raises WalletError treasury.bad_file."""
        if len(text) > TEXT_CHARACTERS_MAX:
            raise WalletError(BAD_TREASURY, reason=f"it has more than {TEXT_CHARACTERS_MAX} characters")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise WalletError(BAD_TREASURY, reason="it is not JSON") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise WalletError(BAD_TREASURY, reason=f"its format is {shown_format(document)}, not {FORMAT}")
        if document.get("version") != VERSION:
            raise WalletError(BAD_TREASURY, reason="its version is unknown; update fansumer")
        threshold, keys = document.get("threshold"), document.get("keys")
        if type(threshold) is not int or not 1 <= threshold <= 16 or not isinstance(keys, list) or len(keys) > 16:
            raise WalletError(BAD_TREASURY, reason="threshold or keys are missing or too many")
        found = [PublicKey(_read_id(key, "a key")) for key in keys]
        return Treasury.of_keys(found, threshold, Address(_read_id(document.get("address"), "its address")))


def _read_id(text: object, what: str) -> bytes:
    try:
        found = bytes.fromhex(text) if isinstance(text, str) and len(text) == ID_DIGITS else b""
    except ValueError:
        found = b""
    if len(found) != 32:
        raise WalletError(BAD_TREASURY, reason=f"{what} is not 64 hexadecimal digits")
    return found


def is_treasury(path: Path) -> bool:
    """Whether this file says that it is a treasury."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(TEXT_CHARACTERS_MAX + 1))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("format") == FORMAT


class TreasuryWallet(Wallet):
    """Stands for the account of several people. What it sends is written into a file beside the treasury's, to be signed."""

    def __init__(self, treasury: Treasury, client: Client, folder: Path) -> None:
        self.treasury = treasury
        self.client = client
        self.keys = KeyBook(MasterSeed(b""))
        self.main_place = Place()
        self.folder = folder
        self.written: Path | None = None

    @property
    def main(self) -> Signer:
        """The account, without any of its keys."""
        return Signer(PrivateSeed(b""), self.treasury.address, self.treasury.policy)

    def program_signer(self, program: ProgramId) -> Signer:
        """The same account: a treasury has one."""
        return self.main

    def send(
        self, kind: str, payload: Any, author: Signer, *, payment: Payment | None = None, cosigners: Any = ()
    ) -> Sent:
        """Write the transaction into a file for its signers. It may stand in a block for as long as the chain allows.

        Raises WalletError treasury.stale where other keys govern the account, treasury.sign_first for a second one at once.
        """
        if self.written is not None:
            raise WalletError(SIGN_FIRST, threshold=self.treasury.policy.threshold, path=str(self.written))
        self.check_in_force()
        valid_from, facts = self.next_height(), self.facts
        body_bytes = draft_body(
            facts,
            kind,
            payload,
            author.address,
            policies=(self.treasury.policy,),
            valid_from=valid_from,
            valid_until=facts.valid_until(valid_from, facts.validity_blocks_max),
            payment=payment,
            salt=new_salt(),
        )
        found = Together.of_body(
            facts.chain_id, facts.address_prefix, body_bytes, (Party(author.address, self.treasury.policy),)
        )
        txid = TxId(TX(body_bytes))
        self.written = self.folder / f"{kind.replace('.', '-')}-{txid.hex()[:12]}.json"
        write_whole(self.written, found.to_json().encode(), replace=False, mode=PUBLIC)
        return Sent(txid, b"")

    def dry_run(self, kind: str, payload: Any, author: Signer, *, payment: Payment | None = None) -> Answer | None:
        """None: a node looks at what is signed, and that takes several people."""
        return None

    def check_in_force(self) -> None:
        """Raise WalletError treasury.stale unless the keys in the file govern the account now."""
        text = self.address_text(self.treasury.address)
        shown = self.client.account(text)["policy_hash"]
        in_force = Hash(self.treasury.address if shown is None else bytes.fromhex(shown))
        if in_force != self.treasury.policy.hash:
            raise WalletError(STALE, address=text, policy_hash=in_force.hex())

    @property
    def till_seed(self) -> PrivateSeed:
        """A receipt is signed by one key at once. Raises WalletError treasury.no_key_here."""
        raise WalletError(NO_KEY_HERE)

    def find_present(self, signer: Signer) -> Signer:
        """The account as it is, once its keys were seen to be in force."""
        self.check_in_force()
        return signer

    def wait_for(self, sent: Sent, *, confirmations: int = 1, seconds_max: float = 120.0) -> Answer:
        """Nothing can be waited for before it is signed. Raises WalletError treasury.sign_first."""
        raise WalletError(SIGN_FIRST, threshold=self.treasury.policy.threshold, path=str(self.written))

    def owner(self, program: ProgramId) -> Any:
        """Requests are signed by one key at once. Raises WalletError treasury.no_key_here."""
        raise WalletError(NO_KEY_HERE)


def check_time(client: Client, found: Together) -> None:
    """Raise WalletError together.wrong_chain or together.expired if the node's next block can't hold the transaction."""
    answer = client.chain()
    found.check_time(ChainFacts.of_answer(answer).chain_id, Height(int(answer["next_height"])))


def submit_together(client: Client, found: Together) -> None:
    """Send what enough people have signed, unless the node has it already.

    Raises WalletError together.too_few, together.wrong_chain or together.expired, or the node's refusal.
    """
    raw = found.finish()
    try:
        status = client.transaction(found.txid)["status"]
    except ClientProblem as problem:
        if problem.status != HTTP_NOT_FOUND:
            raise
        status = "unknown"
    if status not in ("confirmed", "unconfirmed"):
        check_time(client, found)
        client.submit(raw)
