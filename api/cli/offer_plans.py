"""`fansumer brand offers plan`, `plans`, `issue-plan`, `report`, and `wallet offers fetch`: offers to many fans, each its own.

The node proposes and writes what each offer asks for; the brand's key signs what it promises, here; what an offer asks for goes to
its fan alone.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.brand_desk import BrandDesk, Category, Language, Stage, for_brand, name_segment
from api.cli.options import AMOUNT_MAX, DEFAULT_URL, AsJson, PayOwn, Program, Url, WalletFile
from api.cli.purchase_options import MONEY_MAX

if TYPE_CHECKING:
    from api.wallet.brand import Brand
    from ledger.domains.offers.offer_issue import OfferEntry
    from ledger.types import ProgramId

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id: 32 hexadecimal digits.")]


class Goal(StrEnum):
    """What offers may be for."""

    WINNING_BACK = "winning_back"
    DISCOVERY = "discovery"
    REPLENISH = "replenish"
    CHALLENGE = "challenge"


@for_brand
def plan(
    desk: BrandDesk,
    goal: Annotated[
        Goal, typer.Argument(metavar="GOAL", help="What for; a challenge is two usual items and one discovery at once.")
    ],
    points: Annotated[int, typer.Option("--points", min=1, max=AMOUNT_MAX, help="The bonus of each offer.")],
    budget: Annotated[int, typer.Option("--budget", min=0, max=AMOUNT_MAX, help="Points, altogether.")] = 0,
    budget_cents: Annotated[
        int, typer.Option("--budget-cents", min=0, max=AMOUNT_MAX, help="Or cents: what those points cost at most.")
    ] = 0,
    fan_max: Annotated[
        int,
        typer.Option("--fan-max", min=0, max=AMOUNT_MAX, help="What one fan may be promised at a time; 0: one offer."),
    ] = 0,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long the offers run.")] = 14,
    net_cents_min: Annotated[int, typer.Option("--min-cents", min=0, max=MONEY_MAX, help="Least basket; 0: any.")] = 0,
    stage: Stage = None,
    category: Category = None,
    language: Language = None,
) -> Any:
    """Plan offers: whom they would reach, and what they would cost. Nothing is promised yet; `issue-plan` does that.

    \b
    Example:
      fansumer brand offers plan 5f5f...5f winning_back --stage cooling --points 20 --budget 2000
    """
    if bool(budget) == bool(budget_cents):
        raise typer.BadParameter("give one budget: --budget in points, or --budget-cents")
    said = {
        "goal": goal.value,
        "points_each": points,
        "budget_points": budget,
        "budget_cents": budget_cents,
        "fan_points_max": fan_max,
        "days": days,
        "net_cents_min": net_cents_min,
        **name_segment(stage, category, language),
    }
    return desk.calls.make_offer_plan(desk.sign, desk.program, said)


@for_brand
def list_plans(desk: BrandDesk) -> Any:
    """Show the plans of offers that you made, the latest first.

    \b
    Example:
      fansumer brand offers plans 5f5f...5f
    """
    names = ("plan", "goal", "segment", "points_each", "budget_points", "made_at", "drawn_at", "ends_at")
    found = desk.calls.offer_plans(desk.sign, desk.program)
    return [{name: item[name] for name in names} for item in found]


@for_brand
def issue_plan(desk: BrandDesk, plan_id: PlanId, pay_own: PayOwn = False) -> Any:
    """Turn a plan into offers: the node draws the fans, once, and your key signs what is promised. What each offer asks for is
    sealed, and its fan alone gets it. Repeat it where something was left: nothing is promised twice.

    \b
    Example:
      fansumer brand offers issue-plan 5f5f...5f 4d4d...4d
    """
    from api.cli.output import warn
    from api.cli.session import payment_choice
    from api.wallet.brand import Brand

    drawn = desk.calls.draw_offer_plan(desk.sign, desk.program, plan_id)
    entries = [_read_entry(desk, item) for item in desk.calls.offer_entries(desk.sign, desk.program, plan_id)]
    brand = Brand(desk.wallet, payment=payment_choice(pay_own=pay_own))
    codes = issue_entries(brand, desk.program, entries)
    skipped = [
        {"member": desk.wallet.address_text(entry.member), "code": code, "reason": _explain(code)}
        for entry, code in zip(entries, codes, strict=True)
        if _explain(code)
    ]
    issued = len(entries) - len(skipped)
    if skipped:
        warn(
            f"{len(skipped)} of {len(entries)} offers were not issued; each says why. Repeat the command for them later."
        )
    return {
        "plan": plan_id,
        "proposed": drawn["proposed"],
        "issued": issued,
        "points": sum(entry.points for entry, code in zip(entries, codes, strict=True) if not _explain(code)),
        "skipped": skipped,
    }


@for_brand
def report(desk: BrandDesk, plan_id: PlanId) -> Any:
    """Show what became of a plan: issued, cited, cost, and purchases against fans who were held out.

    \b
    Example:
      fansumer brand offers report 5f5f...5f 4d4d...4d
    """
    return desk.calls.offer_report(desk.sign, desk.program, plan_id)


def issue_entries(brand: "Brand", program: "ProgramId", entries: "Sequence[OfferEntry]") -> list[str]:
    """The ledger's code of each; what the node foresees to be skipped is not sent. Raises ClientProblem, WalletError."""
    from api.cli.output import say
    from api.wallet.offers import APPLIED_SHOWN
    from ledger.params import OFFER_ENTRIES_MAX

    codes: list[str] = []
    for start in range(0, len(entries), OFFER_ENTRIES_MAX):
        batch = entries[start : start + OFFER_ENTRIES_MAX]
        found = brand.foresee_entries(program, batch)
        wanted = [index for index, code in enumerate(found) if code == APPLIED_SHOWN]
        if wanted:
            sent = brand.issue_entries(program, [batch[index] for index in wanted])
            say(f"sent {sent.txid.hex()}; waiting for its block")
            for index, code in zip(wanted, brand.wallet.wait_for(sent)["codes"], strict=True):
                found[index] = str(code)
        codes += found
    return codes


