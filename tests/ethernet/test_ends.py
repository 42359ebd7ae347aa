# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two stations, each at an end of a tunnel: culvert's or the kernel's, over IPv4 and IPv6."""

import contextlib
import json
import re

import pytest

from capture import Capture
from ends import PAIRS, V4, V6, check_log, needs_faults, refusing
from lab import Lab, wait_for
from stations import BROADCAST, MTU, Station


class Ends(tuple):
    family = 4

    @property
    def mtu(self):
        return MTU[self.family]


@contextlib.contextmanager
def between(programs, family, **kwargs):
    with Lab() as lab:
        hosts = lab.add_host("a"), lab.add_host("b")
        lab.link(*hosts, V4, V6)
        made = Ends(Station(host, program, number, family, **kwargs)
                    for host, program, number in zip(hosts, programs, (1, 2)))
        made.family = family
        a, b = made
        for end in made:
            end.start()
        # Who knows where the other is comes last: it has something to say at once.
        b.add_peer(a)
        a.add_peer(b, endpoint="192.0.2.1:51820")
        wait_for(lambda: a.ping(b.v4), "the first ping")
        try:
            yield made
        finally:
            for end in made:
                end.stop()
        for host in hosts:
            check_log(host)


@pytest.fixture(scope="module", params=[(programs, family) for family in (4, 6)
                                        for programs in PAIRS],
                ids=lambda param: f"{'-'.join(param[0])}-over-ipv{param[1]}")
def ends(request):
    with between(*request.param) as made:
        yield made


def test_mtu(ends):
    for end in ends:
        assert end.link()["mtu"] == ends.mtu


def test_addresses_are_resolved(ends):
    """ARP and IPv6's neighbour discovery, which is multicast."""
    a, b = ends
    for end, other in ((a, b), (b, a)):
        for version in (4, 6):
            end.forget_neighbours()
            assert end.ping(other.inside(version), count=10)
            assert end.neighbours()[other.inside(version)] == other.mac


def fragments(host):
    """How many the host has made so far."""
    counters = json.loads(host.output("nstat", "-asz", "--json"))["kernel"]
    return counters["IpFragCreates"] + counters["Ip6FragCreates"]


@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
def test_largest_packet(ends, version):
    """The largest packet passes whole, in one datagram; a larger one is not even sent."""
    headers = 28 if version == 4 else 48
    before = [fragments(end.host) for end in ends]
    for end, other in (ends, reversed(ends)):
        assert end.ping(other.inside(version), "-M", "do", "-s", ends.mtu - headers)
        refused = end.host.run("ping", "-c1", "-w2", "-M", "do", "-s", ends.mtu - headers + 1,
                               other.inside(version), check=False)
        assert refused.returncode != 0
        assert f"mtu={ends.mtu}" in refused.stdout or f"mtu: {ends.mtu}" in refused.stdout
    assert [fragments(end.host) for end in ends] == before
    for end, other in (ends, reversed(ends)):
        assert end.ping(other.inside(version), "-M", "dont", "-s", 4000)
    assert all(fragments(end.host) > made for end, made in zip(ends, before))


def test_datagrams_are_no_larger_than_the_tunnels(ends):
    """The largest frame's is as large as that of the tunnel's largest packet, 1420 bytes: its
    padding ends there. And small ones are padded to whole blocks."""
    a, b = ends if ends[0].is_culvert else reversed(ends)
    capture = Capture(a.host, "wan0", "udp and port 51820")
    for size in (ends.mtu - 28, ends.mtu - 29, 100):
        assert a.ping(b.v4, "-s", size, count=2)
    sizes = {packet.payload for packet in capture.wait(12)} - {148, 92}  # handshakes
    capture.stop()
    assert max(sizes) == 1420 + 32
    assert all(size % 16 == 0 for size in sizes if size < 1420 + 16)


