# SPDX-License-Identifier: LGPL-2.1-or-later
"""Order, shares of the work, and full queues."""

import glob
import os
import re
import time

import pytest

from ends import make_ends
from lab import wait_for

WAYS = {"one-queue": {}, "queues": {"CULVERT_QUEUES": "3"}, "no-offload": {"CULVERT_OFFLOAD": "no"}}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def ends(request, cable):
    return make_ends(cable, ("culvert", "culvert"), environment=request.param)


@pytest.mark.parametrize("version", [4, 6], ids=["ipv4", "ipv6"])
def test_order(ends, version):
    """No datagram overtakes another of its flow, from before the first session on, while some are
    answered and others are not."""
    a, b = ends
    for sender, other in ((a, b), (b, a)):
        overtaken, arrived = sender.order(other, version, flows=10)
        assert overtaken == 0
        assert arrived > 2000  # of 20000, as fast as they can be sent; 128 wait for a session


def work(end):
    """CPU time of each packet thread, in ticks."""
    pid, = end.host.pids("culvert")
    times = []
    for task in glob.glob(f"/proc/{pid}/task/*"):
        with open(os.path.join(task, "comm"), encoding="ascii") as file:
            if file.read().strip() != "culvert-packets":
                continue
        with open(os.path.join(task, "stat"), encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        times.append(int(fields[11]) + int(fields[12]))  # utime, stime: proc(5)
    return times


def test_work_is_shared(cable):
    """What goes to many addresses is moved by many threads."""
    a, b = make_ends(cable, ("culvert", "culvert"), environment={"CULVERT_QUEUES": "4"})
    assert len(work(a)) == 4
    assert a.ping(b.v4)
    b.ip("address", "add", "10.9.0.1/16", "dev", b.device)
    a.wg("peer", b.public, "allowed-ips", f"{b.v4}/32,{b.v6}/128,10.9.0.0/16")
    a.ip("route", "add", "10.9.0.0/16", "dev", a.device)
    a.host.run("/usr/bin/python3", "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(200000):
    s.sendto(bytes(100), (f"10.9.1.{n % 250}", 9))
""")
    assert sum(ticks > 0 for ticks in work(a)) >= 3, work(a)


# ---- A full uplink

def narrow_ends(cable, mbit):
    """The way from a to b takes so much, with a queue of 1000 packets, which is the system's."""
    cable[0].run("tc", "qdisc", "add", "dev", "wan0", "root", "handle", "1:", "htb", "default", 1)
    cable[0].run("tc", "class", "add", "dev", "wan0", "parent", "1:", "classid", "1:1", "htb",
                 "rate", f"{mbit}mbit")
    cable[0].run("tc", "qdisc", "add", "dev", "wan0", "parent", "1:1", "pfifo", "limit", 1000)
    return make_ends(cable, ("culvert", "culvert"))


def flood(end, address, seconds):
    return end.host.spawn("/usr/bin/python3", "-c", f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    s.sendto(bytes(1200), ("{address}", 9))
""")


def test_what_arrives_does_not_wait(cable):
    """While a sends far more than leaves, what b sends arrives at once."""
    a, b = narrow_ends(cable, 8)
    assert a.ping(b.v4)
    flood(a, b.v4, 8)
    wait_for(lambda: "dropped" in a.host.output("tc", "-s", "qdisc", "show", "dev", "wan0")
             and a.transfer(b)[1] > 1_000_000, "the uplink to be full")
    before = a.transfer(b)[0]
    start = time.monotonic()
    b.host.run("/usr/bin/python3", "-c", f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(200):
    s.sendto(bytes(1000), ("{a.v4}", 9))
    time.sleep(0.002)
""")
    wait_for(lambda: a.transfer(b)[0] - before >= 200 * 1032, "what b sent", 2)
    assert time.monotonic() - start < 3
    start = time.monotonic()
    a.down()
    wait_for(lambda: not a.listening(), "the interface to be down")
    assert time.monotonic() - start < 1


# What a socket of culvert's may have on its way: SO_SNDBUF as the kernel doubles it, see
# SEND_BUFFER_BYTES in tunnel-sockets.c.
SOCKET_BYTES = 2 * (1 << 19)
UPLINK_MBIT = 50


def stream(a, b):
    """One stream of TCP from a to b, as fast as it can be, until the lab ends. By cubic, which
    fills whatever queue there is; it is past its slow start."""
    b.host.spawn("/usr/bin/python3", "-c", """
import socket
server = socket.create_server(("", 9))
print("ready", flush=True)
connection, _ = server.accept()
while connection.recv(1 << 20):
    pass
""", log="stream")
    wait_for(lambda: "ready" in b.host.log("stream"), "the stream's end")
    a.host.spawn("/usr/bin/python3", "-c", f"""
import socket
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
s.connect(("{b.v4}", 9))
while True:
    s.send(bytes(1 << 16))
""")
    wait_for(lambda: a.transfer(b)[1] > 10 * SOCKET_BYTES, "the stream to run")


def test_a_stream_delays_others_by_the_socket_at_most(cable):
    """What waits longer than that waits in a queue of ours: there is none. With a socket of 7 MiB
    the slower pings took 350 ms here, with this one 170 ms."""
    a, b = narrow_ends(cable, UPLINK_MBIT)
    assert a.ping(b.v4)
    stream(a, b)
    shown = a.host.output("ping", "-n", "-i", 0.02, "-c", 150, b.v4)
    times = sorted(float(ms) for ms in re.findall(r"time=([\d.]+) ms", shown))
    bound = SOCKET_BYTES * 8 / (UPLINK_MBIT * 1000)
    assert times[len(times) * 9 // 10] < 1.25 * bound, times
    assert times[len(times) // 2] > 0.25 * bound, times  # the uplink is full
