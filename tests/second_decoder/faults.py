"""The one exception of the second decoder (tables.md, "Codes")."""


class Fault(Exception):
    """Bytes, or a value in them, that the law refuses; `code` is a failure code of the text."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code = code
        self.reason = reason
