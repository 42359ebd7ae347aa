# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's offloads are used where they are, and nothing is lost where they are not.

CULVERT_FAULTS in the environment: the library that makes the kernel refuse, see faults.c."""

import os

import pytest

from capture import Capture
from ends import DATA_PATH, make_ends

LARGE = 1500  # more than any packet or datagram by itself has here

pytestmark = pytest.mark.skipif("CULVERT_OFFLOAD" in DATA_PATH, reason="chooses for itself")


def largest(capture):
    return max(packet.length for packet in capture.stop())


def send_all(a, b):
    """TCP and UDP, either way, over IPv4 and IPv6: everything arrives."""
    for version in (4, 6):
        assert a.flows("tcp", b, version) == 64
        assert b.flows("tcp", a, version) == 64
        for size in (18, 1372):
            assert a.flows("udp", b, version, size=size, count=160) == 160


def watch(ends):
    """What leaves a, and what b's device is given: much at once?"""
    a, b = ends
    outside = Capture(a.host, "wan0", "udp and src host 192.0.2.2")
    inside = Capture(b.host, b.device, f"tcp and src host {a.v4}")
    assert a.flows("tcp", b) == 64
    return largest(outside) > LARGE, largest(inside) > LARGE


def test_used(cable):
    assert watch(make_ends(cable, ("culvert", "culvert"))) == (True, True)


def test_not_used(cable):
    ends = make_ends(cable, ("culvert", "culvert"), environment={"CULVERT_OFFLOAD": "no"})
    assert watch(ends) == (False, False)
    send_all(*ends)


def test_datagrams_apart(cable):
    """The other end sends one by one: they are joined for the device all the same."""
    ends = make_ends(cable, ("wireguard-go", "culvert"))
    assert watch(ends) == (False, True)


def test_queue(cable):
    """There is room for what comes while the program waits for a processor."""
    a, _ = make_ends(cable, ("culvert", "culvert"))
    assert "qlen 3000" in a.ip("link", "show", a.device)


# What is still joined outside and inside when the kernel refuses this.
FAULTS = [
    ("no-segments", (False, True)),
    ("segments-eio", (False, True)),
    ("segments-einval", (False, True)),
    ("no-gro", (True, True)),
    ("no-uso", (True, True)),
    ("no-tun-offload", (True, False)),
    ("joined-write", (True, False)),
    ("no-segments,no-gro,no-tun-offload", (False, False)),
]


@pytest.mark.skipif("CULVERT_FAULTS" not in os.environ, reason="needs faults.c, in CULVERT_FAULTS")
@pytest.mark.parametrize("faults, joined", FAULTS, ids=[fault for fault, _ in FAULTS])
def test_refused(cable, faults, joined):
    preload = {"LD_PRELOAD": os.environ["CULVERT_FAULTS"], "LAB_FAULTS": faults}
    ends = make_ends(cable, ("culvert", "culvert"), environment=preload)
    assert watch(ends) == joined
    send_all(*ends)


@pytest.mark.parametrize("mtu", [9000, 1280])
def test_other_path_mtu(cable, mtu):
    """Runs of datagrams that are larger than the path allows go one by one, in fragments; smaller
    ones together."""
    for host in cable:
        host.run("ip", "link", "set", "wan0", "mtu", mtu)
    ends = make_ends(cable, ("culvert", "culvert"))
    assert watch(ends)[0] == (mtu > LARGE)
    send_all(*ends)
