/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-options-docs.c: the table of options as the documentation has it, in English. Only a test
 * uses this, which compares, and prints what there should be.
 */
#include "culvert-options.h"

char *culvert_options_markdown(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    guint n;
    const CulvertOption *options = culvert_options(&n);

    g_string_append(out, "| setting | in a .conf | value | meaning |\n|---|---|---|---|\n");
    for (guint i = 0; i < n; i++) {
        const CulvertOption *option = &options[i];
        gboolean is_extension = option->flags & CULVERT_OPTION_EXTENSION;
        g_autofree char *values = culvert_option_values(option);

        g_string_append_printf(out, "| `%s` | `%s%s` | %s | %s |\n", option->key,
                               is_extension ? "# Culvert: " : "", option->conf_key, values,
                               option->help);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* What means something to roff, or may look different in another encoding (groff_char(7)). */
static void append_roff(GString *out, const char *text)
{
    static const struct {
        const char *text;
        const char *escape;
    } ESCAPES[] = {
        {"\\", "\\e"}, {"-", "\\-"}, {"~", "\\(ti"}, {"“", "\\(lq"}, {"”", "\\(rq"},
    };

    while (*text) {
        const char *next = g_utf8_next_char(text);
        const char *escape = NULL;

        for (guint i = 0; i < G_N_ELEMENTS(ESCAPES); i++) {
            if (g_str_has_prefix(text, ESCAPES[i].text))
                escape = ESCAPES[i].escape;
        }
        if (escape)
            g_string_append(out, escape);
        else
            g_string_append_len(out, text, next - text);
        text = next;
    }
}

static void append_manual_row(GString *out, const CulvertOption *option)
{
    g_autofree char *values = culvert_option_values(option);

    g_string_append(out, ".TP\n.B ");
    append_roff(out, option->key);
    g_string_append_c(out, '\n');
    append_roff(out, option->help);
    if (option->flags & CULVERT_OPTION_REQUIRED)
        g_string_append(out, ". Required");
    g_string_append(out, ".\n.br\nValue: ");
    append_roff(out, values);
    g_string_append_printf(out, ".\n.br\nIn a .conf:\n.B \"%s%s\"\n",
                           option->flags & CULVERT_OPTION_EXTENSION ? "# Culvert: " : "",
                           option->conf_key);
}

char *culvert_options_manual(void)
{
    static const char *const HEADINGS[] = {"Of this computer",
                                           "Of each peer"}; /* by CulvertScope */
    g_autoptr(GString) out = g_string_new(NULL);
    guint n;
    const CulvertOption *options = culvert_options(&n);

    for (CulvertScope scope = CULVERT_SCOPE_INTERFACE; scope <= CULVERT_SCOPE_PEER; scope++) {
        g_string_append_printf(out, ".SS %s\n", HEADINGS[scope]);
        for (guint i = 0; i < n; i++) {
            if (options[i].scope == scope)
                append_manual_row(out, &options[i]);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}
