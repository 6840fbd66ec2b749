"""The entry point: `fansumer GROUP COMMAND`. Exit codes are of one rule for all commands: `output.EXIT_CODES`."""

from typing import Any

import typer
from typer.core import TyperGroup

from api.cli import (
    audit,
    brand,
    chain,
    creator,
    db,
    demo,
    guardians,
    mine,
    node,
    partner,
    proof,
    raised,
    reviews,
    till_serve,
    vote,
    wallet,
)
from api.cli.output import EXIT_CODES, report_fault
from api.wallet.errors import ClientProblem
from ledger.errors import LedgerError


class FaultReporting(TyperGroup):
    """Turns the faults that ledger, node and wallet report into a message and an exit code, wherever they come up."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (LedgerError, ClientProblem) as fault:
            raise typer.Exit(report_fault(fault)) from None


app = typer.Typer(
    name="fansumer",
    cls=FaultReporting,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "A ledger on which fans earn, spend and back, and brands and creators keep their word.\n\n"
        "\b\nExamples:\n"
        "  fansumer up --demo              a node with a grocer's purchases in it\n"
        "  fansumer wallet create          a wallet of your own\n"
        "  fansumer chain info             what the node knows\n\n"
        f"{EXIT_CODES}\n"
    ),
)
app.command("up")(node.up)
app.command("mine")(mine.mine)
app.add_typer(node.app, name="node")
app.add_typer(wallet.app, name="wallet")
wallet.app.add_typer(guardians.app, name="guardians")
wallet.app.add_typer(guardians.recover_app, name="recover")
wallet.app.add_typer(vote.app, name="vote")
wallet.app.add_typer(reviews.app, name="review")
wallet.app.command("raised")(raised.raised)
proof.app.command("raised")(raised.check_raised)
app.add_typer(brand.app, name="brand")
app.add_typer(till_serve.app, name="till")
app.add_typer(creator.app, name="creator")
app.add_typer(partner.app, name="partner")
app.add_typer(chain.app, name="chain")
app.add_typer(proof.app, name="proof")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")
app.add_typer(demo.app, name="demo")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
