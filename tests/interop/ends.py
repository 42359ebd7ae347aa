# SPDX-License-Identifier: LGPL-2.1-or-later
"""End: one WireGuard interface on a host of the lab, made by culvert or by wireguard-go and
configured with `wg` and `ip`; and what can be measured on it."""

import ipaddress
import itertools
import os
import re

import pytest

from lab import KeyPair, wait_for

V4, V6 = "192.0.2.0/24", "2001:db8::/64"

# Who is on a and who on b. a initiates.
PAIRS = [("culvert", "culvert"), ("culvert", "wireguard-go"), ("wireguard-go", "culvert")]

# What no log may have: see also G_LOG_LEVEL_WARNING in culvert-log.c.
BAD_LOG = re.compile(r"CRITICAL|WARNING|assertion|Sanitizer|runtime error|panic")


FLOWS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flows.py")
PORT = 5201

# How culvert is to move packets, see culvert(8): the scenarios are run again without offloads.
DATA_PATH = {name: value for name, value in os.environ.items()
             if name in ("CULVERT_AEAD", "CULVERT_OFFLOAD", "CULVERT_QUEUES")}

needs_faults = pytest.mark.skipif("CULVERT_FAULTS" not in os.environ,
                                  reason="needs faults.c, in CULVERT_FAULTS")

serial = itertools.count()
running = []


def refusing(faults):
    """culvert's environment where the kernel refuses these, see faults.c."""
    return {"LD_PRELOAD": os.environ["CULVERT_FAULTS"], "LAB_FAULTS": faults}


def command(program):
    return os.environ["CULVERT"] if program == "culvert" else program


