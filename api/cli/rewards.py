"""The commands of `fansumer brand` about rewards: what is on offer, and what fans redeem."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PayOwn, Program, RewardId, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.client import Answer
    from api.wallet.vouchers import Voucher
    from ledger.domains.rewards.state import Limit, Window

FULFILMENTS_SHOWN = 3
HANDED_OUT = ("settled", "accepted by the shop")
"""Standings at which the shop hands out."""
UNLIMITED = 2**53
TIME_END = 2**40
LIMIT_MAX = 2**31 - 1
DAYS_MAX = 366
UNITS_MAX = 1_000
DEPTH_MAX = 10_000
TIERS_MAX = 8
REDEMPTION_COLUMNS = (
    "id",
    "member",
    "reward",
    "quantity",
    "points",
    "held",
    "fulfilled",
    "refunded",
    "standing",
    "depth",
    "fulfilments",
)
"""What a table of redemptions shows; --json shows all."""

Hold = Annotated[str, typer.Argument(metavar="HOLD", help="The redemption's id: 64 hexadecimal digits.")]
LimitTotal = Annotated[
    int | None, typer.Option("--limit-total", min=0, max=LIMIT_MAX, help="How many one member may get; 0: any number.")
]
LimitCount = Annotated[
    int | None,
    typer.Option(
        "--limit-count", min=0, max=LIMIT_MAX, help="How many one member may get within --limit-days; 0: any."
    ),
]
LimitDays = Annotated[
    int | None, typer.Option("--limit-days", min=0, max=DAYS_MAX, help="The days that --limit-count is for.")
]
OpensAt = Annotated[
    int | None,
    typer.Option(
        "--opens-at", min=0, max=TIME_END, help="When it can be redeemed from, in seconds since 1970; 0: now."
    ),
]
ClosesAt = Annotated[
    int | None,
    typer.Option("--closes-at", min=0, max=TIME_END, help="When it can no longer be redeemed; 0: it has no end."),
]


TierMin = Annotated[
    int | None,
    typer.Option("--tier-min", min=0, max=TIERS_MAX, help="Only for members of this tier and above; 0: for all."),
]


def list_reward(
    program: Program,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is, as fans read it.")],
    price: Annotated[int, typer.Option("--price", min=1, max=UNLIMITED, help="Points for one.")],
    stock: Annotated[
        int, typer.Option("--stock", min=0, max=UNLIMITED, help="How many there are; by default without limit.")
    ] = UNLIMITED,
    value_cents: Annotated[
        int,
        typer.Option(
            "--value-cents",
            min=0,
            max=UNLIMITED,
            help="What one is worth, in cents; it never changes. A program with a price floor must say it.",
        ),
    ] = 0,
    limit_total: LimitTotal = None,
    limit_count: LimitCount = None,
    limit_days: LimitDays = None,
    opens_at: OpensAt = None,
    closes_at: ClosesAt = None,
    tier_min: TierMin = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Offer something for points.

    \b
    Examples:
      fansumer brand list-reward 5f5f...5f "A loaf of bread" --price 100 --stock 50
      fansumer brand list-reward 5f5f...5f "A coffee" --price 100 --value-cents 250 --limit-count 1 --limit-days 7
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from ledger.types import Points, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet, account) as opened:
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).list_reward(
            of_program,
            name=name,
            price=Points(price),
            stock=stock,
            value_cents=value_cents,
            limit=_read_limit(None, limit_total, limit_count, limit_days),
            window=_read_window(None, opens_at, closes_at),
            tier_min=tier_min or 0,
        )
        finish(opened, sent, wait=wait, as_json=as_json, noun="reward")


def update_reward(
    program: Program,
    reward: RewardId,
    price: Annotated[
        int | None, typer.Option("--price", min=1, max=UNLIMITED, help="Points for one; by default as it is.")
    ] = None,
    stock_change: Annotated[
        int, typer.Option("--stock-change", min=-UNLIMITED, max=UNLIMITED, help="How many more, or fewer.")
    ] = 0,
    listed: Annotated[bool, typer.Option("--listed/--delisted", help="Whether it is on offer.")] = True,
    limit_total: LimitTotal = None,
    limit_count: LimitCount = None,
    limit_days: LimitDays = None,
    opens_at: OpensAt = None,
    closes_at: ClosesAt = None,
    tier_min: TierMin = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Change a reward. What gets better for fans holds at once; what gets worse waits for the program's notice: a higher price,
    stock taken away, delisting, a tighter limit, a shorter window. What is not named stays as it is.

    \b
    Example:
      fansumer brand update-reward 5f5f...5f a1a1...a1 --price 80 --stock-change 20
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from ledger.types import Points, ProgramId, RewardId

    of_program, changed = ProgramId(read_id(program, "PROGRAM")), RewardId(read_id(reward, "REWARD"))
    with open_wallet(url, wallet, account) as opened:
        present = opened.find_reward(of_program, changed)
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).update_reward(
            of_program,
            changed,
            price=Points(int(present["price"]) if price is None else price),
            stock_change=stock_change,
            listed=listed,
            limit=_read_limit(present, limit_total, limit_count, limit_days),
            window=_read_window(present, opens_at, closes_at),
            tier_min=int(present["tier_min"]) if tier_min is None else tier_min,
        )
        finish(opened, sent, wait=wait, as_json=as_json)


def _read_limit(present: "Answer | None", total: int | None, count: int | None, days: int | None) -> "Limit":
    """What was typed, over what the node shows of the reward."""
    from ledger.domains.rewards.state import Limit

    shown = (None if present is None else present["limit"]) or {"total": 0, "count": 0, "days": 0}
    given = {"total": total, "count": count, "days": days}
    return Limit(*(int(shown[name]) if value is None else value for name, value in given.items()))


def _read_window(present: "Answer | None", opens_at: int | None, closes_at: int | None) -> "Window":
    from ledger.domains.rewards.state import Window
    from ledger.types import Timestamp

    shown = {} if present is None else present
    opens = int(shown.get("opens_at") or 0) if opens_at is None else opens_at
    closes = int(shown.get("closes_at") or 0) if closes_at is None else closes_at
    return Window(Timestamp(opens), Timestamp(closes or TIME_END))


def list_redemptions(
    program: Program,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those of which something waits to be handed out.")
    ] = False,
    only_ready: Annotated[
        bool, typer.Option("--ready", help="Only those that may be handed out now: what you wait for is reached.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List what fans redeemed, what of it waits to be handed out, and how safe it is. The fulfilments are what `brand refund`
    takes back.

    \b
    Examples:
      fansumer brand redemptions 5f5f...5f --open
      fansumer brand redemptions 5f5f...5f --ready
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import connect, read_id
    from api.worth_words import speak_depth

    wanted = read_id(program, "PROGRAM")
    with connect(url) as client:
        found = list(client.every(client.redemptions.of_program, wanted))
        waits_for = client.redemptions.hand_out(wanted)
    shown = [item for item in found if item["held"] or not (only_open or only_ready)]
    if only_ready:
        shown = [item for item in shown if item["standing"] in HANDED_OUT]
    if as_json:
        print_json(shown)
    else:
        print_rows(({**name_fulfilments(item), "depth": speak_depth(item)} for item in shown), REDEMPTION_COLUMNS)
        say(f"{waits_for['says']} `fansumer brand hand-out` changes that.")


def hand_out(
    program: Program,
    level: Annotated[
        str | None,
        typer.Argument(
            metavar="[LEVEL]",
            help="pool (at once), a number of blocks, justified, or final; the last two need attestors. Without it: show.",
        ),
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say what you wait for before you hand out what was redeemed, or show it: 6 blocks unless you say something else. Everybody
    reads it. It is the node's, not the chain's: say it at each node that your shop asks.

    \b
    Examples:
      fansumer brand hand-out 5f5f...5f
      fansumer brand hand-out 5f5f...5f 12
      fansumer brand hand-out 5f5f...5f final
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, open_wallet, read_id
    from api.hand_out import read_hand_out

    wanted = read_id(program, "PROGRAM")
    if level is None:
        with connect(url) as client:
            print_answer(client.redemptions.hand_out(wanted), as_json=as_json)
        return
    try:
        chosen = read_hand_out(level)
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="LEVEL") from None
    with open_wallet(url, wallet, account) as opened:
        answer = opened.client.redemptions.choose_hand_out(opened.main_owner(), wanted, chosen)
    print_answer(answer, as_json=as_json)


def name_fulfilments(redemption: "Answer") -> dict[str, object]:
    """A redemption for a row: of each time that units were handed out the id, which `brand refund` takes."""
    found = [str(item["id"]) for item in redemption["fulfilments"] if item["id"]]
    more = f" and {len(found) - FULFILMENTS_SHOWN} more" if len(found) > FULFILMENTS_SHOWN else ""
    return {**redemption, "fulfilments": " ".join(found[:FULFILMENTS_SHOWN]) + more}


def accept(
    redemption: Annotated[
        str, typer.Argument(metavar="HOLD|TXID", help="The redemption's id, or its transaction's, as the fan shows it.")
    ],
    depth: Annotated[
        int, typer.Option("--depth", min=1, max=DEPTH_MAX, help="Blocks until which the shop bears the risk.")
    ] = 6,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the acceptance to this file, for the fan to keep.")
    ] = None,
    at: Annotated[
        int | None, typer.Option("--time", min=0, max=TIME_END, help="Seconds since 1970 in UTC; by default now.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Accept a redemption before it is deep in the chain: you hand the reward out now, and should the redemption fall out, you
    bear it. The node keeps your signed word and shows it to the fan. It needs the scope fulfil.

    \b
    Example:
      fansumer brand accept b2b2...b2 --depth 6 --out acceptance.bin
    """
    import time

    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_id, write_file
    from api.wallet.brand import Brand
    from ledger.domains.rewards.acceptance import encode_acceptance
    from ledger.types import Timestamp

    wanted = read_id(redemption, "HOLD|TXID")
    with open_wallet(url, wallet, account) as opened:
        client = opened.client
        found = client.redemptions.one(wanted)
        raw = encode_acceptance(
            Brand(opened).accept(found, now=Timestamp(int(time.time()) if at is None else at), depth=depth)
        )
        client.redemptions.accept(raw)
        shown = client.redemptions.one(wanted)
    if out is not None:
        write_file(out, raw)
        say(f"The acceptance is in {out}.")
    print_answer(summarise(shown), as_json=as_json)


