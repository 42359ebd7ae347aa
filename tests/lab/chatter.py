# SPDX-License-Identifier: LGPL-2.1-or-later
"""A computer's programs, which talk all the time, whatever the network is like. As a program,
`chatter.py DEVICES ADDRESS...` sends to each address over and over, by its routes and past them,
out of each of DEVICES, which have commas between them and may be none: UDP, DNS, TCP and ping.
Every 100 rounds it prints how many there were."""

import contextlib
import itertools
import socket
import struct
import sys
import time

PAUSE = 0.01  # seconds between two rounds
MARK = b"this is clear text"
# Echo requests of ICMP and ICMPv6, the checksum of the latter is the kernel's.
PING = {4: struct.pack("!BBHHH", 8, 0, 0xF7FD, 1, 1), 6: struct.pack("!BBHHH", 128, 0, 0, 1, 1)}
# Asks for the address of “clear.example”.
QUERY = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\5clear\7example\0" + struct.pack("!2H", 1, 1)


def sockets(version, devices):
    """(socket, payload, port), with and without a device to leave by."""
    family, icmp = {4: (socket.AF_INET, socket.IPPROTO_ICMP),
                    6: (socket.AF_INET6, socket.IPPROTO_ICMPV6)}[version]
    for device in (None, *devices):
        for kind, protocol, payload, port in ((socket.SOCK_DGRAM, 0, MARK, 9),
                                              (socket.SOCK_DGRAM, 0, QUERY, 53),
                                              (socket.SOCK_RAW, icmp, PING[version], 0)):
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            if device:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            yield made, payload, port


def connect(address):
    """One SYN."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made, contextlib.suppress(OSError):
        made.setblocking(False)
        made.connect((address, 80))


def talk(devices, addresses):
    ways = {version: list(sockets(version, devices)) for version in (4, 6)}
    for count in itertools.count(1):
        for address in addresses:
            for made, payload, port in ways[6 if ":" in address else 4]:
                with contextlib.suppress(OSError):
                    made.sendto(payload, (address, port))
            connect(address)
        if count % 100 == 0:
            print(count, flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    talk([device for device in sys.argv[1].split(",") if device], sys.argv[2:])
