# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TCP stream for a time. As a program, `stream.py sink ADDRESS PORT` waits for one, and prints
"listening" when it does; `stream.py send ADDRESS PORT SECONDS` sends, and prints how many bytes.
The sink compares each byte."""

import socket
import sys
import time

from bulk import pattern

PERIOD = 1 << 20  # of the pattern
PIECE = 1 << 16
PATIENCE = 60  # seconds without a byte, after which the stream is lost


def sink(address, port):
    expected = memoryview(pattern(PERIOD) + pattern(PERIOD)[:PIECE])
    buffer = memoryview(bytearray(PIECE))
    with socket.create_server((address, port)) as server:
        print("listening", flush=True)
        connection, _peer = server.accept()
    with connection:
        connection.settimeout(PATIENCE)
        got = 0
        while count := connection.recv_into(buffer):
            at = got % PERIOD
            if buffer[:count] != expected[at:at + count]:
                sys.exit(f"other bytes than were sent, after {got}")
            got += count
        connection.sendall(str(got).encode())


def send(address, port, seconds):
    data = pattern(PERIOD)
    sent, end = 0, time.monotonic() + seconds
    with socket.create_connection((address, port), timeout=PATIENCE) as connection:
        while time.monotonic() < end:
            connection.sendall(data)
            sent += len(data)
        connection.shutdown(socket.SHUT_WR)
        arrived = int(connection.makefile("rb").read() or b"-1")
    if arrived != sent:
        sys.exit(f"{sent} bytes were sent, {arrived} arrived")
    print(sent)


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        sink(sys.argv[2], int(sys.argv[3]))
    else:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
