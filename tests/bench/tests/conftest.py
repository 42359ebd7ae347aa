# SPDX-License-Identifier: LGPL-2.1-or-later
"""The harness's own modules are in the folder above."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
