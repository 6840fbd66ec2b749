"""Write `ledger/spec/kinds.md`: for each kind of transaction where its rule, codes, events, faces and tests are.

    python scripts/kind_table.py            writes the file
    python scripts/kind_table.py --check    exits 1 if the file is not what it would write, or a kind lacks something

Most cells are read off the code: codes and events from what the rule can reach, the read model from what indexes its events, tests
from the files that build its payload. What a person uses (`FACES`) is named here, and each name is looked up.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import typer
from starlette.routing import Route

from api.cli.main import app as command_line
from api.http.app import ROUTERS
from api.http.routers import accounts
from ledger.errors import Code
from ledger.events import Event
from ledger.kinds import Kind
from ledger.registry import KINDS
from node.store.index import LISTED
from spec_tables import least_payload

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "ledger" / "spec" / "kinds.md"
TESTS = ROOT / "tests"


class Faces(NamedTuple):
    """Where a person meets a kind: what reads its effect over HTTP, the client's call, the command."""

    read: str
    client: str
    command: str


FACES = {
    "account.cancel_recovery": Faces("GET /v1/accounts/{address}", "custody.Custody.cancel", "wallet recover cancel"),
    "account.recover": Faces("GET /v1/accounts/{address}", "custody.Custody.approve", "wallet recover start"),
    "account.set_guardians": Faces(
        "GET /v1/accounts/{address}", "custody.Custody.set_guardians", "wallet guardians set"
    ),
    "account.set_policy": Faces("GET /v1/accounts/{address}", "custody.Custody.set_policy", "wallet set-policy"),
    "adjust": Faces("GET /v1/programs/{program}", "brand.Brand.adjust", "brand adjust"),
    "campaign.cancel": Faces("GET /v1/campaigns/{campaign}", "creator.Creator.cancel", "creator cancel-campaign"),
    "campaign.create": Faces("GET /v1/campaigns/{campaign}", "creator.Creator.publish", "creator create-campaign"),
    "campaign.post_update": Faces(
        "GET /v1/campaigns/{campaign}/history", "creator.Creator.post_update", "creator post-update"
    ),
    "challenge.complete": Faces(
        "GET /v1/challenges/{challenge}/completions", "brand.Brand.complete_challenges", "brand challenge complete"
    ),
    "challenge.contest": Faces(
        "GET /v1/accounts/{address}/completions", "wallet.Wallet.contest_challenge", "wallet challenges contest"
    ),
    "challenge.create": Faces(
        "GET /v1/challenges/{challenge}", "brand.Brand.create_challenge", "brand challenge create"
    ),
    "challenge.reverse": Faces(
        "GET /v1/accounts/{address}/completions", "brand.Brand.reverse_challenge", "brand challenge reverse"
    ),
    "consent.grant": Faces("GET /v1/accounts/{address}", "wallet.Wallet.grant_consent", "wallet consent grant"),
    "consent.revoke": Faces("GET /v1/accounts/{address}", "wallet.Wallet.revoke_consent", "wallet consent revoke"),
    "contribution.credit": Faces(
        "GET /v1/contributions/{contribution}", "contributions.Missions.credit", "brand mission credit"
    ),
    "contribution.record": Faces(
        "GET /v1/contributions/{contribution}", "contributions.record_contribution", "wallet contribute"
    ),
    "delivery.confirm": Faces(
        "GET /v1/campaigns/{campaign}", "backer.Backer.confirm_delivery", "wallet confirm-delivery"
    ),
    "earn": Faces("GET /v1/accounts/{address}/history", "settlement.Settler.settle", "brand settle"),
    "earn.answer_contest": Faces("GET /v1/contests/{contest}", "brand.Brand.answer_contest", "brand contests answer"),
    "earn.contest": Faces("GET /v1/contests/{contest}", "wallet.Wallet.contest", "wallet contest"),
    "finality.attest": Faces("GET /v1/finality", "attestors.Attestors.attest", "chain finality"),
    "finality.evidence": Faces("GET /v1/finality", "attestors.Attestors.give_evidence", "attestors accuse"),
    "finality.replace_silent": Faces("GET /v1/finality", "attestors.Attestors.replace_silent", "attestors send"),
    "finality.set_attestors": Faces("GET /v1/finality", "attestors.Attestors.set_attestors", "attestors send"),
    "issuer.grant": Faces("GET /v1/programs/{program}/issuers", "brand.Brand.grant_issuer", "brand grant-issuer"),
    "issuer.revoke": Faces("GET /v1/programs/{program}/issuers", "brand.Brand.revoke_issuer", "brand revoke-issuer"),
    "member.join": Faces("GET /v1/programs/{program}/members", "wallet.Wallet.join", "wallet join"),
    "member.leave": Faces("GET /v1/programs/{program}/members", "wallet.Wallet.leave", "wallet leave"),
    "milestone.submit": Faces("GET /v1/campaigns/{campaign}", "creator.Creator.submit", "creator submit"),
    "milestone.vote": Faces("GET /v1/campaigns/{campaign}", "backer.Backer.vote", "wallet vote-milestone"),
    "mission.create": Faces(
        "GET /v1/programs/{program}/missions", "contributions.Missions.create", "brand mission create"
    ),
    "offer.contest": Faces("GET /v1/offers/{offer}", "wallet.Wallet.contest_offer", "wallet offers contest"),
    "offer.issue": Faces("GET /v1/programs/{program}/offers", "brand.Brand.issue_offers", "brand offers issue"),
    "offer.reverse": Faces("GET /v1/programs/{program}/returns", "brand.Brand.reverse_offer", "brand offers take-back"),
    "offer.settle": Faces("GET /v1/accounts/{address}/offers", "brand.Brand.settle_offers", "brand settle"),
    "pledge": Faces("GET /v1/accounts/{address}/pledges", "backer.Backer.pledge", "wallet pledge"),
    "pledge.cancel": Faces("GET /v1/campaigns/{campaign}/pledges", "backer.Backer.cancel", "wallet cancel-pledge"),
    "pledge.change": Faces("GET /v1/campaigns/{campaign}/pledges", "backer.Backer.change", "wallet change-pledge"),
    "pledge.late": Faces("GET /v1/campaigns/{campaign}/pledges", "backer.Backer.pledge", "wallet pledge"),
    "pledge.withdraw": Faces(
        "GET /v1/campaigns/{campaign}/pledges", "backer.Backer.withdraw", "wallet withdraw-pledge"
    ),
    "points.claim_collateral": Faces(
        "GET /v1/accounts/{address}", "wallet.Wallet.claim_collateral", "wallet claim-collateral"
    ),
    "points.transfer": Faces("GET /v1/accounts/{address}", "wallet.Wallet.give_points", "wallet give"),
    "ballot.cast": Faces("GET /v1/proposals/{proposal}/ballots", "voice.Voter.cast", "wallet vote cast"),
    "ballot.commit": Faces("GET /v1/proposals/{proposal}/ballots", "voice.Voter.commit", "wallet vote cast"),
    "ballot.reveal": Faces("GET /v1/proposals/{proposal}", "voice.Voter.reveal", "wallet vote reveal"),
    "obligation.fulfil": Faces("GET /v1/programs/{program}/promises", "voice.Asker.fulfil", "brand proposal fulfil"),
    "proposal.create": Faces("GET /v1/proposals/{proposal}", "voice.Asker.propose", "brand proposal create"),
    "proposal.respond": Faces("GET /v1/proposals/{proposal}", "voice.Asker.adopt", "brand proposal adopt"),
    "program.create": Faces("GET /v1/programs/{program}", "brand.Brand.create_program", "brand create-program"),
    "program.sunset": Faces("GET /v1/programs/{program}", "brand.Brand.announce_sunset", "brand sunset"),
    "program.update": Faces("GET /v1/programs/{program}", "brand.Brand.update_program", "brand update"),
    "redeem": Faces("GET /v1/accounts/{address}", "wallet.Wallet.redeem", "wallet redeem"),
    "redeem.cancel": Faces("GET /v1/accounts/{address}", "wallet.Wallet.cancel", "wallet cancel"),
    "redeem.fulfil": Faces("GET /v1/accounts/{address}/history", "brand.Brand.fulfil", "brand fulfil"),
    "reverse": Faces("GET /v1/programs/{program}/returns", "brand.Brand.reverse", "brand returns post"),
    "redeem.refund": Faces("GET /v1/redemptions/{redemption}", "brand.Brand.refund", "brand refund"),
    "review": Faces("GET /v1/reviews/{subject}", "reviews.Reviewer.write", "wallet review write"),
    "review.reply": Faces("GET /v1/reviews/{subject}", "reviews.Reviewer.reply", "brand reply"),
    "reward.list": Faces("GET /v1/programs/{program}/rewards", "brand.Brand.list_reward", "brand list-reward"),
    "reward.update": Faces("GET /v1/programs/{program}/rewards", "brand.Brand.update_reward", "brand update-reward"),
    "transfer": Faces("GET /v1/accounts/{address}", "wallet.Wallet.transfer", "wallet send"),
}
"""Client calls are attributes of modules under `api.wallet`."""