class End:
    """`number` makes its addresses inside: 10.8.0.number and fd08::number."""

    options = ()  # of the program

    def __init__(self, host, program, number, device="wg0", port=51820, networks=None,
                 environment=None):
        self.host = host
        self.environment = DATA_PATH | (environment or {})
        self.program = program
        self.device = device
        self.port = port
        self.keys = KeyPair.generate()
        self.addresses = [str(ipaddress.ip_interface(f"{ipaddress.ip_network(network)[number]}/"
                                                     f"{network.split('/')[1]}"))
                          for network in networks or ("10.8.0.0/24", "fd08::/64")]
        self.process = None

    @property
    def public(self):
        return self.keys.public

    @property
    def v4(self):
        return next(a.split("/")[0] for a in self.addresses if "." in a)

    @property
    def v6(self):
        return next(a.split("/")[0] for a in self.addresses if ":" in a)

    def inside(self, version):
        return self.v4 if version == 4 else self.v6

    # ---- Life

    def create(self):
        """The program runs and can be configured."""
        running.append(self)
        self.process = self.host.spawn(command(self.program), "-f", *self.options, self.device,
                                       log=f"{self.program}-{self.device}",
                                       env={"LOG_LEVEL": "verbose", "WG_PROCESS_FOREGROUND": "1"}
                                       | self.environment)
        wait_for(lambda: self.host.succeeds("wg", "show", self.device),
                 f"{self.program} to make {self.device}")

    def start(self, up=True):
        self.create()
        self.set_private_key(self.keys.private)
        self.wg("listen-port", self.port)
        for address in self.addresses:
            self.ip("address", "add", address, "dev", self.device,
                    *(["nodad"] if ":" in address else []))
        if up:
            self.up()

    def stop(self):
        """It was still there, and ends well."""
        running.remove(self)
        assert self.process.poll() is None, f"{self.program} on {self.host.name} has ended"
        self.host.stop(self.process)
        if self.program == "culvert":
            assert self.process.returncode == 0, self.log()

    def up(self):
        self.ip("link", "set", self.device, "up")
        self.wait_for_up()

    def wait_for_up(self):
        """The socket is open: a port other than 0 can be seen."""
        wait_for(lambda: self.listening(), f"{self.device} to listen")

    def listening(self):
        port = self.output("listen-port")
        return port != "0" and self.host.output("ss", "-Hulpn", f"sport = :{port}")

    def down(self):
        self.ip("link", "set", self.device, "down")

    # ---- Settings

    def ip(self, *argv):
        return self.host.output("ip", *argv)

    def wg(self, *argv, **kwargs):
        """wg set DEVICE ..."""
        return self.host.output("wg", "set", self.device, *argv, **kwargs)

    def set_private_key(self, private):
        self.host.write(f"/run/lab/{self.device}.key", private + "\n", mode=0o600)
        self.wg("private-key", f"/run/lab/{self.device}.key")

    def set_keys(self, keys):
        self.keys = keys
        self.set_private_key(keys.private)

    def add_peer(self, other, endpoint=None, allowed=None, psk=None, keepalive=None):
        """`other`: an End, or a public key."""
        if isinstance(other, End):
            allowed = allowed or f"{other.v4}/32,{other.v6}/128"
            other = other.public
        argv = ["peer", other]
        if psk:
            self.host.write(f"/run/lab/{self.device}.psk", psk + "\n", mode=0o600)
            argv += ["preshared-key", f"/run/lab/{self.device}.psk"]
        argv += ["allowed-ips", allowed] if allowed else []
        argv += ["endpoint", endpoint] if endpoint else []
        argv += ["persistent-keepalive", keepalive] if keepalive is not None else []
        self.wg(*argv)

    def set_mtu(self, mtu):
        self.ip("link", "set", self.device, "mtu", mtu)

    # ---- What it says

    def output(self, what):
        return self.host.output("wg", "show", self.device, what)

    def show(self, what):
        """{peer: rest of the line}"""
        return dict(line.split("\t", 1) for line in self.output(what).splitlines())

    def endpoint(self, other):
        return self.show("endpoints")[other.public]

    def transfer(self, other):
        """(received, sent), bytes"""
        return tuple(map(int, self.show("transfer")[other.public].split()))

    def transfer_sum(self):
        """Bytes sent to all peers."""
        return sum(int(counts.split()[1]) for counts in self.show("transfer").values())

    def handshake(self, other):
        return int(self.show("latest-handshakes")[other.public])

    def log(self):
        return self.host.log(f"{self.program}-{self.device}")

    # ---- Traffic

    def ping(self, address, *argv, count=1, deadline=4):
        """Whether every one of `count` came back in time. In a flood each waits for the last."""
        flood = ["-f"] if count > 1 else []
        return self.host.succeeds("ping", "-c", count, *flood, "-w", deadline, *argv, address)

    def flows(self, kind, other, version=4, flows=1, size=65536, count=64, patience=20):
        """Sends COUNT pieces of SIZE bytes in each of FLOWS flows to `other`; returns how many
        arrived as they were sent. `patience`: seconds without any progress. See flows.py."""
        return int(self.traffic(kind, other, version, flows, size, count, patience))

    def order(self, other, version=4, flows=1, size=200, count=2000):
        """(how many datagrams were overtaken by another of their flow, how many arrived)"""
        return tuple(map(int, self.traffic("order", other, version, flows, size, count).split()))

    def traffic(self, kind, other, version, flows, size, count, patience=20):
        argv = [kind, other.inside(version), PORT, flows, size, count]
        name = f"sink-{next(serial)}"
        env = {"FLOWS_TIMEOUT": str(patience)}
        other.host.spawn("/usr/bin/python3", FLOWS, "sink", *argv, log=name, env=env)
        wait_for(lambda: "listening" in other.host.log(name), "the sink to listen")
        return self.host.output("/usr/bin/python3", FLOWS, "send", *argv, env=env,
                                timeout=3 * patience)


def make_ends(cable, programs, psk=None, environment=None):
    ends = [End(host, program, number, environment=environment)
            for host, program, number in zip(cable, programs, (1, 2))]
    a, b = ends
    for end in ends:
        end.start()
    a.add_peer(b, endpoint="192.0.2.1:51820", psk=psk)
    b.add_peer(a, psk=psk)
    return a, b


def stop_all():
    """Ends what is still running."""
    while running:
        running[-1].stop()


def check_log(host):
    for name in sorted(os.listdir(host.out)):
        if name.startswith((f"{host.name}-culvert-", f"{host.name}-wireguard-go-")):
            with open(os.path.join(host.out, name), encoding="utf-8", errors="replace") as file:
                bad = [line for line in file if BAD_LOG.search(line)]
            assert not bad, f"{name}: {''.join(bad)}"
