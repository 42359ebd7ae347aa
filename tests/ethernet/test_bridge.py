# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network behind the switch: culvert's device is a port of the kernel's bridge, beside a cable to
another host."""

import json

import pytest

from ends import V4, V6, check_log, stop_all
from lab import Lab, wait_for
from stations import BROADCAST, NETWORKS, TYPE, Listener, Station, send_frames

LAN = ("10.9.0.100", "fd09::100")
LAN_MAC = "02:00:00:00:02:01"


class Office:
    """`gateway`, whose Ethernet is a port of br0; `lan`, a host at the bridge; and `spoke`, which
    is far away."""

    def __init__(self, lab, program):
        self.spoke_host, self.gateway_host, self.lan = (lab.add_host(name) for name in
                                                        ("spoke", "gateway", "lan"))
        lab.link(self.spoke_host, self.gateway_host, V4, V6)
        lab.link(self.lan, self.gateway_host, names=("eth0", "lan0"))
        self.gateway = Station(self.gateway_host, program, 1)
        self.spoke = Station(self.spoke_host, "culvert", 2)
        self.addresses = self.gateway.addresses
        # The bridge has the addresses; a port needs none.
        self.gateway.addresses = []
        self.gateway.start()
        self.spoke.start()
        self.gateway.add_peer(self.spoke)
        self.spoke.add_peer(self.gateway, endpoint="192.0.2.1:51820")
        self.build_bridge()
        wait_for(lambda: self.spoke.ping(LAN[0]), "the host behind the bridge")

    def build_bridge(self):
        ip = self.gateway.ip
        ip("link", "add", "br0", "type", "bridge")
        for port in (self.gateway.ethernet, "lan0"):
            ip("link", "set", port, "master", "br0")
        # As the narrowest of its ports.
        ip("link", "set", "br0", "up")
        for address in self.addresses:
            ip("address", "add", address, "dev", "br0", *(["nodad"] if ":" in address else []))
        run = self.lan.run
        run("ip", "link", "set", "eth0", "address", LAN_MAC, "mtu", self.gateway.link()["mtu"])
        for address, network in zip(LAN, NETWORKS):
            run("ip", "address", "add", f"{address}/{network.split('/')[1]}", "dev", "eth0",
                *(["nodad"] if ":" in address else []))


@pytest.fixture(scope="module", params=["culvert", "wireguard-go"])
def office(request):
    with Lab() as lab:
        made = Office(lab, request.param)
        yield made
        stop_all()
        for host in lab.hosts:
            check_log(host)


def test_hosts_behind_the_bridge(office):
    for address in (*LAN, "10.9.0.1", "fd09::1"):
        assert office.spoke.ping(address, count=10)
    for address in (office.spoke.v4, office.spoke.v6):
        assert office.lan.succeeds("ping", "-c3", "-i0.01", "-w4", address)
    # Where the frames' own senders are, not the gateway.
    assert office.spoke.neighbours()[LAN[0]] == LAN_MAC


def test_bridge_learns(office):
    """Both switches in a row, each from the frames."""
    assert office.spoke.ping(LAN[0])
    table = json.loads(office.gateway_host.output("bridge", "-json", "fdb", "show", "br", "br0"))
    where = {entry["mac"]: entry["ifname"] for entry in table}
    assert where[office.spoke.mac] == office.gateway.ethernet
    assert where[LAN_MAC] == "lan0"


@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
def test_streams(office, version):
    """Between the spoke and the host behind the bridge, whose frames the bridge may join."""
    lan = Station(office.lan, "culvert", 100)
    lan.addresses = [f"{address}/24" for address in LAN]
    for one, other in ((office.spoke, lan), (lan, office.spoke)):
        assert one.flows("tcp", other, version, count=128) == 128
        assert one.flows("udp", other, version, size=1200, count=160) == 160


def test_broadcast_from_the_lan(office):
    listener = office.spoke.listen()
    head = (BROADCAST + LAN_MAC + TYPE).replace(":", "")
    send_frames(office.lan, "eth0", head + b"hello".hex())
    listener.wait("hello")
    assert listener.stop() == ["hello"]


def test_broadcast_to_the_lan(office):
    listener = Listener(office.lan, "eth0")
    office.spoke.send(BROADCAST, "hello")
    listener.wait("hello")
    assert listener.stop() == ["hello"]


def test_spanning_tree_stays(office):
    """The bridge's own frames do not leave through the tunnel, and none come from there."""
    listener = office.spoke.listen()
    office.gateway.ip("link", "set", "br0", "type", "bridge", "stp_state", "1", "hello_time",
                      "100")
    seen = Listener(office.lan, "eth0")
    wait_for(lambda: sum(frame[0] == "01:80:c2:00:00:00" for frame in seen.frames()) > 1,
             "the bridge's own frames")
    office.gateway.ip("link", "set", "br0", "type", "bridge", "stp_state", "0")
    wait_for(lambda: office.spoke.ping(LAN[0]), "the ports to forward again", deadline=40)
    seen.stop()
    assert not any(frame[0].startswith("01:80:c2") for frame in listener.frames())
    listener.stop()


def test_tunnel_through_itself(office):
    """The Ethernet is the way to the gateway, too: each datagram would come back as a frame and
    leave as a longer one. It does not."""
    spoke = office.spoke
    spoke.ip("address", "add", "203.0.113.2/24", "dev", spoke.ethernet)
    office.gateway.ip("address", "add", "203.0.113.1/24", "dev", "br0")
    assert spoke.ping("203.0.113.1")
    # Nothing may tell the spoke where the gateway really is.
    spoke.host.sh("nft add table inet cut; nft add chain inet cut in"
                  " '{ type filter hook input priority 0; }';"
                  " nft add rule inet cut in iif wan0 drop")
    spoke.add_peer(office.gateway, endpoint="203.0.113.1:51820")
    before = spoke.transfer(office.gateway)[1]
    assert not spoke.ping(LAN[0], "-i0.1", count=5, deadline=2)
    sent = spoke.transfer(office.gateway)[1] - before
    spoke.host.sh("nft delete table inet cut")
    spoke.add_peer(office.gateway, endpoint="192.0.2.1:51820")
    spoke.ip("address", "delete", "203.0.113.2/24", "dev", spoke.ethernet)
    wait_for(lambda: spoke.ping(LAN[0]), "the way back")
    assert 0 < sent < 8000
