# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's offloads are used where they are, and nothing is lost where they are not.

CULVERT_FAULTS in the environment: the library that makes the kernel refuse, see faults.c."""

import os
import re

import pytest

from capture import Capture
from ends import DATA_PATH, make_ends
from lab import wait_for

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


def bound(end):
    """Up to how many bytes of a stream the kernel hands over as one."""
    shown = end.ip("-d", "link", "show", end.device)
    return int(re.search(r"gso_max_size (\d+)", shown)[1])


def is_bound(end, size):
    wait_for(lambda: bound(end) == size, f"gso_max_size {size} of {end.device}")


def longest_run(ends):
    """Of the datagrams that one send of a stream takes, bytes with the outer headers."""
    a, b = ends
    capture = Capture(a.host, "wan0", "udp and src host 192.0.2.2")
    assert a.flows("tcp", b) == 64
    return largest(capture)


# 45 datagrams of 1452 bytes are what one send takes, of an IPv4 packet's 65515 less UDP's 8.
FULL_RUN = 20 + 8 + 45 * 1452
NO_BOUND = 65536
IPV4 = "net.ipv4.ip_forward"
IPV6 = "net.ipv6.conf.all.forwarding"
ONE = "net.ipv4.conf.wan0.forwarding"


def test_streams_fit(cable):
    """TCP of this machine makes packets that one send takes, but for no packet that it forwards,
    which would be cut."""
    ends = make_ends(cable, ("culvert", "culvert"))
    a, _ = ends
    fitting = bound(a)
    assert fitting < NO_BOUND
    assert longest_run(ends) == FULL_RUN
    for forwarding in (IPV4, IPV6, ONE):
        a.host.run("sysctl", "-qw", f"{forwarding}=1")
        is_bound(a, NO_BOUND)
        a.host.run("sysctl", "-qw", f"{forwarding}=0")
        is_bound(a, fitting)
    a.ip("link", "set", a.device, "mtu", 1280)
    wait_for(lambda: bound(a) not in (fitting, NO_BOUND), "a bound for the MTU")
