"""The commands of `fansumer wallet` about the wallet itself: a new one, one from its words, and its addresses."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PrefixOffline, Url, WalletFile

if TYPE_CHECKING:
    from ledger.types import Address

PUBLIC_NETWORKS: Final = ("main", "test", "dev")
"""Whose addresses a new wallet says without asking a node; a private chain has a prefix of its own."""


def create(prefix: PrefixOffline = None, wallet: WalletFile = None, as_json: AsJson = False) -> None:
    """Make a wallet: 24 words to write down, and a keystore under a passphrase. No node is asked: its main address is said as each
    public network writes it, or with --prefix as that network does.

    \b
    Example:
      fansumer wallet create
    """
    from api.cli.output import print_json, say
    from api.cli.session import wallet_path
    from api.wallet.mnemonic import create_phrase

    phrase = create_phrase()
    path = wallet_path(wallet)
    own = _own_addresses(phrase, prefix)
    save_new(path, phrase)
    if as_json:
        print_json({"wallet": str(path), "phrase": phrase, "addresses": own})
        return
    say("Write these words down in their order and keep the paper. They are the wallet; nobody can restore them.")
    typer.echo(phrase)
    say(f"The keystore is {path}.")
    for network, address in own.items():
        say(f"Your main address on {network}: {address}")
    say(
        "Each program that you join sees another address: `wallet join` says it, and `wallet addresses --program PROGRAM`."
    )


def _own_addresses(phrase: str, prefix: str | None) -> dict[str, str]:
    """The main address of new words, by the name of the network, or of the prefix that was named."""
    from api.wallet.builder import Signer
    from api.wallet.derivation import derive_main_seed
    from api.wallet.mnemonic import derive_master_seed
    from ledger.address import encode_address
    from ledger.networks import NETWORKS

    address = Signer.of_seed(derive_main_seed(derive_master_seed(phrase), 0)).address
    known = {name: NETWORKS[name].address_prefix for name in PUBLIC_NETWORKS} if prefix is None else {prefix: prefix}
    return {name: encode_address(used, address) for name, used in known.items()}


def restore(
    wallet: WalletFile = None,
    phrase_file: Annotated[
        Path | None, typer.Option("--phrase-file", help="Read the words from this file instead of asking.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a wallet back from its words.

    \b
    Example:
      fansumer wallet restore
    """
    from api.cli.output import print_json, say
    from api.cli.session import read_text, wallet_path
    from api.wallet.mnemonic import check_phrase

    typed = typer.prompt("Words", hide_input=True, err=True) if phrase_file is None else read_text(phrase_file)
    phrase = check_phrase(typed)
    path = wallet_path(wallet)
    save_new(path, phrase)
    if as_json:
        print_json({"wallet": str(path)})
    else:
        say(f"The keystore is {path}.")
        say("Were keys changed, or an account recovered? Then: fansumer wallet find-keys")


def save_new(path: Path, phrase: str) -> None:
    """Write a new keystore; nothing is asked where one is in the way."""
    from api.cli import session
    from api.cli.output import UsageFault
    from api.cli.session import FILE_FAILED, ask_passphrase
    from api.wallet.errors import WalletError
    from api.wallet.keystore import ALREADY_THERE, Content, save_keystore, seal_content
    from api.wallet.mnemonic import read_entropy

    if path.exists():
        raise WalletError(ALREADY_THERE, path=str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as fault:
        raise UsageFault(FILE_FAILED, path=str(path), reason=fault.strerror or "no folder") from None
    content = Content(read_entropy(phrase))
    save_keystore(path, seal_content(content, ask_passphrase(is_new=True), cost=session.KEYSTORE_COST))


def addresses(
    programs: Annotated[
        list[str] | None, typer.Option("--program", help="A program's id; by default all that the node knows.")
    ] = None,
    prefix: PrefixOffline = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show this wallet's addresses: the main one, and one for each program.

    \b
    Examples:
      fansumer wallet addresses
      fansumer wallet addresses --prefix dfan --program 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import Keystore, connect, read_id
    from api.wallet.key_book import Place
    from ledger.address import encode_address
    from ledger.types import ProgramId

    keys = Keystore.open(wallet).keys
    found = [ProgramId(read_id(text, "PROGRAM")) for text in programs or ()]
    if prefix is None:
        with connect(url) as client:
            prefix = str(client.chain()["address_prefix"])
            if programs is None:
                found = [ProgramId(bytes.fromhex(item["id"])) for item in client.every(client.programs)]
    main = keys.address(Place(account))
    rows = [{"account": f"main {account}", "address": encode_address(prefix, main)}]
    for program in found:
        address = keys.address(Place(program=program))
        rows.append({"account": program.hex(), "address": encode_address(prefix, address)})
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)


def tell_own_address(prefix: str, address: "Address") -> None:
    """Say which account a program sees: a shop asks for it at the counter."""
    from api.cli.output import say
    from ledger.address import encode_address

    say(f"Your address in this program, by which its shops know you: {encode_address(prefix, address)}")