HEADER = (
    "kind",
    "rule",
    "weight",
    "limits",
    "codes in their order",
    "events",
    "read model",
    "endpoint",
    "client",
    "command",
    "tests",
)


def render() -> str:
    """The whole page."""
    lines = [
        "# Kinds",
        "",
        "Generated by `python scripts/kind_table.py`; do not edit. A kind that has none of something says so: no cell is empty.",
        "The codes of envelope and fee (ENV-6) come before those of a kind. Every kind goes in by `POST /v1/transactions`;",
        "`endpoint` is where its effect is read. The `history` of the read model lists events under each of their subjects.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + "---|" * len(HEADER),
        *("| " + " | ".join(cells) + " |" for cells in rows()),
    ]
    return "\n".join(lines) + "\n"


def rows() -> Iterator[tuple[str, ...]]:
    """The cells of each kind, by name."""
    tests = {path: path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("test_*.py"))}
    for name in sorted(KINDS):
        kind = KINDS[name]
        faces = FACES.get(name, Faces("", "", ""))
        yield (
            f"`{name}`",
            kind.anchor,
            _weight(kind),
            f"[fields](tables.md#payload-of-{name.replace('.', '')}-{kind.payload.name.lower()})",
            ", ".join(f"`{code}`" for code in codes_in_order(kind)) or "none of its own",
            ", ".join(f"`{event.name}`" for event in events_of(kind)),
            ", ".join(_read_model(kind)),
            f"`{faces.read}`" if faces.read else "",
            f"`{faces.client}`" if faces.client else "",
            f"`fansumer {faces.command}`" if faces.command else "",
            ", ".join(f"`{path}`" for path in _tests_of(kind, tests)),
        )


