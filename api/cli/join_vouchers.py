"""Vouchers for joining: printed by a brand, in batches and without a network; used by a fan, once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Force, PayOwn, Program, Url, Wait, WalletFile
from api.cli.output import UsageFault
from api.words import speak_time
from ledger.errors import Code

if TYPE_CHECKING:
    from api.wallet.printed_vouchers import PrintedVoucher
    from api.wallet.wallet import Wallet
    from ledger.types import ProgramId

COUNT_MAX = 10_000
PREFIX = "fansumer-voucher:"
"""How the text of every voucher begins, whatever its version."""
SHEET_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Vouchers for joining</title>'
    "<style>figure{display:inline-block;margin:1em;width:16em;break-inside:avoid}"
    "svg{width:100%;height:auto}figcaption{font:9pt sans-serif}</style>\n"
)
PRINTED_ALREADY = Code(
    "cli.file_exists",
    "the file {path} is there already, and vouchers in it would stay valid though nobody had them written down any more",
    "Name another file, or add --force. Revoking the key's scope to enrol ends every voucher that it printed.",
)


def print_vouchers(
    program: Program,
    until: Annotated[
        datetime,
        typer.Option(
            "--until",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"],
            help="When they end, in UTC. One can be used from 400 days before its end on.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Where to write them: one voucher a line, the text of its QR code.")
    ],
    count: Annotated[int, typer.Option("--count", min=1, max=COUNT_MAX, help="How many.")] = 1,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Also a page with their QR codes, to print from a browser.")
    ] = None,
    chain_id: Annotated[
        str | None,
        typer.Option("--chain-id", metavar="HEX", help="The chain's id: then no node is asked for anything."),
    ] = None,
    force: Force = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Print vouchers: each lets one fan join, and your pool pays. This account must hold the scope to enrol when they are used;
    revoking it ends them all, until the same key is granted that scope again. Whoever holds a line can use it, so keep the file as
    you would keep the paper: a file that is there is left alone without --force.

    \b
    Examples:
      fansumer brand vouchers 5f5f...5f --until 2027-12-31 --count 100 --out vouchers.txt --sheet vouchers.html
      fansumer brand vouchers 5f5f...5f --until 2027-12-31 --out one.txt --chain-id 00c4...11
    """
    from api.cli.output import print_answer
    from api.cli.session import Keystore, open_wallet, read_id, warn_without_scope, write_file
    from api.wallet.key_book import Place
    from api.wallet.printed_vouchers import print_voucher
    from ledger.types import ChainId, ProgramId, Timestamp

    of_program, ends = ProgramId(read_id(program, "PROGRAM")), Timestamp(int(until.replace(tzinfo=UTC).timestamp()))
    if ends <= datetime.now(UTC).timestamp():
        raise typer.BadParameter("--until must lie ahead")
    if chain_id is None:
        with open_wallet(url, wallet, account) as opened:
            seed, chain = opened.till_seed, opened.facts.chain_id
            warn_without_scope(opened, of_program, "enrol", "nobody will be able to join with these vouchers")
    else:
        chain = ChainId(read_id(chain_id, "--chain-id"))
        seed = Keystore.open(wallet).keys.key_at(Place(account), 0).seed
    for path in (out, sheet):
        if path is not None and not force:
            _refuse_existing(path)
    made = [print_voucher(chain, of_program, seed, ends) for _ in range(count)]
    write_file(out, "".join(voucher.to_text() + "\n" for voucher in made).encode(), force=force)
    answer: dict[str, Any] = {
        "program": of_program.hex(),
        "vouchers": count,
        "until": speak_time(ends),
        "file": str(out),
    }
    if sheet is not None:
        write_file(sheet, draw_sheet(made).encode(), force=force)
        answer["sheet"] = str(sheet)
    print_answer(answer, as_json=as_json)


def _refuse_existing(path: Path) -> None:
    """Raise UsageFault cli.file_exists where something is written already; a terminal or a pipe is nothing."""
    if path.is_file() and path.stat().st_size:
        raise UsageFault(PRINTED_ALREADY, path=str(path))


def draw_sheet(vouchers: "list[PrintedVoucher]") -> str:
    """A page of QR codes, one figure for each voucher, with its end below it."""
    from api.till.symbol import draw_symbol

    figures = [
        f"<figure>{draw_symbol(voucher.to_text(), 'svg')['svg']}<figcaption>Join once, until "
        f"{speak_time(voucher.valid_until)}: fansumer wallet join --voucher</figcaption></figure>\n"
        for voucher in vouchers
    ]
    return SHEET_HEAD + "".join(figures) + "</html>\n"


def warn_of_revived(wallet: "Wallet", program: "ProgramId", issuer: str) -> None:
    """Warn where a key held the scope to enrol and does not now: with it all its vouchers that are not used or over come back."""
    from api.cli.output import warn
    from api.wallet.grants import ever_held_scope, find_grant

    grant = find_grant(wallet.client, program, issuer)
    if grant is None or not ever_held_scope(grant, "enrol"):
        return
    if grant["revoked_at"] is not None or "enrol" not in grant["scopes"]:
        warn(
            f"{issuer} held the scope enrol before: vouchers that it printed then, or while it was revoked, are good again. If the "
            "key was stolen, revoke it and grant another one."
        )


def read_voucher(given: str) -> str:
    """The one voucher that was given as a text, or stands in a file."""
    from api.cli.session import read_text

    if given.lstrip().startswith(PREFIX):
        return given
    lines = read_text(Path(given)).split()
    if len(lines) != 1:
        raise typer.BadParameter(f"the file holds {len(lines)} vouchers; give one of its lines", param_hint="--voucher")
    return lines[0]


def join_with_voucher(
    given: str,
    *,
    referrer: str | None,
    give_back: bool,
    wallet: Path | None,
    url: str,
    wait: bool,
    as_json: bool,
) -> None:
    """`wallet join --voucher`: the pool pays, and the voucher is used up."""
    from api.cli.session import finish, open_wallet, read_account
    from api.cli.wallet_file import tell_own_address
    from ledger.domains.loyalty.events import NOBODY

    text = read_voucher(given)
    with open_wallet(url, wallet) as opened:
        by = NOBODY if referrer is None else read_account(opened, referrer)
        of_program, sent = opened.join_with_voucher(text, referrer=by, gives_back_from_all=give_back)
        tell_own_address(opened.facts.address_prefix, opened.program_signer(of_program).address)
        finish(opened, sent, wait=wait, as_json=as_json)


def claim_collateral(
    program: Program,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before claiming.")] = False,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take the coin that stands behind your points, after their program has closed. All your points there are given up for it.
    No coin is needed: the fee comes out of what is claimed.

    \b
    Example:
      fansumer wallet claim-collateral 5f5f...5f
    """
    from api.cli.output import say
    from api.cli.session import finish, open_wallet, read_id
    from api.wallet.wallet import OWN_FEE, SHARE
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        say("All points of this program are given up for the coin that stands behind them.")
        if not yes:
            typer.confirm("Claim it?", abort=True, err=True)
        sent = opened.claim_collateral(of_program, payment=OWN_FEE if pay_own else SHARE)
        finish(opened, sent, wait=wait, as_json=as_json)
