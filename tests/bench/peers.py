# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tunnels that are compared: how each is started between two hosts of the lab, and what its
processes are. All have the same addresses inside and the same MTU."""

import dataclasses
import json
import os
import subprocess

from lab import KeyPair, wait_for

MTU = 1420          # inside; WireGuard's usual one
PORT = 51820
OUTSIDE = ("192.0.2.2", "192.0.2.1")   # of hosts a and b; see Lab.link()
INSIDE = ("10.8.0.1", "10.8.0.2")
VTEPS = ("10.9.0.1", "10.9.0.2")       # of ends that carry Ethernet
VXLAN = 50          # bytes of headers before an inner packet, over IPv4 (RFC 7348, 5)
DEVICE = "tun0"

# The most of a stream that the kernel gives the forwarder at once: 45 datagrams of 1452 bytes are
# what one send may have, 65507 bytes. The payload of each is 1368 bytes (with TCP's time stamps),
# and the kernel takes off another 321 for headers (sk_setup_caps() in its net/core/sock.c). Left
# to itself it gives 47, of which two go alone.
GSO_MAX_SIZE = 45 * 1368 + 321


@dataclasses.dataclass
class Tools:
    """The programs of a finished build."""
    build: str

    @property
    def culvert(self):
        return os.path.join(self.build, "src", "gateway", "culvert")

    @property
    def forwarder(self):
        return os.path.join(self.build, "tests", "bench", "forwarder")

    @property
    def flood(self):
        return os.path.join(self.build, "tests", "bench", "udp-flood")


class Peer:
    """A tunnel between the two hosts of `cable`: a context manager, within which it works."""

    title = ""
    program = None      # the executable's name, to find its processes
    addresses = INSIDE
    mtu = MTU

    def __init__(self, cable, tools):
        self.hosts = cable
        self.tools = tools
        self.processes = []
        self.routes = []

    def __enter__(self):
        try:
            self.start()
            wait_for(lambda: self.hosts[0].succeeds("ping", "-c1", "-W1", self.addresses[1]),
                     f"a packet through {self.title}", 20)
            self.choose_congestion_control()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception):
        self.stop()

    def start(self):
        """Starts both ends; nothing has to be through yet."""

    def stop(self):
        for host, address in self.routes:
            host.run("ip", "route", "delete", address, check=False)  # its device may be gone
        self.routes.clear()
        for host, process in self.processes:
            host.stop(process)
        self.processes.clear()

    def spawn(self, number, *argv, **kwargs):
        host = self.hosts[number]
        self.processes.append((host, host.spawn(*argv, log=type(self).__name__, **kwargs)))

    def wait_for_device(self, number):
        wait_for(lambda: self.hosts[number].succeeds("ip", "link", "show", DEVICE),
                 f"{self.title} to make its device; see {self.log_path(number)}")

    def log_path(self, number):
        return self.hosts[number].log_path(type(self).__name__)

    def bring_up(self, number):
        host = self.hosts[number]
        host.run("ip", "address", "add", f"{INSIDE[number]}/24", "dev", DEVICE)
        host.run("ip", "link", "set", DEVICE, "mtu", self.mtu, "up")

    def choose_congestion_control(self):
        """Of TCP, at both ends: a host may have another default. By the route, so that connections
        begin with it: what iperf3 is told (-C) comes after connect(), and where the default is BBR
        its pacing stays, which is a timer for each packet (Linux, tcp_bbr.c: bbr_init())."""
        for host, address in zip(self.hosts, reversed(self.addresses)):
            route, = json.loads(host.output("ip", "-json", "route", "get", address))
            host.run("ip", "route", "replace", address, "dev", route["dev"], "congctl", "cubic")
            self.routes.append((host, address))

    def pids(self):
        """The processes of both ends, as seen from here."""
        return [pid for host in self.hosts for pid in host.pids(self.program)]


class Veth(Peer):
    """No tunnel: the cable itself, with its MTU of 1500."""
    title = "raw veth"
    addresses = OUTSIDE

    def pids(self):
        return []


class Forwarder(Peer):
    title = "no crypto, all offloads"
    program = "forwarder"

    def start(self):
        for number in (0, 1):
            self.spawn(number, self.tools.forwarder, DEVICE, OUTSIDE[number], OUTSIDE[1 - number],
                       PORT)
            self.wait_for_device(number)
            self.bring_up(number)
            self.hosts[number].run("ip", "link", "set", DEVICE, "gso_max_size", GSO_MAX_SIZE)


class WireGuard(Peer):
    environment = {}

    def command(self, _number):
        return [self.program]

    def start(self):
        keys = [KeyPair.generate(), KeyPair.generate()]
        for number, host in enumerate(self.hosts):
            self.spawn(number, *self.command(number), "-f", DEVICE,
                       env={"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"} | self.environment)
            wait_for(lambda h=host: h.succeeds("wg", "show", DEVICE),
                     f"{self.title} to make its device; see {self.log_path(number)}")
            host.write("/run/lab/wg.conf", self._conf(keys[number], keys[1 - number], number),
                       mode=0o600)
            host.run("wg", "setconf", DEVICE, "/run/lab/wg.conf")
            self.bring_up(number)

    def _conf(self, own, other, number):
        return (f"[Interface]\nPrivateKey = {own.private}\nListenPort = {PORT}\n"
                f"[Peer]\nPublicKey = {other.public}\nAllowedIPs = {self.allowed_ips(number)}\n"
                f"Endpoint = {OUTSIDE[1 - number]}:{PORT}\n")

    def allowed_ips(self, _number):
        return "10.8.0.0/24"


class Culvert(WireGuard):
    title = "culvert"
    program = "culvert"

    def command(self, _number):
        return [self.tools.culvert]


class CulvertTap(Culvert):
    """IP over Ethernet, in VXLAN, in the same tunnel; so less fits into a packet."""
    title = "culvert, Ethernet"
    mtu = MTU - VXLAN

    def command(self, number):
        return [self.tools.culvert, "--tap", "--vtep", VTEPS[number]]

    def allowed_ips(self, number):
        return f"{VTEPS[1 - number]}/32"


class CulvertEvp(Culvert):
    title = "culvert, EVP only"
    environment = {"CULVERT_AEAD": "evp"}


class WireGuardGo(WireGuard):
    title = "wireguard-go"
    program = "wireguard-go"


class OpenVpn(Peer):
    """TLS with certificates made for this run, AES-256-GCM, no compression or fragmentation, large
    socket buffers and a longer queue. `--secret` knows no AES-GCM and is slower; see README.md."""
    title = "OpenVPN, AES-256-GCM"
    program = "openvpn"
    crypto = ("--cipher", "AES-256-GCM", "--data-ciphers", "AES-256-GCM")

    def start(self):
        fingerprints = [self._certificate(host) for host in self.hosts]
        for number in (0, 1):
            role = (["--tls-server", "--dh", "none"], ["--tls-client"])[number]
            self.run_openvpn(number, *role, *self.crypto, "--cert", "/run/lab/openvpn.crt",
                             "--key", "/run/lab/openvpn.key",
                             "--peer-fingerprint", fingerprints[1 - number])

    def run_openvpn(self, number, *argv):
        self.spawn(number, "openvpn", "--dev", DEVICE, "--dev-type", "tun", "--proto", "udp4",
                   "--local", OUTSIDE[number], "--remote", OUTSIDE[1 - number],
                   "--port", PORT, "--ifconfig", INSIDE[number], INSIDE[1 - number],
                   "--tun-mtu", MTU, "--mssfix", 0, "--fast-io", "--txqueuelen", 1000,
                   "--sndbuf", 4 << 20, "--rcvbuf", 4 << 20, "--verb", 3, *argv)

    @staticmethod
    def _certificate(host):
        """Makes a key and a certificate for it; returns the certificate's fingerprint."""
        host.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2, "-subj", "/CN=bench",
                 "-keyout", "/run/lab/openvpn.key", "-out", "/run/lab/openvpn.crt")
        return host.output("openssl", "x509", "-in", "/run/lab/openvpn.crt", "-noout",
                           "-fingerprint", "-sha256").partition("=")[2]


class OpenVpnStatic(OpenVpn):
    """With one key for ever, as NetworkManager-openvpn's connections of type static-key. Only when
    asked for by name."""
    title = "OpenVPN, static key"

    def start(self):
        key = subprocess.run(["openvpn", "--genkey", "secret", "/dev/stdout"], check=True,
                             capture_output=True, text=True).stdout
        for number, host in enumerate(self.hosts):
            host.write("/run/lab/openvpn.key", key, mode=0o600)
            self.run_openvpn(number, "--secret", "/run/lab/openvpn.key",
                             "--cipher", "AES-256-CBC")


# In the order of the table. The last are measured only when named.
PEERS = {
    "veth": Veth,
    "forwarder": Forwarder,
    "culvert": Culvert,
    "culvert-tap": CulvertTap,
    "culvert-evp": CulvertEvp,
    "wireguard-go": WireGuardGo,
    "openvpn": OpenVpn,
    "openvpn-static": OpenVpnStatic,
}
DEFAULT = [name for name in PEERS if name != "openvpn-static"]
