# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gateway: a host that runs WireGuard, Debian's wireguard-go or our own culvert, configured with
`wg` and `ip` as their documentation says."""

import ipaddress
import os

from .host import Host
from .wait import wait_for
from .wireguard import KeyPair

# A program that makes the interface named by its last argument and stays in the foreground.
WIREGUARD_GO = ("wireguard-go", "-f")


def culvert(stage):
    """The same for the culvert of an installation in a folder."""
    return (os.path.join(stage, "usr", "bin", "culvert"), "-f")


class Gateway(Host):
    """One WireGuard interface, `device`, with the addresses `tunnel` and any number of peers."""

    device = "wg0"

    def __init__(self, name, out, program=WIREGUARD_GO, port=51820,
                 tunnel=("10.8.0.1/24", "fd08::1/64")):
        super().__init__(name, out)
        self.program = program
        self.port = port
        self.keys = KeyPair.generate()
        self.tunnel = [ipaddress.ip_interface(address) for address in tunnel]
        self._peers = {}
        self._wireguard = None
        self._others = []

    # ---- The tunnel's other end

    def add_peer(self, public, allowed_ips, psk=None):
        self._peers[public] = (allowed_ips, psk)
        if self._wireguard:
            self._configure()

    def forget_peers(self):
        self._peers.clear()
        self._configure()

    def start(self):
        """Starts WireGuard; also used again after stop_wireguard()."""
        self._wireguard = self.spawn(*self.program, self.device, log="wireguard",
                                     env={"LOG_LEVEL": "verbose"})
        wait_for(lambda: self.succeeds("wg", "show", self.device),
                 f"{self.program[0]} to make {self.device}")
        self._configure()
        for address in self.tunnel:
            self.run("ip", "address", "add", address, "dev", self.device,
                     *(["nodad"] if address.version == 6 else []))
        self.run("ip", "link", "set", self.device, "mtu", 1420, "up")

    def stop_wireguard(self):
        self.stop(self._wireguard)
        self._wireguard = None

    def _configure(self):
        text = f"[Interface]\nPrivateKey = {self.keys.private}\nListenPort = {self.port}\n"
        for public, (allowed_ips, psk) in self._peers.items():
            text += f"[Peer]\nPublicKey = {public}\nAllowedIPs = {allowed_ips}\n"
            text += f"PresharedKey = {psk}\n" if psk else ""
        self.write("/run/lab/wg.conf", text, mode=0o600)
        self.run("wg", "syncconf", self.device, "/run/lab/wg.conf")

    def address(self, version):
        """The gateway's own address inside the tunnel."""
        return next(str(a.ip) for a in self.tunnel if a.version == version)

    # ---- What `wg` says

    def show(self, what):
        """{peer: [field, ...]} of `wg show wg0 WHAT`."""
        lines = self.output("wg", "show", self.device, what).splitlines()
        return {line.split("\t")[0]: line.split("\t")[1:] for line in lines}

    def handshake(self, public):
        """When the peer's last handshake was, seconds of Unix time; 0: never."""
        return int(self.show("latest-handshakes")[public][0])
