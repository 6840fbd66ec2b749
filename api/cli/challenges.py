"""`fansumer brand challenge`: points for a goal, who has reached it, and what is taken back when goods go back."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PayOwn, Program, Url, Wait, WalletFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api.wallet.brand import Brand
    from api.wallet.challenges import Progress, ShownChallenge
    from api.wallet.wallet import Wallet
    from ledger.domains.challenges.state import Goal
    from ledger.domains.loyalty.receipts import SignedReceipt
    from ledger.types import Address, ProgramId, ReceiptHash

brand_app = typer.Typer(no_args_is_help=True, help="Challenges: points for whoever reaches a goal in its days.")

CENTS_MAX = 2**31 - 1
BUDGET_MAX = 2**53
DAYS_MAX = 92
SPAN_DAYS_MAX = 1_098
GRACE_DAYS_MAX = 31
COUNT_MAX = 16
ENTRIES_MAX = 250
DATE = ["%Y-%m-%d"]
LIST_COLUMNS = {
    "id": "id",
    "name": "name",
    "goal_words": "goal",
    "from_day.date": "from",
    "until_day.date": "until before",
    "days": "days each",
    "times_max": "times at most",
    "reward": "reward",
    "left": "left of budget",
    "has_ended": "ended",
}
"""What a table of challenges shows; --json shows all."""


Reward = Annotated[int, typer.Option("--reward", min=1, max=CENTS_MAX, help="Points for one completion.")]
Budget = Annotated[
    int,
    typer.Option("--budget", min=1, max=BUDGET_MAX, help="Points for all of them: set aside, first come first served."),
]
FromDate = Annotated[datetime, typer.Option("--from", formats=DATE, help="The first day, the program's own.")]
UntilDate = Annotated[datetime, typer.Option("--until", formats=DATE, help="The last day, included.")]
Visits = Annotated[int | None, typer.Option("--visits", min=1, max=COUNT_MAX, help="The goal: so many receipts.")]
Spend = Annotated[
    int | None,
    typer.Option("--spend-cents", min=1, max=BUDGET_MAX, help="Or so many cents; what was paid with points is none."),
]
Codes = Annotated[
    list[str] | None, typer.Option("--code", help="Or something of each of these category codes, at most 16.")
]
BasketMin = Annotated[
    int, typer.Option("--basket-min-cents", min=1, max=CENTS_MAX, help="The least receipt that counts, in cents.")
]
EveryDays = Annotated[
    int | None,
    typer.Option("--every-days", min=1, max=DAYS_MAX, help="It recurs every so many days; by default it does not."),
]
Times = Annotated[
    int | None,
    typer.Option("--times", min=1, max=366, help="How often one member may complete it; by default each time."),
]
GraceDays = Annotated[
    int,
    typer.Option("--grace-days", min=0, max=GRACE_DAYS_MAX, help="How long after its end you complete it in time."),
]


@brand_app.command("create")
def create(
    program: Program,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A short name, as fans read it.")],
    reward: Reward,
    budget: Budget,
    from_date: FromDate,
    until_date: UntilDate,
    visits: Visits = None,
    spend: Spend = None,
    codes: Codes = None,
    basket_min: BasketMin = 1,
    every_days: EveryDays = None,
    times_max: Times = None,
    grace_days: GraceDays = 7,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Create a challenge. Nothing of it can be changed or taken back, and its whole budget is set aside.

    \b
    Examples:
      fansumer brand challenge create 5f5f...5f "Three visits" --visits 3 --basket-min-cents 500 --reward 100 \\
        --budget 10000 --from 2027-01-04 --until 2027-01-31 --every-days 7 --times 2
      fansumer brand challenge create 5f5f...5f "Breakfast" --code bread --code milk --reward 50 --budget 5000 \\
        --from 2027-01-04 --until 2027-01-10
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from ledger.domains.challenges.challenge_create import ChallengeCreate
    from ledger.types import Points, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    from_day, days, occurrences = _split_days(from_date, until_date, every_days)
    payload = ChallengeCreate(
        program=of_program,
        name=name,
        goal=_goal_of(visits, spend, codes),
        basket_min_cents=basket_min,
        from_day=from_day,
        days=days,
        occurrences=occurrences,
        times_max=occurrences if times_max is None else times_max,
        grace_days=grace_days,
        reward=Points(reward),
        budget=Points(budget),
    )
    with open_wallet(url, wallet, account) as opened:
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).create_challenge(payload)
        finish(opened, sent, wait=wait, as_json=as_json, noun="challenge")


def _goal_of(visits: int | None, spend: int | None, codes: list[str] | None) -> "Goal":
    from ledger.domains.challenges.state import Codes, Spend, Visits

    if (visits is not None) + (spend is not None) + bool(codes) != 1:
        raise typer.BadParameter("name one goal: --visits, --spend-cents, or --code once or more")
    if visits is not None:
        return Visits(visits)
    if spend is not None:
        return Spend(spend)
    assert codes, "one of the three was given"
    if len(codes) > COUNT_MAX or not all(1 <= len(code.encode()) <= 32 for code in codes):
        raise typer.BadParameter(f"--code can be given {COUNT_MAX} times, each with 1 to 32 bytes")
    return Codes(tuple(sorted(set(codes))))


def _split_days(first: datetime, last: datetime, every_days: int | None) -> "tuple[Any, int, int]":
    """The first day, the days of an occurrence and how many there are."""
    from ledger.domains.loyalty.civil_days import day_of_date

    from_day = day_of_date(first.year, first.month, first.day)
    span = day_of_date(last.year, last.month, last.day) - from_day + 1
    if span < 1:
        raise typer.BadParameter("--until is before --from")
    if span > SPAN_DAYS_MAX:
        raise typer.BadParameter(f"a challenge lasts at most {SPAN_DAYS_MAX} days, and these are {span}")
    if from_day < 0:
        raise typer.BadParameter("--from is before 1970")
    days = span if every_days is None else every_days
    if days > DAYS_MAX:
        raise typer.BadParameter(
            f"one occurrence has at most {DAYS_MAX} days, and these are {span}: let it recur by --every-days"
        )
    if span % days:
        raise typer.BadParameter(
            f"these are {span} days, no whole number of times {days}: end it {span % days} earlier or {days - span % days} later"
        )
    return from_day, days, span // days


@brand_app.command("list")
def list_challenges(program: Program, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List a program's challenges with what is left of their budgets. Everybody can ask.

    \b
    Example:
      fansumer brand challenge list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id
    from api.wallet.challenges import describe_goal, read_challenge_answer

    of_program = read_id(program, "PROGRAM")
    with connect(url) as client:
        found = [dict(item) for item in client.every(client.challenges.of_program, of_program)]
    if as_json:
        print_json(found)
        return
    for item in found:
        shown = read_challenge_answer(item)
        item["goal_words"] = describe_goal(shown.goal, shown.basket_min_cents)
    print_rows(found, LIST_COLUMNS)


@brand_app.command("complete")
def complete(
    program: Program,
    receipts: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder with the tills' receipts.")],
    only: Annotated[str | None, typer.Option("--challenge", help="This one only; by default all that go on.")] = None,
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", help="Where to keep what each completion rests on; by default in your data folder."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who has reached what; send nothing.")] = False,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Find in the tills' receipts who has reached which goal, and give the rewards. Running it again gives nothing twice.

    A purchase that was returned on the chain does not count. A file that is no receipt of this program is left out and named with
    its code; the exit code is 1 then.

    \b
    Example:
      fansumer brand challenge complete 5f5f...5f receipts
    """
    from api.cli.output import print_answer
    from api.cli.session import data_folder, open_wallet, payment_choice, read_id
    from api.cli.till import examine_files, read_receipts, settlement_book, warn_of_files
    from api.wallet.brand import Brand
    from api.wallet.settlement import SettlementBook, SettlementTerms, Settler
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    wanted = None if only is None else read_id(only, "--challenge")
    folder = evidence or data_folder() / "challenges" / of_program.hex()
    readable, bad = read_receipts(receipts)
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        facts = brand.read_program(of_program)
        book = SettlementBook.load(settlement_book(data_folder(), of_program, opened.main.address), of_program)
        terms = SettlementTerms(facts.periods, facts.terms.remainder_max)
        good, refused = examine_files(Settler(brand, book, terms), readable)
        counting = leave_out_returned(opened, of_program, good)
        rows: list[dict[str, Any]] = []
        for challenge in going_on(opened, of_program, wanted):
            rows += _complete_one(brand, challenge, counting, folder, dry_run=dry_run)
    shown = {
        "completed": sum(row["code"] == "" for row in rows),
        "points": sum(row["points"] for row in rows if row["code"] == ""),
        "evidence": str(folder),
        "returned": len(good) - len(counting),
        "entries": [row | {"code": row["code"] or "completed"} for row in rows],
        "bad_files": bad + refused,
    }
    print_answer(shown, as_json=as_json)
    warn_of_files([*bad, *refused])


