"""`fansumer wallet receipt`: what a till signed, checked without any network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, Url

if TYPE_CHECKING:
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

    from api.cli.output import print_answer
    from api.cli.session import connect, read_id, read_text
    from api.wallet.receipts import check_receipt, describe_receipt, find_in_opening
    from ledger.types import ChainId, Timestamp

    signed = read_receipt(file)
    if chain_id is None:
        with connect(url) as client:
            chain_id = str(client.chain()["chain_id"])
    check_receipt(signed, ChainId(read_id(chain_id, "--chain-id")), now=Timestamp(int(time.time())) if fresh else None)
    shown = describe_receipt(signed)
    if opening is not None:
        shown |= find_in_opening(signed, read_text(opening))
    print_answer(shown, as_json=as_json)


def read_receipt(file: Path) -> "SignedReceipt":
    """The receipt in a file; its signature is not checked. Raises UsageFault cli.file_failed, WalletError cli.bad_file."""
    from api.cli.session import naming_file, read_bytes
    from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX, decode_receipt

    data = read_bytes(file, RECEIPT_BYTES_MAX)
    with naming_file(file, "receipt"):
        return decode_receipt(data)
