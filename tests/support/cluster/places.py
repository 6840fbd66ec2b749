"""Where the nodes of a cluster are: each in a network namespace of its own with a cable that can be pulled, or all on loopback.

Addresses stand only within namespaces that are made here and are gone at the end.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
NAMESPACES = Path("/run/netns")
Answer = TypeVar("Answer")


def run_ip(*arguments: str, check: bool = True) -> bool:
    """One `ip` command; whether it was done. Raises RuntimeError with what it said."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=30)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return not done.returncode


def can_make_namespaces() -> bool:
    """Whether this machine lets us: root, iproute2, and a kernel that has them."""
    if os.geteuid() or shutil.which("ip") is None:
        return False
    name = f"fansumer-try-{os.getpid()}"
    is_made = run_ip("netns", "add", name, check=False)
    if is_made:
        run_ip("netns", "del", name, check=False)
    return is_made


def enter(name: str) -> None:
    """Let this thread be in a network namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (NAMESPACES / name).open() as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


class Place:
    """Where one node is: its address, how a command is started there, and a thread that is there."""

    def __init__(self, address: str, namespace: str | None) -> None:
        self.address = address
        self.namespace = namespace
        self._thread = ThreadPoolExecutor(1, initializer=self._enter)

    def _enter(self) -> None:
        if self.namespace is not None:
            enter(self.namespace)

    def command(self, command: Sequence[str]) -> list[str]:
        """The command as it is started here; the process that it makes is the command's own."""
        return [*(() if self.namespace is None else ("ip", "netns", "exec", self.namespace)), *command]

    def do(self, work: Callable[[], Answer]) -> Answer:
        """Do something here, such as ask the node's API."""
        return self._thread.submit(work).result()

    def close(self) -> None:
        """Leave."""
        self._thread.shutdown()


class Loopback:
    """All on 127.0.0.1: nobody can be cut off but by being stopped."""

    can_cut = False

    def __init__(self, count: int) -> None:
        self.places = [Place("127.0.0.1", None) for _ in range(count)]

    def cut(self, number: int) -> None:
        """Not possible here."""
        raise NotImplementedError(number)

    heal = cut

    def close(self) -> None:
        """Nothing is left."""
        for place in self.places:
            place.close()


class Namespaces:
    """A switch in a namespace of its own, and a cable from it to each node's."""

    can_cut = True

    def __init__(self, count: int) -> None:
        mark = Path(tempfile.mktemp(prefix="fs")).name[:8]
        self._switch = f"{mark}-sw"
        self._made: list[str] = []
        self.places: list[Place] = []
        try:
            self._make(self._switch)
            self._there("link", "add", "br0", "type", "bridge")
            self._there("link", "set", "br0", "up")
            for number in range(count):
                self.places.append(self._plug_in(mark, number))
        except BaseException:
            self.close()
            raise

    def _make(self, name: str) -> None:
        run_ip("netns", "add", name)
        self._made.append(name)
        run_ip("-n", name, "link", "set", "lo", "up")

    def _there(self, *arguments: str) -> None:
        run_ip("-n", self._switch, *arguments)

    def _plug_in(self, mark: str, number: int) -> Place:
        name, address = f"{mark}-{number}", f"10.{number + 10}.0.1"
        self._make(name)
        self._there("link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self._there("link", "set", f"port{number}", "master", "br0", "up")
        run_ip("-n", name, "address", "add", f"{address}/8", "dev", "eth0")
        run_ip("-n", name, "link", "set", "eth0", "up")
        return Place(address, name)

    def cut(self, number: int) -> None:
        """Pull a cable."""
        self._there("link", "set", f"port{number}", "down")

    def heal(self, number: int) -> None:
        """Plug it in again."""
        self._there("link", "set", f"port{number}", "up")

    def close(self) -> None:
        """Take all of it away."""
        for place in self.places:
            place.close()
        for name in reversed(self._made):
            run_ip("netns", "del", name, check=False)
