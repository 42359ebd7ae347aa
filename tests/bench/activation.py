# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long `nmcli connection up` takes until NetworkManager has activated the connection, its
gateway being one cable away: culvert's, and an OpenVPN connection with a static key, which has no
handshake to wait for."""

import os
import subprocess
import tempfile
import time

from lab import Conf, KeyPair, Lab, culvert, stage, wait_for

import search

GATEWAY = "192.0.2.1"
OPENVPN_KEY = "/run/lab/openvpn.key"
REPEATS = 5
PEERS = ("culvert", "openvpn")   # see peers.py; wireguard-go has no plugin


class Network:
    """A desktop with a connection for each of PEERS, and their gateways on one host."""

    def __init__(self, lab, build, folder):
        staged = stage.install(build, os.path.join(folder, "stage"))
        self.desktop = lab.add_desktop("desktop", staged)
        self.gateway = lab.add_gateway("gateway", program=culvert(staged))
        lab.link(self.desktop, self.gateway, "192.0.2.0/24")
        self.gateway.start()
        self.desktop.start()
        self._add_culvert(folder)
        self._add_openvpn()

    def _add_culvert(self, folder):
        keys = KeyPair.generate()
        self.gateway.add_peer(keys.public, "10.8.0.2")
        conf = Conf(PrivateKey=keys.private, Address="10.8.0.2/24").peer(
            PublicKey=self.gateway.keys.public, Endpoint=f"{GATEWAY}:51820",
            AllowedIPs="10.8.0.0/24")
        self.desktop.nmcli("connection", "import", "type", "culvert",
                           "file", conf.save(os.path.join(folder, "culvert.conf")))

    def _add_openvpn(self):
        key = subprocess.run(["openvpn", "--genkey", "secret", "/dev/stdout"], check=True,
                             capture_output=True, text=True).stdout
        for host in (self.desktop, self.gateway):
            host.write(OPENVPN_KEY, key)
        self.gateway.spawn("openvpn", "--dev", "tun1", "--proto", "udp4", "--local", GATEWAY,
                           "--port", 1194, "--ifconfig", "10.9.0.1", "10.9.0.2",
                           "--secret", OPENVPN_KEY, "--cipher", "AES-256-CBC",
                           log="openvpn")
        wait_for(lambda: "UDPv4 link remote" in self.gateway.log("openvpn"),
                 "OpenVPN to listen; see its log")
        settings = {"connection-type": "static-key", "remote": f"{GATEWAY}:1194",
                    "static-key": OPENVPN_KEY, "cipher": "AES-256-CBC",
                    "local-ip": "10.9.0.2", "remote-ip": "10.9.0.1", "dev-type": "tun"}
        argv = [word for key, value in settings.items()
                for word in ("+vpn.data", f"{key}={value}")]
        self.desktop.nmcli("connection", "add", "type", "vpn", "con-name", "openvpn",
                           "vpn-type", "openvpn", "ipv4.never-default", "yes", "--", *argv)

    def milliseconds(self, name):
        """One activation. nmcli itself returns when the connection is activated."""
        start = time.monotonic()
        self.desktop.nmcli("--wait", 30, "connection", "up", name)
        taken = (time.monotonic() - start) * 1e3
        self.desktop.nmcli("connection", "down", name)
        programs = {"culvert": "nm-culvert-service", "openvpn": "openvpn"}
        wait_for(lambda: not self.desktop.pids(programs[name]), f"{name} to end")
        return taken


def activation(build, names, rounds, out):
    """{peer: {"activation_ms": [value of each round]}}, each the median of REPEATS."""
    results = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="culvert-bench-") as folder, Lab(out) as lab:
        network = Network(lab, build, folder)
        for name in names:  # once for nothing: programs come from the disk
            network.milliseconds(name)
        for _ in range(rounds):
            times = {name: [] for name in names}
            for _ in range(REPEATS):
                for name in names:
                    times[name].append(network.milliseconds(name))
            for name in names:
                results[name].append(search.median(times[name]))
    return {name: {"activation_ms": values} for name, values in results.items()}
