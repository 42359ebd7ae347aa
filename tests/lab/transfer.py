# SPDX-License-Identifier: LGPL-2.1-or-later
"""A measured TCP transfer between two hosts; bulk.py is the program that does it in each."""

import itertools
import os
import sys

from .wait import wait_for

BULK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bulk.py")
PORTS = itertools.count(5001)


def transfer(source, target, address, size):
    """Sends `size` bytes by TCP from one host to another, which has the address; the seconds it
    took."""
    port = next(PORTS)
    log = f"sink-{port}"
    target.spawn(sys.executable, BULK, "sink", address, port, size, log=log)
    wait_for(lambda: "listening" in target.log(log), "the receiver to listen")
    return float(source.output(sys.executable, BULK, "send", address, port, size))