def test_outer_headers(ends):
    """As the other end's tunnel has them: no IPv4 ID twice, since the packets may be fragmented
    where they go on; a hop limit of 64, and no more of the frame's DS field than ECN."""
    a, b = ends if not ends[1].is_culvert else reversed(ends)
    if b.is_culvert:
        return  # its end of the tunnel is not to be seen
    capture = Capture(b.host, b.device, f"udp port 4789 and src {a.end}")
    assert a.ping(b.v4, "-Q", "0xba", count=20)
    packets = capture.wait(20)
    capture.stop()
    # The first line of each is that of the outer packet; one with another IP version in it is there
    # twice.
    heads = [text.splitlines()[0] for text in {packet.text for packet in packets}]
    fields = {int(field, 16) for head in heads
              for field in re.findall(r"(?:tos|class) 0x([0-9a-f]+)", head)}
    assert 2 in fields and fields <= {0, 2}
    assert all(re.search(r"ttl 64|hlim 64", head) for head in heads)
    if ends.family == 4:
        numbers = [re.search(r" id (\d+)", head)[1] for head in heads]
        assert len(set(numbers)) == len(numbers) and not any(packet.df for packet in packets)


def test_broadcast(ends):
    for end, other in (ends, reversed(ends)):
        other.host.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_broadcasts=0")
        answer = end.host.run("ping", "-b", "-c1", "-w4", "-I", end.ethernet, "10.9.0.255").stdout
        other.host.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_broadcasts=1")
        assert f"bytes from {other.v4}" in answer


def test_multicast(ends):
    """All nodes of the link, of IPv6; and a group that nobody has joined."""
    for end, other in (ends, reversed(ends)):
        answer = end.host.run("ping", "-c3", "-i0.2", "-w4", f"ff02::1%{end.ethernet}").stdout
        link_local, = (one["local"] for one in json.loads(
            other.ip("-json", "-6", "address", "show", "dev", other.ethernet))[0]["addr_info"]
            if one["scope"] == "link")
        assert f"bytes from {link_local}" in answer
        listener = other.listen()
        end.send("01:00:5e:7f:00:07", "to a group")
        listener.wait("to a group")
        listener.stop()


def test_other_types(ends):
    """A frame without IP, to a station and to all."""
    for end, other in (ends, reversed(ends)):
        listener = other.listen()
        end.send(other.mac, "for you")
        end.send(BROADCAST, "for all")
        listener.wait("for all")
        assert listener.frames() == [(other.mac, end.mac, "88b5", "for you"),
                                     (BROADCAST, end.mac, "88b5", "for all")]
        listener.stop()


def test_tags(ends):
    """As they are: also two of them, and one with a priority and nothing behind it."""
    for end, other in (ends, reversed(ends)):
        listener = other.listen()
        for kind in ("8100000a88b5", "8100600a8100001488b5"):
            end.send(other.mac, f"tagged {kind}", kind=kind)
            listener.wait(f"tagged {kind}")
        assert [frame[2] for frame in listener.frames()] == ["8100000a88b5", "8100600a8100001488b5"]
        # Full size: the tag is not part of the MTU. The kernel's VXLAN would send it in fragments.
        full = "full".ljust(ends.mtu - (0 if end.is_culvert else 4), "x")
        end.send(other.mac, full, kind="8100000a88b5")
        listener.wait(full)
        listener.stop()


@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
def test_tcp(ends, version):
    a, b = ends
    assert a.flows("tcp", b, version, count=256) == 256
    assert b.flows("tcp", a, version, count=256) == 256
    assert a.flows("tcp", b, version, flows=10, count=8) == 80


@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
def test_udp(ends, version):
    a, b = ends
    for size in (18, ends.mtu - 48):
        assert a.flows("udp", b, version, size=size, count=160) == 160


@needs_faults
def test_device_refuses_joined_frames():
    """Some kernels do: then they are taken apart again, and nothing is lost."""
    environment = refusing("joined-write") | {"CULVERT_OFFLOAD": "yes"}
    with between(("culvert", "culvert"), 4, environment=environment) as (a, b):
        for end, other in ((a, b), (b, a)):
            assert end.flows("tcp", other, 4, count=256) == 256
            assert "The device refuses packets joined" in other.log()
