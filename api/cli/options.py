"""Options that many commands share, each declared once. Only typer is imported here, so that help is shown at once."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8780"
AMOUNT_MAX: Final = 2**63 - 1
ENDPOINT: Final = re.compile(r"(\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<host>[^:/\[\]\s]{1,253})):(?P<port>[0-9]{1,5})")

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
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="FANSUMER_DATA_DIR",
        help="The chain's folder; by default one for each network in your data folder.",
    ),
]
Network = Annotated[
    str, typer.Option("--network", envvar="FANSUMER_NETWORK", help="Which network: main, test, dev or sim.")
]
ParamsFile = Annotated[
    Path | None,
    typer.Option(
        "--params", help="A private chain's params file; by default params.json in the folder, if it is there."
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        "--database-url",
        envvar="FANSUMER_DATABASE",
        metavar="URL",
        help=(
            "The store: postgresql://USER@HOST:PORT/DATABASE, a password best in PGPASSWORD or ~/.pgpass. "
            "By default an SQLite file in the chain's folder."
        ),
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until the transaction stands in a block, or only send it.")
]
PayOwn = Annotated[
    bool, typer.Option("--pay-own", help="Pay the fee from the account's own coin, not from the program's pool.")
]
ForProgram = Annotated[
    str | None,
    typer.Option(
        "--program", help="Act as the account for this program, whose pool pays; by default as the main account."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there, whatever it is; never a wallet.")]
Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="The program's id: 64 hexadecimal digits.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")]

# Ids, amounts, and places that several groups of commands name.
Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[SOURCE]",
        help="A node's data folder, a dump, or a running node's URL; by default the network's folder in your data.",
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", "--database", help="The store's URL, where it is not the folder's SQLite file."),
]
CoinAmount = Annotated[int, typer.Argument(min=1, max=AMOUNT_MAX, help="Coin, in its smallest unit.")]
TransactionId = Annotated[str, typer.Argument(metavar="TXID", help="The transaction's id: 64 hexadecimal digits.")]
WhoseAddress = Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose account.")]
Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's id: 64 hexadecimal digits.")]
OpeningsFolder = Annotated[
    Path | None, typer.Option("--openings", help="The folder where `brand settle` put the openings.")
]
ChainIdOffline = Annotated[str | None, typer.Option("--chain-id", help="The chain's id: then no node is asked.")]
PointsAmount = Annotated[int, typer.Argument(min=1, max=AMOUNT_MAX, help="How many.")]
RewardId = Annotated[str, typer.Argument(metavar="REWARD", help="The reward's id: 64 hexadecimal digits.")]
Confirmations = Annotated[
    int, typer.Option("--confirmations", min=1, max=1_000, help="How deep a batch must lie to be settled.")
]
PrefixOffline = Annotated[
    str | None, typer.Option("--prefix", help="The network's prefix, such as dfan: then no node is asked.")
]

CARRIED_NOTE: Final = (
    "An entry on the chain may show fewer points than its receipts promise, or more: a small random remainder is carried to a "
    "later entry, so that nobody can read a basket from it. Nothing is lost. How much of it is carried now, the shop's opening "
    "says: fansumer wallet receipts check FILE --opening FILE"
)
"""Said wherever a person may compare receipts with a balance."""


def parse_endpoint(text: str) -> tuple[str, int]:
    """Host and port of a place for miners, HOST:PORT; an IPv6 host stands in brackets. Raises typer.BadParameter."""
    found = ENDPOINT.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise typer.BadParameter("--stratum is HOST:PORT, such as 0.0.0.0:3333 or [::]:3333")
    return found["v6"] or found["host"], int(found["port"])
