# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tunnels and routes: which way datagrams take, from which address, and through what else.
After the scenarios of the kernel's tools/testing/selftests/wireguard/netns.sh."""

import pytest

from ends import PAIRS, End, make_ends, running
from lab import wait_for

SIZE = 1 << 20
SINK = f"""
import socket, sys
with socket.create_server((sys.argv[1], 5201), family=socket.AF_INET6) as server:
    print("listening", flush=True)
    connection, _peer = server.accept()
    got = 0
    while data := connection.recv(65536):
        got += len(data)
    print("all" if got == {SIZE} else got, flush=True)
"""
SOURCE = f"""
import socket, sys
with socket.create_connection((sys.argv[1], 5201)) as connection:
    connection.sendall(bytes({SIZE}))
"""

INNER = ("10.9.0.0/24", "fd09::/64")


# ---- Tunnels in tunnels

def add_inner_tunnel(a, b):
    """wg1 on both, whose datagrams go through wg0."""
    inner = [End(end.host, end.program, number, device="wg1", port=51821, networks=INNER)
             for number, end in ((1, a), (2, b))]
    for end in inner:
        end.start()
        end.set_mtu(1340)
    inner[0].add_peer(inner[1], endpoint=f"[{b.v6}]:51821")
    inner[1].add_peer(inner[0], endpoint=f"[{a.v6}]:51821")
    return inner


def test_tunnel_in_tunnel(both):
    a, b = both
    inner = add_inner_tunnel(a, b)
    for version in (4, 6):
        assert inner[0].ping(inner[1].inside(version), count=10)
        assert inner[1].ping(inner[0].inside(version), count=10)
        assert inner[0].flows("tcp", inner[1], version, flows=2) == 128
    assert inner[1].flows("udp", inner[0], size=1000, count=160) == 160


@pytest.mark.row(34)
def test_own_endpoint_through_itself(ends):
    """The route to the peer leads to the peer: each datagram would come back as a packet."""
    a, b = ends
    assert a.ping(b.v4)
    a.add_peer(b, endpoint=f"{b.v4}:51820")
    before = a.transfer(b)[1]
    assert not a.host.succeeds("ping", "-c", 10, "-i", 0.01, "-W", 1, b.v4)
    assert a.transfer(b)[1] - before < 2000
    # And it recovers.
    a.add_peer(b, endpoint="192.0.2.1:51820")
    assert a.ping(b.v4)


@pytest.mark.row(34)
def test_onion(ends):
    """A peer that is reached through another peer of the same interface is no loop; one that is
    reached through itself is."""
    a, b = ends
    c = End(b.host, "culvert", 2, device="wg1", port=51821, networks=INNER)
    c.start()
    c.add_peer(a.public, allowed="10.9.0.1/32")
    a.ip("address", "add", "10.9.0.1/24", "dev", "wg0")
    a.add_peer(c.public, allowed="10.9.0.2/32", endpoint=f"{b.v4}:51821")
    assert a.ping("10.9.0.2")
    a.add_peer(c.public, endpoint="10.9.0.2:51821")
    assert not a.ping("10.9.0.2", deadline=1)
    assert a.ping(b.v4)


def settled(end):
    before = end.transfer_sum()
    end.host.run("sleep", 0.5)
    return end.transfer_sum() == before and before


@pytest.mark.row(34)
@pytest.mark.parametrize("devices", [1, 2])
def test_loop_through_two_peers(ends, devices):
    """One peer's endpoint is reached through the other peer, and the other's through the one: on
    one interface, or on two."""
    a, b = ends
    assert a.ping(b.v4)
    c = End(b.host, "culvert", 2, device="wg1", port=51821, networks=INNER)
    c.start()
    if devices == 1:
        d, mine = a, a.public
        a.ip("address", "add", "10.9.0.1/24", "dev", "wg0")
    else:
        d = End(a.host, "culvert", 1, device="wg1", port=51821, networks=INNER)
        d.start()
        mine = d.public
    c.add_peer(mine, allowed="10.9.0.1/32")
    d.add_peer(c.public, allowed="10.9.0.2/32", endpoint="192.0.2.1:51821")
    assert d.ping("10.9.0.2")
    a.add_peer(b, endpoint="10.9.0.2:7")
    d.add_peer(c.public, endpoint=f"{b.v4}:7")
    for size in (56, 1400):  # one of them larger than the device's MTU from the first round on
        before = a.transfer_sum()
        a.host.succeeds("ping", "-c", 10, "-i", 0.01, "-W", 1, "-s", size, b.v4)
        wait_for(lambda: settled(a), "the loop to end", 20)
        # What the kernel's own test allows for the small ones.
        assert a.transfer_sum() - before < (70_000 if size == 56 else 400_000)


# ---- Address translation

