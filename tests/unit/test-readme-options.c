/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-readme-options.c: README.md's table of settings is that of the option table, row by row.
 * Arguments: --print writes the table to paste; otherwise the path of README.md.
 */
#include <stdio.h>
#include <string.h>

#include "profile/culvert-options.h"

static const char *readme_path;

/* The rows one by one, then: the table ends where it should. */
static void test_table(void)
{
    g_autofree char *table = culvert_options_markdown();
    g_auto(GStrv) expected = g_strsplit(table, "\n", -1);
    g_auto(GStrv) lines = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    guint start = 0;

    g_file_get_contents(readme_path, &text, NULL, &error);
    g_assert_no_error(error);
    lines = g_strsplit(text, "\n", -1);
    while (lines[start] && !g_str_equal(lines[start], expected[0]))
        start++;
    for (guint i = 0; expected[i] && expected[i][0]; i++) {
        g_assert_cmpuint(start + i, <, g_strv_length(lines));
        g_assert_cmpstr(lines[start + i], ==, expected[i]);
    }
    start += g_strv_length(expected) - 1;
    g_assert_false(lines[start] && lines[start][0] == '|');
}

int main(int argc, char **argv)
{
    if (argc == 2 && g_str_equal(argv[1], "--print")) {
        g_autofree char *table = culvert_options_markdown();

        return fputs(table, stdout) < 0;
    }
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    readme_path = argv[1];
    g_test_add_func("/readme/options", test_table);
    return g_test_run();
}