def going_on(opened: "Wallet", program: "ProgramId", wanted: bytes | None) -> "Iterator[ShownChallenge]":
    """The program's challenges that have not ended. Raises WalletError challenge.unknown for one that is not its own."""
    from api.wallet.challenges import read_challenge_answer
    from api.wallet.errors import WalletError
    from ledger.domains.challenges.state import NO_CHALLENGE

    found = [read_challenge_answer(item) for item in opened.client.every(opened.client.challenges.of_program, program)]
    chosen = [one for one in found if wanted in (None, one.id) and not one.has_ended]
    if wanted is not None and not chosen:
        raise WalletError(NO_CHALLENGE, challenge=wanted)
    yield from chosen


def _complete_one(
    brand: "Brand", challenge: "ShownChallenge", receipts: "Sequence[SignedReceipt]", folder: Path, *, dry_run: bool
) -> list[dict[str, Any]]:
    """Complete what was reached of one challenge; one row for each entry, with the chain's code."""
    from api.wallet.challenges import completion_of, find_reached

    opened = brand.wallet
    done = list(opened.client.every(opened.client.challenges.completions, challenge.id))
    completed = frozenset(
        (opened.read_address(item["member"]), int(item["occurrence"])) for item in done if item["state"] == "credited"
    )
    now = int(opened.client.chain()["time"])
    reached = [
        found
        for found in find_reached(challenge, receipts, completed, returned_of(opened, done))
        if challenge.begins(found.occurrence) <= now <= challenge.contest_until(found.occurrence)
    ]
    rows: list[dict[str, Any]] = []
    for start in range(0, len(reached), ENTRIES_MAX):
        part = reached[start : start + ENTRIES_MAX]
        codes = ["dry run"] * len(part)
        if not dry_run:
            for found in part:
                _keep_evidence(folder, found)
            sent = brand.complete_challenges(challenge.program, [completion_of(challenge, found) for found in part])
            codes = ["" if code == "applied" else code for code in opened.wait_for(sent)["codes"]]
        rows += [
            {
                "challenge": challenge.name,
                "member": opened.address_text(found.member),
                "occurrence": found.occurrence,
                "points": challenge.reward,
                "code": code,
            }
            for found, code in zip(part, codes, strict=True)
        ]
    return rows


