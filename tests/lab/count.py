# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the test cases in the log that `meson test` left in each build folder named, lists those
that failed or were skipped, and ends with "N passed, N failed, N skipped".

A test that prints TAP has many cases; one that failed without a failed case (it crashed, or took
too long) counts as one more. A folder without a log is a failure, and with CI=true each skipped
case is one."""

import json
import os
import re
import sys

CASE = re.compile(r"^(?P<not>not )?ok\b *(?P<name>[^#\n]*)(?P<skip># *skip.*)?", re.I | re.M)
GOOD = {"OK", "SKIP", "EXPECTEDFAIL"}


def main(folders):
    passed, failed, skipped = 0, [], []
    for folder in folders:
        results = read(folder)
        if not results:
            failed.append(f"{folder}: no test ran")
        for name, verdict in results:
            if verdict == "passed":
                passed += 1
            else:
                strict = verdict == "failed" or os.environ.get("CI") == "true"
                (failed if strict else skipped).append(f"{folder}: {name}")
    print()
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed else 0


def read(folder):
    """(name, verdict) of each case of each test."""
    try:
        with open(f"{folder}/meson-logs/testlog.json", encoding="utf-8") as log:
            return [case for line in log for case in cases(json.loads(line))]
    except FileNotFoundError:
        return []


def cases(test):
    name = test["name"].split(":", 1)[-1]
    found = []
    for case in CASE.finditer(test.get("stdout", "")):
        verdict = "failed" if case["not"] else "skipped" if case["skip"] else "passed"
        found.append((f"{name}: {case['name'].strip()} {case['skip'] or ''}".strip(), verdict))
    if test["result"] not in GOOD and not any(verdict == "failed" for _name, verdict in found):
        found.append((f"{name}: {test['result']}", "failed"))
    if not found:
        found.append((name, "skipped" if test["result"] == "SKIP" else "passed"))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
