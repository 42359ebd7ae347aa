# SPDX-License-Identifier: LGPL-2.1-or-later
"""What leaves the desktop beside the tunnel: nothing, with the kill switch, from the first datagram
to the gateway until somebody disconnects; and what reaches the tunnel's addresses: nothing but what
comes out of the tunnel. Programs on the desktop talk all the time, the router records."""

import contextlib
import itertools
import json
import os
import re
import signal
import sys

import pytest

import lab
from conftest import INSIDE
from lab import Conf, KeyPair, wait_for

DEFAULT = "0.0.0.0/0, ::/0"
CHATTER = os.path.join(os.path.dirname(lab.__file__), "chatter.py")

# What a gateway's datagrams look like: types 1 to 4, then three zeros.
TUNNELLED = ("(udp and ((ip and udp[8:4] & 0xf8ffffff = 0 and udp[8] != 0)"
             " or (ip6 and ip6[48:4] & 0xf8ffffff = 0 and ip6[48] != 0)))")
# Neighbour discovery, and the memberships of multicast groups (behind a hop-by-hop header).
LINK = "(arp or (icmp6 and ip6[40] >= 133 and ip6[40] <= 136) or (ip6 and ip6[6] = 0))"


class Recording:
    """What the router sees of the desktop."""

    numbers = itertools.count(1)

    def __init__(self, network):
        self.router = network.router
        self.desktop = network.desktop
        link, = json.loads(self.desktop.output("ip", "-j", "link", "show", "wan0"))
        self.mac = link["address"]
        name = f"tcpdump-{next(Recording.numbers)}"
        self.file = f"/run/lab/{name}.pcap"
        self._tcpdump = self.router.spawn("tcpdump", "-i", "wan0", "-n", "-U", "--immediate-mode",
                                          "-s", "128", "-w", self.file, log=name)
        wait_for(lambda: "listening on" in self.router.log(name), "tcpdump to listen")

    def read(self, expression):
        """[(time, line)] of the desktop's packets that match until now."""
        result = self.router.run("tcpdump", "-n", "-tt", "-r", self.file,
                                 f"ether src {self.mac} and ({expression})", check=False)
        found = re.findall(r"^(\d+\.\d+) (.*)$", result.stdout, re.M)
        return [(float(when), line) for when, line in found]

    def clear(self, since=0.0):
        """What neither went to a gateway, encrypted, nor concerns the link alone."""
        return [(when, line) for when, line in self.read(f"not {TUNNELLED} and not {LINK}")
                if when > since]

    def first_tunnelled(self):
        packets = self.read(TUNNELLED)
        return packets[0][0] if packets else None

    def stop(self):
        self.router.stop(self._tcpdump)
        self.router.run("rm", "-f", self.file)


@contextlib.contextmanager
def recording(network):
    made = Recording(network)
    try:
        yield made
    finally:
        made.stop()


class Chatter:
    """Programs that talk on the desktop."""

    def __init__(self, network, *addresses):
        self.desktop = network.desktop
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.desktop.log_path("chatter"))
        self._program = self.desktop.spawn(sys.executable, CHATTER, "wan0", *addresses,
                                           log="chatter")

    def rounds(self):
        return int((self.desktop.log("chatter").split() or ["0"])[-1])

    def go_on(self):
        """Waits until they have said a good deal more."""
        enough = self.rounds() + 200
        wait_for(lambda: self.rounds() >= enough, "programs to talk", 30)

    def stop(self):
        self.desktop.stop(self._program)


@contextlib.contextmanager
def chatter(network, *addresses):
    made = Chatter(network, *(addresses or (*INSIDE.values(), "192.0.2.1", "2001:db8:1::1",
                                            network.endpoint(network.office))))
    try:
        yield made
    finally:
        made.stop()


def tables(network):
    """Our tables in nftables, with “UUID” for the UUIDs."""
    listing = network.desktop.output("nft", "list", "tables", "inet")
    return sorted(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", name)
                  for name in re.findall(r"nm-culvert-\S+", listing))


SWITCH, TUNNEL = "nm-culvert-UUID", "nm-culvert-UUID-tunnel"


