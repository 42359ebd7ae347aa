# SPDX-License-Identifier: LGPL-2.1-or-later
"""Numbers from numbers: medians, quantiles, and the search for the highest rate that gets
through."""

import statistics

MAX_LOSS = 0.01
NEAR = 0.03     # the search ends when the bounds are as near to each other, relative to the upper

BREAKDOWN = 8   # a link that lets less than this part of too much through gets a new chance with it


def median(values):
    return statistics.median(values)


def quantile(ordered, q):
    """The smallest of the sorted values that is not below a share `q` of them; NaN of none."""
    if not ordered:
        return float("nan")
    position = int(q * len(ordered))
    return ordered[min(position, len(ordered) - 1)]


def highest_rate(trial, trials):
    """The highest rate of which less than MAX_LOSS is lost. `trial(rate)` tries one, 0 being
    without limit, and returns what was really sent and what arrived, both a second. At most
    `trials` of them.

    First everything at once: what arrives then is a good guess of what can, unless the link breaks
    down. Then smaller ones until one gets through, and bisection."""
    sent, arrived = trial(0)
    if passes(sent, arrived):
        return arrived
    best, low, high = 0.0, 0.0, sent
    guess = max(arrived, sent / BREAKDOWN)
    for _ in range(trials - 1):
        sent, arrived = trial(guess)
        if passes(sent, arrived):
            best = max(best, arrived)
            low = max(low, guess)
            if sent < 0.95 * guess:  # the sender can do no more
                break
        else:
            high = min(high, guess)
        if high - low < NEAR * high:
            break
        guess = (low + high) / 2 if low > 0 else guess / 2
    return best


def passes(sent, arrived):
    return sent > 0 and (sent - arrived) / sent < MAX_LOSS
