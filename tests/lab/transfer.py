# SPDX-License-Identifier: LGPL-2.1-or-later
"""A measured TCP transfer between two hosts; bulk.py is the program that does it in each."""

import itertools
import os
import sys

from .wait import wait_for

BULK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bulk.py")
PORTS = itertools.count(5001)


def transfer(source, target, address, size, show=None):
    """Sends `size` bytes by TCP from one host to another, which has the address; the seconds it
    took. `show(host, command)` is told of both commands before they run."""
    port = next(PORTS)
    log = f"sink-{port}"
    sink, send = ([sys.executable, BULK, what, address, port, size] for what in ("sink", "send"))
    if show:
        show(target, brief(sink) + " &")
        show(source, brief(send))
    target.spawn(*sink, log=log)
    wait_for(lambda: "listening" in target.log(log), "the receiver to listen")
    return float(source.output(*send))


def brief(argv):
    """The command as somebody would type it here."""
    return " ".join(["python3", os.path.relpath(BULK), *map(str, argv[2:])])
