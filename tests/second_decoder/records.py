"""Records, leaves, slots and undo: STA-1 to STA-6."""

from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import leaf_hash, tagged
from tests.second_decoder.layouts import RECORD_SHAPES, RECORDS

WIDTHS = {"id": 32, "be4": 4, "be8": 8, "byte": 1}


def read_key(key: bytes) -> dict:
    """The parts of a record's key (STA-1), with "table" the name of its table."""
    first = key[:1].decode("latin-1")
    if first not in RECORD_SHAPES:
        raise Fault("record.key", "table")
    table, layout, _ = RECORD_SHAPES[first]
    parts: dict = {"table": table}
    at = 1
    for item in layout.split():
        name, kind = item.split(":")
        end = len(key) if kind == "rest" else at + WIDTHS[kind]
        part = key[at:end]
        if kind != "rest" and len(part) != WIDTHS[kind]:
            raise Fault("record.key", name)
        if kind == "id":
            parts[name] = part
        elif kind == "rest":
            parts[name] = part.decode("utf-8")
        else:
            parts[name] = int.from_bytes(part, "big")
        at = end
    if at != len(key) or parts.get("purpose", 0) > 3 or len(parts.get("scope", "").encode()) > 32:
        raise Fault("record.key", table)
    return parts


def write_key(parts: dict) -> bytes:
    """The key of a record (STA-1)."""
    first, layout = next((first, row[1]) for first, row in RECORD_SHAPES.items() if row[0] == parts["table"])
    key = first.encode("ascii")
    for item in layout.split():
        name, kind = item.split(":")
        if kind == "id":
            key += parts[name]
        elif kind == "rest":
            key += parts[name].encode("utf-8")
        else:
            key += parts[name].to_bytes(WIDTHS[kind], "big")
    return key


def shape_at(key: bytes):
    """The shape of the value under a key."""
    return RECORDS[key[:1].decode("latin-1")][1]


def read_value(key: bytes, data: bytes) -> dict:
    """A record's value in names, from its encoding."""
    return shape_at(key).read(decode(data), RECORD_SHAPES[key[:1].decode("latin-1")][0])


def write_value(key: bytes, fields: dict) -> bytes:
    """The encoding of a record's value."""
    return encode(shape_at(key).write(fields))


def record_leaf(key: bytes, fields: dict) -> bytes:
    """The leaf of an occupied slot (STA-3)."""
    return leaf_hash(encode([key, shape_at(key).write(fields)]))


def free_leaf(following: int) -> bytes:
    """The leaf of a free slot (STA-4)."""
    return leaf_hash(encode([tagged("FREE_SLOT", b""), following]))


class Slots:
    """The slots of a chain. A slot holds (key, value's encoding), or the number of the next free slot."""

    def __init__(self) -> None:
        self.content: list = []
        self.leaves: list[bytes] = []

    def put(self, slot: int, content) -> bytes:
        """Sets a slot, which may be the first one after the end; gives its leaf."""
        if isinstance(content, int):
            leaf = free_leaf(content)
        else:
            key, value = content
            leaf = record_leaf(key, read_value(key, value))
        if slot == len(self.content):
            self.content.append(content)
            self.leaves.append(leaf)
        else:
            self.content[slot] = content
            self.leaves[slot] = leaf
        return leaf

    def records(self) -> dict[bytes, tuple[int, bytes]]:
        """Key -> (slot, value's encoding) of all records."""
        return {item[0]: (slot, item[1]) for slot, item in enumerate(self.content) if not isinstance(item, int)}

    def free_list(self, head: int) -> list[int]:
        """The slots of the free list from its head on (STA-2, STA-4)."""
        found = []
        while head:
            found.append(head)
            head = self.content[head]
        return found


def read_undo(data: bytes) -> tuple[int, list]:
    """STA-6: (slot_count before, rows of slot, existed, key, value, next)."""
    count, rows = decode(data)
    numbers = [row[0] for row in rows]
    if numbers != sorted(set(numbers)):
        raise Fault("undo.order")
    for slot, existed, key, value, following in rows:
        if existed != (1 if slot < count else 0) or bool(key) != bool(value) or (following and (key or not existed)):
            raise Fault("undo.row", f"slot {slot}")
    return count, rows


def write_undo(count: int, rows: list) -> bytes:
    """STA-6."""
    return encode([count, rows])
