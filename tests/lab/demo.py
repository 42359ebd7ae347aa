# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo: what a user types to connect with Culvert, on a desktop and against a gateway that
are both real and both in namespaces. Each step shows its commands and ends in a tick or a cross."""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import stage
from .gateway import WIREGUARD_GO, culvert
from .host import LabError
from .lab import Lab
from .screen import Screen
from .transfer import transfer
from .wait import wait_for
from .wireguard import Conf, KeyPair

NETWORKS = ("192.0.2.0/24", "2001:db8::/64")
MEBIBYTE = 1 << 20


class Broken(Exception):
    """A step did not hold; it has been shown already."""


class Demo:
    def __init__(self, screen, folder, build, peer):
        self.screen = screen
        self.folder = folder
        self.build_folder = build
        self.peer = peer
        self.desktop = None
        self.gateway = None

    # ---- Showing

    @contextlib.contextmanager
    def step(self, text):
        """A step: its tick says `text`, to which the step may add remarks."""
        remarks = []
        try:
            yield remarks
        except BrokenPipeError:
            raise  # nobody reads what is shown
        except (AssertionError, LabError, OSError, subprocess.SubprocessError) as fault:
            self.screen.broke(text, str(fault))
            raise Broken from None
        self.screen.held(text + "".join(f", {remark}" for remark in remarks))

    def type(self, host, command, **kwargs):
        """Runs a command and shows it as if somebody typed it."""
        self.screen.command(host.name, command)
        result = host.run(*shlex.split(command), cwd=self.folder, check=False, **kwargs)
        self.screen.output(result.stdout)
        assert result.returncode == 0, f"`{command}` failed, exit status {result.returncode}"
        return result.stdout

    # ---- Steps

    def install(self):
        """Builds, unless told which build to take, and installs into a folder."""
        start = time.monotonic()
        with self.step("Built") as remarks:
            build = self.build_folder or "build-demo"
            if not self.build_folder:
                configured = os.path.exists(os.path.join(build, "build.ninja"))
                quietly("meson", "setup", *(["--reconfigure"] if configured else []), build,
                        "--prefix=/usr", "-Dtests=false")
                quietly("ninja", "-C", build)
            installed = stage.install(build, os.path.join(self.folder, "stage"))
            remarks.append(f"{time.monotonic() - start:.1f} s")
        return installed

    def set_up(self, lab, stage_folder):
        text, program = {
            "culvert": ("The gateway runs culvert, the same engine as a program",
                        culvert(stage_folder)),
            "wireguard-go": ("The gateway runs Debian's wireguard-go", WIREGUARD_GO),
        }[self.peer]
        with self.step(text) as remarks:
            self.gateway = lab.add_gateway("gateway", program=program)
            self.desktop = lab.add_desktop("desktop", stage_folder)
            lab.link(self.desktop, self.gateway, *NETWORKS)
            self.gateway.start()
            self.gateway.serve_names({"10.8.0.1": "intranet.office.example"}, "10.8.0.1")
            remarks.append("at 192.0.2.1, inside the tunnel 10.8.0.1 and fd08::1")
        with self.step("The desktop runs the real NetworkManager") as remarks:
            self.desktop.start()
            remarks.append("version " + self.desktop.nmcli("-g", "VERSION", "general").stdout.strip())
            remarks.append("Culvert is installed in its /usr")

    def write_conf(self):
        keys = KeyPair.generate()
        self.gateway.add_peer(keys.public, "10.8.0.2/32, fd08::2/128")
        conf = Conf(PrivateKey=keys.private, Address="10.8.0.2/24, fd08::2/64",
                    DNS="10.8.0.1, office.example")
        conf.peer(PublicKey=self.gateway.keys.public, Endpoint="192.0.2.1:51820",
                  AllowedIPs="10.8.0.0/24, fd08::/64")
        path = conf.save(os.path.join(self.folder, "office.conf"))
        os.chmod(path, 0o600)
        self.screen.line("\nThe file that an administrator would send, office.conf:")
        self.screen.output(str(conf).replace(keys.private, "(a secret)"))

    def connect(self):
        with self.step("Imported"):
            self.type(self.desktop, "nmcli connection import type culvert file office.conf")
            kind = self.desktop.get("office", "vpn.service-type")
            assert kind.endswith(".culvert"), kind
        start = time.monotonic()
        with self.step("Up: the gateway answered, and proved that it has its key") as remarks:
            self.type(self.desktop, "nmcli connection up office")
            remarks.append(f"{time.monotonic() - start:.2f} s")
            assert self.desktop.active() == ["office"]

    def look(self):
        with self.step("Device, addresses, routes and name server are NetworkManager's to show"):
            self.type(self.desktop, "nmcli -f GENERAL.STATE,IP4,IP6"
                                    " connection show office")
            self.type(self.desktop, "nmcli -f DEVICE,TYPE,STATE device status")
            self.type(self.desktop, "cat /etc/resolv.conf")
            assert "10.8.0.2/24" in self.desktop.get("office", "IP4.ADDRESS")
            assert "fd08::2/64" in self.desktop.get("office", "IP6.ADDRESS")
            assert self.desktop.get("office", "IP4.DNS") == "10.8.0.1"
            assert "nameserver 10.8.0.1" in self.desktop.read("/etc/resolv.conf")
            for address in ("10.8.0.1", "fd08::1"):
                route = self.desktop.output("ip", "route", "get", address)
                assert "culvert0" in route, route

    def use(self):
        with self.step("IPv4 and IPv6 go through the tunnel"):
            self.type(self.desktop, "ping -c 3 -i 0.2 10.8.0.1")
            self.type(self.desktop, "ping -c 3 -i 0.2 fd08::1")
        with self.step("The gateway's name server answers through the tunnel"):
            answer = self.type(self.desktop, "getent ahostsv4 intranet")
            assert "10.8.0.1" in answer
        with self.step("The gateway knows its peer"):
            self.type(self.gateway, "wg show wg0")
        with self.step("100 MiB through the tunnel") as remarks:
            seconds = transfer(self.desktop, self.gateway, "10.8.0.1", 100 * MEBIBYTE,
                               lambda host, command: self.screen.command(host.name, command))
            rate = 100 * MEBIBYTE * 8 / seconds / 1e6
            remarks += [f"{seconds:.2f} s, {rate:.0f} Mbit/s", "every byte as it was sent"]

    def disconnect(self):
        with self.step("Down: no device, address, route or name server is left"):
            self.type(self.desktop, "nmcli connection down office")
            wait_for(lambda: self.desktop.interfaces() == ["lo", "wan0"], "the device to go", 5)
            left = self.desktop.sh("ip address; ip route; ip -6 route; cat /etc/resolv.conf")
            for trace in ("10.8.0.", "fd08:", "culvert", "office"):
                assert trace not in left, left
            wait_for(lambda: not self.desktop.pids("nm-culvert-service"), "the service to end", 5)

    def shell(self):
        self.screen.line()
        self.screen.title("A shell on the desktop, with the VPN “office” up. Try nmcli; the gateway"
                          " is 10.8.0.1 and fd08::1. `exit` ends it all.")
        shell_file = os.path.join(self.folder, "bashrc")
        with open(shell_file, "w", encoding="utf-8") as file:
            file.write("[ ! -r ~/.bashrc ] || . ~/.bashrc\nPS1='desktop # '\n")
        environment = os.environ | {"HISTFILE": "/dev/null"}
        self.desktop.shell(["env", "--chdir", self.folder, "bash", "--rcfile", shell_file, "-i"],
                           environment)
        # The shell had the terminal to itself.
        if os.isatty(0):
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpgrp())

    def complain(self):
        """After a step that did not hold: what Culvert had to say."""
        if self.desktop and (journal := self.desktop.journal("nm-culvert-service")):
            self.screen.line("\nThe log of nm-culvert-service:")
            self.screen.output(journal)


def quietly(*argv):
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            stdin=subprocess.DEVNULL, check=False)
    tail = "\n".join(result.stdout.splitlines()[-40:])
    assert result.returncode == 0, f"{' '.join(argv)} failed:\n{tail}"


def interrupted(number, _frame):
    raise KeyboardInterrupt(number)


def on_signals(action):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


def run(demo, lab, with_shell):
    """The whole demo; its exit status."""
    screen = demo.screen
    try:
        screen.title("Culvert: a desktop and a gateway, in network namespaces of their own")
        demo.set_up(lab, demo.install())
        demo.write_conf()
        demo.connect()
        if with_shell:
            demo.shell()
            return 0
        demo.look()
        demo.use()
        demo.disconnect()
        screen.line()
        screen.title("All of it held.")
        return 0
    except Broken:
        demo.complain()
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as interruption:
        screen.line("\nInterrupted: everything is taken down.")
        return 128 + interruption.args[0]
    finally:
        on_signals(signal.SIG_IGN)
        lab.close()


def main():
    parser = argparse.ArgumentParser(
        prog="tests/demo", description="Shows Culvert at work, in network namespaces.")
    parser.add_argument("--shell", action="store_true",
                        help="end in a shell on the desktop, with the VPN up")
    parser.add_argument("--peer", choices=["culvert", "wireguard-go"], default="culvert",
                        help="what the gateway runs (default: %(default)s)")
    parser.add_argument("--build", metavar="FOLDER",
                        help="use this finished build, configured with --prefix=/usr")
    options = parser.parse_args()
    on_signals(interrupted)
    folder = tempfile.mkdtemp(prefix="culvert-demo-")
    os.chmod(folder, 0o755)
    status = 1
    try:
        lab = Lab(os.path.join(folder, "logs"))
        demo = Demo(Screen(), folder, options.build, options.peer)
        status = run(demo, lab, options.shell)
    except LabError as fault:
        print(f"tests/demo: {fault}", file=sys.stderr)
        status = 2
    if status == 1:
        print(f"\nThe logs are in {folder}/logs")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
