"""What commands print: facts and tables for people, JSON for programs, and refusals that say what to do."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from api.wallet.errors import ClientProblem, Unreachable
from api.words import show_time
from ledger.errors import LedgerError

COMMANDS = {
    "DELETE /v1/programs/PROGRAM/products": "fansumer brand drop-products",
    "GET /v1/blocks": "fansumer chain blocks",
    "GET /v1/campaigns": "fansumer chain campaigns",
    "GET /v1/mining/blocks": "fansumer chain mined",
    "GET /v1/programs": "fansumer chain programs",
    "GET /v1/proposals": "fansumer chain proposals",
    "delivery.confirm": "fansumer wallet confirm-delivery",
    "issuer.grant": "fansumer brand grant-issuer",
    "milestone.vote": "fansumer wallet vote-milestone",
    "pledge.late": "fansumer wallet pledge --late",
    "program.update": "fansumer brand update",
    "redeem": "fansumer wallet redeem",
}
"""What a person types for a request or a transaction that advice of the ledger or of a node names."""
SECONDS_SHOWN_MIN = 1_000_000_000
"""What is less is no time of a chain."""
EXIT_REFUSED = 1
EXIT_USAGE = 2
TYPED_WRONG = ("address.", "id.format", "plan.id_format", "webhook.id_format", "http.parameter")
"""Codes of what was typed wrong, also where a node says so."""
EXIT_CODES = (
    "Exit codes: 0 done; 1 refused, by the rules or by what was found: nothing was changed, or a list says what was left out "
    "(audits: findings); 2 it could not be tried: what was typed cannot be meant, a file cannot be used, or no node answers."
)


class UsageFault(LedgerError):
    """What was typed cannot be meant: exit code 2."""


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_answer(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """A mapping as JSON, or as facts; lists of mappings in it become tables of their own."""
    if as_json:
        print_json(answer)
        return
    facts, tables = _split(answer)
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        sys.stdout.write(f"{name:<{width}}  {value}\n")
    for name, rows in tables:
        sys.stdout.write(f"\n{name}\n")
        print_rows(rows)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | Mapping[str, str] | None = None) -> None:
    """Mappings as a table; columns in the order in which they first come. Nothing is cut off: an id must stay whole.

    `columns` names those that are shown, by their place in the answer: data.points; a mapping also says what stands above each.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    flat = [dict(_flatten(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row)) if columns is None else list(columns)
    if not flat:
        sys.stdout.write("(none)\n")
        return
    headings = dict(columns) if isinstance(columns, Mapping) else {name: name for name in names}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(headings[name], no_wrap=True, justify="right" if _are_numbers(flat, name) else "left")
    for row in flat:
        table.add_row(*(escape(str(row.get(name, ""))) for name in names))
    text = StringIO()
    Console(file=text, highlight=False, width=_table_width(flat, headings)).print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    sys.stdout.write("\n".join(line for line in lines if line) + "\n")


def report_fault(fault: LedgerError | ClientProblem) -> int:
    """Say on standard error what was wrong and what to do; returns the exit code."""
    if isinstance(fault, ClientProblem):
        name, text, advice = fault.code, fault.detail, fault.advice
    else:
        name, advice = fault.code.name, fault.advice
        text = str(fault).removeprefix(f"{name}: ")
    sys.stderr.write(f"error: {text}\n")
    if advice:
        sys.stderr.write(f"what to do: {_advise_command(advice)}\n")
    sys.stderr.write(f"code: {name}\n")
    return exit_code_of(fault)


def exit_code_of(fault: LedgerError | ClientProblem) -> int:
    """One rule for all commands (see EXIT_CODES): the same code ends with the same exit code, whoever found the fault."""
    name = fault.code if isinstance(fault, ClientProblem) else fault.code.name
    is_typed = isinstance(fault, Unreachable | UsageFault) or name.startswith(TYPED_WRONG)
    return EXIT_USAGE if is_typed else EXIT_REFUSED


def _advise_command(advice: str) -> str:
    """Advice for somebody at a terminal: commands instead of requests."""
    for request, command in COMMANDS.items():
        advice = advice.replace(f"`{request}`", f"`{command}`")
    return advice


def say(text: str) -> None:
    """One line for a person, on standard error: it is no data."""
    sys.stderr.write(f"{text}\n")


def warn(text: str) -> None:
    """One line on standard error about something that works, and may not be what was meant."""
    sys.stderr.write(f"warning: {text}\n")


def _are_numbers(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(isinstance(row.get(name, 0), int) for row in rows)


def _table_width(rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> int:
    from rich.cells import cell_len  # a Korean letter is two columns wide

    return sum(
        3 + max(cell_len(heading), *(cell_len(str(row.get(name, ""))) for row in rows))
        for name, heading in headings.items()
    )


def _flatten(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _shown(name, value)


def _shown(name: str, value: Any) -> Any:
    """What a person is shown of a field: times of the chain, which are seconds since 1970, as dates; words instead of nothing."""
    if value is None:
        return "-"
    is_time = name.endswith(("_at", "_since")) or name in ("until", "as_of")
    if is_time and type(value) is int and value >= SECONDS_SHOWN_MIN:
        return show_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(json.dumps(item) if isinstance(item, list | dict) else str(item) for item in value)
    return value


def _split(answer: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], list[tuple[str, list[Mapping[str, Any]]]]]:
    """Plain facts, and lists of mappings."""
    facts: list[tuple[str, Any]] = []
    tables: list[tuple[str, list[Mapping[str, Any]]]] = []
    for name, value in answer.items():
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            tables.append((name, value))
        elif isinstance(value, Mapping):
            inner_facts, inner_tables = _split(value)
            facts.extend((f"{name}.{inner}", found) for inner, found in inner_facts)
            tables.extend((f"{name}.{inner}", found) for inner, found in inner_tables)
        else:
            facts.append((name, _shown(name, value)))
    return facts, tables
