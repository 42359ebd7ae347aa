# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laboratory: hosts in namespaces of their own, one of them a desktop with the real
NetworkManager, another a WireGuard gateway. Nothing of it is visible on the machine that runs it,
and all of it ends with the program that started it.

    with Lab() as lab:
        desktop = lab.add_desktop("desktop", stage=...)
        gateway = lab.add_gateway("gateway")
        lab.link(desktop, gateway, v4="192.0.2.0/24", v6="2001:db8::/64")
        desktop.start(); gateway.start()
        desktop.nmcli("connection", "import", "type", "culvert", "file", "office.conf")

lab.py: Lab · host.py: Host · desktop.py: Desktop · gateway.py: Gateway · wireguard.py: keys and
.conf files · stage.py: an installation in a folder · session.py: Session, a person's screen on a
host · display.py: a screen without a host · recording.py: the packets on a cable · leaks.py: those
that are beside a tunnel · streams.py: TCP, each byte of it · clock.py: clocks that can be shifted ·
confined.py: what a process may do · replaced.py: a table of README.md · wait.py: waiting with a
deadline · needs.py: what tests cannot do without, the only one that needs pytest.
"""

from .desktop import Desktop
from .gateway import WIREGUARD_GO, Gateway, culvert
from .host import CommandError, Host, LabError
from .lab import Lab
from .wait import wait_for
from .wireguard import Conf, KeyPair, generate_psk

__all__ = ["CommandError", "Conf", "Desktop", "Gateway", "Host", "KeyPair", "Lab", "LabError",
           "WIREGUARD_GO", "culvert", "generate_psk", "wait_for"]
