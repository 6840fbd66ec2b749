"""Reads the generated tables of tables.md, and says of the shapes of layouts.py what those tables say."""

from tests.second_decoder.layouts import KNOWN, PAYLOADS, RECORDS
from tests.second_decoder.shapes import Listing, Structure, Union


def read_tables(text: str) -> dict[str, list[list[str]]]:
    """Heading -> rows of its table, without head and rule; code marks are taken off."""
    tables: dict[str, list[list[str]]] = {}
    heading, ruled = "", False
    for line in text.splitlines():
        if line.startswith("#"):
            heading, ruled = line.lstrip("#").strip().replace("`", ""), False
        elif line.startswith("|---"):
            ruled = True
            tables[heading] = []
        elif line.startswith("|") and ruled:
            tables[heading].append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        elif line.startswith("No fields"):
            tables[heading] = []
    return tables


def structures_of(tables: dict[str, list[list[str]]]) -> dict[str, list[list[str]]]:
    """The part of the tables that stands under "Structures"."""
    names = list(tables)
    last_record = max(index for index, name in enumerate(names) if name.startswith("Table "))
    return {name: tables[name] for name in names[last_record + 1 : names.index("Events")]}


def rows_of(structure: Structure) -> list[list[str]]:
    """The rows that tables.md has for a structure."""
    return [[str(index), name, shape.describe()] for index, (name, shape) in enumerate(structure.fields)]


def named_structures() -> dict[str, list[list[str]]]:
    """Heading -> rows of every structure that tables.md keeps apart: those with a name, and the members of unions."""
    found: dict[str, list[list[str]]] = {}

    def visit(shape) -> None:
        """Adds what stands within a shape."""
        if isinstance(shape, Listing):
            visit(shape.item)
        elif isinstance(shape, Union):
            for tag, member in shape.members.items():
                found[f"{member.name} (tag {tag})"] = rows_of(member)
                visit(Structure(member.fields))
        elif isinstance(shape, Structure):
            if shape.name:
                found[shape.name] = rows_of(shape)
            for _, part in shape.fields:
                visit(part)

    for shape in [*KNOWN.values(), *PAYLOADS.values(), *(shape for _, shape in RECORDS.values())]:
        visit(shape)
    return found
