#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every message of the sources is translated into every language of po/LINGUAS: none is missing from
# a .po file, empty or fuzzy. Says how many there are. Prints TAP. Argument: the source folder.
set -u
cd "$1" || exit 1
languages=$(grep -v '^#' po/LINGUAS)

for program in xgettext msgmerge msgfmt; do
    if ! command -v $program >/dev/null; then
        echo "1..0 # SKIP $program is missing"
        exit 0
    fi
done

template=$(mktemp)
trap 'rm -f "$template"' EXIT
# The keywords are those that po/meson.build gets by the preset "glib".
if ! GETTEXTDATADIRS=data xgettext --from-code=UTF-8 --files-from=po/POTFILES.in \
    --keyword=_ --keyword=N_ --keyword=C_:1c,2 --keyword=NC_:1c,2 --keyword=g_dcgettext:2 \
    --keyword=g_dngettext:2,3 --keyword=g_dpgettext2:2c,3 --output="$template"; then
    echo "not ok 1 - xgettext reads what po/POTFILES.in lists"
    echo "1..1"
    exit 0
fi

count=0
for language in $languages; do
    count=$((count + 1))
    result=$(msgmerge --quiet --no-fuzzy-matching "po/$language.po" "$template" |
        msgfmt --check --statistics --output-file=/dev/null - 2>&1)
    case $result in
    *fuzzy* | *untranslated* | *[Ee]rror*)
        echo "not ok $count - $language: $result"
        msgmerge --quiet --no-fuzzy-matching "po/$language.po" "$template" |
            msgattrib --untranslated --no-wrap --force-po | grep '^msgid "..*"' | sed 's/^/# /'
        ;;
    *) echo "ok $count - $language: $result 0 untranslated." ;;
    esac
done

count=$((count + 1))
listed=$(printf '%s\n' $languages | sort)
files=$(ls po/*.po | sed 's,po/\(.*\)\.po,\1,' | sort)
[ "$listed" = "$files" ] && verdict="ok" || verdict="not ok"
echo "$verdict $count - po/LINGUAS lists the languages that there are"
echo "1..$count"