def summarise(redemption: "Answer") -> dict[str, object]:
    """A redemption in short."""
    names = ("id", "txid", "standing", "says", "quantity", "held", "fulfilled", "refunded", "confirmations", "depth")
    return {name: redemption[name] for name in names}


def fulfil(
    program: Program,
    hold: Hold,
    quantity: Annotated[
        int | None, typer.Option("--quantity", min=1, max=UNITS_MAX, help="How many; by default all that are held.")
    ] = None,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="The voucher code of one unit; name it once for each.")
    ] = None,
    vouchers: Annotated[
        Path | None, typer.Option("--vouchers", help="Where to write codes and salts for the fan; needed with --code.")
    ] = None,
    code_hashes: Annotated[
        list[str] | None,
        typer.Option("--code-hash", help="Instead of --code: the salted hash of a voucher code that was given."),
    ] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say that a reward was handed out: its points are spent. Of several units some may come later. With --code, the chain keeps
    a salted hash of each voucher code, and the file of --vouchers is what the fan proves them with.

    \b
    Examples:
      fansumer brand fulfil 5f5f...5f b2b2...b2
      fansumer brand fulfil 5f5f...5f b2b2...b2 --quantity 1 --code SPRING-7Q2 --vouchers vouchers.json
    """
    from api.cli.output import say, warn
    from api.cli.session import finish, open_wallet, payment_choice, read_id, write_file
    from api.wallet.brand import Brand
    from api.wallet.vouchers import make_vouchers, write_vouchers
    from ledger.types import Hash, HoldId, ProgramId

    _check_code_options(codes, vouchers, code_hashes)
    of_program, open_hold = ProgramId(read_id(program, "PROGRAM")), HoldId(read_id(hold, "HOLD"))
    made: list[Voucher] = make_vouchers(codes or ())
    commitments = [Hash(read_id(text, "--code-hash")) for text in code_hashes or ()] or [
        voucher.commitment for voucher in made
    ]
    if vouchers is not None:
        write_file(
            vouchers, write_vouchers(made, open_hold).encode()
        )  # before it is sent: a salt that is lost proves nothing
        say(f"Codes and salts are in {vouchers}; give them to the fan.")
    with open_wallet(url, wallet, account) as opened:
        found = opened.client.redemptions.one(open_hold)
        if found["standing"] == "waiting":
            warn(f"this is earlier than you said: {found['says']} Should it fall out of the chain, the loss is yours.")
        units = quantity or len(commitments) or int(found["held"]) or 1
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).fulfil(
            of_program, open_hold, quantity=units, codes=commitments
        )
        finish(opened, sent, wait=wait, as_json=as_json, noun="fulfilment")


def _check_code_options(codes: list[str] | None, vouchers: Path | None, code_hashes: list[str] | None) -> None:
    if codes and code_hashes:
        raise typer.BadParameter("name either --code or --code-hash: the one makes the salted hash, the other gives it")
    if bool(codes) != (vouchers is not None):
        raise typer.BadParameter("--code and --vouchers go together: without the salts nobody can prove a code")


def refund(
    program: Program,
    fulfilment: Annotated[
        str,
        typer.Argument(
            metavar="FULFILMENT", help="What was handed out, as `brand fulfil` and `brand redemptions` show it."
        ),
    ],
    quantity: Annotated[int, typer.Option("--quantity", min=1, max=UNITS_MAX, help="How many you take back.")] = 1,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take back what was handed out: the fan's points come back to the lots that they came from. Within the refund days of the
    program's terms, each unit once. Stock is not added: `brand update-reward --stock-change` does that.

    \b
    Example:
      fansumer brand refund 5f5f...5f f0f0...f0 --quantity 1
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from ledger.types import FulfilmentId, ProgramId

    of_program, wanted = ProgramId(read_id(program, "PROGRAM")), FulfilmentId(read_id(fulfilment, "FULFILMENT"))
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        finish(opened, brand.refund(of_program, wanted, quantity=quantity), wait=wait, as_json=as_json)
