"""The commands of `fansumer brand` about the rules of earning: why a receipt gives its points, and what a draft would change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, AsJson, Program, Url
from api.cli.purchase_options import MONEY_MAX, Codes, PaidWithPoints, PreviousVisit, SoldAt, parse_codes
from api.words import counted
from ledger.errors import Code

if TYPE_CHECKING:
    from api.reporting.rehearsal import Rehearsal
    from api.wallet.explanation import Explanation
    from api.wallet.shown_terms import TermsVersions
    from ledger.domains.loyalty.purchases import Purchase

FANS_SHOWN = 10
PROGRAMS_NAMED_MAX = 3
NONE_OF_PROGRAM = Code(
    "cli.none_of_program",
    "no receipt in the folder {path} is of this program; it holds {found}",
    "Name the program of the receipts, or the folder with this program's.",
)
LINE_COLUMNS = ("rule", "text", "result", "total", "counts")
FAN_COLUMNS = ("member", "receipts", "now", "draft", "difference")


def explain_earn(
    program: Program,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="A receipt, as the till signed it; or name a purchase below.")
    ] = None,
    net_cents: Annotated[
        int | None, typer.Option("--net-cents", min=-MONEY_MAX, max=MONEY_MAX, help="What was paid, in cents.")
    ] = None,
    paid_with_points_cents: PaidWithPoints = 0,
    codes: Codes = None,
    tier: Annotated[str, typer.Option("--tier", help="The fan's tier, by name or number; 0: none.")] = "0",
    previous_visit: PreviousVisit = 0,
    at: SoldAt = None,
    terms_version: Annotated[
        int | None, typer.Option("--terms-version", min=1, help="The terms named; by default those in force then.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show line by line why a purchase gives its points: by the terms that its receipt names and by those in force then.
    The better of the two counts.

    \b
    Examples:
      fansumer brand explain-earn 5f5f...5f --receipt receipts/0001.bin
      fansumer brand explain-earn 5f5f...5f --net-cents 4300 --code bread=1200 --time 1767225600 --tier gold
    """
    from api.cli.output import print_json
    from api.cli.receipt import read_receipt
    from api.cli.session import connect, read_id
    from api.wallet.explanation import explain_purchase, explanation_to_mapping
    from api.wallet.shown_terms import read_versions_answer

    if (receipt is None) is (net_cents is None):
        raise typer.BadParameter("name either --receipt or --net-cents")
    of_program = read_id(program, "PROGRAM")
    with connect(url) as client:
        versions = read_versions_answer(client.terms(of_program))
    promised, named = None, terms_version
    if receipt is not None:
        signed = read_receipt(receipt).receipt
        if signed.program != of_program:
            raise typer.BadParameter(f"the receipt is of the program {signed.program.hex()}")
        purchase, promised, named = signed.purchase(), signed.points, signed.terms_version
    else:
        asked = (net_cents or 0, paid_with_points_cents, tuple(codes or ()), previous_visit)
        purchase = _asked(versions, asked, tier, at, terms_version)
    found = explain_purchase(versions, purchase, named)
    if as_json:
        print_json(explanation_to_mapping(found, purchase, promised))
    else:
        _print_explanation(found, promised)


def _asked(
    versions: "TermsVersions",
    asked: tuple[int, int, tuple[str, ...], int],
    tier: str,
    at: int | None,
    terms_version: int | None,
) -> "Purchase":
    """The purchase that the options describe."""
    import time

    from api.wallet.explanation import find_tier
    from ledger.domains.loyalty.purchases import Purchase
    from ledger.types import Timestamp

    net_cents, paid_with_points_cents, codes, previous_visit = asked
    when = Timestamp(int(time.time()) if at is None else at)
    if previous_visit > when:
        raise typer.BadParameter("--previous-visit comes after --time")
    version = versions.program.version_at(when) if terms_version is None else terms_version
    terms = versions.terms.get(version)
    number = 0 if terms is None else find_tier(terms, tier)
    return Purchase(when, net_cents, paid_with_points_cents, parse_codes(codes), number, previous_visit)


