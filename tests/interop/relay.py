# SPDX-License-Identifier: LGPL-2.1-or-later
"""A line with faults. As a program, `relay.py LISTEN TARGET FAULTS SEED` passes datagrams that
arrive at the address and port LISTEN on to TARGET, and back, and does to each of them what FAULTS
says, a list of NAME=PERCENT with commas between:

    loss       it does not arrive
    double     it arrives twice
    late       it arrives after the next few
    damage     a bit of it is another one
    cut        its end is missing

On SIGTERM it prints what it did, as JSON."""

import json
import random
import select
import signal
import socket
import sys

# As many datagrams overtake one that is late, at the most.
OVERTAKE = 8


def parse(address):
    host, _colon, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Line:
    """One direction."""

    def __init__(self, faults, dice, send):
        self.faults, self.dice, self.send = faults, dice, send
        self.late = []  # [datagrams still to overtake it, datagram]
        self.counts = {name: 0 for name in ("datagrams", *faults)}

    def happens(self, fault):
        if self.dice.random() * 100 >= self.faults.get(fault, 0):
            return False
        self.counts[fault] += 1
        return True

    def damaged(self, data):
        bit = self.dice.randrange(len(data) * 8)
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    def take(self, data):
        self.counts["datagrams"] += 1
        if self.happens("loss"):
            return
        if self.happens("damage"):
            data = self.damaged(data)
        if self.happens("cut"):
            data = data[:self.dice.randrange(len(data))]
        if self.happens("late"):
            self.late.append([self.dice.randint(1, OVERTAKE), data])
            return
        self.send(data)
        if self.happens("double"):
            self.send(data)
        self.overtaken()

    def overtaken(self):
        for entry in self.late:
            entry[0] -= 1
        for _left, data in [entry for entry in self.late if entry[0] <= 0]:
            self.send(data)
        self.late = [entry for entry in self.late if entry[0] > 0]

    def idle(self):
        """Nothing comes to overtake what is late."""
        for _left, data in self.late:
            self.send(data)
        self.late.clear()


def main(listen, target, faults, seed):
    faults = {name: float(percent) for name, percent in
              (fault.split("=") for fault in faults.split(","))}
    dice = random.Random(int(seed))
    near, far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    near.bind(parse(listen))
    far.connect(parse(target))
    caller = [None]
    out = Line(faults, dice, far.send)
    back = Line(faults, dice, lambda data: near.sendto(data, caller[0]))

    def report(*_signal):
        print(json.dumps({"out": out.counts, "back": back.counts}), flush=True)
        sys.exit()
    signal.signal(signal.SIGTERM, report)
    print("listening", flush=True)
    while True:
        ready, _, _ = select.select([near, far], [], [], 0.01)
        if near in ready:
            data, caller[0] = near.recvfrom(1 << 16)
            out.take(data)
        if far in ready:
            try:
                back.take(far.recv(1 << 16))
            except ConnectionRefusedError:
                pass  # the far end is not there just now
        if not ready:
            out.idle()
            back.idle()


if __name__ == "__main__":
    main(*sys.argv[1:])
