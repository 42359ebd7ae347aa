#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The manual pages in the folder named by the argument are what man(1) understands. Prints TAP.
set -u
count=0

if ! command -v man >/dev/null; then
    echo "1..0 # SKIP man is missing"
    exit 0
fi

for page in "$1"/*.[1-8]; do
    count=$((count + 1))
    faults=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -Tutf8 -l "$page" 2>&1 >/dev/null)
    [ -z "$faults" ] && echo "ok $count - ${page##*/}" || echo "not ok $count - ${page##*/}"
    [ -z "$faults" ] || printf '%s\n' "$faults" | sed 's/^/# /'
done
echo "1..$count"
