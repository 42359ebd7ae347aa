# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting for a condition, with a deadline: for what announces itself by no event."""

import time

POLL = 0.05  # seconds between two looks


def pause():
    time.sleep(POLL)


def wait_for(condition, what, deadline=10.0, between=pause):
    """Returns condition()'s first true value; after `deadline` seconds an AssertionError that
    names `what` was awaited. `between` is called between two looks."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:g} s in vain for {what}")
        between()
