# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel says that a process may do, and what is in its memory."""

import base64
import os
import subprocess

from .host import process_name
from .wait import wait_for

CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_SYS_ADMIN = 10, 12, 21
NET = 1 << CAP_NET_ADMIN | 1 << CAP_NET_BIND_SERVICE


def status(pid):
    """{thread name: its /proc/PID/status as a dictionary}; threads of one name differ in a number."""
    found = {}
    for thread in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        found[f"{fields['Name']} {thread}"] = fields
    return found


def assert_confined(fields, capabilities):
    """Of one thread: its capabilities, and all that has to hold for every one."""
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == capabilities
    for kind in ("CapInh", "CapBnd", "CapAmb"):
        assert int(fields[kind], 16) == 0, kind
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"  # a filter


def packet_threads(pid):
    return [fields for name, fields in status(pid).items() if name.startswith("culvert-packets")]


def assert_daemon_confined(pid, moves_packets):
    """Every thread; if there are to be packet threads, they have no capability, and a filter more."""
    if moves_packets:
        # A thread gives up the rest once it has what it needs, just after it was started.
        wait_for(lambda: packet_threads(pid)
                 and all(fields["Seccomp_filters"] == "2" for fields in packet_threads(pid)),
                 "the packet threads to give up the rest")
    for name, fields in status(pid).items():
        packets = name.startswith("culvert-packets")
        assert moves_packets or not packets
        assert_confined(fields, 0 if packets else NET)
        assert fields["Seccomp_filters"] == ("2" if packets else "1"), name
    assert_hidden(pid)


def has_ended(pid):
    """Also if nobody has asked for its exit status."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def looked_into(pid):
    """Whether the kernel lets somebody who is the same user with the same capabilities see which
    program the process runs: for that proc(5) asks what ptrace(2) asks, PTRACE_MODE_READ_FSCREDS,
    and between two such processes it depends on whether the other one is dumpable."""
    fields = status(pid)[f"{process_name(pid)} {pid}"]
    capabilities = int(fields["CapPrm"], 16)
    bounds = ",".join(["-all", *(f"+cap_{number}" for number in range(64)
                                 if capabilities >> number & 1)])
    reader = subprocess.run(
        ["setpriv", "--reuid", fields["Uid"].split()[0], "--regid", fields["Gid"].split()[0],
         "--clear-groups", "--inh-caps=-all", f"--bounding-set={bounds}",
         "readlink", "-v", f"/proc/{pid}/exe"], capture_output=True, text=True, check=False)
    assert reader.returncode == 0 or "Permission denied" in reader.stderr, reader.stderr
    return reader.returncode == 0


def assert_hidden(pid):
    """No core dumps, and no looking in, which would be possible with a program that is dumpable."""
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        (core,) = [line.split() for line in file if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]
    with subprocess.Popen(["setpriv", "--bounding-set=-all,+net_admin", "cat"],
                          stdin=subprocess.PIPE) as dumpable:
        wait_for(lambda: process_name(dumpable.pid) == "cat", "a program to look into")
        assert looked_into(dumpable.pid)
        dumpable.stdin.close()
    assert not looked_into(pid)


def in_memory(pid, needles):
    """Which of {name: bytes} are in the process's writable memory."""
    found = set()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw") or end - start > 1 << 30:
                continue
            mem.seek(start)
            try:
                memory = mem.read(end - start)
            except OSError:
                continue  # not the process's to read, either
            found |= {name for name, needle in needles.items() if needle in memory}
    return found


def spellings(name, text):
    """{name of a way to write it: the bytes} of a key in base64; the middle part of the base64, so
    that a copy that has lost its ends is found, too."""
    raw = base64.b64decode(text)
    return {name: raw, f"{name}-hex": raw.hex().encode(), f"{name}-base64": text[4:-4].encode()}


def resources(pid):
    """What a process has: descriptors, threads, resident and writable memory."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        fields = dict(line.split(":", 1) for line in file)
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(fields["Threads"]),
            "memory_kb": int(fields["VmRSS"].split()[0]),
            "data_kb": int(fields["VmData"].split()[0])}