@pytest.mark.row(15, 16)
@pytest.mark.parametrize("programs", PAIRS, ids="-".join)
def test_nat(routed, programs):
    """a is behind a router that forgets a flow after two seconds of silence; a keepalive every
    second keeps the way open."""
    host_a, host_b, net = routed
    a, b = make_ends((host_a, host_b), programs)
    net.run("sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=2",
            "net.netfilter.nf_conntrack_udp_timeout_stream=2")
    net.sh("nft add table ip nat; nft add chain ip nat out"
           " '{ type nat hook postrouting priority 100; }';"
           " nft add rule ip nat out ip saddr 198.51.100.0/24 ip daddr 203.0.113.0/24"
           " snat to 203.0.113.1;"
           # Nobody reaches a but by the way that a has opened.
           " nft add chain ip nat in '{ type filter hook forward priority 0; }';"
           " nft add rule ip nat in oif a0 ct state new drop")
    a.add_peer(b, endpoint="203.0.113.2:51820", keepalive=1)
    assert a.ping(b.v4)
    assert b.ping(a.v4)
    assert b.endpoint(a).startswith("203.0.113.1:")
    net.run("sleep", 3)  # longer than the router remembers
    assert b.ping(a.v4, deadline=1)


# ---- Policy routing

@pytest.mark.row(30)
@pytest.mark.parametrize("programs", PAIRS, ids="-".join)
def test_default_route(routed, programs):
    """As wg-quick has it: everything goes into the tunnel but what carries its mark."""
    host_a, host_b, _net = routed
    a, b = make_ends((host_a, host_b), programs)
    b.ip("address", "add", "192.168.99.7/32", "dev", "wg0")
    b.ip("address", "add", "abab::1111/128", "dev", "wg0")
    a.wg("fwmark", 51820)
    a.add_peer(b, endpoint="203.0.113.2:51820",
               allowed="10.8.0.2,192.168.99.7,203.0.113.2,abab::1111")
    for family in ("-4", "-6"):
        a.ip(family, "route", "add", "default", "dev", "wg0", "table", 51820)
        a.ip(family, "rule", "add", "not", "fwmark", 51820, "table", 51820)
        a.ip(family, "rule", "add", "table", "main", "suppress_prefixlength", 0)
    a.host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.wan0.rp_filter=0")
    assert a.ping("192.168.99.7", count=100)
    assert a.ping("abab::1111", count=100)
    # Without the mark the datagrams would go where they come from.
    assert "dev wg0" in a.ip("route", "get", "203.0.113.2")
    assert "dev wan0" in a.ip("route", "get", "203.0.113.2", "mark", 51820)


def send_in_vain(routed, a, b):
    """A stream from a to b, of whose packets the router loses the large ones, and says nothing."""
    host_a, host_b, net = routed
    net.sh("nft add table inet mute\n"
           "nft 'add chain inet mute out { type filter hook output priority 0; }'\n"
           "nft add rule inet mute out icmpv6 type packet-too-big drop\n"
           "ip -6 route replace 2001:db8:b::/64 dev b0 proto kernel metric 256 mtu lock 1280")
    assert a.ping(b.v6)
    host_b.spawn("/usr/bin/python3", "-c", SINK, b.v6, log="sink")
    wait_for(lambda: "listening" in host_b.log("sink"), "the sink to listen")
    host_a.spawn("/usr/bin/python3", "-c", SOURCE, b.v6, log="source")


def add_other_device(end):
    end.ip("link", "add", "other0", "type", "veth", "peer", "name", "other1")
    for name in ("other0", "other1"):
        end.ip("link", "set", name, "up")


def limits(end):
    return end.ip("-6", "route", "show", "proto", "redirect").splitlines()


def test_narrow_path_of_which_nobody_tells(routed):
    """A route has the kernel cut what is sent to the peer; but not where it is not."""
    a, b = make_ends(routed[:2], ("culvert", "culvert"))
    a.add_peer(b, endpoint="[2001:db8:b::2]:51820")
    send_in_vain(routed, a, b)
    wait_for(lambda: "all" in b.host.log("sink"), "the stream to arrive", 30)
    limit, = limits(a)
    assert limit.startswith("2001:db8:b::2 via 2001:db8:a::1 dev wan0 ") and " mtu 1280 " in limit
    # It is at another address, to which the path may be any.
    b.ip("address", "add", "2001:db8:b::3/64", "dev", "wan0", "nodad")
    b.ip("address", "del", "2001:db8:b::2/64", "dev", "wan0")
    assert b.ping(a.v6)
    assert a.endpoint(b) == "[2001:db8:b::3]:51820"
    assert limits(a) == []


