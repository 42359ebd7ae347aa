/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-documented-options.c: what README.md and the manual page say of the settings is what the
 * option table says, row by row. Arguments: --print-readme and --print-manual write the text to
 * paste; otherwise the paths of README.md and of the page.
 */
#include <stdio.h>
#include <string.h>

#include "profile/culvert-options.h"

static const char *readme_path;
static const char *manual_path;

static char **read_lines(const char *path)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return g_strsplit(text, "\n", -1);
}

/* Asserts that the document has these lines; returns the one that follows them. (borrowed) */
static const char *find_lines(char **lines, const char *text)
{
    g_auto(GStrv) expected = g_strsplit(text, "\n", -1);
    guint start = 0;
    guint n = g_strv_length(expected) - 1; /* behind the last line break there is nothing */

    while (lines[start] && !g_str_equal(lines[start], expected[0]))
        start++;
    for (guint i = 0; i < n; i++) {
        g_assert_cmpuint(start + i, <, g_strv_length(lines));
        g_assert_cmpstr(lines[start + i], ==, expected[i]);
    }
    return lines[start + n];
}

/* Behind the last row nothing looks like a further one. */
static void test_readme(void)
{
    g_autofree char *table = culvert_options_markdown();
    g_auto(GStrv) lines = read_lines(readme_path);

    g_assert_cmpstr(find_lines(lines, table), ==, "");
}

static void test_manual(void)
{
    g_autofree char *rows = culvert_options_manual();
    g_auto(GStrv) lines = read_lines(manual_path);

    g_assert_true(g_str_has_prefix(find_lines(lines, rows), ".SH "));
}

static int print(char *text)
{
    int status = fputs(text, stdout) < 0;

    g_free(text);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 2 && g_str_equal(argv[1], "--print-readme"))
        return print(culvert_options_markdown());
    if (argc == 2 && g_str_equal(argv[1], "--print-manual"))
        return print(culvert_options_manual());
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 3);
    readme_path = argv[1];
    manual_path = argv[2];
    g_test_add_func("/documented-options/readme", test_readme);
    g_test_add_func("/documented-options/manual", test_manual);
    return g_test_run();
}
