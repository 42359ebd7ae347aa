# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the datagrams look like outside: DS field, fragmentation, checksums, sizes, ports."""

import pytest

from capture import Capture
from ends import PAIRS, V4, End, make_ends
from lab import wait_for

OUTSIDE = {4: "192.0.2.1:51820", 6: "[2001:db8::1]:51820"}
HANDSHAKE_TOS = 0x88

versions = pytest.mark.parametrize("outside", [4, 6], ids=["over-ipv4", "over-ipv6"])
insides = pytest.mark.parametrize("inside", [4, 6], ids=["ipv4", "ipv6"])


# ---- Explicit congestion notification

@pytest.mark.row(24)
@versions
@insides
def test_ecn_out(ends, outside, inside):
    """Outside there is the inner packet's ECN and nothing else of its DS field."""
    a, b = ends
    a.add_peer(b, endpoint=OUTSIDE[outside])
    assert a.ping(b.inside(inside))
    # -Q: the whole DS field. CE inside stays inside: ECT(0) outside (RFC 6040, 4.1).
    for field, expected in ((0x00, 0), (0x01, 1), (0x02, 2), (0x03, 2), (0xb8, 0), (0xba, 2)):
        capture = Capture(a.host, "wan0", "udp and dst port 51820 and src host "
                          + ("192.0.2.2" if outside == 4 else "2001:db8::2"))
        assert a.ping(b.inside(inside), "-Q", field)
        packets = capture.wait()
        capture.stop()
        assert {packet.tos for packet in packets} == {expected}, hex(field)


@pytest.mark.row(24)
@versions
def test_handshakes_have_priority(ends, outside):
    a, b = ends
    a.add_peer(b, endpoint=OUTSIDE[outside])
    capture = Capture(a.host, "wan0", "udp port 51820")
    assert a.ping(b.v4)
    wait_for(lambda: {p.payload for p in capture.packets()} >= {148, 92, 128}, "the handshake")
    for packet in capture.stop():
        assert packet.tos == (HANDSHAKE_TOS if packet.payload in (148, 92) else 0), packet


def mark_ce(host, family):
    """Every datagram to this host arrives marked as it would by a congested router."""
    host.sh(f"nft add table {family} lab; nft add chain {family} lab in"
            " '{ type filter hook prerouting priority -300; }';"
            f" nft add rule {family} lab in udp dport 51820 {family} ecn set ce")


@pytest.mark.row(24)
@versions
@insides
def test_ecn_in(ends, outside, inside):
    """A mark set outside is carried inside if the sender can deal with marks. The packet is
    answered, so its checksum is right."""
    a, b = ends
    a.add_peer(b, endpoint=OUTSIDE[outside])
    assert a.ping(b.inside(inside))
    mark_ce(b.host, "ip" if outside == 4 else "ip6")
    for field, expected in ((0x00, 0x00), (0x01, 0x03), (0x02, 0x03), (0x03, 0x03), (0xba, 0xbb)):
        kind = "icmp[0] == 8" if inside == 4 else "ip6[40] == 128"
        capture = Capture(b.host, "wg0", kind)
        assert a.ping(b.inside(inside), "-Q", field)
        packets = capture.wait()
        capture.stop()
        assert {packet.tos for packet in packets} == {expected}, hex(field)
        assert "bad" not in packets[0].text


# ---- Fragmentation and sizes

@pytest.mark.row(25)
@pytest.mark.parametrize("outside", [4, 6], ids=["over-ipv4", "over-ipv6"])
def test_narrow_path(routed, outside):
    """A router half way has an MTU of 1280: full packets of 1420 bytes pass, in pieces."""
    a, b, net = routed
    ends = [End(a, "culvert", 1), End(b, "culvert", 2)]
    for end in ends:
        end.start()
    endpoint = "203.0.113.2:51820" if outside == 4 else "[2001:db8:b::2]:51820"
    ends[0].add_peer(ends[1], endpoint=endpoint)
    ends[1].add_peer(ends[0])
    net.run("ip", "link", "set", "b0", "mtu", 1280)
    b.run("ip", "link", "set", "wan0", "mtu", 1280)
    capture = Capture(a, "wan0", "udp")
    assert ends[0].ping(ends[1].v4)
    if outside == 4:
        assert ends[0].ping(ends[1].v4, "-M", "do", "-s", 1420 - 28, count=3)
    else:
        # IPv6 has no fragmentation half way: the router says what fits (RFC 8201), and the
        # datagrams are cut where they are made.
        wait_for(lambda: ends[0].ping(ends[1].v4, "-M", "do", "-s", 1420 - 28, deadline=1),
                 "the path's MTU to be learnt")
    assert ends[0].flows("tcp", ends[1], count=4) == 4
    assert not any(packet.df for packet in capture.stop())


