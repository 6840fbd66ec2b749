"""`fansumer wallet receipt`: what a till signed, checked without any network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import CARRIED_NOTE, DEFAULT_URL, AsJson, Url

if TYPE_CHECKING:
    from api.wallet.client import Client
    from ledger.domains.loyalty.receipts import SignedReceipt

app = typer.Typer(no_args_is_help=True, help="Receipts: a till's signed promise of points.")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt, as the till gave it.")],
    chain_id: Annotated[str | None, typer.Option("--chain-id", help="The chain's id: then no node is asked.")] = None,
    opening: Annotated[
        Path | None,
        typer.Option("--opening", help="The opening that the shop gave after settling: is the receipt in it?"),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="With --chain-id: the network's prefix, such as dfan, to show addresses."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="It was signed just now: refuse it if its time is off by ten minutes.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Check a receipt: who signed it, for what, how many points.

    \b
    Examples:
      fansumer wallet receipt check receipt.bin
      fansumer wallet receipt check receipt.bin --chain-id 0f0f...0f --opening week-12.json
    """
    import time

    from api.cli.output import print_answer, say
    from api.cli.session import connect, read_id, read_text
    from api.wallet.receipts import check_receipt, describe_receipt, find_in_opening
    from ledger.types import ChainId, Timestamp

    signed = read_receipt(file)
    now = Timestamp(int(time.time())) if fresh else None
    granted: bool | None = None
    if chain_id is None:
        with connect(url) as client:
            chain = client.chain()
            prefix = str(chain["address_prefix"])
            check_receipt(signed, ChainId(read_id(str(chain["chain_id"]), "--chain-id")), now=now)
            granted = _warn_without_grant(client, signed, prefix)
    else:
        check_receipt(signed, ChainId(read_id(chain_id, "--chain-id")), now=now)
        say("Not checked: whether the program lets this till sign. Ask a node: leave --chain-id out.")
    shown = {**describe_receipt(signed, prefix), "till_granted": granted}
    if opening is not None:
        shown |= find_in_opening(signed, read_text(opening))
    print_answer(shown, as_json=as_json)
    if opening is None and not as_json:
        say(CARRIED_NOTE)


def _warn_without_grant(client: "Client", signed: "SignedReceipt", prefix: str) -> bool | None:
    """Whether the till held its scope when it signed; None if the node could not say."""
    from api.cli.output import warn
    from api.wallet.errors import ClientProblem
    from api.wallet.grants import find_grant, held_scope_at
    from ledger.address import encode_address
    from ledger.policy import address_of_key

    receipt = signed.receipt
    till = encode_address(prefix, address_of_key(receipt.till))
    try:
        granted = held_scope_at(find_grant(client, receipt.program, till), "till", receipt.time)
    except ClientProblem as problem:
        warn(f"whether the program lets {till} sign could not be checked: {problem.detail}")
        return None
    if not granted:
        warn(f"the program had not granted {till} the scope till when it signed: nobody has to settle this receipt.")
    return granted


def read_receipt(file: Path) -> "SignedReceipt":
    """The receipt in a file; its signature is not checked. Raises UsageFault cli.file_failed, WalletError cli.bad_file."""
    from api.cli.session import naming_file, read_bytes
    from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX, decode_receipt

    data = read_bytes(file, RECEIPT_BYTES_MAX)
    with naming_file(file, "receipt"):
        return decode_receipt(data)
