# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames byte by byte (packet(7)). As a program on a host:

    frames.py listen INTERFACE             prints each frame that arrives, after "listening"
    frames.py send INTERFACE HEX COUNT     sends a frame so many times, padded to 60 bytes

A line has the destination, the source, the type with any VLAN tags in front of it, and the payload
as ASCII, without padding. Left out is what a host's own IP sends all the time."""

import socket
import sys

ETH_P_ALL = 3
PACKET_OUTGOING = 4
# <linux/if_packet.h>: where the kernel puts a tag that it has taken out of the frame
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4
TAG = 0x8100
IP = {0x0800, 0x0806, 0x86dd}


def open_socket(interface):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.bind((interface, ETH_P_ALL))
    return made


def mac(data):
    return ":".join(f"{byte:02x}" for byte in data)


def tag_of(ancillary):
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status = int.from_bytes(data[:4], sys.byteorder)
            if status & TP_STATUS_VLAN_VALID:
                tci = int.from_bytes(data[16:18], sys.byteorder)
                return f"8100{tci:04x}"
    return ""


def listen(interface):
    with open_socket(interface) as made:
        made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        print("listening", flush=True)
        while True:
            frame, ancillary, _flags, address = made.recvmsg(65536, 256)
            at = 12
            while int.from_bytes(frame[at:at + 2], "big") == TAG:
                at += 4
            if (address[2] == PACKET_OUTGOING
                    or int.from_bytes(frame[at:at + 2], "big") in IP):
                continue
            kind = tag_of(ancillary) + frame[12:at + 2].hex()
            text = "".join(chr(byte) if 32 <= byte < 127 else "."
                           for byte in frame[at + 2:].rstrip(b"\0"))
            print(mac(frame[:6]), mac(frame[6:12]), kind, text, flush=True)


def send(interface, frame, count):
    with open_socket(interface) as made:
        for _ in range(int(count)):
            made.send(bytes.fromhex(frame).ljust(60, b"\0"))


if __name__ == "__main__":
    {"listen": listen, "send": send}[sys.argv[1]](*sys.argv[2:])
