"""What a command works with: the data folder, a node, an opened wallet, ids and files that a person named."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import stamina
import typer

from api.cli.output import UsageFault, print_answer, say, warn
from api.data_folder import data_folder
from api.wallet.client import Answer, Client
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.grants import find_grant
from api.wallet.key_book import KeyBook
from api.wallet.keystore import DEFAULT_COST, Content, load_keystore, save_keystore, seal_content
from api.wallet.mnemonic import MasterSeed, derive_master_seed, spell_entropy
from api.wallet.treasury import NO_KEY_HERE, Treasury, TreasuryWallet, is_treasury
from api.wallet.wallet import OWN_FEE, POOL, Sent, Wallet
from api.wallet.whole_file import write_whole
from api.worth_words import speak_worth
from ledger.address import decode_address
from ledger.errors import Code, Malformed
from ledger.types import Address, ProgramId

PASSPHRASE_VARIABLE: Final = "FANSUMER_PASSPHRASE"
ATTEMPTS_MAX: Final = 3
"""A person waits for the answer: a node that is not there is reported after about two seconds."""
FILE_BYTES_MAX: Final = 2**20
KEYSTORE_COST = DEFAULT_COST
"""What a guess at the passphrase of a new keystore costs; tests make it cheap."""

BAD_ID = Code("cli.bad_id", "{name} must be 64 hexadecimal digits, not {found}", "Copy the whole id again.")
BAD_FILE = Code("cli.bad_file", "{path} is no {what}: {reason}", "Name the right file, or ask for it again.")
TOO_LARGE = Code(
    "cli.file_too_large",
    "the file {path} has more than {maximum} bytes",
    "Name the right file, or take out what is not needed.",
)
FILE_FAILED = Code("cli.file_failed", "the file {path} cannot be used: {reason}", "Check its name and permissions.")


def wallet_path(named: Path | None) -> Path:
    """The keystore that a command means."""
    return data_folder() / "wallet.json" if named is None else named


def ask_passphrase(*, is_new: bool = False) -> str:
    """The passphrase: from FANSUMER_PASSPHRASE, or typed without being shown, twice if it is new."""
    found = os.environ.get(PASSPHRASE_VARIABLE)
    if found:
        return found
    return typer.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True)


@dataclass(slots=True)
class Keystore:
    """An opened keystore: what it protects, and how to write it again."""

    path: Path
    content: Content
    passphrase: str = field(repr=False)

    @staticmethod
    def open(named: Path | None) -> "Keystore":
        """Ask for the passphrase and open it. Raises WalletError keystore.*, or treasury.no_key_here."""
        path = wallet_path(named)
        if is_treasury(path):
            raise WalletError(NO_KEY_HERE)
        if not path.exists():
            load_keystore(path, "-")  # raises keystore.missing before anybody is asked for a passphrase
        passphrase = ask_passphrase()
        return Keystore(path, load_keystore(path, passphrase), passphrase)

    @property
    def master(self) -> MasterSeed:
        """The root of its keys."""
        return derive_master_seed(spell_entropy(self.content.entropy))

    @property
    def keys(self) -> KeyBook:
        """Its keys, and what it remembers of those that were changed."""
        return KeyBook.of_labels(self.master, dict(self.content.labels))

    def remember(self, *labels: tuple[str, str]) -> None:
        """Write labels into the file; an empty text removes one. Raises WalletError keystore.*."""
        for key, text in labels:
            self.content = self.content.set_label(key, text)
        save_keystore(self.path, seal_content(self.content, self.passphrase, cost=KEYSTORE_COST), replace=True)


def open_master(named: Path | None) -> MasterSeed:
    """The root of the wallet's keys. Raises WalletError keystore.*."""
    return Keystore.open(named).master


def find_language() -> str:
    """The language of the terminal, where a node speaks it: `ko`, else `en`. By the variables of POSIX, the first that says one."""
    said = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ko" if said.startswith("ko") else "en"


@contextmanager
def connect(url: str) -> Iterator[Client]:
    """A client of the node at `url`. Its retries are not logged: the error at the end says what a person must know."""
    stamina.instrumentation.set_on_retry_hooks([])
    with Client(url, language=find_language(), attempts_max=ATTEMPTS_MAX) as client:
        yield client


@contextmanager
def open_wallet(url: str, named: Path | None, account: int = 0) -> Iterator[Wallet]:
    """The wallet at its node; where a treasury file was named, the account of several people."""
    path = wallet_path(named)
    if is_treasury(path):
        treasury = Treasury.from_json(read_text(path))
        with connect(url) as client:
            yield TreasuryWallet(treasury, client, path.parent)
        return
    keystore = Keystore.open(named)
    with open_keystore(url, keystore, account) as wallet:
        yield wallet


@contextmanager
def open_keystore(url: str, keystore: Keystore, account: int = 0) -> Iterator[Wallet]:
    """The wallet of a keystore at its node."""
    with connect(url) as client:
        yield Wallet(keystore.master, client, account=account, keys=keystore.keys)


def finish(
    wallet: Wallet, sent: Sent, *, wait: bool, as_json: bool, noun: str | None = None, number_in: str | None = None
) -> None:
    """Wait for a transaction if that is wanted, and print what became of it and the id of what it made.

    `number_in` names the event of its block that says which number it was given.
    """
    print_answer(settle(wallet, sent, wait=wait, noun=noun, number_in=number_in), as_json=as_json)