def _print_explanation(found: "list[Explanation]", promised: int | None) -> None:
    from api.cli.output import print_rows, say
    from api.wallet.explanation import NOT_NAMED

    best = found[0]
    for one in found:
        said = [word for word, holds in (("named", one.is_named), ("in force", one.is_in_force)) if holds]
        counted = "this one counts" if one is best else "the other one counts"
        if not one.may_be_named:
            counted = NOT_NAMED
        typer.echo(f"\nTerms {one.version} ({' and '.join(said)}): {one.points} points; {counted}.")
        print_rows([_shown(line.to_mapping()) for line in one.lines], LINE_COLUMNS)
    typer.echo(f"\npoints  {best.points}")
    if promised is not None:
        typer.echo(f"the receipt promises  {promised}")
        if promised < best.points:
            say("The receipt promises too few: its fan can contest that with `wallet contest --wrong-points`.")
        elif promised > best.points:
            say("The receipt promises more than the rules give, which its till may.")


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"counts": "yes" if line["counts"] else ""}


def rehearse(
    program: Program,
    draft: Annotated[Path, typer.Argument(metavar="FILE", help="The draft of the terms, as for `brand update`.")],
    receipts: Annotated[
        Path, typer.Option("--receipts", metavar="FOLDER", help="Receipts of the past; folders in it are read, too.")
    ],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Run a draft of the rules over receipts of the past: what each fan would gain or lose against the terms in force, and
    whether the change would have to wait for the notice. Nothing is published.

    \b
    Example:
      fansumer brand rehearse 5f5f...5f draft.toml --receipts receipts
    """
    from api.cli.output import print_json
    from api.cli.session import connect, read_id, read_text
    from api.reporting.receipts_folder import read_folder
    from api.reporting.rehearsal import fans_to_mappings, rehearse_draft
    from api.wallet.errors import WalletError
    from api.wallet.program_file import check_draft, read_terms_file
    from api.wallet.shown_terms import read_versions_answer
    from ledger.address import encode_address
    from ledger.types import ChainId, ProgramId

    of_program, terms = ProgramId(read_id(program, "PROGRAM")), read_terms_file(read_text(draft))
    check_draft(terms)
    with connect(url) as client:
        chain = client.chain()
        versions = read_versions_answer(client.terms(of_program))
    folder = read_folder(receipts, with_openings=False)
    found = rehearse_draft(
        versions,
        terms,
        [signed for _, signed in folder.receipts],
        program_id=of_program,
        chain_id=ChainId(read_id(str(chain["chain_id"]), "--chain-id")),
    )
    if not found.fans:
        others = sorted({signed.receipt.program.hex() for _, signed in folder.receipts})
        raise WalletError(NONE_OF_PROGRAM, path=str(receipts), found=_tell_receipts(others, len(folder.unreadable)))
    prefix = str(chain["address_prefix"])
    fans = fans_to_mappings(found.fans, lambda member: encode_address(prefix, member))
    summary = found.to_mapping() | {"unreadable": len(folder.unreadable)}
    if as_json:
        print_json(summary | {"fans": fans, "fan_count": len(fans)})
    else:
        _print_rehearsal(found, summary, fans)


def _tell_receipts(programs: list[str], unreadable: int) -> str:
    """What lies in a folder without a receipt of the program, in words."""
    said = [f"receipts of the program {program}" for program in programs[:PROGRAMS_NAMED_MAX]]
    if len(programs) > PROGRAMS_NAMED_MAX:
        said.append(f"of {len(programs) - PROGRAMS_NAMED_MAX} more programs")
    if unreadable:
        said.append(counted(unreadable, "file") + " that cannot be read")
    return ", ".join(said)


def _print_rehearsal(found: "Rehearsal", summary: dict[str, Any], fans: list[dict[str, Any]]) -> None:
    from api.cli.output import print_answer, print_rows, say

    print_answer({name: value for name, value in summary.items() if name != "why"}, as_json=False)
    if fans:
        shown = fans if len(fans) <= 2 * FANS_SHOWN else [*fans[:FANS_SHOWN], *fans[-FANS_SHOWN:]]
        typer.echo(f"\nfans, the greatest loss first ({len(shown)} of {len(fans)}; --json has all):")
        print_rows(shown, FAN_COLUMNS)
    if found.worse:
        typer.echo(f"\nThe change waits for the notice of {found.notice_days} days, since:")
        for reason in summary["why"]:
            typer.echo(f"  {reason}")
        if found.is_update_pending:
            typer.echo("  and another change is announced already: this one can be published when that is in force.")
    else:
        typer.echo("\nThe change makes nothing worse for anybody: it would hold at once.")
    say(
        f"Of the receipts {found.signatures_checked} signatures were checked ({found.signatures_wrong} wrong). Tiers start from "
        "nothing with the first receipt. What fans would buy otherwise, redemptions and expiry are not rehearsed."
    )
