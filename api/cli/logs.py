"""Where a running node's log goes: to standard error, lines for people on a terminal, JSON for programs elsewhere."""

import logging
import sys
from typing import Any

import structlog


class _ErrorStream:
    """Standard error as it is at the moment of writing: what a process has there may be changed."""

    def write(self, text: str) -> int:
        """Write a text."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Send what was written."""
        sys.stderr.flush()


def configure_log(level: str = "info") -> None:
    """Let the log be written to standard error from now on, from `level` upwards."""
    stream: Any = _ErrorStream()
    is_for_people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([] if is_for_people else [structlog.processors.dict_tracebacks]),
            structlog.dev.ConsoleRenderer() if is_for_people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
