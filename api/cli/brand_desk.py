"""What commands of a brand have in common that ask its node about its program: PROGRAM, wallet, node and --json, each said once."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Program, Url, WalletFile
from api.cli.signature import with_parameters

if TYPE_CHECKING:
    from api.wallet.personal_calls import PersonalCalls, SignRequest
    from api.wallet.wallet import Wallet
    from ledger.types import ProgramId

StageName = Literal["new", "growing", "loyal", "cooling", "gone"]
Stage = Annotated[StageName | None, typer.Option("--stage", help="How far they are with you.")]
Category = Annotated[str | None, typer.Option("--category", help="In which they buy most.")]
Language = Annotated[Literal["en", "ko"] | None, typer.Option("--language", help="Which they chose.")]

SHARED: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("wallet", WalletFile, None),
    ("account", Account, 0),
    ("url", Url, DEFAULT_URL),
    ("as_json", AsJson, False),
)
"""Options of each command: name, kind, default."""


@dataclass(frozen=True, slots=True)
class BrandDesk:
    """A brand's wallet at its node, and the program that the command is about."""

    wallet: "Wallet"
    program: "ProgramId"

    @property
    def sign(self) -> "SignRequest":
        """Signs requests as the acting account."""
        return self.wallet.main_owner()

    @property
    def calls(self) -> "PersonalCalls":
        """Requests about personalization."""
        return self.wallet.client.personal


def for_brand(command: Callable[..., Any]) -> Callable[..., None]:
    """Make a command of `command(desk, ...)`: it also takes PROGRAM and the shared options, and what is returned is printed.

    Exit code 1 if that lists something as `skipped`.
    """
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != "desk"
    ]

    @wraps(command)
    def call(*, program: str, wallet: Any, account: int, url: str, as_json: bool, **given: Any) -> None:
        from api.cli.output import EXIT_REFUSED
        from api.cli.session import open_wallet, read_id
        from ledger.types import ProgramId

        of_program = ProgramId(read_id(program, "PROGRAM"))
        with open_wallet(url, wallet, account) as opened:
            found = command(BrandDesk(opened, of_program), **given)
        _print(found, as_json=as_json)
        if isinstance(found, Mapping) and found.get("skipped"):
            raise typer.Exit(EXIT_REFUSED)

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("program", keyword, annotation=Program),
        *own,
        *(inspect.Parameter(name, keyword, default=default, annotation=kind) for name, kind, default in SHARED),
    ]
    return with_parameters(call, parameters)


def name_segment(stage: str | None, category: str | None, language: str | None) -> dict[str, str]:
    """What of a segment was named."""
    named = {"stage": stage, "category": category, "language": language}
    return {name: value for name, value in named.items() if value}


def _print(found: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    from api.cli.output import print_answer, print_json, print_rows, say

    if isinstance(found, Mapping):
        print_answer(found, as_json=as_json)
        if not as_json and "minimum" in found and None in found.values():
            say(f"-: not known yet, or not said because fewer than {found['minimum']} fans are in it")
    elif as_json:
        print_json(found)
    else:
        print_rows(found)
