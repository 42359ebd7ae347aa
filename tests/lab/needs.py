# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests that use a lab cannot do without."""

import os

import pytest


def skip_without_root(items, *variables):
    """Skips the tests unless this is root, and each of `variables`, which name what is to be
    tested, is in the environment."""
    reasons = [] if os.geteuid() == 0 else ["needs root"]
    reasons += [f"needs what to test in the environment, {name}" for name in variables
                if name not in os.environ]
    for item in items if reasons else ():
        item.add_marker(pytest.mark.skip(reason=reasons[0]))
