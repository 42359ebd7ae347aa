# SPDX-License-Identifier: LGPL-2.1-or-later
"""A local network (LAN) behind a gateway that carries Ethernet to its WireGuard peers:

    router ---- gateway ==bridge== lan     a host with addresses and a DHCP server

The gateway is culvert as a switch, or wireguard-go with the kernel's vxlan devices."""

import dataclasses
import ipaddress
import sys

from lab import Conf, Gateway, Host, KeyPair, culvert, wait_for
from lab.lab import address_in

VNI = 42
VXLAN_PORT = 4789  # IANA's
VXLAN_OVERHEAD = {4: 50, 6: 70}  # RFC 7348's headers, over IPv4 or IPv6
TUNNEL_MTU = 1420  # WireGuard's usual one

# The LAN: its host, the desktop where it has addresses of its own, and what DHCP gives out.
LAN = {4: ipaddress.ip_interface("192.168.77.1/24"), 6: ipaddress.ip_interface("fd77::1/64")}
OWN = {4: ipaddress.ip_interface("192.168.77.9/24"), 6: ipaddress.ip_interface("fd77::9/64")}
LEASES = "192.168.77.100,192.168.77.150"

# Inside the tunnel: the gateway's end and the first peer's.
INSIDE = {4: "10.77.0.0/24", 6: "fd70::/64"}


# A router advertisement (RFC 4861, 4.2) with a prefix for addresses (4.6.2), from a raw socket.
ADVERTISE = """
import socket, struct
prefix = socket.inet_pton(socket.AF_INET6, "fd77::")
advert = (struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
          + struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 3600, 3600, 0, prefix))
out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
out.sendto(advert, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
"""


def inside(version, number):
    return address_in(INSIDE[version], number)


class Switch(Gateway):
    """culvert --tap: the interface itself carries Ethernet."""

    def __init__(self, name, out, stage, version):
        super().__init__(name, out, tunnel=())
        self.version = version
        self.program = (*culvert(stage), "--tap", "--vtep", str(inside(version, 1).ip),
                        "--vxlan-id", str(VNI))

    def start(self):
        super().start()
        mtu = TUNNEL_MTU - VXLAN_OVERHEAD[self.version]
        self.run("ip", "link", "set", self.device, "mtu", mtu, "master", "br0")

    def carry_to(self, number):
        """Nothing to do: culvert finds its peers' addresses itself."""

    def forget(self):
        self.forget_peers()


class Stock(Gateway):
    """wireguard-go, and one vxlan device of the kernel's for each peer."""

    def __init__(self, name, out, _stage, version):
        super().__init__(name, out, tunnel=(str(inside(version, 1)),))
        self.version = version

    def carry_to(self, number):
        self.sh(f"ip link add vx{number} type vxlan id {VNI} local {inside(self.version, 1).ip}"
                f" remote {inside(self.version, number).ip} dstport {VXLAN_PORT} dev {self.device}"
                f"\nip link set vx{number} master br0 up")

    def forget(self):
        self.forget_peers()
        for line in self.output("ip", "-o", "link", "show", "type", "vxlan").splitlines():
            self.run("ip", "link", "del", line.split(":")[1].strip().split("@")[0])


# A gateway's kind, and the family of the addresses inside the tunnel.
GATEWAYS = {"culvert": (Switch, 4), "culvert6": (Switch, 6),
            "stock": (Stock, 4), "stock6": (Stock, 6)}


@dataclasses.dataclass
class Site:
    name: str
    gateway: Gateway
    gateway_address: str
    lan: Host

    def conf(self, network, number=2, tap_address=None, **interface):
        """A .conf for a peer with this number inside the tunnel, which the gateway knows."""
        keys = KeyPair.generate()
        network.secrets.append(keys.private)
        version = self.gateway.version
        own, other = inside(version, number), inside(version, 1)
        self.gateway.add_peer(keys.public, f"{own.ip}/{own.max_prefixlen}")
        self.gateway.carry_to(number)
        settings = {"PrivateKey": keys.private, "Address": own, "# Culvert: DeviceType": "tap",
                    "# Culvert: VxlanId": VNI, "# Culvert: TapAddress": tap_address} | interface
        return Conf(**settings).peer(
            PublicKey=self.gateway.keys.public, Endpoint=f"{self.gateway_address}:51820",
            AllowedIPs=f"{other.ip}/{other.max_prefixlen}")

    def lan_mac(self):
        return self.lan.output("ip", "-br", "link", "show", "eth0").split()[2]

    def leases(self):
        """The addresses that the DHCP server has given out."""
        return [line.split()[2] for line in self.lan.read("/run/lab/leases").splitlines()]

    def advertise_router(self):
        """The LAN's host says that it is the router to everywhere, and in which network."""
        self.lan.run(sys.executable, "-c", ADVERTISE)


def add_site(network, stage, name, number):
    """A site whose uplink is 198.51.NUMBER.0/24. Its gateway is one of GATEWAYS."""
    lab, (kind, version) = network.lab, GATEWAYS[name]
    gateway = lab.add(kind(name, lab.out, stage, version))
    lan = lab.add_host(f"lan-{name}")
    lab.link(gateway, network.router, f"198.51.{number}.0/24", names=("wan0", name))
    lab.link(lan, gateway, names=("eth0", "lan0"))
    gateway.sh("ip link add br0 type bridge; ip link set lan0 master br0; ip link set br0 up")
    for address in LAN.values():
        lan.run("ip", "address", "add", address, "dev", "eth0",
                *(["nodad"] if address.version == 6 else []))
    gateway.start()
    serve_leases(lan)
    return Site(name, gateway, f"198.51.{number}.2", lan)


def serve_leases(lan):
    """A DHCP server, which says that it is the router to everywhere, and where names are asked."""
    lan.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
              "--user=root", "--pid-file=", "--log-facility=-", "--log-dhcp", "--interface=eth0",
              "--bind-dynamic", f"--dhcp-range={LEASES},2m", "--no-ping",
              "--dhcp-leasefile=/run/lab/leases", log="dhcp")
    wait_for(lambda: "DHCP, IP range" in lan.log("dhcp"), "the DHCP server")
