# SPDX-License-Identifier: LGPL-2.1-or-later
"""README.md's table “Tunnels it replaces”: what its rows say, and a .conf of one."""

import dataclasses
import os
import re

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
INTERFACE_KEYS = ("Address", "MTU", "ListenPort")
PORT = 51820    # the gateway's


def texts(cell):
    """What stands there `like this`."""
    return re.findall(r"`([^`]+)`", cell)


def settings(cell):
    return dict(text.split(" = ") for text in texts(cell))


@dataclasses.dataclass(frozen=True)
class Row:
    """`kernel`: the names of the kernel's tunnels. `profile`, `gateway`: {key of a .conf: value}"""
    title: str
    kernel: tuple
    profile: dict
    gateway: dict


def section():
    with open(README, encoding="utf-8") as file:
        return re.search(r"\n## Tunnels it replaces\n(.*?)\n## ", file.read(), re.S)[1]


def rows():
    """{title: Row}"""
    found = {}
    for line in re.findall(r"^\| (.+) \|$", section(), re.M)[1:]:  # without the heads
        title, kernel, profile, gateway = line.split(" | ")
        found[title] = Row(title, tuple(texts(kernel)), settings(profile), settings(gateway))
    return found


def conf(chosen, private, public):
    """A .conf of the settings, an end's own private key, and the other's public one."""
    interface = {"PrivateKey": private} | {k: v for k, v in chosen.items() if k in INTERFACE_KEYS}
    peer = {"PublicKey": public} | {k: v for k, v in chosen.items() if k not in INTERFACE_KEYS}
    return "".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
                   for section, values in (("Interface", interface), ("Peer", peer)))


def addresses(chosen):
    return re.split(r", *", chosen["Address"])


def prefixes(chosen):
    return re.split(r", *", chosen["AllowedIPs"])