def returned_of(opened: "Wallet", done: "Iterable[Any]") -> "frozenset[tuple[Address, int, ReceiptHash]]":
    """Receipts that went back, as completions show them."""
    from ledger.types import ReceiptHash

    return frozenset(
        (opened.read_address(item["member"]), int(item["occurrence"]), ReceiptHash(bytes.fromhex(receipt)))
        for item in done
        for receipt in item["returned"]
    )


def leave_out_returned(
    opened: "Wallet", program: "ProgramId", receipts: "Iterable[SignedReceipt]"
) -> "list[SignedReceipt]":
    """Receipts but those of which the chain has taken points back: the reward for such a purchase could be taken back, too."""
    from api.wallet.challenges import hash_of

    gone = {item["receipt"] for item in opened.client.every(opened.client.returns, program)}
    return [signed for signed in receipts if hash_of(signed).hex() not in gone]


def _keep_evidence(folder: Path, reached: "Progress") -> None:
    """Remember which receipts a completion rests on, under the root over them: a return of one takes it back."""
    import json

    from api.cli.session import write_file
    from api.wallet.challenges import hash_of
    from ledger.domains.challenges.goals import evidence_of

    hashes = [hash_of(signed) for signed in reached.chosen]
    document = {"format": "fansumer-evidence", "version": 1, "receipts": [found.hex() for found in hashes]}
    write_file(folder / f"{evidence_of(hashes).hex()}.json", json.dumps(document).encode())


