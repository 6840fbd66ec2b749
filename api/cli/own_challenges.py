"""`fansumer wallet challenges`: how far a fan's receipts lead, what the chain says, and contests of what the shop forgot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.challenges import going_on, leave_out_returned, returned_of
from api.cli.options import DEFAULT_URL, AsJson, Url, Wait, WalletFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.wallet.challenges import Progress, ShownChallenge
    from api.wallet.wallet import Wallet
    from ledger.domains.loyalty.receipts import SignedReceipt
    from ledger.types import ProgramId, Timestamp

app = typer.Typer()

PROGRESS_COLUMNS = {
    "name": "challenge",
    "occurrence": "occurrence",
    "progress": "progress",
    "missing": "missing",
    "reward": "reward",
    "state": "state",
    "available_on": "available on",
    "contest_from": "contest from",
    "contest_until": "contest until",
    "challenge": "id",
}

Challenge = Annotated[str, typer.Argument(metavar="CHALLENGE", help="The challenge's id: 64 hexadecimal digits.")]
Receipts = Annotated[
    Path | None,
    typer.Option("--receipts", help="A folder with your receipts; by default those that the node keeps for you."),
]


@app.callback(invoke_without_command=True)
def show_progress(
    context: typer.Context,
    program: Annotated[
        str | None, typer.Option("--program", help="This program only; by default all that you have joined.")
    ] = None,
    receipts: Receipts = None,
    offline: Annotated[
        Path | None,
        typer.Option(
            "--offline",
            help="Ask no node: a file that `fansumer brand challenge list PROGRAM --json` printed. Needs --receipts.",
        ),
    ] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show how far your receipts lead in each challenge, what is missing, and what the chain says. No receipt leaves this computer.

    A purchase that you returned counts no more, once the shop took its points back; with --offline that is not known.

    \b
    Examples:
      fansumer wallet challenges
      fansumer wallet challenges --receipts my-receipts --offline challenges.json
      fansumer wallet challenges contest c8c8...c8
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.errors import show_moment
    from ledger.types import ProgramId

    if context.invoked_subcommand is not None:
        return
    if offline is not None:
        if receipts is None:
            raise typer.BadParameter("--offline needs --receipts: a node would have to be asked for them")
        rows = _rows_offline(offline, receipts)
    else:
        rows = []
        with open_wallet(url, wallet) as opened:
            wanted = None if program is None else ProgramId(read_id(program, "--program"))
            for found in [wanted] if wanted is not None else _joined(opened):
                rows += _rows_of_program(opened, found, receipts)
    if as_json:
        print_json(rows)
        return
    moments = ("contest_from", "contest_until")
    print_rows(
        [{**row, **{name: show_moment(row[name]) for name in moments}} for row in rows],
        PROGRESS_COLUMNS,
    )


def _joined(opened: "Wallet") -> "Iterator[ProgramId]":
    from ledger.types import ProgramId

    for _, answer in opened.balances():
        for item in answer.get("programs", []):
            yield ProgramId(bytes.fromhex(item["program"]))


def _rows_of_program(opened: "Wallet", program: "ProgramId", folder: Path | None) -> list[dict[str, Any]]:
    """Rows of one program: of each challenge that goes on the occurrences in which there is something, and the one of today."""
    from api.wallet.challenges import progress_of
    from ledger.types import Timestamp

    opened.client.program(program)  # raises program.unknown: an empty list would say that it exists
    member = opened.program_signer(program).address
    mine = _counting_receipts(opened, program, folder)
    done = list(opened.client.every(opened.client.challenges.completed_by, opened.address_text(member)))
    returned = returned_of(opened, done)
    now = Timestamp(int(opened.client.chain()["time"]))
    rows: list[dict[str, Any]] = []
    for challenge in going_on(opened, program, None):
        known = {int(item["occurrence"]): item for item in done if item["challenge"] == challenge.id.hex()}
        gone = frozenset(item for item in returned if item[1] in known)
        found = {item.occurrence: item for item in progress_of(challenge, mine, gone)}
        numbers = {*known, *found, challenge.shown_at(now)}
        rows += [_row(challenge, number, found.get(number), known.get(number), now) for number in sorted(numbers)]
    return rows


def _rows_offline(file: Path, folder: Path) -> list[dict[str, Any]]:
    """The same without a node: what the chain says is not known."""
    import json
    import time

    from api.cli.session import BAD_FILE, read_text
    from api.cli.till import read_receipts
    from api.wallet.challenges import progress_of, read_challenge_answer
    from api.wallet.errors import Unreachable, WalletError
    from ledger.types import Timestamp

    try:
        listed = [read_challenge_answer(item) for item in json.loads(read_text(file))]
    except (ValueError, TypeError, AttributeError, RecursionError, Unreachable):
        raise WalletError(BAD_FILE, path=str(file), what="list of challenges", reason="it is no such JSON") from None
    mine = list(read_receipts(folder)[0].values())
    rows: list[dict[str, Any]] = []
    for challenge in listed:
        found = {item.occurrence: item for item in progress_of(challenge, mine, frozenset())}
        numbers = {*found, challenge.shown_at(Timestamp(int(time.time())))}
        rows += [_row(challenge, number, found.get(number), None, None) for number in sorted(numbers)]
    return rows


def _row(
    challenge: "ShownChallenge", number: int, found: "Progress | None", known: Any, now: "Timestamp | None"
) -> dict[str, Any]:
    """One occurrence in a row; `known` is what the chain says of it, `now` its clock, where a node was asked."""
    from api.wallet.challenges import progress_of_nothing, show_cents
    from ledger.domains.challenges.state import Spend

    reached = found or progress_of_nothing(challenge.goal, number)
    done, wanted = reached.done, reached.wanted
    is_money = isinstance(challenge.goal, Spend)
    rest = max(wanted - done, 0)
    return {
        "challenge": challenge.id.hex(),
        "program": challenge.program.hex(),
        "name": challenge.name,
        "occurrence": number,
        "done": done,
        "wanted": wanted,
        "progress": f"{show_cents(done)} of {show_cents(wanted)}" if is_money else f"{done} of {wanted}",
        "missing": ", ".join(reached.missing) or (show_cents(rest) if is_money else str(rest)) if rest else "",
        "reward": challenge.reward,
        "left": challenge.left,
        "state": _state(challenge, reached, known, now),
        "available_on": known["available_on"]["date"] if known is not None and known["state"] == "credited" else None,
        "contest_from": challenge.due_by(number),
        "contest_until": challenge.contest_until(number, taken_back=_was_taken_back(known)),
    }


def _was_taken_back(known: Any) -> bool:
    """Whether the chain credited an occurrence and took it back."""
    return known is not None and known["state"] != "credited"


def _state(challenge: "ShownChallenge", reached: "Progress", known: Any, now: "Timestamp | None") -> str:
    """What became of an occurrence, or can still become of it."""
    if known is not None and known["state"] == "credited":
        return "contested and credited" if known["contested"] else "credited"
    begun = "taken back, and " if known is not None else ""
    if now is None:
        return "reached" if reached.chosen else "not reached"
    if now < challenge.begins(reached.occurrence):
        return "has not begun"
    if now > challenge.contest_until(reached.occurrence, taken_back=known is not None):
        return f"{begun}over"
    if not reached.chosen:
        return f"{begun}under way" if now < challenge.begins(reached.occurrence + 1) else f"{begun}not reached"
    if challenge.reward > challenge.left:
        return f"{begun}reached, but the budget is gone"
    return (
        f"{begun}reached: contest it"
        if now >= challenge.due_by(reached.occurrence)
        else f"{begun}reached: the shop completes it"
    )


def _counting_receipts(opened: "Wallet", program: "ProgramId", folder: Path | None) -> "list[SignedReceipt]":
    """The fan's own receipts but those that it returned on the chain."""
    member = opened.program_signer(program).address
    mine = [signed for signed in _own_receipts(opened, program, folder) if signed.receipt.member == member]
    return leave_out_returned(opened, program, mine)


