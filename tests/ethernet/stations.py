# SPDX-License-Identifier: LGPL-2.1-or-later
"""Station: an interface that carries Ethernet on a host of the lab: the TAP device of culvert, or
the kernel's own vxlan device over wireguard-go; and what arrives there."""

import ipaddress
import json
import os

from ends import End
from lab import wait_for

FRAMES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "frames.py")

# Inside: the addresses of the stations. Those of the VXLAN's ends are another affair.
NETWORKS = ("10.9.0.0/24", "fd09::/64")
ENDS = {4: "10.8.0.{}", 6: "fd08::{:x}"}

# On a tunnel of 1420 bytes: RFC 7348's headers over IPv4 or IPv6.
MTU = {4: 1370, 6: 1350}

TYPE = "88b5"  # for local experiments (IEEE 802, 9.2)
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Station(End):
    """`number` makes its addresses: 10.9.0.number and fd09::number inside, and that of its end of
    the VXLAN, 10.8.0.number or fd08::number. It is in the network `vxlan`."""

    def __init__(self, host, program, number, family=4, vxlan=None, **kwargs):
        self.is_culvert = program == "culvert"
        super().__init__(host, program, number, device="tap0" if self.is_culvert else "wg0",
                         networks=NETWORKS, **kwargs)
        self.end = ENDS[family].format(number)
        self.vxlan = vxlan
        self.ethernet = "tap0" if self.is_culvert else "vx0"
        if self.is_culvert:
            self.options = ("--tap", "--vtep", self.end,
                            *(["--vxlan-id", str(vxlan)] if vxlan else []))

    def start(self, up=True):
        if self.is_culvert:
            super().start(up)
            return
        # The kernel's end of the VXLAN is an address of the tunnel; the stations' are on the VXLAN.
        inside, self.addresses = self.addresses, [str(ipaddress.ip_interface(self.end))]
        super().start(up)
        self.addresses = inside

    def add_peer(self, other, endpoint=None, allowed=None, psk=None, keepalive=None):
        """A kernel's station has but one peer."""
        allowed = allowed or str(ipaddress.ip_network(other.end))
        super().add_peer(other.public if isinstance(other, End) else other, endpoint, allowed, psk,
                         keepalive)
        if self.is_culvert:
            return
        self.ip("route", "replace", allowed, "dev", self.device)
        self.ip("link", "add", "vx0", "type", "vxlan", "id", self.vxlan or 1, "local", self.end,
                "remote", other.end, "dstport", 4789, "dev", self.device)
        for address in self.addresses:
            self.ip("address", "add", address, "dev", "vx0", *(["nodad"] if ":" in address else []))
        self.ip("link", "set", "vx0", "up")

    # ---- The interface

    def link(self):
        return json.loads(self.ip("-json", "link", "show", "dev", self.ethernet))[0]

    @property
    def mac(self):
        return self.link()["address"]

    def neighbours(self):
        """{address: MAC} of those that have answered."""
        found = json.loads(self.ip("-json", "neigh", "show", "dev", self.ethernet))
        return {one["dst"]: one["lladdr"] for one in found if "lladdr" in one}

    def forget_neighbours(self):
        self.ip("neigh", "flush", "dev", self.ethernet)

    # ---- Frames

    def send(self, to, payload, source=None, kind=TYPE, count=1):
        """A frame of that EtherType, or one with that in front of it."""
        head = to + (source or self.mac) + kind
        send_frames(self.host, self.ethernet, head.replace(":", "") + payload.encode().hex(), count)

    def listen(self, interface=None):
        return Listener(self.host, interface or self.ethernet)


def send_frames(host, interface, frame, count=1):
    host.run("/usr/bin/python3", FRAMES, "send", interface, frame, count)


class Listener:
    """What arrives at an interface from outside, of the EtherType for experiments and of any that
    switches keep to themselves. It listens when it is made."""

    serial = 0

    def __init__(self, host, interface):
        Listener.serial += 1
        self.host = host
        self.name = f"frames-{interface}-{Listener.serial}"
        self.process = host.spawn("/usr/bin/python3", FRAMES, "listen", interface, log=self.name)
        wait_for(lambda: "listening" in host.log(self.name), "frames.py to listen")

    def frames(self):
        """[(destination, source, type, payload), ...]"""
        lines = self.host.log(self.name).split("\n")[1:-1]  # behind the last, one is being written
        return [tuple(line.split(" ", 3)) for line in lines]

    def payloads(self):
        return [frame[3] for frame in self.frames()]

    def wait(self, payload):
        wait_for(lambda: payload in self.payloads(), f"“{payload}” to arrive at {self.name}")

    def stop(self):
        """Ends it; what has arrived, the payloads."""
        self.host.stop(self.process)
        return self.payloads()
