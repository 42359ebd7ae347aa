# SPDX-License-Identifier: LGPL-2.1-or-later
"""What leaves a desktop beside its tunnel: programs that talk there, and what its router sees."""

import contextlib
import itertools
import json
import os
import re
import sys

from .wait import wait_for

CHATTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chatter.py")

# What a gateway's datagrams look like: types 1 to 4, then three zeros.
TUNNELLED = ("(udp and ((ip and udp[8:4] & 0xf8ffffff = 0 and udp[8] != 0)"
             " or (ip6 and ip6[48:4] & 0xf8ffffff = 0 and ip6[48] != 0)))")
# Neighbour discovery, and the memberships of multicast groups (behind a hop-by-hop header).
LINK = "(arp or (icmp6 and ip6[40] >= 133 and ip6[40] <= 136) or (ip6 and ip6[6] = 0))"


class Outgoing:
    """What the router sees of the desktop on their cables, whose ends have the same name."""

    numbers = itertools.count(1)

    def __init__(self, desktop, router, cables):
        self.router = router
        self._files, self._programs = {}, []  # {file: the desktop's address on that cable}
        for cable in cables:
            link, = json.loads(desktop.output("ip", "-j", "link", "show", cable))
            name = f"tcpdump-{next(Outgoing.numbers)}"
            file = f"/run/lab/{name}.pcap"
            self._files[file] = link["address"]
            self._programs.append(router.spawn("tcpdump", "-i", cable, "-n", "-U",
                                               "--immediate-mode", "-s", "128", "-w", file,
                                               log=name))
            wait_for(lambda log=name: "listening on" in router.log(log), "tcpdump to listen")

    def read(self, expression):
        """[(time, line)] of the desktop's packets that match until now."""
        found = []
        for file, mac in self._files.items():
            result = self.router.run("tcpdump", "-n", "-tt", "-r", file,
                                     f"ether src {mac} and ({expression})", check=False)
            found += re.findall(r"^(\d+\.\d+) (.*)$", result.stdout, re.M)
        return sorted((float(when), line) for when, line in found)

    def clear(self, since=0.0):
        """What neither went to a gateway, encrypted, nor concerns the link alone."""
        return [(when, line) for when, line in self.read(f"not {TUNNELLED} and not {LINK}")
                if when > since]

    def first_tunnelled(self):
        packets = self.read(TUNNELLED)
        return packets[0][0] if packets else None

    def stop(self):
        for program in self._programs:
            self.router.stop(program)
        self.router.run("rm", "-f", *self._files)


@contextlib.contextmanager
def outgoing(desktop, router, *cables):
    made = Outgoing(desktop, router, cables)
    try:
        yield made
    finally:
        made.stop()


class Chatter:
    """Programs that talk on the desktop, to `addresses`: by its routes, and also past them, out of
    `devices`."""

    def __init__(self, desktop, addresses, devices):
        self.desktop = desktop
        with contextlib.suppress(FileNotFoundError):
            os.unlink(desktop.log_path("chatter"))
        self._program = desktop.spawn(sys.executable, CHATTER, ",".join(devices), *addresses,
                                      log="chatter")

    def rounds(self):
        return int((self.desktop.log("chatter").split() or ["0"])[-1])

    def go_on(self):
        """Waits until they have said a good deal more."""
        enough = self.rounds() + 200
        wait_for(lambda: self.rounds() >= enough, "programs to talk", 30)

    def stop(self):
        self.desktop.stop(self._program)


@contextlib.contextmanager
def chatter(desktop, addresses, devices=()):
    made = Chatter(desktop, addresses, devices)
    try:
        yield made
    finally:
        made.stop()