@pytest.fixture(autouse=True)
def no_table_left(network):
    yield
    for name in re.findall(r"nm-culvert-\S+", network.desktop.output("nft", "list", "tables")):
        network.desktop.run("nft", "delete", "table", "inet", name, check=False)


def add_switch(network, kill_switch="yes", persistent=True, name="office", **kwargs):
    conf = network.conf(network.office, allowed_ips=DEFAULT, **kwargs)
    network.add(conf, name)
    network.desktop.nmcli("connection", "modify", name, "+vpn.data", f"kill-switch={kill_switch}",
                          "vpn.persistent", "yes" if persistent else "no")
    return conf


def kill_service(network):
    for pid in network.desktop.pids("nm-culvert-service"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not network.desktop.active(), "NetworkManager to see that it is gone")


def test_nothing_leaves_from_connect_to_disconnect(network):
    add_switch(network)
    with recording(network) as record, chatter(network) as programs:
        programs.go_on()
        assert record.clear(), "nothing would be recorded"

        network.up()
        start = record.first_tunnelled()
        assert network.ping(INSIDE[4]) and network.ping(INSIDE[6])
        programs.go_on()
        assert record.clear(start) == []

        # The desktop gets another address.
        network.desktop.nmcli("connection", "modify", "uplink-wan0", "ipv4.addresses",
                              "192.0.2.9/24")
        try:
            network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
            programs.go_on()
            assert network.ping(INSIDE[4], deadline=20)
            assert network.office.show("endpoints").popitem()[1][0].startswith("192.0.2.9:")
        finally:
            network.desktop.nmcli("connection", "modify", "uplink-wan0", "ipv4.addresses",
                                  "192.0.2.2/24")
            network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
        assert network.desktop.active() == ["office"]
        assert record.clear(start) == []

        # The gateway is away, and comes back.
        network.office.stop_wireguard()
        programs.go_on()
        network.office.start()
        assert network.ping(INSIDE[4], deadline=40)
        assert record.clear(start) == []

        # The service is killed.
        kill_service(network)
        assert "culvert0" not in network.desktop.interfaces()
        assert tables(network) == [SWITCH]
        programs.go_on()
        assert record.clear(start) == []

        # The next one takes over.
        network.up()
        assert tables(network) == [SWITCH, TUNNEL]
        assert network.ping(INSIDE[4])
        programs.go_on()
        assert record.clear(start) == []

        network.down()
        wait_for(lambda: tables(network) == [], "the kill switch to go")
        programs.go_on()
        assert record.clear(start), "the desktop is cut off for good"


def test_no_peer_is_looked_for_in_the_tunnel(network):
    """The tunnel is the default route, and NetworkManager keeps one address out of it; there are
    two gateways, at two."""
    conf = network.conf(network.office, allowed_ips=DEFAULT, Address="10.8.0.2/32, fd08::2/128")
    other = network.conf(network.branch, 6)
    keys = KeyPair.of(conf.sections[0][1]["PrivateKey"])
    network.branch.forget_peers()
    network.branch.add_peer(keys.public, "10.8.0.2/32, fd08::2/128")
    network.branch.sh("ip route replace 10.8.0.0/24 dev wg0; ip route replace fd08::/64 dev wg0")
    network.add(conf.peer(**other.sections[1][1]))
    network.up()
    for address in (INSIDE[4], INSIDE[6], "10.9.0.1", "fd09::1"):
        assert network.ping(address)
    # One of the two has no route of its own.
    routes = [network.route(network.endpoint(network.office)),
              network.route(network.endpoint(network.branch, 6))]
    assert len([route for route in routes if " dev culvert0 " in route]) == 1, routes
    # Nor do they get lost when they are at another port.
    for gateway, inside in ((network.office, INSIDE[4]), (network.branch, "10.9.0.1")):
        gateway.run("wg", "set", "wg0", "listen-port", 51999)
        try:
            assert gateway.succeeds("ping", "-c1", "-w10", "10.8.0.2")
            assert network.ping(inside)
        finally:
            gateway.run("wg", "set", "wg0", "listen-port", 51820)
