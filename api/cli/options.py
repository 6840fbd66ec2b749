"""Options that many commands share, each declared once. Only typer is imported here, so that help is shown at once."""

from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8780"

Url = Annotated[
    str, typer.Option("--url", envvar="FANSUMER_URL", help="The node's API.", rich_help_panel="Node and wallet")
]
WalletFile = Annotated[
    Path | None,
    typer.Option(
        "--wallet",
        envvar="FANSUMER_WALLET",
        help="The keystore. By default wallet.json in your data folder.",
        rich_help_panel="Node and wallet",
    ),
]
Account = Annotated[
    int,
    typer.Option(
        "--account",
        min=0,
        max=2**31 - 1,
        help="Which main account of the wallet acts.",
        rich_help_panel="Node and wallet",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until the transaction stands in a block, or only send it.")
]
PayOwn = Annotated[
    bool, typer.Option("--pay-own", help="Pay the fee from the account's own coin, not from the program's pool.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there, whatever it is; never a wallet.")]
Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="The program's id: 64 hexadecimal digits.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")]

AMOUNT_MAX: Final = 2**63 - 1
CARRIED_NOTE: Final = (
    "An entry on the chain may show fewer points than its receipts promise, or more: a small random remainder is carried to a "
    "later entry, so that nobody can read a basket from it. Nothing is lost. How much of it is carried now, the shop's opening "
    "says: fansumer wallet receipts check FILE --opening FILE"
)
"""Said wherever a person may compare receipts with a balance."""
