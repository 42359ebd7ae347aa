# SPDX-License-Identifier: LGPL-2.1-or-later
"""The yardstick carries what it is given: what it cuts up is as headers and checksums have to be,
and what it joins is what was sent. As root.

Environment: BENCH_BUILD, a finished build."""

import json
import os
import struct
import sys

import pytest

from lab import Lab, wait_for

import peers

FLOWS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "interop", "flows.py")
PORT = 5201
TCP, UDP = 6, 17
HEADER = 32     # of forwarder.c

# Prints "ready", then what comes to the port in N datagrams, in hexadecimal, one a line. 33 is
# SO_RCVBUFFORCE, for which Python has no name.
CATCH = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.settimeout(5)
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    print(s.recv(65536).hex(), flush=True)
"""

# Prints "ready", then every frame that arrives at wan0, likewise.
LOOK = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)
s.bind(("wan0", 0))
print("ready", flush=True)
while True:
    frame, name = s.recvfrom(1 << 17)
    if name[2] != socket.PACKET_OUTGOING and frame[12:14] == b"\\x08\\0" and frame[23] == 17:
        print(frame.hex(), flush=True)
"""

# One datagram of ADDRESS PORT BYTES in segments of SIZE: the kernel hands it over in one (USO).
SEND = """
import socket, sys
address, port, count, size = sys.argv[1], *map(int, sys.argv[2:])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, size)
s.connect((address, port))
s.send(bytes(i * 7 % 251 for i in range(count)))
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif("BENCH_BUILD" not in os.environ, reason="needs a build in BENCH_BUILD"),
]


@pytest.fixture(name="cable")
def fixture_cable(tmp_path):
    with Lab(tmp_path) as lab:
        a, b = lab.add_host("a"), lab.add_host("b")
        lab.link(a, b, "192.0.2.0/24")
        yield a, b


@pytest.fixture(name="tools")
def fixture_tools():
    return peers.Tools(os.path.abspath(os.environ["BENCH_BUILD"]))


def checksum(data):
    """RFC 1071, word by word."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def transport(packet):
    """(protocol, header and payload) of an IPv4 or IPv6 packet whose sums are right."""
    if packet[0] >> 4 == 4:
        assert struct.unpack(">H", packet[2:4])[0] == len(packet)
        assert checksum(packet[:20]) == 0
        addresses, protocol, rest = packet[12:20], packet[9], packet[20:]
    else:
        assert struct.unpack(">H", packet[4:6])[0] == len(packet) - 40
        addresses, protocol, rest = packet[8:40], packet[6], packet[40:]
    assert checksum(addresses + struct.pack(">HH", protocol, len(rest)) + rest) == 0
    return protocol, rest


def wire(a, b, tools, count, send):
    """Starts one end at `a`, and returns the `count` packets that arrive at `b` when send() is
    called."""
    tunnel = peers.Forwarder((a, b), tools)
    tunnel.spawn(0, tools.forwarder, peers.DEVICE, *peers.OUTSIDE, peers.PORT)
    tunnel.wait_for_device(0)
    a.run("sysctl", "-qw", "net.ipv6.conf.default.router_solicitations=0")
    a.run("sysctl", "-qw", f"net.ipv6.conf.{peers.DEVICE}.addr_gen_mode=1")
    tunnel.bring_up(0)
    a.run("ip", "address", "add", "fd08::1/64", "dev", peers.DEVICE, "nodad")
    catcher = b.spawn(sys.executable, "-c", CATCH, peers.PORT, count, log="catch")
    wait_for(lambda: b.log("catch").startswith("ready\n"), "the catcher")
    send()
    catcher.wait(10)
    lines = b.log("catch").split()[1:]
    tunnel.stop()
    return [bytes.fromhex(line)[HEADER:] for line in lines]