def _weight(kind: Kind[Any]) -> str:
    """What a kind costs besides its bytes and witnesses (spec ENV-7)."""
    base, more = kind.cost(least_payload()), kind.cost(least_payload(entries=((),)))
    names = ("records", "slots", "due", "signatures")
    parts = [
        f"{number}{f' + {grown - number} an entry' if grown != number else ''} {noun}"
        for number, grown, noun in zip(base, more, names, strict=True)
        if number or grown
    ]
    return ", ".join(parts)


def codes_in_order(kind: Kind[Any]) -> tuple[str, ...]:
    """The codes that the rule's docstring names, in its order."""
    said = re.findall(r"`([a-z_]+\.[a-z_]+)`", kind.apply.__doc__ or "")
    return tuple(dict.fromkeys(name for name in said if name in Code.catalogue))


def codes_reached(kind: Kind[Any]) -> frozenset[str]:
    """The codes that the rule's code can name, through whatever it calls in the ledger's domains and its coin."""
    return frozenset(found.name for found in _reached(kind.apply) if isinstance(found, Code))


def events_of(kind: Kind[Any]) -> tuple[type[Event], ...]:
    """The events that the rule can emit, by name."""
    found = {item for item in _reached(kind.apply) if isinstance(item, type) and issubclass(item, Event)}
    return tuple(sorted(found - {Event}, key=lambda event: event.name))


