# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lab: the hosts of one experiment and the cables between them."""

import glob
import ipaddress
import os
import shutil
import subprocess
import tempfile

from .desktop import Desktop
from .gateway import Gateway
from .host import Host, LabError


class Lab:
    """A context manager: at its end nothing is left, except, if told so, the logs.

    `out` is the folder for the logs; without one they are in a temporary folder and removed
    with the lab."""

    def __init__(self, out=None):
        if os.geteuid() != 0:
            raise LabError("the lab makes network namespaces: run it as root")
        if not os.path.exists("/dev/net/tun"):
            raise LabError("there is no /dev/net/tun: load the kernel's module tun")
        self._temporary = tempfile.mkdtemp(prefix="culvert-lab-") if out is None else None
        self.out = str(out or self._temporary)
        os.makedirs(self.out, exist_ok=True)
        for old in glob.glob(os.path.join(glob.escape(self.out), "*.log")):
            os.unlink(old)
        self.hosts = []

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def close(self):
        while self.hosts:
            self.hosts.pop().close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def add(self, host):
        """Also one of a test's own kind, which ends with the lab."""
        self.hosts.append(host)
        return host

    def add_host(self, name):
        return self.add(Host(name, self.out))

    def add_desktop(self, name, stage):
        return self.add(Desktop(name, self.out, stage))

    def add_gateway(self, name, **kwargs):
        return self.add(Gateway(name, self.out, **kwargs))

    def link(self, a, b, *networks, names=("wan0", "wan0")):
        """A cable between two hosts. In each of `networks`, like "192.0.2.0/24", `b` gets the
        first address, and `a` the second and a default route to `b`. A Desktop's NetworkManager
        configures its own end."""
        # Both ends are made inside: the cable is never seen on the machine itself.
        subprocess.run(["nsenter", f"--net=/proc/{a.pid}/ns/net", "ip", "link", "add", names[0],
                        "type", "veth", "peer", "name", names[1], "netns", str(b.pid)], check=True)
        first, second = ([address_in(network, n) for network in networks] for n in (1, 2))
        b.connect(names[1], first, [])
        a.connect(names[0], second, first)


def address_in(network, number):
    """The address with this number, and the prefix length, of a network."""
    network = ipaddress.ip_network(network)
    return ipaddress.ip_interface(f"{network[number]}/{network.prefixlen}")