@pytest.mark.parametrize("device", ["wg0", "other0"], ids=["this-tunnel", "another-tunnel"])
def test_narrow_path_beside_a_tunnel(routed, device):
    """Where ordinary packets to the peer's address go into a tunnel, as wg-quick has it, there is
    no route that makes the path narrow: it would lead them past the tunnel."""
    a, b = make_ends(routed[:2], ("culvert", "culvert"))
    if device != "wg0":
        add_other_device(a)
    a.wg("fwmark", 51820)
    a.ip("-6", "route", "add", "default", "dev", device, "table", 51820)
    a.ip("-6", "rule", "add", "not", "fwmark", 51820, "table", 51820)
    a.ip("-6", "rule", "add", "table", "main", "suppress_prefixlength", 0)
    a.ip("-6", "route", "add", "fd08::/64", "dev", "wg0", "table", 51820)
    a.add_peer(b, endpoint="[2001:db8:b::2]:51820")
    send_in_vain(routed, a, b)
    wait_for(lambda: "no route can make them smaller" in a.log(), "the path to be judged", 30)
    assert limits(a) == []
    assert f"dev {device}" in a.ip("route", "get", "2001:db8:b::2")


def renew_session(a, b):
    b.wg("peer", a.public, "remove")
    b.add_peer(a, endpoint="[2001:db8:a::2]:51820")
    assert b.ping(a.v6)


def test_narrow_path_follows_a_better_route(routed):
    """The route that makes the path narrow does not hide that there is a better way by now, or that
    ordinary packets go into a tunnel."""
    _host_a, _host_b, net = routed
    a, b = make_ends(routed[:2], ("culvert", "culvert"))
    a.add_peer(b, endpoint="[2001:db8:b::2]:51820")
    send_in_vain(routed, a, b)
    wait_for(lambda: "all" in b.host.log("sink"), "the stream to arrive", 30)
    net.run("ip", "address", "add", "2001:db8:a::7/64", "dev", "a0", "nodad")
    a.ip("-6", "route", "add", "default", "via", "2001:db8:a::7", "metric", 10)
    renew_session(a, b)
    limit, = limits(a)
    assert limit.startswith("2001:db8:b::2 via 2001:db8:a::7 dev wan0 ")
    add_other_device(a)
    a.ip("-6", "route", "add", "default", "dev", "other0", "table", 51820)
    a.ip("-6", "rule", "add", "to", "2001:db8:b::/64", "not", "fwmark", 51820, "table", 51820)
    a.ip("-6", "rule", "add", "table", "main", "suppress_prefixlength", 0)
    a.wg("fwmark", 51820)
    renew_session(a, b)
    assert limits(a) == []


# ---- Unreachable

@pytest.mark.row(21)
@pytest.mark.parametrize("why", ["no-peer", "no-endpoint"])
def test_unreachable(ends, why):
    a, _b = ends
    if why == "no-peer":
        a.ip("route", "add", "10.99.0.0/24", "dev", "wg0")
        a.ip("route", "add", "fd99::/64", "dev", "wg0")
    else:
        other = End(a.host, "culvert", 3)
        a.add_peer(other.public, allowed="10.99.0.0/24,fd99::/64")
        a.ip("route", "add", "10.99.0.0/24", "dev", "wg0")
        a.ip("route", "add", "fd99::/64", "dev", "wg0")
    for target, text in (("10.99.0.5", "Destination Host Unreachable"),
                         ("fd99::5", "Destination unreachable: Address unreachable")):
        said = a.host.run("ping", "-c", 1, "-W", 2, target, check=False).stdout
        assert text in said, said


@pytest.mark.row(21)
def test_unreachable_behind_a_gateway(routed):
    """The sender of a forwarded, translated packet is told as well; in the name of its
    destination, since a program, unlike the kernel, does not know what the address was before."""
    host_a, gateway, net = routed
    a, b = make_ends((host_a, gateway), ("culvert", "culvert"))
    a.add_peer(b, endpoint="203.0.113.2:51820")
    assert a.ping(b.v4)
    gateway.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    gateway.sh("nft add table ip nat; nft add chain ip nat out"
               " '{ type nat hook postrouting priority 100; }';"
               f" nft add rule ip nat out ip saddr 203.0.113.0/24 ip daddr 10.8.0.0/24 snat to {b.v4}")
    net.run("ip", "route", "add", f"{a.v4}/32", "via", "203.0.113.2")
    assert net.succeeds("ping", "-c", 1, "-W", 2, a.v4)
    b.wg("peer", a.public, "remove")
    said = net.run("ping", "-c", 1, "-W", 2, a.v4, check=False).stdout
    assert f"From {a.v4} icmp_seq=1 Destination Host Unreachable" in said, said


# ---- Source addresses: sticky, but not too sticky