def _reached(rule: Callable[..., Any]) -> set[Any]:
    """Codes and event classes that a function names, itself or through functions and methods of the ledger that it calls."""
    found: set[Any] = set()
    seen: set[CodeType] = set()
    waiting: list[Any] = [rule]
    while waiting:
        function = waiting.pop()
        if not isinstance(function, FunctionType) or function.__code__ in seen:
            continue
        seen.add(function.__code__)
        names = set(_names(function.__code__))
        for name in names:
            item = function.__globals__.get(name)
            if isinstance(item, Code) or (isinstance(item, type) and issubclass(item, Event)):
                found.add(item)
            elif isinstance(item, type) and _is_law(item):
                members = vars(item)
                waiting.extend(_plain(members[other]) for other in (names | set(members)) & set(members))
            elif isinstance(item, FunctionType) and _is_law(item):
                waiting.append(item)
    return found


def _plain(member: Any) -> Any:
    return getattr(member, "__func__", member)


def _is_law(item: Any) -> bool:
    return item.__module__.startswith("ledger.domains.") or item.__module__ == "ledger.coin"


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _read_model(kind: Kind[Any]) -> Iterator[str]:
    """The histories and lists that its events enter."""
    events = events_of(kind)
    if events:
        yield "history"
    for event in events:
        if event in LISTED:
            yield from (f"list `{name}`" for name in _strings(LISTED[event].__code__))


def _strings(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str) and re.fullmatch("[a-z_]+", constant) and constant not in ("big", "little"):
            yield constant


def _tests_of(kind: Kind[Any], tests: dict[Path, str]) -> Iterator[str]:
    """Files of the ledger's tests that build the kind's payload."""
    word = re.compile(rf"\b{kind.payload.name}\b")
    for path, text in tests.items():
        if "ledger" in path.parts and "domains" in path.parts and word.search(text):
            yield path.relative_to(ROOT).as_posix()


def missing() -> Iterator[str]:
    """What a kind lacks: an empty cell, a code that its rule can't give, or a face that does not exist."""
    for cells in rows():
        yield from (f"{cells[0]}: no {title}" for title, cell in zip(HEADER, cells, strict=True) if not cell)
    for name, kind in sorted(KINDS.items()):
        unreached = {*codes_in_order(kind)} - codes_reached(kind)
        yield from (f"`{name}`: its docstring names `{code}`, which its rule does not" for code in sorted(unreached))
    routes, commands = {*_routes()}, {*_commands(typer.main.get_command(command_line))}
    for name, faces in FACES.items():
        if name not in KINDS:
            yield f"`{name}` is no kind"
        if faces.read and faces.read not in routes:
            yield f"`{name}`: there is no {faces.read}"
        if faces.command and faces.command not in commands:
            yield f"`{name}`: there is no command {faces.command}"
        if faces.client and not _exists(faces.client):
            yield f"`{name}`: there is no api.wallet.{faces.client}"


def _routes() -> Iterator[str]:
    served = [route for module in ROUTERS for route in module.router.routes]
    for route in (*accounts.PLAIN_ROUTES, *served):
        if isinstance(route, Route):
            yield from (f"{method} {route.path}" for method in route.methods or ())


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The commands of the command line, as they are typed."""
    if not hasattr(command, "commands"):
        yield " ".join(path)
        return
    for name, inner in command.commands.items():
        yield from _commands(inner, (*path, name))


def _exists(client: str) -> bool:
    """Whether `module.Class.method` is there under `api.wallet`."""
    module, *names = client.split(".")
    found: Any = import_module(f"api.wallet.{module}")
    for name in names:
        found = getattr(found, name, None)
    return callable(found)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or say whether it is up to date and whole."""
    page = render()
    if "--check" not in arguments:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    faults = list(missing())
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        faults.append(f"{PAGE.name} is out of date: run python scripts/kind_table.py")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
