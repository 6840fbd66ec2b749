"""Who signs for an account: other keys, guardians, recovery; and finding accounts whose keys were changed.

`Custody` acts for one **place** of a wallet: a main account, or the account for a program, whose pool then pays.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.wallet.builder import Signer
from api.wallet.derivation import ROTATIONS_MAX
from api.wallet.errors import WalletError
from api.wallet.key_book import Place, PresentKey
from api.wallet.wallet import KEYS_CHANGED, Sent, Wallet
from ledger.domains.accounts.cancel_recovery import CancelRecovery
from ledger.domains.accounts.recover import Recover
from ledger.domains.accounts.set_guardians import SetGuardians
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import Guardians
from ledger.errors import Code
from ledger.policy import Policy
from ledger.transaction import Payment, Prepaid, Sponsored
from ledger.types import Address, Hash, ProgramId

GOVERNING_EVENTS: Final = ("account.policy_changed", "account.recovered", "account.recovery_started")
"""Events that name a policy, in whose history they stand: so the address of a key tells which accounts it governs."""

PREPAID_SIGNATURES: Final = 2
PREPAID_KEYS: Final = 8
"""Signatures and keys of one policy that an exit's prepaid weight covers with room to spare."""

NO_RECOVERY = Code(
    "wallet.no_recovery",
    "no recovery of {address} is under way",
    "`fansumer wallet recover status` shows what its guardians have said.",
)
STILL_WAITING = Code(
    "wallet.still_waiting",
    "the recovery of {address} waits until the later of {effective_date} and block {effective_height}; the next block is "
    "{next_height}",
    "Do this again then. Until then the old keys may cancel it.",
)
LAPSED = Code(
    "wallet.recovery_lapsed",
    "nobody signed with the new keys of {address} in time, and the old ones are back; a new start counts from {not_before_date}",
    "Ask the guardians to start again.",
)
NO_KEYS_LEFT = Code(
    "wallet.no_keys_left",
    "the keys of {address} were changed {count} times, and a wallet looks for no more of the same words",
    "Make a new wallet, and move to its key with --to-key.",
)
OTHER_KEYS = Code(
    "wallet.other_keys",
    "{address} is recovered to the keys of {new_address}, and this wallet acts with those of {own_address}",
    "Open the wallet whose address the guardians were given, or name its --account or --program.",
)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """What finding out has shown of one place: its account's present key, and the label that says so."""

    place: Place
    key: PresentKey
    address: Address
    label: tuple[str, str]


