# SPDX-License-Identifier: LGPL-2.1-or-later
"""A conversation in Ethernet frames that are not IP's (packet(7)). As a program, `etherping.py echo
INTERFACE` answers, and says "listening" when it does; `etherping.py ask INTERFACE COUNT TEXT` asks
everybody COUNT times, and fails unless each time somebody sends the text back."""

import socket
import sys

TYPE = 0x88b5   # for local experiments, IEEE Std 802
BROADCAST = b"\xff" * 6
PATIENCE = 20   # seconds for each answer


def open_socket(interface):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(TYPE))
    made.bind((interface, TYPE))
    return made


def echo(interface):
    with open_socket(interface) as frames:
        print("listening", flush=True)
        while True:
            text, (_interface, _type, _kind, _hardware, source) = frames.recvfrom(65536)
            frames.sendto(text, (interface, TYPE, 0, 0, source))


def ask(interface, count, text):
    text = text.encode().ljust(46, b".")    # so much makes the shortest frame
    with open_socket(interface) as frames:
        frames.settimeout(PATIENCE)
        for _ in range(int(count)):
            frames.sendto(text, (interface, TYPE, 0, 0, BROADCAST))
            answer = frames.recv(65536)
            if answer != text:
                sys.exit(f"another answer: {answer}")


if __name__ == "__main__":
    {"echo": echo, "ask": ask}[sys.argv[1]](*sys.argv[2:])
