# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recording: the IP packets that pass an interface, byte by byte; and which are WireGuard's."""

import dataclasses
import itertools
import os
import struct

from .wait import wait_for

# Neighbour discovery, and the memberships of multicast groups (behind a hop-by-hop header), are
# the link's own business.
EXPRESSION = ("ip or (ip6 and ip6[6] != 0 and not (icmp6 and ip6[40] >= 133 and ip6[40] <= 136))")

# The file of tcpdump: https://www.tcpdump.org/manpages/pcap-savefile.5.txt
FILE_HEADER, RECORD_HEADER, ETHERNET_HEADER = 24, 16, 14

UDP = 17    # IANA's protocol number
TYPES = range(1, 5)     # of WireGuard's messages
DATA = 4                # the one that carries packets


@dataclasses.dataclass(frozen=True)
class Packet:
    """`protocol` is what the IP header says that `payload` is."""
    protocol: int
    payload: bytes

    @classmethod
    def parse(cls, data):
        if data[0] >> 4 == 4:
            return cls(data[9], data[4 * (data[0] & 15):])
        return cls(data[6], data[40:])

    def message(self):
        """The type of this message of WireGuard; 0 if it is none."""
        if self.protocol != UDP or len(self.payload) < 12 or any(self.payload[9:12]):
            return 0
        return self.payload[8] if self.payload[8] in TYPES else 0


class Recording:
    """A context manager; it records from when it was entered."""

    numbers = itertools.count(1)

    def __init__(self, host, interface):
        self.host = host
        self.interface = interface
        self.name = f"recording-{next(Recording.numbers)}"
        self.process = None

    def __enter__(self):
        self.process = self.host.spawn(
            "tcpdump", "-i", self.interface, "-n", "-p", "-U", "--immediate-mode", "-Z", "root",
            "-w", self.path, EXPRESSION, log=self.name)
        wait_for(lambda: "listening on" in self.host.log(self.name), "tcpdump to listen")
        return self

    def __exit__(self, *_exception):
        self.host.stop(self.process)

    @property
    def path(self):
        return os.path.join(os.path.abspath(self.host.out), f"{self.host.name}-{self.name}.pcap")

    def packets(self):
        """Those until now."""
        with open(self.path, "rb") as file:
            data = file.read()
        found, position = [], FILE_HEADER
        while position + RECORD_HEADER <= len(data):
            (length,) = struct.unpack_from("=I", data, position + 8)
            position += RECORD_HEADER
            if position + length > len(data):
                break  # it is just being written
            found.append(Packet.parse(data[position + ETHERNET_HEADER:position + length]))
            position += length
        return found

    def wait(self, condition, count, what):
        """All packets, as soon as `count` of them fulfil the condition."""
        wait_for(lambda: sum(map(condition, self.packets())) >= count, f"{count} × {what}")
        return self.packets()

    def wait_for_wireguard(self, count):
        """All packets, as soon as `count` of WireGuard's carry something. There are no others."""
        packets = self.wait(lambda packet: packet.message() == DATA, count, "WireGuard's data")
        others = [packet for packet in packets if not packet.message()]
        assert not others, others
        return packets