class Custody:
    """The keys and guardians of one account of a wallet."""

    def __init__(self, wallet: Wallet, *, program: ProgramId | None = None) -> None:
        self.wallet = wallet
        self._program = program
        self.place = wallet.main_place if program is None else Place(program=program)

    @property
    def signer(self) -> Signer:
        """The account, with its present key."""
        return self.wallet.main if self._program is None else self.wallet.program_signer(self._program)

    @property
    def payment(self) -> Payment | None:
        """The program's pool pays for its members; a main account pays itself."""
        return None if self._program is None else Sponsored(self._program)

    def _exit_payment(self) -> Payment | None:
        """What the guardians prepaid is enough for, as far as its signatures go (spec FEE-4); an account of more people pays."""
        policy = self.signer.shown_policy()
        fits = policy.threshold <= PREPAID_SIGNATURES and len(policy.keys) <= PREPAID_KEYS
        return Prepaid() if fits else self.payment

    def _send(self, kind: str, payload: Any, payment: Payment | None) -> Sent:
        return self.wallet.send(kind, payload, self.signer, payment=payment)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def set_policy(self, policy: Policy) -> Sent:
        """Let other keys sign for the account from now on."""
        return self._send("account.set_policy", SetPolicy(policy), self.payment)

    def next_key(self) -> PresentKey:
        """The next key of the same words.

        Raises WalletError wallet.keys_changed if the present one is not this wallet's, or wallet.no_keys_left.
        """
        self.wallet.find_present(self.signer)
        present = self.wallet.keys.present_key(self.place)
        if present.rotation == ROTATIONS_MAX:
            address = self.wallet.address_text(self.signer.address)
            raise WalletError(NO_KEYS_LEFT, address=address, count=ROTATIONS_MAX)
        return PresentKey(present.rotation + 1, present.adopted)

    def rotate_to(self, key: PresentKey) -> Sent:
        """Change the account's key to another one of the same place."""
        return self.set_policy(self.wallet.keys.key_at(self.place, key.rotation).shown_policy())

    # --- guardians ----------------------------------------------------------------------------------------------------

    def set_guardians(self, addresses: Sequence[Address], *, threshold: int, delay_days: int) -> Sent:
        """Let `threshold` of these accounts recover this one, `delay_days` after they agreed."""
        guardians = Guardians(threshold, tuple(sorted(set(addresses))), delay_days)
        return self._send("account.set_guardians", SetGuardians((guardians,)), self.payment)

    def remove_guardians(self) -> Sent:
        """Let nobody recover the account any more."""
        return self._send("account.set_guardians", SetGuardians(()), self.payment)

    def approve(self, account: Address, policy_hash: Hash) -> Sent:
        """Say as a guardian that `account` shall be governed by this policy: of one key, the address of its wallet."""
        return self._send("account.recover", Recover(account, policy_hash), self.payment)

    def cancel(self) -> Sent:
        """Cancel the recovery of this account, without a fee. Raises WalletError wallet.no_recovery."""
        text = self.wallet.address_text(self.signer.address)
        recovery = self.wallet.client.account(text)["recovery"]
        if recovery is None:
            raise WalletError(NO_RECOVERY, address=text)
        payload = CancelRecovery(Hash(bytes.fromhex(recovery["policy_hash"])))
        return self._send("account.cancel_recovery", payload, self._exit_payment())

    def adopt(self, account: Address) -> FoundKey:
        """Let this place stand for an account that its key governs.

        Raises WalletError wallet.no_recovery, wallet.still_waiting, wallet.recovery_lapsed, wallet.other_keys or
        wallet.keys_changed.
        """
        text = self.wallet.address_text(account)
        answer = self.wallet.client.account(text)
        policy_hash = Hash(bytes.fromhex(answer["policy_hash"] or account.hex()))
        rotation = self.wallet.keys.find_rotation(self.place, policy_hash)
        if rotation is None:
            self._explain(text, answer, policy_hash)
            raise WalletError(KEYS_CHANGED, address=text, policy_hash=policy_hash.hex())
        return self._note(self.place, rotation, account)

    def _explain(self, text: str, answer: Any, policy_hash: Hash) -> None:
        """Say why the key of this place does not govern the account, as far as a recovery is why."""
        recovery, own = answer["recovery"], self.wallet.address_text(self.wallet.keys.key_at(self.place, 0).address)
        if recovery is None and answer["guardians"] is not None and not answer["policy_hash"]:
            raise WalletError(NO_RECOVERY, address=text)
        if recovery is not None and recovery["new_address"] != own:
            raise WalletError(OTHER_KEYS, address=text, new_address=recovery["new_address"], own_address=own)
        if recovery is not None and recovery["phase"] == "waiting":
            named = {name: recovery[name] for name in ("effective_date", "effective_height")}
            raise WalletError(STILL_WAITING, address=text, next_height=answer["height"] + 1, **named)
        if recovery is not None:
            raise WalletError(LAPSED, address=text, not_before_date=recovery["expires_date"])

    def confirm(self) -> Sent:
        """Sign once with the present keys, which completes a recovery: the policy is set to what it is."""
        return self.set_policy(self.signer.shown_policy())

    # --- finding ------------------------------------------------------------------------------------------------------

    def find_keys(self, places: Iterable[Place]) -> Iterator[FoundKey]:
        """Ask the node which accounts the keys of these places govern now, where that is not what the wallet knows."""
        for place in places:
            found = self._find(place)
            if found is not None and self.wallet.keys.present_key(place) != found[1]:
                rotation, key = found[1].rotation, found[1]
                yield self._note(place, rotation, key.adopted or found[0])

    def _find(self, place: Place) -> tuple[Address, PresentKey] | None:
        """The account of a place and its present key: its own one if a key of the place governs it, else one that was adopted."""
        own = self.wallet.keys.key_at(place, 0).address
        rotation = self.wallet.keys.find_rotation(place, self._policy_hash(own))
        for adopted in self._governed_by(own):
            adopted_rotation = self.wallet.keys.find_rotation(place, self._policy_hash(adopted))
            if adopted_rotation is not None:
                return adopted, PresentKey(adopted_rotation, adopted)
        return None if rotation is None else (own, PresentKey(rotation))

    def _governed_by(self, key_address: Address) -> Iterator[Address]:
        """Accounts that were given the policy of this one key, the latest first."""
        text = self.wallet.address_text(key_address)
        for event in self.wallet.client.every(self.wallet.client.account_history, text):
            data = event["data"]
            if (
                event["name"] in GOVERNING_EVENTS
                and data["policy_hash"] == key_address.hex()
                and data["account"] != text
            ):
                yield self.wallet.read_address(data["account"])

    def _policy_hash(self, account: Address) -> Hash:
        answer = self.wallet.client.account(self.wallet.address_text(account))
        return Hash(bytes.fromhex(answer["policy_hash"] or account.hex()))

    def _note(self, place: Place, rotation: int, account: Address) -> FoundKey:
        own = self.wallet.keys.key_at(place, 0).address
        key = PresentKey(rotation, None if account == own else account)
        return FoundKey(place, key, account, self.wallet.keys.note(place, key))
