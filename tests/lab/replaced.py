# SPDX-License-Identifier: LGPL-2.1-or-later
"""README.md's table “Tunnels it replaces”: what its rows say, a .conf of one, and a conversation
that shows whether anybody on the way can read it."""

import dataclasses
import itertools
import os
import re
import sys

from .wait import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ETHERPING = os.path.join(HERE, "etherping.py")
README = os.path.join(HERE, "..", "..", "README.md")
INTERFACE_KEYS = ("Address", "ListenPort", "# Culvert: DeviceType")
PORT = 51820    # the gateway's
# The networks behind the gateway, and behind the profile's computer, with the address of a host.
SITES = ({"10.1.0.0/24": "10.1.0.2", "fd01::/64": "fd01::2"},
         {"10.2.0.0/24": "10.2.0.2", "fd02::/64": "fd02::2"})
PINGS = 3
MARKER = b"in the clear"

serial = itertools.count(1)


def texts(cell):
    """What stands there `like this`."""
    return re.findall(r"`([^`]+)`", cell)


def settings(cell):
    return dict(text.split(" = ") for text in texts(cell) if " = " in text)


def command(cell):
    """The program and its arguments, if the cell has them; () if not."""
    return next((tuple(text.split()) for text in texts(cell) if " = " not in text), ())


@dataclasses.dataclass(frozen=True)
class Row:
    """`kernel`: the names of the kernel's tunnels. `profile`, `gateway`: {key of a .conf: value}.
    `command`: the gateway's, if it has options."""
    title: str
    kernel: tuple
    profile: dict
    gateway: dict
    command: tuple


def section():
    with open(README, encoding="utf-8") as file:
        return re.search(r"\n## Tunnels it replaces\n(.*?)\n## ", file.read(), re.S)[1]


def rows():
    """{title: Row}"""
    found = {}
    for line in re.findall(r"^\| (.+) \|$", section(), re.M)[1:]:  # without the heads
        title, kernel, profile, gateway = line.split(" | ")
        found[title] = Row(title, tuple(texts(kernel)), settings(profile), settings(gateway),
                           command(gateway))
    return found


def conf(chosen, private, public):
    """A .conf of the settings, an end's own private key, and the other's public one."""
    interface = {"PrivateKey": private} | {k: v for k, v in chosen.items() if k in INTERFACE_KEYS}
    peer = {"PublicKey": public} | {k: v for k, v in chosen.items() if k not in INTERFACE_KEYS}
    return "".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
                   for section, values in (("Interface", interface), ("Peer", peer)))


def addresses(chosen):
    return re.findall(r"[^, ]+", chosen.get("Address", ""))


def prefixes(chosen):
    return re.findall(r"[^, ]+", chosen["AllowedIPs"])


def version(prefix):
    return 6 if ":" in prefix else 4


def configure(host, device, chosen, versions=(4, 6), namespace=None):
    """The addresses and routes of a .conf, as wg-quick(8) gives them to its interface."""
    ip = ["ip", *(["-n", namespace] if namespace else [])]
    for address in addresses(chosen):
        if version(address) in versions:
            host.run(*ip, "address", "add", address, "dev", device)
    host.run(*ip, "link", "set", device, "up")
    for prefix in prefixes(chosen):
        if version(prefix) in versions:
            host.run(*ip, "route", "replace", prefix, "dev", device)


def ask(host, targets, where=()):
    """Speaks to each address, from `where` (a command) on the host; how many packets that takes."""
    assert targets
    for target in targets:
        host.run(*where, "ping", "-c", PINGS, "-i", 0.1, "-w", 20, "-p", MARKER.hex(), target)
    return 2 * PINGS * len(targets)


def ask_in_frames(host, interface, other, other_interface):
    """The same as ask(), in Ethernet frames that are not IP's."""
    name = f"echo-{other_interface}-{next(serial)}"
    process = other.spawn(sys.executable, ETHERPING, "echo", other_interface, log=name)
    wait_for(lambda: "listening" in other.log(name), "the other end to listen")
    host.run(sys.executable, ETHERPING, "ask", interface, PINGS, MARKER.decode())
    other.stop(process)
    return 2 * PINGS


def readable(packets):
    """How many packets of the conversation can be read."""
    return sum(MARKER in packet.payload for packet in packets)