def settle(
    wallet: Wallet, sent: Sent, *, wait: bool, noun: str | None = None, number_in: str | None = None
) -> dict[str, object]:
    """What `finish` prints; with a height where the transaction is in a block."""
    answer: dict[str, object] = {"txid": sent.txid.hex()}
    if noun is not None:
        answer[noun] = sent.object_id(noun).hex()
    if isinstance(wallet, TreasuryWallet):
        answer |= {"status": "unsigned", "file": str(wallet.written), "signatures": wallet.treasury.policy.threshold}
        say(f"{wallet.treasury.policy.threshold} people sign it now: fansumer wallet together sign {wallet.written}")
        return answer
    status: Answer = {"status": "unconfirmed"}
    if wait:
        say(f"sent {sent.txid.hex()}; waiting for its block")
        status = wallet.wait_for(sent)
    answer |= show_status(status)
    for event in status.get("events") or ():
        if event["name"] == number_in:
            answer["number"] = event["data"]["number"]
    return answer


def show_status(status: Answer) -> dict[str, object]:
    """What became of a transaction, in short, and how safe it is in a sentence."""
    shown = {name: status[name] for name in ("status", "height", "confirmations") if name in status}
    return {**shown, "says": status.get("says") or speak_worth(status)}


def warn_without_scope(wallet: Wallet, program: ProgramId, scope: str, consequence: str) -> bool | None:
    """Warn if the acting account holds no live grant of a program with `scope`; None if the node could not say."""
    address = wallet.address_text(wallet.main.address)
    try:
        grant = find_grant(wallet.client, program, address)
    except ClientProblem as problem:
        warn(f"whether {address} holds a grant with the scope {scope} could not be checked: {problem.detail}")
        return None
    if grant is not None and scope in grant["scopes"] and grant["revoked_at"] is None:
        return True
    scopes = [] if grant is None or grant["revoked_at"] is not None else list(grant["scopes"])
    held = f"holds a grant of this program ({', '.join(scopes)}), without the scope {scope}"
    missing = held if scopes else f"holds no live grant of this program, and so not the scope {scope}"
    cap = "" if scope in ("enrol", "fulfil") else " --daily-cap POINTS"
    warn(
        f"{address} {missing}: {consequence}. Its owner grants it: "
        f"fansumer brand grant-issuer {program.hex()} {address} --scopes {','.join([*scopes, scope])}{cap}"
    )
    return False


def payment_choice(*, pay_own: bool) -> str:
    """Who pays where the program's pool may."""
    return OWN_FEE if pay_own else POOL


def read_id(text: str, name: str) -> bytes:
    """The 32 bytes of an id. Raises UsageFault cli.bad_id."""
    try:
        found = bytes.fromhex(text) if len(text) == 64 else b""
    except ValueError:
        found = b""
    if len(found) != 32:
        raise UsageFault(BAD_ID, name=name, found=text[:80])
    return found


def read_account(wallet: Wallet, text: str) -> Address:
    """The address on the wallet's chain that was typed. Raises UsageFault address.*."""
    return parse_address(wallet.facts.address_prefix, text)


def parse_address(prefix: str, text: str) -> Address:
    """The address that was typed. Raises UsageFault address.*."""
    try:
        return decode_address(prefix, text)
    except Malformed as fault:
        raise UsageFault(fault.code, **fault.fields) from None


def read_bytes(path: Path, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """The bytes of a file that was named. Raises UsageFault cli.file_failed, cli.file_too_large."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "it cannot be read") from None
    if len(data) > bytes_max:
        raise UsageFault(TOO_LARGE, path=str(path), maximum=bytes_max)
    return data


def read_text(path: Path, bytes_max: int = FILE_BYTES_MAX) -> str:
    """The text of a file that was named. Raises UsageFault cli.file_failed, cli.file_too_large."""
    try:
        return read_bytes(path, bytes_max).decode("utf-8")
    except UnicodeDecodeError:
        from api.cli.file_kinds import describe_file

        reason = f"it is {describe_file(path)}, and a text is wanted here"
        raise UsageFault(FILE_FAILED, path=str(path), reason=reason) from None


@contextmanager
def naming_file(path: Path, what: str) -> Iterator[None]:
    """Says of which file it is that its bytes are malformed, and what it is instead. Raises WalletError cli.bad_file."""
    from api.cli.file_kinds import UNKNOWN, describe_file

    try:
        yield
    except Malformed as fault:
        found = describe_file(path)
        reason = f"it is {found}" if found != UNKNOWN else f"it is of no kind that is known here, or damaged ({fault})"
        raise WalletError(BAD_FILE, path=str(path), what=what, reason=reason) from None


def refuse_keystore(path: Path) -> None:
    """Raise UsageFault cli.file_failed where a wallet would be overwritten: its keys may be nowhere else."""
    from api.wallet.keystore import is_keystore

    if is_keystore(path):
        raise UsageFault(FILE_FAILED, path=str(path), reason="it is a wallet, and a wallet is never overwritten")


def refuse_overwriting(path: Path, wanted: str, *, force: bool = False) -> None:
    """Raise UsageFault where writing would overwrite a wallet, or, without `force`, what is not `wanted` (see `file_kinds`)."""
    from api.cli.file_kinds import refuse_other_file

    refuse_keystore(path)
    try:
        refuse_other_file(path, wanted, force=force)
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "it cannot be read") from None


def write_file(path: Path, data: bytes | Sequence[bytes | memoryview], *, force: bool = False) -> None:
    """Write a file that was named, whole or not at all, readable by its owner only: bytes, or pieces one behind the other.

    Raises UsageFault cli.file_failed. A file that is there and of another kind than `data` is left alone, unless `force`:
    cli.other_file.
    """
    from api.cli.file_kinds import kind_of

    pieces = [data] if isinstance(data, bytes) else data
    refuse_overwriting(path, kind_of(bytes(pieces[0])), force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            with path.open("wb") as file:  # a terminal or a pipe, as in --out /dev/stdout
                file.writelines(pieces)
        else:
            write_whole(path.resolve(), pieces)
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "it cannot be written") from None
