# SPDX-License-Identifier: LGPL-2.1-or-later
"""Datagrams to a multicast group, many in one system call where the kernel can (UDP_SEGMENT,
udp(7)). As a program on a host:

    group.py listen ADDRESS SECONDS       prints "listening", then how many pieces arrived right
    group.py send ADDRESS                 sends them

ADDRESS is the host's own, of the interface to use."""

import hashlib
import socket
import sys

GROUP, PORT = "239.255.9.9", 9999
SIZE, COUNT = 1000, 40
SOL_UDP, UDP_SEGMENT = 17, 103


def pieces():
    return [hashlib.shake_128(f"{number}".encode()).digest(SIZE) for number in range(COUNT)]


def listen(address, seconds):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((GROUP, PORT))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        socket.inet_aton(GROUP) + socket.inet_aton(address))
        made.settimeout(float(seconds))
        print("listening", flush=True)
        expected, good = pieces(), 0
        while good < COUNT and made.recv(65536) == expected[good]:
            good += 1
        print(f"{good} arrived", flush=True)


def send(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        made.setsockopt(SOL_UDP, UDP_SEGMENT, SIZE)
        made.sendto(b"".join(pieces()), (GROUP, PORT))


if __name__ == "__main__":
    {"listen": listen, "send": send}[sys.argv[1]](*sys.argv[2:])