def _read_entry(desk: BrandDesk, item: Mapping[str, Any]) -> "OfferEntry":
    from api.cli.session import read_account, read_id
    from ledger.domains.offers.offer_issue import OfferEntry
    from ledger.types import Hash, Points, Timestamp

    member, terms = read_account(desk.wallet, str(item["member"])), Hash(read_id(str(item["terms"]), "terms"))
    return OfferEntry(member, terms, Points(int(item["points"])), Timestamp(int(item["expires_at"])))


def _explain(code: str) -> str:
    """Why an offer was not issued; empty: it was."""
    from api.cli.offer_issue import explain_skip
    from api.wallet.offers import APPLIED_SHOWN

    return "" if code == APPLIED_SHOWN else explain_skip(code)


def fetch(
    program: Program,
    out: Annotated[Path, typer.Option("--out", help="A folder: a file for each offer, for the till.")],
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Fetch the offers that a program made to you: a file for each that is open, to show at the till. Each is checked: the chain
    holds exactly this promise.

    \b
    Example:
      fansumer wallet offers fetch 5f5f...5f --out offers
    """
    from api.cli.offer_issue import SUFFIX
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import open_wallet, read_id, write_file
    from api.wallet.offers import describe_terms, read_offer_text
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        found = opened.client.personal.offers(opened.owner(of_program), of_program)["items"]
        rows: list[dict[str, Any]] = []
        for item in (one for one in found if one["status"] == "open"):
            offer = read_offer_text(item["text"])
            opened.client.offers.one(offer.offer_id)  # offer.unknown: the chain holds no such promise
            path = out / f"{opened.address_text(offer.member)}-{offer.offer_id.hex()[:8]}{SUFFIX}"
            write_file(path, item["text"].encode())
            says = {"goal": item["goal"], "says": item["says"], "asks_for": describe_terms(offer)}
            rows.append({"offer": offer.offer_id.hex(), "points": offer.points, **says, "file": str(path)})
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows)
    else:
        say("no open offers at the moment")
