# SPDX-License-Identifier: LGPL-2.1-or-later
"""Strangers and their datagrams: nothing is answered, nothing changes, nothing breaks, and who
belongs here is served meanwhile. Also run with the program built with AddressSanitizer."""

import json
import os
import time

import pytest

from ends import PAIRS, make_ends
from lab import wait_for

HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile.py")
A, B = "198.51.100.2", "203.0.113.2"
B6 = "2001:db8:b::2"

COUNTERS = """
add table inet watch
add counter inet watch in
add counter inet watch out
add chain inet watch input { type filter hook input priority 0; }
add chain inet watch output { type filter hook output priority 0; }
add rule inet watch input ip saddr 203.0.113.1 counter name in
add rule inet watch input ip6 saddr 2001:db8:b::1 udp dport 51820 counter name in
add rule inet watch output icmpv6 type { nd-neighbor-advert, nd-neighbor-solicit } accept
add rule inet watch output ip daddr 203.0.113.1 counter name out
add rule inet watch output ip6 daddr 2001:db8:b::1 counter name out
"""


@pytest.fixture
def scene(routed):
    """a and b with a session; the router between them is the stranger. Everything between it and
    b is counted."""
    host_a, host_b, stranger = routed
    a, b = make_ends((host_a, host_b), ("culvert", "culvert"))
    a.add_peer(b, endpoint=f"{B}:51820")
    host_b.run("nft", "-f", "-", stdin=COUNTERS)
    return a, b, stranger


def counted(host):
    """{"in": (packets, bytes), "out": ...}; with the headers"""
    listed = json.loads(host.output("nft", "-j", "list", "counters", "table", "inet", "watch"))
    return {entry["counter"]["name"]: (entry["counter"]["packets"], entry["counter"]["bytes"])
            for entry in listed["nftables"] if "counter" in entry}


def hostile(host, *argv, timeout=120):
    out = host.output("/usr/bin/python3", HOSTILE, *argv, timeout=timeout)
    return json.loads(out.splitlines()[-1])


def still_well(a, b):
    """Served at once, from the same place as before, by the same process."""
    assert a.ping(b.v4, deadline=2) and b.ping(a.v6, deadline=2)
    assert b.endpoint(a) == f"{A}:51820"
    assert a.endpoint(b) == f"{B}:51820"
    assert a.process.poll() is None and b.process.poll() is None


@pytest.mark.row(1, 10, 11)
@pytest.mark.parametrize("target", [B, B6], ids=["ipv4", "ipv6"])
def test_noise(scene, target):
    """A hundred thousand datagrams, of each type and length: not one byte back, no ICMP, and all
    dealt with in less time than it takes to notice."""
    a, b, stranger = scene
    assert a.ping(b.v4)
    before = b.transfer(a)
    result = hostile(stranger, "noise", target, 51820, 100_000, 7)
    assert result["sent"] == 100_000
    assert result["replies"] == result["errors"] == 0
    counts = counted(b.host)
    # Of those in pieces the kernel may have lost some.
    assert counts["in"][0] > 90_000 and counts["out"] == (0, 0)
    assert b.transfer(a) == before
    still_well(a, b)


@pytest.mark.row(11)
def test_port_probe(scene):
    """The port looks as if nobody were there to say that nobody is there; another one says so."""
    a, b, stranger = scene
    for target in (B, B6):
        assert hostile(stranger, "noise", target, 51820, 20, 1)["errors"] == 0
        assert hostile(stranger, "noise", target, 51819, 20, 1)["errors"] > 0
    assert a.ping(b.v4)


@pytest.mark.row(1, 5, 17, 18)
@pytest.mark.parametrize("victim", ["initiator", "responder"])
def test_replays(scene, victim):
    """A session's own datagrams, again: as they were, in other orders, with each bit of theirs
    changed, shorter and longer, to either side."""
    a, b, stranger = scene
    stranger.spawn("/usr/bin/python3", HOSTILE, "listen", "a0", "/run/lab/heard", 26, log="listen")
    wait_for(lambda: "listening" in stranger.log("listen"), "the stranger to listen")
    assert a.ping(b.v4, count=20)
    wait_for(lambda: "kept" in stranger.log("listen"), "26 datagrams to be heard")
    time_before = b.handshake(a)
    before = {end: end.transfer(other) for end, other in ((a, b), (b, a))}
    result = hostile(stranger, "replay", "/run/lab/heard", B if victim == "responder" else A,
                     51820, 3)
    assert result["sent"] > 5000
    assert result["replies"] == result["errors"] == 0
    if victim == "responder":
        assert counted(b.host)["out"] == (0, 0)
    assert {end: end.transfer(other) for end, other in ((a, b), (b, a))} == before
    assert b.handshake(a) == time_before
    still_well(a, b)


@pytest.mark.row(33)
def test_oversized(scene):
    """The largest datagrams there are, well-formed at first sight."""
    a, b, stranger = scene
    assert a.ping(b.v4)
    script = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "for kind in range(6):\n"
              " for size in range(65480, 65508):\n"
              f"  s.sendto(bytes([kind, 0, 0, 0]) + bytes(size - 4), ('{B}', 51820))\n")
    stranger.run("/usr/bin/python3", "-c", script)
    assert counted(b.host)["out"] == (0, 0)
    still_well(a, b)


@pytest.mark.slow
@pytest.mark.row(8, 9, 10)
@pytest.mark.parametrize("programs", PAIRS, ids="-".join)
def test_under_load(routed, programs):
    """Thousands of initiations that cost a Diffie-Hellman each: the responder answers with
    cookies, in fewer bytes than it got, and a peer, whichever its program, still gets in, with a
    cookie of its own."""
    host_a, host_b, stranger = routed
    a, b = make_ends((host_a, host_b), programs)
    host_b.run("nft", "-f", "-", stdin=COUNTERS)
    flood = stranger.spawn("/usr/bin/python3", HOSTILE, "flood", B, 51820, 60, b.public,
                           log="flood")
    wait_for(lambda: counted(host_b)["in"][0] > 5000, "the flood")
    start = time.monotonic()
    a.add_peer(b, endpoint=f"{B}:51820", keepalive=1)
    # An initiation every 5 s, which a full queue may drop as it does the flood's: wireguard-go's
    # has 1024 places, a burst 3000 datagrams.
    wait_for(lambda: b.handshake(a) > 0, "a session during the flood", 40)
    took = time.monotonic() - start
    assert flood.poll() is None
    stranger.stop(flood)
    result = json.loads(stranger.log("flood").splitlines()[-1])
    counts = counted(host_b)
    assert result["types"] == [3] and result["bytes_back"] == 64 * result["replies"]
    assert 0 < counts["out"][1] <= counts["in"][1]
    # Not the first initiation, which had no cookie.
    assert took > 4
    assert a.ping(b.v4)
