"""A node of a cluster: a process that is started, killed, frozen and asked over HTTP."""

import base64
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from node.cookie import read_cookie
from tests.support.cluster.places import Place
from tests.support.processes import ROOT, end_group, environment_of_child
from tests.support.template_client import call, search

ASK_SECONDS = 10.0
SETTINGS = {
    "FANSUMER_READ_RATE": "1000000/minute",
    "FANSUMER_WRITE_RATE": "1000000/minute",
    "PYTHONFAULTHANDLER": "1",
}
"""In the environment, where a version that does not know a setting yet passes over it."""


class Away(Exception):
    """The node does not answer."""


class ClusterNode:
    """One node; `options` are those of `fansumer node run` that stay the same over its lives."""

    def __init__(self, number: int, place: Place, folder: Path, *, port: int, listen_port: int, payout: str) -> None:
        self.number, self.place, self.folder, self.payout = number, place, folder, payout
        self.port, self.listen_port = port, listen_port
        self.process: subprocess.Popen[Any] | None = None
        self.database: str | None = None
        self.peers: list[str] = []
        self.code = ROOT
        """The checkout whose program its next life runs."""
        self.lives = 0
        self.is_cut = self.is_frozen = False
        self._client: httpx2.Client | None = None

    @property
    def listens_at(self) -> str:
        """As others name it."""
        return f"{self.place.address}:{self.listen_port}"

    @property
    def store(self) -> str:
        """Which kind of store it has."""
        return "SQLite" if self.database is None else "PostgreSQL"

    @property
    def is_on(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def log_path(self) -> Path:
        """What all its lives said."""
        return self.folder.parent / f"node-{self.number}.log"

    def start(self, params: Path) -> None:
        """Begin a life; it answers after a while."""
        command = [sys.executable, "-m", "api.cli.main", "node", "run", "--data-dir", str(self.folder)]
        command += ["--params", str(params), "--port", str(self.port), "--listen", self.listens_at]
        for peer in self.peers:
            command += ["--peer", peer]
        environment = {**environment_of_child(), **SETTINGS, "PYTHONPATH": str(self.code)}
        if self.database is not None:
            environment["FANSUMER_DATABASE"] = self.database
        self.lives += 1
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.place.command(command),
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.code,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As when its power goes."""
        if self.process is not None:
            end_group(self.process, signal.SIGKILL)
            self.process.wait(30)
        self.is_frozen = False

    def stop(self, seconds: float = 60) -> int:
        """As an operator does; its exit code."""
        assert self.process is not None, "it was started"
        self.thaw()
        end_group(self.process, signal.SIGTERM)
        return self.process.wait(seconds)

    def freeze(self) -> None:
        """Nothing moves in it until it is thawed."""
        assert self.process is not None, "it was started"
        os.killpg(self.process.pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """It goes on."""
        if self.is_frozen and self.is_on and self.process is not None:
            os.killpg(self.process.pid, signal.SIGCONT)
        self.is_frozen = False

    # --- asking ---

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Ask its API from where it is. Raises `Away`."""

        def go() -> httpx2.Response:
            if self._client is None:
                url = f"http://127.0.0.1:{self.port}"
                self._client = httpx2.Client(base_url=url, timeout=ASK_SECONDS, trust_env=False)
            return self._client.request(method, path, **options)

        if not self.is_on or self.is_frozen:
            raise Away(f"node {self.number} is off")
        try:
            return self.place.do(go)
        except httpx2.HTTPError as fault:
            raise Away(f"node {self.number}: {fault}") from None

    def chain(self) -> dict[str, Any]:
        """`GET /v1/chain`. Raises `Away`."""
        answer = self.ask("GET", "/v1/chain")
        if not answer.is_success:
            raise Away(answer.text[:200])
        return answer.json()

    def mine(self) -> int | None:
        """Find a block on its tip by getblocktemplate and submitblock; its height, None where it was refused. Raises `Away`."""
        template = self._call("getblocktemplate", {"capabilities": ["coinbasetxn", "workid"]})
        if template is None:
            return None
        block = search(template)
        refused = self._call("submitblock", block.hex(), {"workid": template["workid"]})
        return template["height"] if refused is None else None

    def _call(self, method: str, *params: Any) -> Any:
        answer = self.ask("POST", f"/rpc?payout={self.payout}", json=call(method, *params), headers=self._shown())
        if answer.headers.get("content-type", "").startswith("application/json"):
            return answer.json().get("result")
        raise Away(answer.text[:200])

    def dump(self) -> None:
        """Add to the log what its operator sees, and where its threads are; it ends by that."""
        with self.log_path.open("a") as log, suppress(Away):
            for path in ("status", "peers"):
                log.write(self.ask("GET", f"/operator/{path}", headers=self._shown()).text + "\n")
        if self.process is not None and self.is_on:
            end_group(self.process, signal.SIGABRT)

    def _shown(self) -> dict[str, str]:
        """The operator's cookie. Raises `Away`."""
        try:
            user, password = read_cookie(self.folder)
        except OSError as fault:
            raise Away(str(fault)) from None
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}

    def close(self) -> None:
        """End what is left of it."""
        if self.is_on:
            self.kill()
        if self._client is not None:
            self._client.close()