@pytest.mark.parametrize("address", ["10.8.0.2", "fd08::2"])
def test_udp_segments(cable, tools, address):
    a, b = cable
    size, total = 999, 30 * 999 + 5
    packets = wire(a, b, tools, 31, lambda: a.run(sys.executable, "-c", SEND, address, PORT, total,
                                                  size))
    received = b""
    for packet in packets:
        protocol, rest = transport(packet)
        assert protocol == UDP and struct.unpack(">H", rest[4:6])[0] == len(rest)
        received += rest[8:]
    assert [len(transport(packet)[1]) for packet in packets] == [size + 8] * 30 + [5 + 8]
    assert received == bytes(i * 7 % 251 for i in range(total))
    if address == "10.8.0.2":
        ids = [struct.unpack(">H", packet[4:6])[0] for packet in packets]
        assert ids == [(ids[0] + i) & 0xffff for i in range(31)]


def inner(frame):
    """The packets in a frame, which has one UDP datagram or, before the kernel has cut it, many."""
    assert frame[23] == UDP
    rest = frame[14 + 20 + 8:]
    while rest:
        rest = rest[HEADER:]
        length = (struct.unpack(">H", rest[2:4])[0] if rest[0] >> 4 == 4
                  else 40 + struct.unpack(">H", rest[4:6])[0])
        yield rest[:length]
        rest = rest[length:]


def tcp_payload(frames):
    """{sequence number: bytes} of what is sent to PORT."""
    found = {}
    for packet in (packet for frame in frames for packet in inner(frame)):
        protocol, rest = transport(packet)
        if protocol == TCP and struct.unpack(">H", rest[2:4])[0] == PORT:
            found[struct.unpack(">I", rest[4:8])[0]] = len(rest) - (rest[12] >> 4) * 4
    return found


@pytest.mark.parametrize("address", ["10.8.0.2", "fd08::2"])
def test_tcp_segments(cable, tools, address):
    """Both ends are there, and somebody looks at what passes the cable between them."""
    a, b = cable
    pieces, size = 16, 65536
    with peers.Forwarder(cable, tools):
        for host, own in zip(cable, ("fd08::1/64", "fd08::2/64")):
            host.run("ip", "address", "add", own, "dev", peers.DEVICE, "nodad")
        b.spawn(sys.executable, "-c", LOOK, log="look")
        wait_for(lambda: b.log("look").startswith("ready\n"), "the one who looks")
        argv = ["tcp", address, PORT, 1, size, pieces]
        b.spawn(sys.executable, FLOWS, "sink", *argv, log="sink")
        wait_for(lambda: "listening" in b.log("sink"), "the sink")
        assert a.output(sys.executable, FLOWS, "send", *argv) == str(pieces)

        def seen():
            lines = b.log("look").rpartition("\n")[0].split()[1:]
            found = tcp_payload(map(bytes.fromhex, lines))
            return found if sum(found.values()) >= pieces * size else None
        lengths = wait_for(seen, "the whole stream on the cable").values()
    # They were cut: no more than a segment each, and most of them full.
    headers = (20 if "." in address else 40) + 32
    assert max(lengths) == peers.MTU - headers
    assert len(lengths) < 1.5 * pieces * size / (peers.MTU - headers)


def test_packets_are_joined(cable, tools):
    """What was cut arrives in few packets again: that is what makes it fast."""
    a, b = cable
    pieces, size = 64, 65536
    with peers.Forwarder(cable, tools):
        argv = ["tcp", "10.8.0.2", PORT, 1, size, pieces]
        b.spawn(sys.executable, FLOWS, "sink", *argv, log="sink")
        wait_for(lambda: "listening" in b.log("sink"), "the sink")
        assert a.output(sys.executable, FLOWS, "send", *argv) == str(pieces)
        links = json.loads(b.output("ip", "-j", "-s", "link", "show", "dev", peers.DEVICE))
        packets = links[0]["stats64"]["rx"]["packets"]
    assert packets < pieces * size / peers.MTU / 3