@pytest.mark.row(23)
@pytest.mark.parametrize("programs", PAIRS, ids="-".join)
def test_padding_ends_at_the_mtu(cable, programs):
    """1297 bytes would be padded to 1312, but are to 1300, the device's MTU: 1360 outside."""
    a, b = make_ends(cable, programs)
    for end in (a, b):
        end.set_mtu(1300)
    assert a.ping(b.v4)
    capture = Capture(a.host, "wan0", "udp and src host 192.0.2.2")
    assert a.ping(b.v4, "-s", 1269)
    assert a.ping(b.v4, "-s", 1255)  # 1283
    assert a.ping(b.v4, "-s", 56)  # 84
    lengths = [packet.length for packet in capture.wait(3)]
    assert lengths == [1360, 1356, 156]


@pytest.mark.row(23)
def test_padding_ends_at_the_route_mtu(ends):
    """The same packet, on a route with an MTU one byte smaller."""
    a, b = ends
    for end, other in ((a, b), (b, a)):
        end.set_mtu(1300)
        end.ip("route", "add", f"{other.v4}/32", "dev", "wg0", "mtu", 1299)
        end.host.sh("nft add table ip narrow; nft add chain ip narrow in"
                    " '{ type filter hook input priority 0; }';"
                    " nft add rule ip narrow in ip length 1360 drop")
    assert a.ping(b.v4, "-s", 1269)
    assert b.ping(a.v4, "-s", 1269)


@pytest.mark.row(33)
@pytest.mark.parametrize("mtu", [9000, 65455])
def test_jumbo(cable, mtu):
    """Everything UDP can carry: 65507 bytes, of which 32 are the message's own."""
    a, b = make_ends(cable, ("culvert", "culvert"))
    for end in (a, b):
        end.set_mtu(mtu)
    assert a.ping(b.v4)
    assert a.ping(b.v4, "-M", "do", "-s", mtu - 28)
    assert b.ping(a.v6, "-M", "do", "-s", mtu - 48)
    assert a.flows("tcp", b) == 64


# ---- Checksums and ports

@pytest.mark.row(26)
@versions
def test_udp_checksums(ends, outside):
    a, b = ends
    a.add_peer(b, endpoint=OUTSIDE[outside])
    capture = Capture(b.host, "wan0", "udp port 51820")
    assert a.ping(b.v4)
    for packet in capture.wait(4):
        # On a virtual cable it is left to the network card, and looks unfinished.
        assert "cksum 0x" in packet.text or "[udp sum ok]" in packet.text, packet.text
        assert "[no cksum]" not in packet.text


@pytest.mark.row(26)
def test_without_ipv6(lab):
    """A machine that has IPv4 alone."""
    a, b = lab.add_host("a"), lab.add_host("b")
    for host in (a, b):
        host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                 "net.ipv6.conf.default.disable_ipv6=1")
    lab.link(a, b, V4)
    ends = [End(a, "culvert", 1, networks=("10.8.0.0/24",)),
            End(b, "culvert", 2, networks=("10.8.0.0/24",))]
    for end in ends:
        end.start()
    ends[0].add_peer(ends[1].public, allowed="10.8.0.0/24", endpoint="192.0.2.1:51820")
    ends[1].add_peer(ends[0].public, allowed="10.8.0.0/24")
    assert ends[0].ping(ends[1].v4)


@pytest.mark.row(26)
def test_any_port(ends):
    """Port 0 is one that is free for both families."""
    a, b = ends
    assert a.ping(b.v4)
    a.wg("listen-port", 0)
    port = int(a.output("listen-port"))
    assert port not in (0, 51820)
    assert a.ping(b.v4)
    assert b.endpoint(a) == f"192.0.2.2:{port}"
    sockets = a.host.output("ss", "-Hulpn", f"sport = :{port}").splitlines()
    assert len(sockets) == 2
