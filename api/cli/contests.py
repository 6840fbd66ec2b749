"""`fansumer wallet contest` and `fansumer brand contests`: receipts that were not settled, and the answers to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, OpeningsFolder, PayOwn, Program, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.sealing import Opening

brand_app = typer.Typer(no_args_is_help=True, help="Receipts that fans contested, and your answers.")

COLUMNS = {
    "id": "id",
    "member": "member",
    "till": "till",
    "sequence": "receipt number",
    "claim": "claim",
    "points": "points",
    "outcome": "outcome",
    "can_be_answered": "can be answered",
    "answer_by": "answer by",
    "credited": "credited",
}
"""What a table of contests shows; --json shows all."""


def contest(
    file: Annotated[Path, typer.Argument(metavar="RECEIPT_FILE", help="The receipt, as the till gave it.")],
    wrong_points: Annotated[
        bool, typer.Option("--wrong-points", help="It promises too few points: this opens what you paid, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before making the receipt public.")] = False,
    pay_own: Annotated[
        bool, typer.Option("--pay-own", help="Pay the fee yourself: joining paid for two contests only.")
    ] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Contest a receipt that the shop did not settle in time, or whose points are too few. The shop has 15 days to show
    that it did; otherwise you get the points out of the program's reserve. Free within what joining paid for.

    \b
    Examples:
      fansumer wallet contest receipt.bin
      fansumer wallet contest receipt.bin --wrong-points
    """
    from api.cli.output import print_answer, say
    from api.cli.receipt import read_receipt
    from api.cli.receipt_warnings import warn_about_contested
    from api.cli.session import open_wallet
    from api.wallet.contests import contest_id, describe_opened
    from ledger.errors import show_moment

    signed = read_receipt(file)
    with open_wallet(url, wallet) as opened:
        say(describe_opened(signed, opened.facts.address_prefix, wrong_points=wrong_points))
        if not wrong_points:
            warn_about_contested(opened, signed.receipt)
        if not yes:
            typer.confirm("Send it?", abort=True, err=True)
        sent = opened.contest(signed, wrong_points=wrong_points, pay_own=pay_own)
        answer: dict[str, object] = {"txid": sent.txid.hex(), "contest": contest_id(signed).hex()}
        if wait:
            say(f"sent {sent.txid.hex()}; waiting for its block")
            opened.wait_for(sent)
            found = opened.client.contest(contest_id(signed))
            answer |= {name: found[name] for name in ("points", "outcome", "answer_by", "answer_height")}
            if not as_json:
                answer["answer_by"] = show_moment(found["answer_by"])
    print_answer(answer, as_json=as_json)


def list_own(
    program: Program,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what you contested in a program, and what became of it.

    \b
    Example:
      fansumer wallet contests 5f5f...5f
    """
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        opened.client.program(of_program)  # raises program.unknown: an empty list would say that it exists
        address = opened.address_text(opened.program_signer(of_program).address)
        _print_contests(list(opened.client.every(opened.client.account_contests, address)), as_json=as_json)


@brand_app.command("list")
def list_contests(
    program: Program,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that can still be answered.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the contests of a program's receipts.

    \b
    Example:
      fansumer brand contests list 5f5f...5f --open
    """
    from api.cli.session import connect, read_id

    of_program = read_id(program, "PROGRAM")
    with connect(url) as client:
        found = [item for item in client.every(client.contests, of_program) if item["can_be_answered"] or not only_open]
    _print_contests(found, as_json=as_json)


@brand_app.command("answer")
def answer_contests(
    program: Program,
    openings: OpeningsFolder = None,
    returns: Annotated[
        Path | None,
        typer.Option(
            "--returns", help="A folder with returns that fans signed: they answer for what was never settled."
        ),
    ] = None,
    only: Annotated[str | None, typer.Option("--contest", help="Answer this one only; by default all.")] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Answer every contest whose receipt was settled, with the entry that settled it. What was not settled yet: settle it
    first, then answer; it counts as late. What came back before it was settled: answer with the return that the fan signed.

    \b
    Example:
      fansumer brand contests answer 5f5f...5f --openings openings
    """
    from api.cli.output import print_answer
    from api.cli.points import read_returns
    from api.cli.session import data_folder, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from api.wallet.contests import NOTHING_OPEN, answer_of, find_opening, is_opened, read_answerable
    from api.wallet.errors import WalletError
    from api.wallet.returns import answer_with_return, return_of_receipt
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    wanted = None if only is None else read_id(only, "--contest")
    folder = openings or data_folder() / "openings" / of_program.hex()
    kept = [] if returns is not None and openings is None and not folder.exists() else list(read_openings(folder))
    brought_back = () if returns is None else tuple(read_returns(returns))
    rows: list[dict[str, Any]] = []
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        for item in opened.client.every(opened.client.contests, of_program):
            found = read_answerable(dict(item))
            if found is None or wanted not in (None, found[0]):
                continue
            contest_id, receipt = found
            try:
                came_back = return_of_receipt(brought_back, receipt)
                if came_back is not None and not is_opened(kept, receipt):
                    answer = answer_with_return(contest_id, came_back)
                else:
                    answer = answer_of(contest_id, find_opening(kept, receipt), receipt)
                sent = brand.answer_contest(of_program, answer)
            except WalletError as fault:
                rows.append({"contest": contest_id.hex(), "outcome": "open", "why": fault.code.name, "txid": None})
                continue
            if wait:
                opened.wait_for(sent)
            outcome = opened.client.contest(contest_id)["outcome"]
            rows.append({"contest": contest_id.hex(), "outcome": outcome, "why": "answered", "txid": sent.txid.hex()})
        if wanted is not None and not rows:
            raise WalletError(NOTHING_OPEN, contest=wanted.hex())
    print_answer({"answered": sum(row["txid"] is not None for row in rows), "contests": rows}, as_json=as_json)


def read_openings(folder: Path) -> "Iterator[Opening]":
    """Every opening in a folder; none where there is none yet. Raises UsageFault or WalletError for a file that is none."""
    import json

    from api.cli.session import BAD_FILE, read_text
    from api.cli.till import files_in
    from api.wallet.errors import WalletError
    from api.wallet.sealing import opening_from_mapping

    for path in files_in(folder):
        try:
            document = json.loads(read_text(path))
        except (ValueError, RecursionError):
            raise WalletError(
                BAD_FILE, path=str(path), what="opening of a settled entry", reason="it is not JSON"
            ) from None
        try:
            yield opening_from_mapping(document)
        except WalletError as fault:
            reason = str(fault.fields["reason"])
            raise WalletError(BAD_FILE, path=str(path), what="opening of a settled entry", reason=reason) from None


def _print_contests(found: list[Any], *, as_json: bool) -> None:
    from api.cli.output import print_json, print_rows
    from ledger.errors import show_moment

    if as_json:
        print_json(found)
    else:
        print_rows([{**item, "answer_by": show_moment(item["answer_by"])} for item in found], COLUMNS)
