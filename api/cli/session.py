"""What a command works with: the data folder, a node, an opened wallet, ids and files that a person named."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import stamina
import typer

from api.cli.output import UsageFault, print_answer, say, warn
from api.data_folder import data_folder
from api.wallet.client import Answer, Client
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.grants import find_grant
from api.wallet.keystore import DEFAULT_COST, load_keystore
from api.wallet.mnemonic import MasterSeed, derive_master_seed, spell_entropy
from api.wallet.wallet import OWN_FEE, POOL, Sent, Wallet
from api.wallet.whole_file import write_whole
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


def open_master(named: Path | None) -> MasterSeed:
    """The root of the wallet's keys. Raises WalletError keystore.*."""
    path = wallet_path(named)
    if not path.exists():
        load_keystore(path, "-")  # raises keystore.missing before anybody is asked for a passphrase
    return derive_master_seed(spell_entropy(load_keystore(path, ask_passphrase()).entropy))


@contextmanager
def connect(url: str) -> Iterator[Client]:
    """A client of the node at `url`. Its retries are not logged: the error at the end says what a person must know."""
    stamina.instrumentation.set_on_retry_hooks([])
    with Client(url, attempts_max=ATTEMPTS_MAX) as client:
        yield client


@contextmanager
def open_wallet(url: str, named: Path | None, account: int = 0) -> Iterator[Wallet]:
    """The wallet at its node."""
    master = open_master(named)
    with connect(url) as client:
        yield Wallet(master, client, account=account)


def finish(
    wallet: Wallet, sent: Sent, *, wait: bool, as_json: bool, noun: str | None = None, number_in: str | None = None
) -> None:
    """Wait for a transaction if that is wanted, and print what became of it and the id of what it made.

    `number_in` names the event of its block that says which number it was given.
    """
    answer: dict[str, object] = {"txid": sent.txid.hex()}
    if noun is not None:
        answer[noun] = sent.object_id(noun).hex()
    status: Answer = {"status": "unconfirmed"}
    if wait:
        say(f"sent {sent.txid.hex()}; waiting for its block")
        status = wallet.wait_for(sent)
    answer |= {name: status[name] for name in ("status", "height", "confirmations") if name in status}
    for event in status.get("events") or ():
        if event["name"] == number_in:
            answer["number"] = event["data"]["number"]
    print_answer(answer, as_json=as_json)


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
    warn(
        f"{address} holds no live grant of this program with the scope {scope}: {consequence}. Its owner grants it: "
        f"fansumer brand grant-issuer {program.hex()} {address} --scopes {scope}"
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
    """The bytes of a file that was named. Raises UsageFault cli.file_failed."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "it cannot be read") from None
    if len(data) > bytes_max:
        raise UsageFault(FILE_FAILED, path=str(path), reason=f"it has more than {bytes_max} bytes")
    return data


def read_text(path: Path) -> str:
    """The text of a file that was named. Raises UsageFault cli.file_failed."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageFault(FILE_FAILED, path=str(path), reason="it is not UTF-8 text") from None


@contextmanager
def naming_file(path: Path, what: str) -> Iterator[None]:
    """Says of which file it is that its bytes are malformed. Raises WalletError cli.bad_file."""
    try:
        yield
    except Malformed as fault:
        raise WalletError(BAD_FILE, path=str(path), what=what, reason=str(fault)) from None


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


def write_file(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write a file that was named, whole or not at all, readable by its owner only. Raises UsageFault cli.file_failed.

    A file that is there and of another kind than `data` is left alone, unless `force`: cli.other_file.
    """
    from api.cli.file_kinds import kind_of

    refuse_overwriting(path, kind_of(data), force=force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a terminal or a pipe, as in --out /dev/stdout
        else:
            write_whole(path.resolve(), data)
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "it cannot be written") from None