@pytest.mark.row(27)
@pytest.mark.parametrize("programs", PAIRS[:2], ids="-".join)
def test_source_address_removed(cable, programs):
    """The address that the peer spoke to is gone: another takes its place. wireguard-go as a fails
    to send instead, over IPv4."""
    a, b = make_ends(cable, programs)
    assert a.ping(b.v4)
    a.ip("address", "add", "192.0.2.10/24", "dev", "wan0")
    a.ip("address", "del", "192.0.2.2/24", "dev", "wan0")
    assert a.ping(b.v4)
    assert b.endpoint(a) == "192.0.2.10:51820"
    a.add_peer(b, endpoint="[2001:db8::1]:51820")
    assert a.ping(b.v4)
    a.ip("address", "add", "2001:db8::10/64", "dev", "wan0")
    a.ip("address", "del", "2001:db8::2/64", "dev", "wan0")
    assert a.ping(b.v4)
    assert b.endpoint(a) == "[2001:db8::10]:51820"


@pytest.mark.row(27)
def test_answers_from_where_asked(both):
    """b asks each of a's addresses in turn, and is answered from there."""
    a, b = both
    a.ip("address", "add", "192.0.2.3/24", "dev", "wan0")
    a.ip("address", "add", "2001:db8::3/64", "dev", "wan0", "nodad")
    a.add_peer(b)
    for address in ("192.0.2.2", "[2001:db8::2]", "192.0.2.3", "[2001:db8::3]"):
        b.add_peer(a, endpoint=f"{address}:51820")
        assert b.ping(a.v4)
        assert b.endpoint(a) == f"{address}:51820"


@pytest.mark.row(27)
def test_answers_from_another_interfaces_address(both):
    """The address asked belongs to an interface that has nothing to do with the way back."""
    a, b = both
    a.ip("link", "add", "inside0", "type", "veth", "peer", "name", "inside1")
    a.ip("address", "add", "10.50.0.1/24", "dev", "inside0")
    for name in ("inside0", "inside1"):
        a.ip("link", "set", name, "up")
    b.ip("route", "add", "10.50.0.0/24", "dev", "wan0")
    b.add_peer(a, endpoint="10.50.0.1:51820")
    assert b.ping(a.v4)
    assert b.endpoint(a) == "10.50.0.1:51820"
    assert a.ping(b.v4)
    assert b.endpoint(a) == "10.50.0.1:51820"


@pytest.mark.row(27)
def test_a_better_route_is_followed(lab, both):
    """A route through another interface takes precedence in the middle of a session."""
    a, b = both
    for host in (a.host, b.host):
        host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
                 "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.wan0.rp_filter=0")
    lab.link(a.host, b.host, names=("wan1", "wan1"))
    a.ip("address", "add", "192.0.2.3/24", "dev", "wan1")
    for device in ("wan0", "wan1"):
        a.ip("route", "flush", "dev", device)
    a.ip("route", "add", "192.0.2.0/24", "dev", "wan0", "src", "192.0.2.2", "metric", 2)
    assert a.ping(b.v4)
    assert b.endpoint(a) == "192.0.2.2:51820"
    a.ip("route", "add", "192.0.2.0/24", "dev", "wan1", "src", "192.0.2.3", "metric", 1)
    assert a.ping(b.v4)
    assert b.endpoint(a) == "192.0.2.3:51820"


@pytest.mark.row(27)
def test_link_local(ends):
    """An endpoint that means nothing without its link."""
    a, b = ends
    address = b.host.sh("ip -6 -o address show dev wan0 scope link | grep -o 'fe80[^/]*'")
    a.add_peer(b, endpoint=f"[{address}%wan0]:51820")
    assert a.ping(b.v4)
    assert b.endpoint(a).startswith("[fe80:") and b.endpoint(a).endswith("%wan0]:51820")
    assert b.ping(a.v4)


# ---- Another network namespace

def test_moved_to_another_namespace(both):
    """A program that is to have the tunnel and nothing else gets a namespace with the interface.
    The datagrams go out where they did."""
    a, b = both
    assert a.ping(b.v4)
    a.host.run("ip", "netns", "add", "inner")
    a.ip("link", "set", a.device, "netns", "inner")
    for _ in range(2):
        for address in a.addresses:  # those of IPv6 go when the interface goes down
            a.ip("-n", "inner", "address", "replace", address, "dev", a.device,
                 *(["nodad"] if ":" in address else []))
        a.ip("-n", "inner", "link", "set", a.device, "up")
        a.wait_for_up()
        for address in (b.v4, b.v6):
            assert a.host.succeeds("ip", "netns", "exec", "inner", "ping", "-c1", "-w4", address)
        a.ip("-n", "inner", "link", "set", a.device, "down")
        if a.program == "culvert":  # wireguard-go does not look
            wait_for(lambda: not a.listening(), "the sockets to close")
    if a.program == "culvert":
        a.ip("-n", "inner", "link", "delete", a.device)
        assert a.process.wait(10) == 0
        running.remove(a)
