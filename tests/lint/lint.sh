#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What no compiler looks at: layout of the C files, licence lines, translations. Prints TAP.
# Arguments: the source folder, clang-format (empty: not found), msgfmt (likewise).
set -u
cd "$1" || exit 1
clang_format=$2
msgfmt=$3
count=0

# verdict STATUS NAME OUTPUT: one TAP line, the output as its explanation.
verdict() {
    count=$((count + 1))
    [ "$1" = 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
    [ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/# /'
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2 is missing"
}

c_files=$(find src properties tests -name '*.[ch]')

if [ -n "$clang_format" ]; then
    output=$("$clang_format" --dry-run -Werror $c_files 2>&1)
    verdict $? clang-format "$output"
else
    skip clang-format clang-format-14
fi

unlicensed=$(find src properties data po tests .ci -type f \
    ! -path '*/out/*' ! -path '*/__pycache__/*' ! -name '*.json' ! -path '*/data/*.conf' \
    ! -path 'tests/*/corpus/*' ! -path 'tests/unit/conf/*' ! -name LINGUAS ! -name '*.pot' ! -name '*.png' \
    -exec grep -L SPDX-License-Identifier {} +)
[ -z "$unlicensed" ]
verdict $? "every file names its licence" "$unlicensed"

if [ -n "$msgfmt" ]; then
    faults=$(for po in po/*.po; do
        [ ! -e "$po" ] || "$msgfmt" -c -o /dev/null "$po" 2>&1
    done)
    [ -z "$faults" ]
    verdict $? "translations are well-formed" "$faults"
else
    skip "translations are well-formed" gettext
fi

if [ -e po/POTFILES.in ]; then
    unlisted=$(grep -lE '[^[:alnum:]_](N?_|g_dngettext) ?\("' $(find src properties -name '*.c') |
        while read -r file; do grep -qx "$file" po/POTFILES.in || echo "$file"; done)
    [ -z "$unlisted" ]
    verdict $? "files with messages are in po/POTFILES.in" "$unlisted"
fi

echo "1..$count"