def _own_receipts(opened: "Wallet", program: "ProgramId", folder: Path | None) -> "list[SignedReceipt]":
    """The fan's receipts: those in a folder, or those that the node keeps for it, each checked."""
    from api.cli.till import read_receipts
    from api.wallet.receipts import read_kept_receipt

    if folder is not None:
        return list(read_receipts(folder)[0].values())
    owner = opened.owner(program)
    return [
        read_kept_receipt(opened.client.receipt(owner, bytes.fromhex(item["id"])), opened.facts.chain_id)
        for item in opened.client.every(opened.client.receipts, owner, program, None)
    ]


@app.command("contest")
def contest(
    challenge: Challenge,
    occurrence: Annotated[
        int | None,
        typer.Option("--occurrence", min=0, max=365, help="Which one; by default the one that can be contested."),
    ] = None,
    receipts: Receipts = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before making the receipts public.")] = False,
    pay_own: Annotated[
        bool, typer.Option("--pay-own", help="Pay the fee yourself; by default the challenge pays it.")
    ] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Contest an occurrence whose goal you reached and that the shop did not complete in time. Every node checks your
    receipts, and you have the reward in the next block. It costs you nothing.

    \b
    Example:
      fansumer wallet challenges contest c8c8...c8 --receipts my-receipts
    """
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_id
    from api.wallet.challenges import describe_shown, read_challenge_answer
    from ledger.errors import show_moment

    wanted = read_id(challenge, "CHALLENGE")
    with open_wallet(url, wallet) as opened:
        shown = read_challenge_answer(opened.client.challenges.one(wanted))
        chosen = _choose_contest(opened, shown, occurrence, receipts)
        say(describe_shown(shown, chosen.chosen, opened.facts.address_prefix))
        _warn_of_cap(opened, shown, chosen)
        if not yes:
            typer.confirm("Send it?", abort=True, err=True)
        sent = opened.contest_challenge(shown, chosen.occurrence, chosen.chosen, pay_own=pay_own)
        answer: dict[str, Any] = {"txid": sent.txid.hex(), "challenge": wanted.hex(), "occurrence": chosen.occurrence}
        if wait:
            say(f"sent {sent.txid.hex()}; waiting for its block")
            opened.wait_for(sent)
            mine = opened.address_text(chosen.member)
            (found,) = [
                item
                for item in opened.client.every(opened.client.challenges.completed_by, mine)
                if item["challenge"] == wanted.hex() and item["occurrence"] == chosen.occurrence
            ]
            answer |= {name: found[name] for name in ("state", "points")}
            answer["available_on"] = found["available_on"]["date"]
        else:
            answer["contest_until"] = show_moment(shown.contest_until(chosen.occurrence))
    print_answer(answer, as_json=as_json)


def _choose_contest(
    opened: "Wallet", challenge: "ShownChallenge", occurrence: int | None, folder: Path | None
) -> "Progress":
    """The receipts with which to contest, of the occurrence that was named or the first that can be. Raises WalletError."""
    from api.wallet.challenges import NOT_REACHED, progress_of, progress_of_nothing
    from api.wallet.errors import WalletError
    from ledger.domains.challenges.completions import COMPLETED

    member = opened.program_signer(challenge.program).address
    mine = _counting_receipts(opened, challenge.program, folder)
    done = [
        item
        for item in opened.client.every(opened.client.challenges.completed_by, opened.address_text(member))
        if item["challenge"] == challenge.id.hex()
    ]
    credited = {int(item["occurrence"]) for item in done if item["state"] == "credited"}
    taken_back = {int(item["occurrence"]) for item in done} - credited
    found = {item.occurrence: item for item in progress_of(challenge, mine, returned_of(opened, done))}
    now = int(opened.client.chain()["time"])
    open_now = [
        item
        for number, item in sorted(found.items())
        if item.chosen and number not in credited
        if challenge.due_by(number) <= now <= challenge.contest_until(number, taken_back=number in taken_back)
    ]
    number = occurrence if occurrence is not None else open_now[0].occurrence if open_now else max(found, default=0)
    if number in credited:
        raise WalletError(COMPLETED)
    chosen = found.get(number) or progress_of_nothing(challenge.goal, number)
    if not chosen.chosen:
        raise WalletError(NOT_REACHED, occurrence=number, done=chosen.done, wanted=chosen.wanted)
    return chosen


def _warn_of_cap(opened: "Wallet", challenge: "ShownChallenge", chosen: "Progress") -> None:
    """Warn where the till of the last receipt has a cap below the reward: the chain refuses such a contest."""
    from api.cli.output import warn
    from api.wallet.errors import ClientProblem
    from api.wallet.grants import find_grant
    from ledger.policy import address_of_key

    last = max(chosen.chosen, key=lambda signed: signed.receipt.time)
    till = opened.address_text(address_of_key(last.receipt.till))
    try:
        grant = find_grant(opened.client, challenge.program, till)
    except ClientProblem:
        return
    if grant is not None and int(grant["daily_cap"]) < challenge.reward:
        warn(
            f"the reward is above the daily cap of the till {till}, which bounds what contests of its receipts can give"
        )
