# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's offloads are used where they are, and nothing is lost where they are not.

CULVERT_FAULTS in the environment: the library that makes the kernel refuse, see faults.c."""

import contextlib
import os
import re
import signal

import pytest

from capture import Capture
from ends import DATA_PATH, make_ends, needs_faults, refusing
from lab import wait_for

LARGE = 1500  # more than any packet or datagram by itself has here

pytestmark = pytest.mark.skipif("CULVERT_OFFLOAD" in DATA_PATH, reason="chooses for itself")


@contextlib.contextmanager
def stopped(pid):
    """All its threads; and nsenter, which has started it, stops itself then."""
    _, parent = state(pid)
    try:
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: all(state(task)[0] == "T"
                             for task in [parent, *os.listdir(f"/proc/{pid}/task")]),
                 "culvert to stop")
        yield
    finally:
        os.kill(int(parent), signal.SIGCONT)
        os.kill(pid, signal.SIGCONT)


def state(task):
    """proc(5)'s letter for it, and its parent."""
    with open(f"/proc/{task}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[:2]


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


# A program that gives the kernel many datagrams at once, as those do that speak QUIC: 20 of 1000
# bytes. UDP_SEGMENT: linux/udp.h.
SEND_MANY = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
s.sendto(bytes(20000), (sys.argv[1], 9))
"""

# A datagram of another size behind them.
SEND_ONE = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"!", (sys.argv[1], 9))
"""


def watch_udp(ends, version):
    """Whether a's device hands over datagrams at once, and b's device is given them so."""
    a, b = ends
    captures = [Capture(end.host, end.device, f"udp and dst host {b.inside(version)}")
                for end in ends]
    a.host.run("/usr/bin/python3", "-c", SEND_MANY, b.inside(version))

    def are_there():
        """tcpdump may read the rest of what came at once only when more comes."""
        a.host.run("/usr/bin/python3", "-c", SEND_ONE, b.inside(version))
        return all(any(packet.payload == 1 for packet in capture.packets())
                   for capture in captures)
    wait_for(are_there, "the datagrams to arrive")
    return tuple(largest(capture) > LARGE for capture in captures)


def test_used(cable):
    ends = make_ends(cable, ("culvert", "culvert"))
    assert watch(ends) == (True, True)
    for version in (4, 6):
        assert watch_udp(ends, version) == (True, True)


def test_not_used(cable):
    ends = make_ends(cable, ("culvert", "culvert"), environment={"CULVERT_OFFLOAD": "no"})
    assert watch(ends) == (False, False)
    assert watch_udp(ends, 4) == (False, False)
    send_all(*ends)


def test_small_packets(cable):
    """What waits at the device, read one by one, leaves in one send."""
    a, b = make_ends(cable, ("culvert", "culvert"))
    assert a.ping(b.v4)
    pid, = a.host.pids("culvert")
    capture = Capture(a.host, "wan0", "udp and src host 192.0.2.2")
    with stopped(pid):
        a.host.run("/usr/bin/python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(40):
    s.sendto(bytes(68), ("{b.v4}", 9))
""")
    # 96 bytes, and WireGuard's 32.
    wait_for(lambda: any(packet.length == 20 + 8 + 40 * 128 for packet in capture.packets()),
             "40 datagrams at once")
    capture.stop()


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


@needs_faults
@pytest.mark.parametrize("faults, joined", FAULTS, ids=[fault for fault, _ in FAULTS])
def test_refused(cable, faults, joined):
    ends = make_ends(cable, ("culvert", "culvert"), environment=refusing(faults))
    assert watch(ends) == joined
    send_all(*ends)


@needs_faults
def test_no_joined_udp(cable):
    """A kernel before 6.2: datagrams one by one. Of TCP, test_refused has the same."""
    ends = make_ends(cable, ("culvert", "culvert"), environment=refusing("no-uso"))
    assert watch_udp(ends, 4) == (False, False)


@needs_faults
def test_no_steering(cable):
    """Several queues, of which the kernel cannot be told which takes what: one is left."""
    ends = make_ends(cable, ("culvert", "culvert"),
                     environment=refusing("no-steering") | {"CULVERT_QUEUES": "3"})
    assert all("Using one queue of" in end.log() for end in ends)
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
