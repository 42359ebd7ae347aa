# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packets of every kind and size go through, over IPv4 and IPv6 outside."""

import os
import sys

import pytest

from ends import PAIRS, V4, V6, make_ends, stop_all
from lab import Lab

OUTSIDE = {4: "192.0.2.1:51820", 6: "[2001:db8::1]:51820"}

# What the kernel's own test takes: 34816 bytes outside (netns.sh).
BIG_MTU = 34816 - 1500 + 1420


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request):
    with Lab() as lab:
        cable = lab.add_host("a"), lab.add_host("b")
        lab.link(*cable, V4, V6)
        yield make_ends(cable, request.param)
        stop_all()


@pytest.fixture(params=[4, 6], ids=["over-ipv4", "over-ipv6"])
def outside(request, pair):
    a, b = pair
    a.add_peer(b, endpoint=OUTSIDE[request.param])
    assert a.ping(b.v4)


@pytest.fixture(params=[1280, 1420, BIG_MTU])
def mtu(request, pair):
    for end in pair:
        end.set_mtu(request.param)
    return request.param


@pytest.mark.row(33)
@pytest.mark.usefixtures("outside")
def test_ping(pair, mtu):
    a, b = pair
    for version in (4, 6):
        for end, other in ((a, b), (b, a)):
            assert end.ping(other.inside(version), count=10)
            # The largest packet that fits, which is fragmented neither inside nor, unless big,
            # outside.
            headers = 28 if version == 4 else 48
            assert end.ping(other.inside(version), "-M", "do", "-s", mtu - headers)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
@pytest.mark.usefixtures("mtu")
def test_tcp(pair, version):
    a, b = pair
    assert a.flows("tcp", b, version) == 64
    assert b.flows("tcp", a, version) == 64


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
def test_udp(pair, mtu, version):
    a, b = pair
    for size in (18, mtu - 48):
        assert a.flows("udp", b, version, size=size, count=160) == 160


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("flows", [10, 50])
def test_flows(pair, flows, version):
    a, b = pair
    for end in pair:
        end.set_mtu(1420)
    assert a.flows("tcp", b, version, flows=flows, count=8) == 8 * flows
    # So many windows at once may be too much for a queue.
    assert b.flows("udp", a, version, flows=flows, size=1000, count=64) > 0.9 * 64 * flows


@pytest.mark.skipif("CULVERT_ALLOCATIONS" not in os.environ,
                    reason="needs allocations.c, in CULVERT_ALLOCATIONS")
def test_nothing_is_allocated(cable, tmp_path):
    """The threads that move packets ask for memory for handshakes alone, and the first time."""
    counter = tmp_path / "allocations"
    counter.write_bytes(bytes(8))
    a, b = make_ends(cable, ("culvert", "culvert"), environment={
        "LD_PRELOAD": os.environ["CULVERT_ALLOCATIONS"], "LAB_ALLOCATIONS": str(counter)})

    def allocations():
        return int.from_bytes(counter.read_bytes(), sys.byteorder)

    def traffic(pings, pieces):
        assert a.ping(b.v4, count=pings, deadline=30) and a.ping(b.v6, count=pings, deadline=30)
        for end, other in ((a, b), (b, a)):
            assert end.flows("tcp", other, count=pieces) == pieces
            assert end.flows("udp", other, size=1372, count=160) == 160
    traffic(100, 64)
    before = allocations()
    assert before > 0  # it counts
    traffic(5000, 512)
    assert allocations() == before