def _read_evidence(folder: Path, root: str) -> "tuple[ReceiptHash, ...]":
    """The receipts that were kept under a root; none where there is no such file. Raises WalletError cli.bad_file."""
    import json

    from api.cli.session import BAD_FILE, read_text
    from api.wallet.errors import WalletError
    from ledger.domains.challenges.goals import evidence_of
    from ledger.types import ReceiptHash

    path = folder / f"{root}.json"
    if not path.exists():
        return ()
    try:
        found = tuple(ReceiptHash(bytes.fromhex(text)) for text in json.loads(read_text(path))["receipts"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WalletError(BAD_FILE, path=str(path), what="evidence", reason="it holds no receipts") from None
    if evidence_of(found).hex() != root:
        raise WalletError(BAD_FILE, path=str(path), what="evidence", reason="its root is another one")
    return found


@brand_app.command("reverse")
def reverse(
    program: Program,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The return that the fan signed.")],
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="Where `brand challenge complete` kept what completions rest on.")
    ] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Take back every reward that was earned with a purchase that the fan has returned. The budget has it again, and the fan can
    reach the goal with other receipts. What was spent stays spent.

    \b
    Example:
      fansumer brand challenge reverse 5f5f...5f return.bin
    """
    from api.cli.output import print_answer
    from api.cli.points import read_return
    from api.cli.session import data_folder, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from api.wallet.challenges import NOT_COMPLETED_WITH, reversal_of
    from api.wallet.errors import WalletError
    from api.wallet.returns import check_signed
    from ledger.types import ChallengeId, ProgramId, ReceiptHash

    of_program, signed = ProgramId(read_id(program, "PROGRAM")), read_return(file)
    if signed.returned.program != of_program:
        raise typer.BadParameter("the return is of another program")
    folder = evidence or data_folder() / "challenges" / of_program.hex()
    rows: list[dict[str, Any]] = []
    with open_wallet(url, wallet, account) as opened:
        check_signed(signed, opened.facts.chain_id)
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        member = opened.address_text(signed.returned.member)
        for item in opened.client.every(opened.client.challenges.completed_by, member):
            if item["program"] != of_program.hex() or item["state"] != "credited":
                continue
            shown = tuple(ReceiptHash(bytes.fromhex(text)) for text in item["receipts"])
            hashes = shown or _read_evidence(folder, item["evidence"])
            if signed.returned.receipt not in hashes:
                continue
            challenge, number = ChallengeId(bytes.fromhex(item["challenge"])), int(item["occurrence"])
            sent = brand.reverse_challenge(reversal_of(challenge, number, hashes, signed))
            opened.wait_for(sent)
            rows.append(
                {
                    "challenge": challenge.hex(),
                    "occurrence": number,
                    "points": item["points"],
                    "txid": sent.txid.hex(),
                }
            )
    if not rows:
        raise WalletError(NOT_COMPLETED_WITH, receipt=signed.returned.receipt.hex()[:16])
    print_answer({"reversed": len(rows), "completions": rows}, as_json=as_json)
