"""What holds for every test: examples that hypothesis draws, who may open sockets, and the stores that tests run on."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.postgres import NO_POSTGRES, NOT_PROVED, NoPostgres, Postgres, open_postgres
from tests.support.stores import KINDS, SQLITE, stores_on

TESTS = Path(__file__).resolve().parent
# Processes on the loopback interface; everything else is a unit or a property test, or a network simulated in one process.
FOLDERS_WITH_SOCKETS = ("functional", "browser", "spark")

# No deadline: a loaded machine is no fault. print_blob: a failure of CI can be replayed here.
settings.register_profile("base", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("full", settings.get_profile("base"), max_examples=100)
settings.register_profile("fast", settings.get_profile("base"), max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


class GuardedSocket(socket.socket):
    """A socket that cannot be one of the internet. Pairs within the process, which event loops need, still work."""

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        if fileno is None and family in (-1, socket.AF_INET, socket.AF_INET6):
            raise RuntimeError(
                "a unit test opened a network socket; inject the transport, or move it to tests/functional"
            )
        super().__init__(family, type, proto, fileno)


@pytest.fixture(autouse=True)
def no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse sockets of the internet in every test outside the folders that may open them."""
    folder = request.path.resolve().relative_to(TESTS).parts[0]
    if folder in FOLDERS_WITH_SOCKETS:
        return

    def refuse_lookup(*_: Any, **__: Any) -> None:
        raise RuntimeError("a unit test looked up a host name")

    monkeypatch.setattr(socket, "socket", GuardedSocket)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_lookup)


@pytest.fixture(autouse=True)
def log_of_its_own() -> None:
    """No test's log is on the screen that another reads, nor is one left configured by the test before."""
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server, one for each worker; where none can be had, the test is skipped and the summary says so."""
    try:
        server = open_postgres()
    except NoPostgres as reason:
        # A machine without a server can still run all the rest, and the last lines of the run say what is missing.
        pytest.skip(f"{NO_POSTGRES}: {reason}")
    yield server
    server.close()


@pytest.fixture(scope="module", params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which kind of store tests make in a module that asks for this: it is run once for each. Its own stores come after it."""
    with stores_on(None if request.param == SQLITE else request.getfixturevalue("postgres")):
        yield request.param


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that nothing was shown about PostgreSQL."""
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if NO_POSTGRES in str(report.longrepr)]
    if skipped:
        terminalreporter.section("PostgreSQL", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{len(skipped)} tests skipped. {NOT_PROVED}", red=True, bold=True)
