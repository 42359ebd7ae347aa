# SPDX-License-Identifier: LGPL-2.1-or-later
"""One TCP transfer, measured. As a program, `bulk.py sink ADDRESS PORT BYTES` waits for it,
and prints "listening" when it does; `bulk.py send ADDRESS PORT BYTES` sends and prints the
seconds until the last byte had arrived. The sink compares each byte."""

import hashlib
import socket
import sys
import time


def pattern(size):
    """`size` bytes without repetition that could hide a lost or doubled packet."""
    return hashlib.shake_128(b"culvert").digest(size)


def sink(address, port, size):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    expected = pattern(size)
    with socket.create_server((address, port), family=family) as server:
        print("listening", flush=True)
        connection, _peer = server.accept()
    with connection:
        received = bytearray(size)
        view, got = memoryview(received), 0
        while got < size and (count := connection.recv_into(view[got:])):
            got += count
        connection.sendall(b".")
        connection.sendall(b"same" if received == expected else b"different")


def send(address, port, size):
    data = pattern(size)
    with socket.create_connection((address, port), timeout=50) as connection:
        start = time.monotonic()
        connection.sendall(data)
        connection.recv(1)
        seconds = time.monotonic() - start
        verdict = connection.makefile("rb").read()
    if verdict != b"same":
        sys.exit("the bytes that arrived are not those that were sent")
    print(f"{seconds:.6f}")


if __name__ == "__main__":
    {"sink": sink, "send": send}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
