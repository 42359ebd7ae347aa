# SPDX-License-Identifier: LGPL-2.1-or-later
"""Host: a machine of the lab, made of a network, a mount and a process namespace.

Its first process, the anchor, ends when this program does, however that ends: the kernel kills
it (parent-death signal), and it reads a pipe that closes. With the anchor the kernel ends every
process of the host and removes its interfaces and mounts. Nothing has a name outside.
"""

import contextlib
import os
import signal
import subprocess
import time

from .wait import wait_for

# SIGCHLD is ignored so that orphans of the host leave no zombies; "cat" lasts as long as the pipe.
ANCHOR = "trap '' CHLD; echo ready; exec cat"

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "TERM": os.environ.get("TERM", "dumb"),
}


class LabError(Exception):
    """The lab itself does not work."""


class CommandError(AssertionError):
    """A command in a host failed, or took too long."""

    def __init__(self, host, argv, why, output):
        super().__init__(f"{host}: {' '.join(argv)}: {why}\n{output}")
        self.output = output


# What Culvert's daemons make of themselves to give up privileges; they end just after them.
HELPERS = {"culvert-names", "culvert-netns"}


class Host:
    def __init__(self, name, out):
        self.name = name
        self.out = out
        self._daemons = []
        self._anchor = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",
             "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", ANCHOR],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT,
            start_new_session=True)  # Ctrl-C is for this program to handle
        if self._anchor.stdout.readline() != b"ready\n":
            raise LabError("cannot make namespaces for a host: "
                           + self._anchor.stderr.read().decode().strip())
        self.pid = children(self._anchor)[0]
        self._prepare()

    def _prepare(self):
        """What every host has: a /run of its own and a loopback interface."""
        self.sh("mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/lab /run/lock"
                " && ip link set lo up"
                # No second host can own an address here: IPv6 need not look for one for a second.
                " && sysctl -qw net.ipv6.conf.default.accept_dad=0")

    def close(self):
        self._anchor.kill()
        self._anchor.wait()
        for process in self._daemons:
            process.wait()
        for pipe in (self._anchor.stdin, self._anchor.stdout, self._anchor.stderr):
            pipe.close()

    def connect(self, interface, addresses, routers):
        """Brings up the end of a cable, with its addresses and default routes."""
        self.run("ip", "link", "set", interface, "up")
        for address in addresses:
            self.run("ip", "address", "add", address, "dev", interface)
        for router in routers:
            self.run("ip", "route", "add", "default", "via", router.ip, "dev", interface)

    def forward(self):
        """Makes a router of this host."""
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    # ---- Commands

    def argv(self, argv, cwd=None):
        """The command line that runs `argv` in this host; it dies if its starter is killed."""
        enter = ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid"]
        there = ["env", "--chdir", str(cwd)] if cwd else []
        return [*enter, "setpriv", "--pdeathsig", "KILL", *there, *map(str, argv)]

    def run(self, *argv, check=True, timeout=60, cwd=None, env=None, stdin=None):
        """Runs a command to its end. Its output, both streams together, is `.stdout`."""
        argv = [str(arg) for arg in argv]
        try:
            result = subprocess.run(self.argv(argv, cwd), env=ENVIRONMENT | (env or {}),
                                    input=stdin or "", stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as late:
            raise CommandError(self.name, argv, f"took more than {timeout} s",
                               (late.stdout or b"").decode(errors="replace")) from None
        if check and result.returncode != 0:
            raise CommandError(self.name, argv, f"exit status {result.returncode}", result.stdout)
        return result

    def output(self, *argv, **kwargs):
        """The output of a command that has to succeed."""
        return self.run(*argv, **kwargs).stdout.strip()

    def sh(self, script, **kwargs):
        return self.output("sh", "-ec", script, **kwargs)

    def succeeds(self, *argv, **kwargs):
        return self.run(*argv, check=False, **kwargs).returncode == 0

    # ---- Daemons

    def spawn(self, *argv, log=None, **kwargs):
        """Starts a program that keeps running. Its output goes to the file `log` of the lab."""
        sink = open(self.log_path(log), "ab") if log else subprocess.DEVNULL
        try:
            process = subprocess.Popen(self.argv(argv), env=ENVIRONMENT | kwargs.pop("env", {}),
                                       stdin=subprocess.DEVNULL, stdout=sink,
                                       stderr=subprocess.STDOUT, start_new_session=True, **kwargs)
        finally:
            if log:
                sink.close()
        self._daemons.append(process)
        return process

    def serve_names(self, names, *addresses):
        """A DNS server on `addresses` that knows {address: name}, and that no other exists."""
        self._write_names(names)
        self.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                   "--no-hosts", "--addn-hosts=/run/lab/hosts", "--user=root", "--pid-file=",
                   "--log-facility=-", "--log-queries", "--bind-dynamic", "--local=/#/",
                   *(f"--listen-address={address}" for address in addresses), log="dns")
        wait_for(lambda: "started" in self.log("dns"), "the name server to start")

    def _write_names(self, names):
        hosts = "".join(f"{address} {name}\n" for address, name in names.items())
        self.write("/run/lab/hosts", hosts)

    def name_hosts(self, names):
        """Other names for the DNS server, from now on."""
        read = self.log("dns").count("read /run/lab/hosts")
        self._write_names(names)
        for pid in self.pids("dnsmasq"):
            os.kill(pid, signal.SIGHUP)
        wait_for(lambda: self.log("dns").count("read /run/lab/hosts") > read,
                 "the name server to read its names")

    def stop(self, process, timeout=10):
        """Ends a daemon as init would: SIGTERM, and SIGKILL if that is not enough."""
        for pid in children(process):
            with contextlib.suppress(ProcessLookupError):  # it ends by itself just now
                os.kill(pid, signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._daemons.remove(process)

    def pids(self, program):
        """The processes of this host that run the executable `program` (a file name), as seen
        from outside; not those that such a process has made of itself."""
        here = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                if (os.readlink(f"/proc/{entry}/ns/pid") == here
                        and os.path.basename(os.readlink(f"/proc/{entry}/exe")) == program
                        and process_name(entry) not in HELPERS):
                    found.append(int(entry))
            except OSError:
                continue  # it ended while we looked, or is a thread of the kernel
        return found

    # ---- Files

    def log_path(self, name):
        return os.path.join(self.out, f"{self.name}-{name}.log")

    def log(self, name):
        try:
            with open(self.log_path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def write(self, path, text, mode=0o644):
        """Writes a file as this host sees the path."""
        self.run("sh", "-ec", 'umask 077; cat > "$1"; chmod "$2" "$1"', "sh", path, f"{mode:o}",
                 stdin=text)

    def read(self, path):
        return self.run("cat", path).stdout


def process_name(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n")


def children(process, timeout=5.0):
    """The processes that a running Popen has started, waiting for the first one to appear; none
    if it has ended."""
    end = time.monotonic() + timeout
    while process.poll() is None:
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            found = [int(child) for child in file.read().split()]
        if found or time.monotonic() > end:
            return found
        time.sleep(0.005)
    return []
