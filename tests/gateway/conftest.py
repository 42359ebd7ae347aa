# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program `culvert` on a host of the lab, and how it is spoken to: by `wg`, and byte by byte.

Environment: CULVERT, the program. CULVERT_LOGS, a folder that keeps the logs."""

import os
import re
import select
import signal
import socket

import pytest

from lab import KeyPair, Lab, wait_for
from lab.needs import skip_without_root

# A message that only a fault of the program itself can cause.
FAULT = re.compile(r"CRITICAL|assertion|Sanitizer|runtime error")


def pytest_collection_modifyitems(items):
    skip_without_root(items, "CULVERT")


class Culvert:
    """One culvert in the foreground on `host`, which makes the interface `name`."""

    def __init__(self, host, name="gw0", level="info", env=None, options=()):
        self.host = host
        self.name = name
        self.log_name = f"culvert-{name}"
        self._seen = len(host.log(self.log_name))
        self.process = host.spawn(os.environ["CULVERT"], "-f", *options, name, log=self.log_name,
                                  env={"LOG_LEVEL": level, **(env or {})})
        wait_for(lambda: host.succeeds("wg", "show", name), f"culvert to serve {name}")

    # ---- `wg`

    def wg(self, *argv, **kwargs):
        return self.host.run("wg", *argv, **kwargs)

    def set(self, *argv, **kwargs):
        """`wg set`; a key is given as Key("...")."""
        words = []
        for argument in argv:
            if isinstance(argument, Key):
                path = f"/run/lab/key{len(words)}"
                self.host.write(path, str(argument) + "\n", 0o600)
                argument = path
            words.append(argument)
        return self.wg("set", self.name, *words, **kwargs)

    def conf(self, command, text, **kwargs):
        """`wg setconf`, `addconf` or `syncconf` with this text."""
        self.host.write("/run/lab/gateway.conf", text, 0o600)
        return self.wg(command, self.name, "/run/lab/gateway.conf", **kwargs)

    def dump(self):
        """The interface's line of `wg show dump`, and {public key: the peer's}."""
        interface, *peers = (line.split("\t") for line in
                             self.wg("show", self.name, "dump").stdout.splitlines())
        return interface, {peer[0]: peer[1:] for peer in peers}

    # ---- The socket

    @property
    def socket_path(self):
        return f"/run/wireguard/{self.name}.sock"

    def connect(self):
        """A connection to the configuration socket, made from outside the host."""
        client = socket.socket(socket.AF_UNIX)
        client.connect(f"/proc/{self.host.pid}/root{self.socket_path}")
        client.settimeout(20)
        return client

    def request(self, data):
        """All that is answered to `data`, after which nothing more is sent."""
        with self.connect() as client:
            client.sendall(data if isinstance(data, bytes) else data.encode())
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    # ---- Life

    def pid(self):
        (pid,) = self.host.pids(os.path.basename(os.environ["CULVERT"]))
        return pid

    def log(self):
        return self.host.log(self.log_name)[self._seen:]

    def wait_log(self, text):
        wait_for(lambda: text in self.log(), f"“{text}” in the log")

    def gone(self):
        return (not self.host.succeeds("ip", "link", "show", self.name)
                and not self.host.succeeds("test", "-e", self.socket_path))

    def stop(self):
        """Ends it as an init would; it must end well and leave nothing."""
        if self.process.poll() is None:
            self.host.stop(self.process)
        assert self.gone()
        assert not FAULT.search(self.log()), self.log()

    def up(self, *addresses):
        for address in addresses:
            self.host.run("ip", "address", "add", address, "dev", self.name)
        self.host.run("ip", "link", "set", self.name, "up")


def end_of(pid):
    """Waits for a process to be gone with all that it had open."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([handle], [], [], 10)[0], "it does not end"
    os.close(handle)


class Key(str):
    """A private or preshared key, for Culvert.set()."""


def public_keys(count):
    return [KeyPair.generate().public for _ in range(count)]


@pytest.fixture(scope="module")
def lab(request):
    folder = os.environ.get("CULVERT_LOGS")
    with Lab(os.path.join(folder, request.module.__name__) if folder else None) as made:
        yield made


@pytest.fixture(scope="module")
def host(lab):
    return lab.add_host("gateway")


@pytest.fixture
def culvert(host):
    """A culvert that serves gw0, with a private key; it must outlive the test and then end well."""
    made = Culvert(host)
    made.keys = KeyPair.generate()
    made.set("private-key", Key(made.keys.private))
    yield made
    print(made.log())
    assert made.process.poll() is None, "it ended"
    made.stop()


@pytest.fixture
def no_culvert(host):
    """Afterwards there is none, whatever the test left."""
    yield
    for pid in host.pids(os.path.basename(os.environ["CULVERT"])):
        os.kill(pid, signal.SIGKILL)
        end_of(pid)
    host.sh("rm -f /run/wireguard/*")


class Pair:
    """Two culverts that know each other, on hosts of their own, with a cable between them."""

    def __init__(self, lab):
        self.hosts = [lab.add_host("left"), lab.add_host("right")]
        lab.link(*self.hosts, "192.0.2.0/24", "2001:db8::/64")
        self.left, self.right = ends = [Culvert(host) for host in self.hosts]
        for number, end in enumerate(ends, 1):
            end.keys = KeyPair.generate()
            end.set("private-key", Key(end.keys.private), "listen-port", "51820")
            end.up(f"10.8.0.{number}/24")
        for number, (end, other) in enumerate(((self.left, self.right), (self.right, self.left))):
            end.set("peer", other.keys.public, "allowed-ips", f"10.8.0.{2 - number}/32",
                    "endpoint", f"192.0.2.{number + 1}:51820")

    def ping(self, count=1, deadline=5, sender=None, address="10.8.0.2"):
        return (sender or self.left).host.succeeds("ping", "-c", count, "-i", 0.01, "-w", deadline,
                                                   address)

    def stop(self):
        for end in (self.left, self.right):
            end.stop()


@pytest.fixture
def pair(lab):
    made = Pair(lab)
    yield made
    print(made.left.log(), made.right.log(), sep="\n---\n")
    made.stop()
    for host in made.hosts:
        lab.hosts.remove(host)
        host.close()
