"""A real PostgreSQL server for tests: one that the environment names, else one of this machine's own binaries, for this run only.

`FANSUMER_TEST_POSTGRES_URL` names a server (14 or newer) whose user may create schemas and roles. Otherwise the binaries are looked
for on PATH, where packages put them, and in the wheel `pgserver`; `initdb` and `postgres` run on a temporary folder, reached by
a socket file in it: no port is opened. They refuse root: then they run as `nobody`, in a folder of nobody's. Durability is off:
what is tested here is not the server. Each store of a test is a schema of its own.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

URL_VARIABLE = "FANSUMER_TEST_POSTGRES_URL"
PROGRAMS = ("initdb", "postgres")
USUAL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/opt/postgresql*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
START_SECONDS_MAX = 60
INIT_SECONDS_MAX = 180
"""For `initdb`: two seconds, and twenty on a loaded machine."""
CONNECT_SECONDS_MAX = 10
NO_POSTGRES = "no PostgreSQL here"
"""Begins the reason of every test that is skipped for want of a server."""
NOT_PROVED = (
    f"{NO_POSTGRES}: that PostgreSQL gives the same roots and rows as SQLite is NOT proved by this run. Install a server "
    f"(`apt-get install postgresql`, or `pip install pgserver` on Python 3.12 or older), or name one with {URL_VARIABLE}."
)
SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=",
    "max_connections=50",
    "log_min_messages=fatal",
    "lock_timeout=60s",
)
"""For the server's command line. `synchronous_commit` stays on: it is tested. Locks are waited for with a limit."""
WRITERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('fansumer store ' || %s::text, 0)"
)


class NoPostgres(Exception):
    """There is no server to be had."""


def find_binaries() -> Path | None:
    """The folder that holds a server's programs; None if this machine has none."""
    found = shutil.which("postgres")
    folders = [] if found is None else [Path(found).resolve().parent]
    for pattern in USUAL_FOLDERS:
        folders.extend(sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True))
    wheel = find_spec("pgserver")
    if wheel is not None and wheel.origin is not None:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if all((folder / name).exists() for name in PROGRAMS)), None)


class LocalServer:
    """A server on a temporary folder, until it is stopped."""

    def __init__(self, binaries: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fansumer-pg-"))
        self._options: dict[str, Any] = {"cwd": self.folder, "stdin": subprocess.DEVNULL}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
            binaries = self._reachable(binaries)
        self._binaries = binaries
        self._environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder), "TZ": "UTC"}
        self._process: subprocess.Popen[Any] | None = None
        try:
            self._run(
                "initdb", "-D", "data", "-U", "fansumer", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
            )
            self.start()
        except BaseException:
            self.remove()
            raise

    def _reachable(self, binaries: Path) -> Path:
        """The programs where `nobody` may start them: a wheel of root's environment may lie in a folder of root's."""
        command = ["test", "-x", str(binaries / "postgres")]
        probe = subprocess.run(command, check=False, timeout=START_SECONDS_MAX, **self._options)
        if probe.returncode == 0:
            return binaries
        shutil.copytree(binaries.parent, self.folder / "programs", symlinks=True)
        return self.folder / "programs" / binaries.name

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            env=self._environment,
            capture_output=True,
            check=False,
            timeout=INIT_SECONDS_MAX,
            **self._options,
        )
        if done.returncode:
            raise NoPostgres(f"{program} failed: {done.stderr.decode(errors='replace').strip()[-500:]}")

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"postgresql+psycopg://fansumer@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start it; returns when it answers."""
        settings = (
            argument
            for setting in (*SETTINGS, f"unix_socket_directories={self.folder}")
            for argument in ("-c", setting)
        )
        with (self.folder / "log").open("ab") as log:
            process: subprocess.Popen[Any] = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", "data", *settings],
                env=self._environment,
                stdout=log,
                stderr=log,
                **self._options,
            )
        self._process = process
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoPostgres(f"postgres did not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(
                user="fansumer", dbname="postgres", host=str(self.folder), connect_timeout=CONNECT_SECONDS_MAX
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop it at once, as a crash would; its sessions are cut."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(timeout=START_SECONDS_MAX)
            self._process = None

    def remove(self) -> None:
        """Stop it and delete what it held."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres:
    """The server of this run, and the schemas that tests made on it."""

    def __init__(self, url: str, local: LocalServer | None) -> None:
        self.url = url
        self.local = local
        self._numbers = itertools.count(1)
        self._made: list[str] = []

    def execute(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        from sqlalchemy import create_engine

        engine = create_engine(
            self.url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": CONNECT_SECONDS_MAX}
        )
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def make_schema(self) -> str:
        """The URL of a new, empty schema."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.execute(f'CREATE SCHEMA "{name}"')
        self._made.append(name)
        return f"{self.url}{'&' if '?' in self.url else '?'}options=-csearch_path%3D{name}"

    def drop_schema(self, url: str) -> None:
        """Delete what `make_schema` made."""
        self.execute(f'DROP SCHEMA "{url.rpartition("%3D")[2]}" CASCADE')
        self._made.remove(url.rpartition("%3D")[2])

    def cut_writers(self, url: str) -> int:
        """End the sessions of those who write the store at `url`, as an administrator can; how many there were."""
        from sqlalchemy import create_engine

        engine = create_engine(
            self.url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": CONNECT_SECONDS_MAX}
        )
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(WRITERS, (url.rpartition("%3D")[2],)).all()
        engine.dispose()
        return len(rows)

    def close(self) -> None:
        """Leave the server as it was found."""
        if self.local is not None:
            self.local.remove()
        elif self._made:
            self.execute(*(f'DROP SCHEMA "{name}" CASCADE' for name in self._made))


def open_postgres() -> Postgres:
    """A server, as this module's text says. Raises NoPostgres."""
    if find_spec("psycopg") is None:
        raise NoPostgres("psycopg is not installed")
    named = os.environ.get(URL_VARIABLE)
    if named:
        from node.store.engine import read_url

        return Postgres(read_url(named).render_as_string(hide_password=False), None)
    binaries = find_binaries()
    if binaries is None:
        raise NoPostgres("there are no server programs")
    local = LocalServer(binaries)
    return Postgres(local.url, local)
