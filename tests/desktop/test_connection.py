# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole path: import with nmcli, NetworkManager starts the service, the service shakes hands
with wireguard-go, NetworkManager configures the device, packets flow, down takes it away."""

import re

import pytest

from conftest import INSIDE
from lab import KeyPair, generate_psk, wait_for
from lab.transfer import transfer

MEBIBYTE = 1 << 20
DEFAULT = "0.0.0.0/0, ::/0"


@pytest.mark.parametrize("outside", [4, 6])
@pytest.mark.parametrize("inside", [4, 6])
def test_traffic(network, inside, outside):
    address = network.office.address(inside)
    own = {4: "10.8.0.2/24", 6: "fd08::2/64"}[inside]
    conf = network.conf(network.office, outside, Address=own,
                        allowed_ips={4: "10.8.0.0/24", 6: "fd08::/64"}[inside])
    network.add(conf)
    network.up()
    assert network.ping(address)
    transfer(network.desktop, network.office, address, 5 * MEBIBYTE)
    transfer(network.office, network.desktop, own.split("/")[0], 5 * MEBIBYTE)
    (endpoint,), (received, sent) = (next(iter(network.office.show(what).values()))
                                     for what in ("endpoints", "transfer"))
    assert endpoint.startswith({4: "192.0.2.2:", 6: "[2001:db8:1::2]:"}[outside])
    assert int(received) > 5 * MEBIBYTE and int(sent) > 5 * MEBIBYTE


def test_traffic_on_a_lossy_line(network):
    """Lost datagrams are for TCP to send again; nothing is stuck, doubled or damaged."""
    network.add(network.conf(network.office))
    network.up()
    with network.router_drops("meta l4proto udp numgen random mod 100 lt 2"):
        transfer(network.desktop, network.office, "10.8.0.1", 5 * MEBIBYTE)
        transfer(network.office, network.desktop, "10.8.0.2", 5 * MEBIBYTE)


def test_both_families_and_a_preshared_key(network):
    network.add(network.conf(network.office, psk=generate_psk()))
    network.up()
    assert network.ping("10.8.0.1") and network.ping("fd08::1")


def test_split_profile(network):
    network.add(network.conf(network.office, allowed_ips="10.8.0.0/24, 172.16.0.0/12, fd08::/64"))
    network.up()
    for address in ("10.8.0.1", "172.16.3.4", "fd08::1"):
        assert " dev culvert0 " in network.route(address)
    for address in INSIDE.values():
        assert " dev wan0 " in network.route(address)
    assert network.desktop.get("office", "GENERAL.DEFAULT") == "no"
    assert network.desktop.get("office", "GENERAL.DEFAULT6") == "no"
    assert "dst = 172.16.0.0/12" in network.desktop.get("office", "IP4.ROUTE")
    # Of the tunnel's own network, which the address implies, there is one route only.
    for family, own in (("-4", "10.8.0.0/24 "), ("-6", "fd08::/64 ")):
        routes = network.desktop.output("ip", family, "route", "show", "dev", "culvert0")
        assert len([line for line in routes.splitlines() if line.startswith(own)]) == 1, routes


def test_default_route_profile(network):
    assert not network.ping(INSIDE[4], deadline=1)
    network.add(network.conf(network.office, allowed_ips=DEFAULT))
    network.up()
    for address in INSIDE.values():
        assert " dev culvert0 " in network.route(address)
        assert network.ping(address)
    assert " dev wan0 " in network.route(network.endpoint(network.office))
    assert network.desktop.get("office", "GENERAL.DEFAULT") == "yes"
    assert network.desktop.get("office", "GENERAL.DEFAULT6") == "yes"


def test_default_route_with_the_gateway_on_ipv6(network):
    network.add(network.conf(network.office, 6, allowed_ips=DEFAULT))
    network.up()
    for address in INSIDE.values():
        assert network.ping(address)
    assert " dev wan0 " in network.route(network.endpoint(network.office, 6))


def test_default_route_of_one_family_only(network):
    network.add(network.conf(network.office, allowed_ips="0.0.0.0/0, fd08::/64"))
    network.up()
    assert " dev culvert0 " in network.route(INSIDE[4])
    assert " dev wan0 " in network.route(INSIDE[6])
    assert network.desktop.get("office", "GENERAL.DEFAULT") == "yes"
    assert network.desktop.get("office", "GENERAL.DEFAULT6") == "no"


def test_name_servers_and_search_domains(network):
    network.add(network.conf(network.office, DNS="10.8.0.1, fd08::1, office.example, corp.example"))
    network.up()
    assert network.desktop.get("office", "IP4.DNS") == "10.8.0.1"
    assert network.desktop.get("office", "IP6.DNS") == "fd08::1"
    resolver = network.desktop.read("/etc/resolv.conf")
    assert "nameserver 10.8.0.1" in resolver and "nameserver fd08::1" in resolver
    search = re.search(r"^search (.*)$", resolver, re.M)[1].split()
    assert search == ["office.example", "corp.example"]
    # The short name becomes a full one, is asked for in the tunnel and answered there.
    assert INSIDE[4] in network.desktop.output("getent", "ahostsv4", "intranet")


def test_name_servers_without_search_domains_are_asked(network):
    """A split profile's servers would be for no name at all in NetworkManager's eyes."""
    network.add(network.conf(network.office, DNS="10.8.0.1"))
    network.up()
    assert "nameserver 10.8.0.1" in network.desktop.read("/etc/resolv.conf")
    assert INSIDE[4] in network.desktop.output("getent", "ahostsv4", "intranet.office.example")


@pytest.mark.parametrize("mtu, expected", [("1380", 1380), (None, 1420)])
def test_mtu(network, mtu, expected):
    network.add(network.conf(network.office, MTU=mtu))
    network.up()
    assert f" mtu {expected} " in network.desktop.output("ip", "link", "show", "culvert0")
    # The largest packet passes whole, in a datagram that is not fragmented.
    assert network.desktop.succeeds("ping", "-c1", "-w5", "-Mdo", f"-s{expected - 28}", "10.8.0.1")


def test_firewall_mark(network):
    """Each encrypted packet carries it, so that a firewall or a routing rule can tell them."""
    network.add(network.conf(network.office, FwMark="0x51"))
    network.desktop.sh("nft add table inet lab\n"
                       "nft 'add chain inet lab out { type filter hook output priority 0; }'\n"
                       "nft add rule inet lab out udp dport 51820 meta mark 0x51 counter\n"
                       "nft add rule inet lab out udp dport 51820 meta mark != 0x51 counter")
    try:
        network.up()
        assert network.ping("10.8.0.1", count=3)
        rules = network.desktop.output("nft", "list", "chain", "inet", "lab", "out")
        marked, unmarked = map(int, re.findall(r"counter packets (\d+)", rules))
        assert marked >= 4 and unmarked == 0  # a handshake and three packets
    finally:
        network.desktop.run("nft", "delete", "table", "inet", "lab")


def test_persistent_keepalive(network):
    """The gateway hears from us although there is no traffic."""
    network.add(network.conf(network.office, keepalive=1))
    network.up()
    (received, _sent), = network.office.show("transfer").values()

    def three_more():  # of 32 bytes each
        (now, _sent), = network.office.show("transfer").values()
        return int(now) >= int(received) + 3 * 32
    wait_for(three_more, "three keepalives", 8)


def test_device_of_a_chosen_name(network):
    network.add(network.conf(network.office))
    network.desktop.nmcli("connection", "modify", "office", "connection.interface-name", "tunnel7")
    network.up()
    assert "tunnel7" in network.desktop.interfaces()
    assert network.ping("10.8.0.1")


def test_two_connections_at_once(network):
    network.add(network.conf(network.office), "office")
    network.add(network.conf(network.branch), "branch")
    network.up("office")
    network.up("branch")
    assert sorted(network.desktop.active()) == ["branch", "office"]
    assert {"culvert0", "culvert1"} <= set(network.desktop.interfaces())
    assert network.ping("10.8.0.1") and network.ping("10.9.0.1") and network.ping("fd09::1")
    network.down("office")
    assert network.ping("10.9.0.1")
    assert " dev wan0 " in network.route("10.8.0.1")


def test_secondary_of_another_connection(network):
    """The VPN comes up with the network that it is a secondary of."""
    network.add(network.conf(network.office))
    uuid = network.desktop.get("office", "connection.uuid")
    network.desktop.nmcli("connection", "modify", "uplink-wan0", "connection.secondaries", uuid)
    try:
        network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
        assert network.desktop.active() == ["office"]
        assert network.ping("10.8.0.1")
    finally:
        network.desktop.nmcli("connection", "modify", "uplink-wan0", "connection.secondaries", "")


def test_down_leaves_nothing_and_up_works_again(network):
    network.add(network.conf(network.office, allowed_ips=DEFAULT, DNS="10.8.0.1"))
    before = network.state()
    for _round in range(3):
        network.up()
        assert network.ping(INSIDE[4])
        network.down()
        network.wait_for_state(before)


def test_several_peers(network):
    """One connection, two gateways: each address goes to the peer whose allowed IPs hold it."""
    network.add(network.conf_of_both())
    network.up()
    for address in ("10.8.0.1", "10.9.0.1", "fd08::1", "fd09::1"):
        assert network.ping(address)


def test_several_addresses(network):
    conf = network.conf(network.office, Address="10.8.0.2/24, 10.8.0.3/24, fd08::2/64, fd08::3/64")
    keys = KeyPair.of(conf.sections[0][1]["PrivateKey"])
    network.office.forget_peers()
    network.office.add_peer(keys.public, "10.8.0.2/31, fd08::2/127")
    network.add(conf)
    network.up()
    for own in ("10.8.0.2", "10.8.0.3", "fd08::2", "fd08::3"):
        assert network.office.succeeds("ping", "-c1", "-w5", own)


def test_gateway_that_shakes_hands_first_is_answered(network):
    """The gateway's own data and handshakes come in through the same socket."""
    network.add(network.conf(network.office))
    network.up()
    assert network.office.succeeds("ping", "-c1", "-w5", "10.8.0.2")
    assert network.office.succeeds("ping", "-c1", "-w5", "fd08::2")


def test_gateway_restart(network):
    """Traffic resumes by itself: nobody touches the desktop."""
    network.add(network.conf(network.office, keepalive=1))
    network.up()
    assert network.ping("10.8.0.1")
    network.office.stop_wireguard()
    assert not network.ping("10.8.0.1", deadline=1)
    network.office.start()
    # 15 s after data without an answer the protocol shakes hands anew, 5 s later again.
    assert network.ping("10.8.0.1", deadline=40)
    assert network.desktop.active() == ["office"]


def test_gateway_that_moves_is_followed(network):
    """The gateway answers from another port: the endpoint follows it."""
    network.add(network.conf(network.office))
    network.up()
    network.office.run("wg", "set", "wg0", "listen-port", 51999)
    try:
        assert network.office.succeeds("ping", "-c1", "-w10", "10.8.0.2")
        assert network.ping("10.8.0.1")
    finally:
        network.office.run("wg", "set", "wg0", "listen-port", 51820)
