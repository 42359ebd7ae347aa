# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the seeds of tests/fuzz/corpus that are not text: packets and frames for segment,
coalesce, switch and vxlan, commands for datagram, and answers for names. Run it again after a
change: what is in the folders is what it wrote."""

import os
import struct

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

# <linux/virtio_net.h>
NEEDS_CSUM = 1
TCPV4, UDP_V3, TCPV6, UDP_L4 = 1, 3, 4, 5


def vnet(kind, header, size, transport_at, checksum_at, flags=NEEDS_CSUM):
    return struct.pack("<BBHHHH", flags, kind, header, size, transport_at, checksum_at)


def ipv4(protocol, payload, identity=1):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identity, 0x4000, 64, protocol,
                       0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])) + payload


def ipv6(protocol, payload):
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + bytes(15) + b"\1" \
        + bytes(15) + b"\2" + payload


def tcp(payload, sequence=1000, flags=0x10):
    return struct.pack(">HHIIBBHHH", 443, 50000, sequence, 7, 8 << 4, flags, 512, 0, 0) \
        + bytes.fromhex("0101080a0000000100000002") + payload


def udp(payload):
    return struct.pack(">HHHH", 443, 50000, 8 + len(payload), 0) + payload


def icmp(payload):
    return struct.pack(">BBHHH", 8, 0, 0, 1, 1) + payload


def ethernet(packet, *tags):
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86dd
    outer = b"".join(struct.pack(">HH", 0x8100 if tag == tags[-1] else 0x88a8, tag) for tag in tags)
    return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]) + outer + struct.pack(">H", kind) + packet


def vxlan(frame, flags=8, number=1):
    return udp_to(4789, struct.pack(">II", flags << 24, number << 8) + frame)


def udp_to(port, payload):
    return struct.pack(">HHHH", 50000, port, 8 + len(payload), 0) + payload


def arrives(port, later, frame):
    """See fuzz-switch.c."""
    return bytes([port, later, len(frame)]) + frame


def frame_from(source, destination):
    return bytes([2, 0, 0, 0, 0, destination, 2, 0, 0, 0, 0, source, 8, 6]) + bytes(46)


def dns(*records):
    """A response for “a.bc”, without the number that it begins with."""
    return struct.pack(">5H", 0x8180, 1, len(records), 0, 0) + b"\1a\2bc\0\0\1\0\1" + b"".join(
        name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for name, kind, data in records)


def after_length(packets):
    return b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)


SEEDS = {
    "segment/tcp4": vnet(TCPV4, 52, 100, 20, 16) + ipv4(6, tcp(bytes(350), flags=0x18)),
    "segment/tcp6": vnet(TCPV6, 72, 100, 40, 16) + ipv6(6, tcp(bytes(350), flags=0x19)),
    "segment/udp4": vnet(UDP_L4, 28, 60, 20, 6) + ipv4(17, udp(bytes(150))),
    "segment/udp6": vnet(UDP_L4, 48, 60, 40, 6) + ipv6(17, udp(bytes(150))),
    "segment/checksum": vnet(0, 0, 0, 20, 16) + ipv4(6, tcp(b"hello")),
    "segment/whole": vnet(0, 0, 0, 0, 0, flags=0) + ipv4(1, icmp(bytes(8))),
    "segment/frame-tcp4": vnet(TCPV4, 66, 100, 34, 16)
    + ethernet(ipv4(6, tcp(bytes(350), flags=0x18))),
    "segment/frame-tcp6-vlans": vnet(TCPV6, 94, 100, 62, 16)
    + ethernet(ipv6(6, tcp(bytes(350), flags=0x19)), 10, 20),
    "segment/frame-udp4-vlan": vnet(UDP_L4, 46, 60, 38, 6)
    + ethernet(ipv4(17, udp(bytes(150))), 10),
    "segment/frame-checksum": vnet(0, 0, 0, 34, 16) + ethernet(ipv4(6, tcp(b"hello"))),
    "coalesce/tcp4": after_length(
        [ipv4(6, tcp(bytes(100), 1000 + 100 * i, 0x10 if i < 3 else 0x18), i) for i in range(4)]
        + [ipv4(6, tcp(bytes(20), 1400), 4)]),
    "coalesce/tcp6": after_length([ipv6(6, tcp(bytes(100), 1000 + 100 * i)) for i in range(3)]),
    "coalesce/udp": after_length([ipv4(17, udp(bytes(60)), i) for i in range(3)]
                                 + [ipv4(17, udp(bytes(10)), 3), ipv6(17, udp(bytes(10)))]),
    "coalesce/mixed": after_length([ipv4(6, tcp(bytes(40), 1000)), ipv4(1, icmp(bytes(8))),
                                    ipv4(6, tcp(bytes(40), 1040)), ipv6(17, udp(bytes(1)))]),
    "coalesce/frames-tcp4": after_length(
        [ethernet(ipv4(6, tcp(bytes(100), 1000 + 100 * i), i), 10) for i in range(3)]
        + [ethernet(ipv4(6, tcp(b"", 1300), 3), 10) + bytes(6)]),
    "coalesce/frames-mixed": after_length(
        [ethernet(ipv6(17, udp(bytes(60))), *tags) for tags in ((), (), (10,), (10,), (10, 20))]
        + [ethernet(ipv4(1, icmp(bytes(8)))) + bytes(18), bytes(12) + b"\x08\x06" + bytes(46)]),
    "coalesce/empty": after_length([b""]),
    "vxlan/ipv4": ipv4(17, vxlan(ethernet(ipv4(17, udp(bytes(20)))))),
    "vxlan/ipv6": ipv6(17, vxlan(ethernet(ipv6(6, tcp(bytes(20))), 10))),
    "vxlan/marked": b"\x45\x03"
    + ipv4(17, vxlan(ethernet(b"\x45\x01" + ipv4(1, icmp(b""))[2:])))[2:],
    "vxlan/arp": ipv4(17, vxlan(frame_from(1, 2))),
    "switch/learn": arrives(1, 0, frame_from(1, 9)) + arrives(0, 1, frame_from(9, 1))
    + arrives(2, 1, frame_from(2, 1)),
    "switch/moves": arrives(1, 0, frame_from(1, 9)) + arrives(2, 200, frame_from(1, 9))
    + arrives(2, 200, frame_from(1, 9)) + arrives(0, 0, frame_from(9, 1)),
    "switch/groups": arrives(1, 0, b"\xff" * 6 + frame_from(1, 9)[6:])
    + arrives(0, 0, b"\x01\x80\xc2\0\0\0" + frame_from(9, 1)[6:]),
    "names/addresses": dns((b"\xc0\x0c", 1, bytes([192, 0, 2, 1])),
                           (b"\xc0\x0c", 1, bytes([192, 0, 2, 2]))),
    "names/alias": dns((b"\xc0\x0c", 5, b"\1x\xc0\x0c"),
                       (b"\1x\xc0\x0c", 1, bytes([192, 0, 2, 1]))),
    "names/none": dns(),
    # Bytes are commands: see step() in fuzz-datagram.c.
    "datagram/traffic": bytes([0, 1, 1, 0, 2, 0, 2, 1, 2, 2, 3, 0, 1, 0]),
    "datagram/rekeys": bytes([0, 3, 40, 0, 1, 3, 40, 1, 0, 3, 45, 0, 2, 3, 2, 9, 1]),
    "datagram/invented": b"".join(bytes([7, i & 1, 148 if kind == 1 else 92, kind, 0, 0, 0])
                                  for i, kind in enumerate((1, 2, 1, 2))),
}


def main():
    for name, data in SEEDS.items():
        with open(os.path.join(CORPUS, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
