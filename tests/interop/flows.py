# SPDX-License-Identifier: LGPL-2.1-or-later
"""Traffic whose every byte is checked. Run as a program on both hosts:

    flows.py sink KIND ADDRESS PORT FLOWS SIZE COUNT     says "listening" when it does
    flows.py send KIND ADDRESS PORT FLOWS SIZE COUNT     prints how many arrived as they were sent

KIND tcp: FLOWS connections at once with COUNT pieces of SIZE bytes each. KIND udp: FLOWS sockets,
each sends COUNT datagrams of SIZE bytes, a window at a time, and gets each back. KIND order: FLOWS
sockets, each sends COUNT numbered datagrams of SIZE bytes; some are answered. Prints how many
arrived before one with a lower number of their flow, and how many arrived at all."""

import hashlib
import os
import socket
import sys
import threading

WINDOW = 64  # datagrams under way, of all flows: wireguard-go's socket has not much room
WINDOW_BYTES = 1 << 16  # a socket's buffer holds more by default, with all its overhead
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python has no name for it
TIMEOUT = int(os.environ.get("FLOWS_TIMEOUT", "20"))  # seconds without any progress
LOSS_TIMEOUT = 2  # how long a datagram is waited for


def piece(flow, number, size):
    """Bytes that no other piece has."""
    return hashlib.shake_128(f"{flow}/{number}".encode()).digest(size)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def threads(jobs):
    running = [threading.Thread(target=job) for job in jobs]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


# ---- TCP

def read_exactly(connection, size):
    data = bytearray()
    while len(data) < size and (more := connection.recv(min(size - len(data), 1 << 16))):
        data += more
    return bytes(data)


def tcp_sink(address, port, flows, size, count):
    def take(connection):
        with connection:
            flow = int.from_bytes(read_exactly(connection, 4), "big")
            good = sum(read_exactly(connection, size) == piece(flow, number, size)
                       for number in range(count))
            connection.sendall(good.to_bytes(4, "big"))

    with socket.create_server((address, port), family=family(address), backlog=flows) as server:
        server.settimeout(TIMEOUT)
        print("listening", flush=True)
        connections = [server.accept()[0] for _ in range(flows)]
    for connection in connections:
        connection.settimeout(TIMEOUT)
    threads([lambda c=connection: take(c) for connection in connections])


def tcp_send(address, port, flows, size, count):
    arrived = [0] * flows

    def give(flow):
        with socket.socket(family(address), socket.SOCK_STREAM) as connection:
            # Not the system's choice: bbr needs seconds to find out how fast it may be.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
            connection.settimeout(TIMEOUT)
            connection.connect((address, port))
            connection.sendall(flow.to_bytes(4, "big"))
            for number in range(count):
                connection.sendall(piece(flow, number, size))
            arrived[flow] = int.from_bytes(read_exactly(connection, 4), "big")

    threads([lambda f=flow: give(f) for flow in range(flows)])
    print(sum(arrived))


# ---- UDP

def listening(address, port):
    sink = socket.socket(family(address), socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    sink.bind((address, port))
    sink.settimeout(TIMEOUT)
    print("listening", flush=True)
    return sink


def udp_sink(address, port, flows, size, count):
    with listening(address, port) as sink:
        while True:
            data, sender = sink.recvfrom(1 << 16)
            if not data:
                break
            sink.sendto(data, sender)


def udp_send(address, port, flows, size, count):
    arrived = [0] * flows

    def give(flow):
        with socket.socket(family(address), socket.SOCK_DGRAM) as connection:
            connection.settimeout(LOSS_TIMEOUT)
            connection.connect((address, port))
            late = set()
            step = max(1, min(WINDOW // flows, WINDOW_BYTES // size))
            for first in range(0, count, step):
                window = [piece(flow, number, size)
                          for number in range(first, min(first + step, count))]
                for data in window:
                    connection.send(data)
                receive(connection, set(window), late)
            arrived[flow] = count - len(late)

    threads([lambda f=flow: give(f) for flow in range(flows)])
    with socket.socket(family(address), socket.SOCK_DGRAM) as connection:
        connection.sendto(b"", (address, port))
    print(sum(arrived))


def receive(connection, window, late):
    """Until all have come, or none for a while: then those are lost, or late."""
    try:
        while window:
            data = connection.recv(1 << 16)
            # KeyError: changed or doubled on its way
            (window if data in window else late).remove(data)
    except TimeoutError:
        late |= window


# ---- Order

def order_sink(address, port, flows, size, count):
    with listening(address, port) as sink:
        last, overtaken, arrived = {}, 0, 0
        while True:
            data, sender = sink.recvfrom(1 << 16)
            number = int.from_bytes(data[:8], "big")
            if number == 0:
                break
            overtaken += number < last.get(sender, 0)
            last[sender] = max(number, last.get(sender, 0))
            arrived += 1
            if number % 50 == 7:
                sink.sendto(data, sender)
        sink.sendto(f"{overtaken} {arrived}".encode(), sender)


def order_send(address, port, flows, size, count):
    sockets = [socket.socket(family(address), socket.SOCK_DGRAM) for _ in range(flows)]
    for connection in sockets:
        connection.connect((address, port))
    for number in range(1, count + 1):
        for connection in sockets:
            connection.send(number.to_bytes(8, "big").ljust(size, b"."))
    with socket.socket(family(address), socket.SOCK_DGRAM) as connection:
        connection.settimeout(LOSS_TIMEOUT)
        connection.connect((address, port))
        for _ in range(TIMEOUT // LOSS_TIMEOUT):
            connection.send(bytes(8))
            try:
                print(connection.recv(100).decode())
                break
            except TimeoutError:
                continue  # lost, where so much else was


def main(role, kind, address, *numbers):
    {("sink", "tcp"): tcp_sink, ("send", "tcp"): tcp_send,
     ("sink", "udp"): udp_sink, ("send", "udp"): udp_send,
     ("sink", "order"): order_sink, ("send", "order"): order_send}[role, kind](
         address, *map(int, numbers))


if __name__ == "__main__":
    main(*sys.argv[1:])
