# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stranger on the network, run as a program on its host:

    hostile.py noise TARGET PORT COUNT SEED       datagrams of every type and length, none authentic
    hostile.py flood TARGET PORT SECONDS KEY      bursts of initiations with a right first MAC, at
                                                  most that long, until SIGTERM
    hostile.py listen INTERFACE FILE COUNT        keeps what passes: sessions' datagrams
    hostile.py replay FILE TARGET PORT SEED       sends them again, as they were and changed

Each ends with a line of JSON: how many datagrams were sent, and what came back."""

import base64
import hashlib
import json
import random
import select
import signal
import socket
import struct
import sys
import time

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
SIZES = {INITIATION: 148, RESPONSE: 92, COOKIE: 64}
MAC = 16


def mac1(message, public):
    """With its first MAC, which the receiver's public key is enough for (paper, 5.4.4)."""
    key = hashlib.blake2s(b"mac1----" + public).digest()
    covered = message[:-2 * MAC]
    return covered + hashlib.blake2s(covered, key=key, digest_size=MAC).digest() + bytes(MAC)


class Sender:
    def __init__(self, target, port):
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.socket.connect((target, port))  # so that ICMP errors are told
        self.result = {"sent": 0, "bytes_sent": 0, "replies": 0, "bytes_back": 0, "errors": 0,
                       "types": []}

    def send(self, data):
        try:
            self.socket.send(data)
        except ConnectionRefusedError:  # an ICMP error, for an earlier one
            self.result["errors"] += 1
            return
        self.result["sent"] += 1
        self.result["bytes_sent"] += len(data)

    def drain(self, patience=0.0):
        while select.select([self.socket], [], [], patience)[0]:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionRefusedError:
                self.result["errors"] += 1
                continue
            self.result["replies"] += 1
            self.result["bytes_back"] += len(data)
            if len(data) and data[0] not in self.result["types"]:
                self.result["types"].append(data[0])

    def done(self):
        self.drain(0.5)
        print(json.dumps(self.result))


def random_message(chance):
    """Mostly well-formed at first sight."""
    kind = chance.choice((INITIATION, RESPONSE, COOKIE, DATA, DATA, chance.randrange(256)))
    size = SIZES.get(kind, 32 + 16 * chance.randrange(90))
    if chance.random() < 0.3:
        size = chance.randrange(0, 300)
    if chance.random() < 0.01:
        size = chance.randrange(1400, 65000)
    data = bytearray(chance.randbytes(size))
    data[:4] = struct.pack("<I", kind)[:len(data)]
    if chance.random() < 0.05 and len(data) > 3:
        data[chance.randrange(1, 4)] = chance.randrange(256)
    return bytes(data)


def noise(target, port, count, seed):
    sender, chance = Sender(target, int(port)), random.Random(int(seed))
    for number in range(int(count)):
        sender.send(random_message(chance))
        if number % 256 == 0:
            sender.drain()
    sender.done()


def flood(target, port, seconds, key):
    sender, public = Sender(target, int(port)), base64.b64decode(key)
    asked_to_end = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.append(True))
    chance = random.Random(1)
    messages = [mac1(struct.pack("<I", INITIATION) + chance.randbytes(144), public)
                for _ in range(3000)]
    end = time.monotonic() + float(seconds)
    print("flooding", flush=True)
    while time.monotonic() < end and not asked_to_end:
        for message in messages:
            sender.send(message)
        sender.drain(0.2)
    sender.done()


# ---- What others have said

def payload(packet):
    """Of a UDP datagram in an IPv4 packet, which the tests of this have outside."""
    header = (packet[0] & 15) * 4
    if not packet or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP or len(packet) < header + 8:
        return None
    return packet[header + 8:]


def listen(interface, path, count):
    every = 0x0003  # ETH_P_ALL: of packets on their way out, too
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(every))
    wire.bind((interface, every))
    print("listening", flush=True)
    found = []
    while len(found) < int(count):
        data = payload(wire.recv(1 << 16))
        if data and data[0] in (INITIATION, RESPONSE, COOKIE, DATA):
            found.append(data.hex())
    with open(path, "w", encoding="ascii") as file:
        json.dump(found, file)
    print(json.dumps({"kept": len(found)}))


def changes(data, chance):
    """The datagram with each byte changed, at each length less, and with more behind it."""
    for position in range(min(len(data), 160)):
        changed = bytearray(data)
        changed[position] ^= 1 << chance.randrange(8)
        yield bytes(changed)
    for length in range(0, min(len(data), 200)):
        yield data[:length]
    for extra in (1, 15, 16, 100, 1400, 60000):
        yield data + bytes(extra)


def replay(path, target, port, seed):
    sender, chance = Sender(target, int(port)), random.Random(int(seed))
    with open(path, encoding="ascii") as file:
        heard = [bytes.fromhex(data) for data in json.load(file)]
    for order in (heard, heard[::-1], chance.sample(heard, len(heard))):
        for data in order:
            sender.send(data)
        sender.drain(0.05)
    for data in heard:
        for changed in changes(data, chance):
            sender.send(changed)
        sender.drain(0.01)
    sender.done()


if __name__ == "__main__":
    {"noise": noise, "flood": flood, "listen": listen, "replay": replay}[sys.argv[1]](*sys.argv[2:])
