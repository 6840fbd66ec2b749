"""`fansumer wallet treasury` and `fansumer wallet together`: an account of several people, and a transaction that they sign."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PrefixOffline, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.client import Answer

app = typer.Typer(no_args_is_help=True, help="Sign one transaction with several people: a file that is passed round.")
treasury_app = typer.Typer(no_args_is_help=True, help="An account that several people govern together.")

TogetherFile = Annotated[Path, typer.Argument(metavar="FILE", help="The transaction, as it was passed to you.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where to write it; by default FILE itself.")]


@treasury_app.command("create")
def create(
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="What `fansumer wallet public-key` showed each of them.")
    ],
    threshold: Annotated[int, typer.Option("--threshold", min=1, max=16, help="How many of them must sign.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the treasury file. It holds no secret.")],
    prefix: PrefixOffline = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make the account of several keys. Give everybody a copy of the file, and name it with --wallet to act as the account.

    \b
    Examples:
      fansumer wallet treasury create 8a8a...8a 1b1b...1b c0c0...c0 --threshold 2 --out treasury.json
      fansumer wallet send dfan1p... 5000 --wallet treasury.json
      fansumer brand list-reward 5f5f...5f "A loaf of bread" --price 100 --wallet treasury.json
    """
    from api.cli.output import print_answer, say
    from api.cli.session import connect, read_id, write_file
    from api.wallet.treasury import Treasury
    from ledger.address import encode_address
    from ledger.types import PublicKey

    found = Treasury.of_keys([PublicKey(read_id(key, "KEY")) for key in keys], threshold)
    if prefix is None:
        with connect(url) as client:
            prefix = str(client.chain()["address_prefix"])
    write_file(out, found.to_json().encode())
    address = encode_address(prefix, found.address)
    print_answer(
        {"address": address, "threshold": threshold, "keys": len(found.policy.keys), "file": str(out)}, as_json=as_json
    )
    say(f"Give everybody a copy. To act as this account: --wallet {out}")


@treasury_app.command("show")
def show_treasury(
    file: Annotated[Path, typer.Argument(metavar="TREASURY", help="The treasury file.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show whose keys govern the account, and what it holds.

    \b
    Example:
      fansumer wallet treasury show treasury.json
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, read_text
    from api.wallet.treasury import Treasury, TreasuryWallet

    treasury = Treasury.from_json(read_text(file))
    with connect(url) as client:
        opened = TreasuryWallet(treasury, client, file.parent)
        opened.check_in_force()
        address = opened.address_text(treasury.address)
        coin = client.account(address)["coin"]
    keys = [{"key": key.hex()} for key in treasury.policy.keys]
    print_answer(
        {"address": address, "coin": coin, "threshold": treasury.policy.threshold, "keys": keys}, as_json=as_json
    )


@app.command("show")
def show(file: TogetherFile, as_json: AsJson = False) -> None:
    """Show what will happen, read from the bytes that are signed, and who has signed. No node is asked.

    \b
    Example:
      fansumer wallet together show transfer-5f5f5f5f5f5f.json
    """
    from api.cli.output import print_answer
    from api.cli.session import read_text
    from api.wallet.together import Together

    print_answer(Together.from_json(read_text(file)).describe(), as_json=as_json)


@app.command("sign")
def sign(
    file: TogetherFile,
    out: Out = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no node whether it is still valid: for a computer without a network.")
    ] = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Look at what will happen, and add the signature of your own key.

    \b
    Example:
      fansumer wallet together sign transfer-5f5f5f5f5f5f.json
    """
    from api.cli.output import print_answer, say
    from api.cli.session import Keystore, connect, read_text, write_file
    from api.wallet.key_book import Place
    from api.wallet.together import Together
    from api.wallet.treasury import check_time

    found = Together.from_json(read_text(file))
    if not offline:
        with connect(url) as client:
            check_time(client, found)
    signed = found.sign(key for _, key in Keystore.open(wallet).keys.keys(Place(account)))
    write_file(out or file, signed.to_json().encode())
    print_answer(signed.describe(), as_json=as_json)
    if signed.missing:
        say(f"Pass {out or file} on: {signed.missing} more must sign.")
    else:
        say(f"All have signed. Anybody may send it: fansumer wallet together submit {out or file}")


@app.command("join")
def join(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Copies that were signed at the same time.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the one with all their signatures.")],
    as_json: AsJson = False,
) -> None:
    """Bring the signatures of several copies together.

    \b
    Example:
      fansumer wallet together join from-anna.json from-ben.json --out signed.json
    """
    from api.cli.output import print_answer
    from api.cli.session import read_text, write_file
    from api.wallet.together import Together

    first, *rest = files
    joined = Together.from_json(read_text(first))
    for path in rest:
        joined = joined.join(Together.from_json(read_text(path)), str(path))
    write_file(out, joined.to_json().encode())
    print_answer(joined.describe(), as_json=as_json)


@app.command("submit")
def submit(file: TogetherFile, url: Url = DEFAULT_URL, wait: Wait = True, as_json: AsJson = False) -> None:
    """Send it, once enough have signed. Twice is harmless.

    \b
    Example:
      fansumer wallet together submit transfer-5f5f5f5f5f5f.json
    """
    from api.cli.output import print_answer, say
    from api.cli.session import connect, read_text, show_status
    from api.wallet.together import Together
    from api.wallet.treasury import submit_together

    found = Together.from_json(read_text(file))
    with connect(url) as client:
        submit_together(client, found)
        known: Answer = {"status": "unconfirmed"}
        if wait:
            say(f"sent {found.txid.hex()}; waiting for its block")
            known = client.wait_for(found.txid, confirmations=1, seconds_max=120.0)
    print_answer({"txid": found.txid.hex(), **show_status(known)}, as_json=as_json)
