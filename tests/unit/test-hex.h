/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-hex.h: bytes in tests, as published vectors write them.
 */
#pragma once

#include <glib.h>
#include <string.h>

/* unhex: reads exactly `len` bytes; blanks between them are fine. */
static inline void unhex(gpointer out, gsize len, const char *hex)
{
    guint8 *bytes = out;
    gsize digits = 0;

    memset(out, 0, len);
    for (; *hex; hex++) {
        if (g_ascii_isspace(*hex))
            continue;
        g_assert_true(g_ascii_isxdigit(*hex));
        g_assert_cmpuint(digits / 2, <, len);
        bytes[digits / 2] = (guint8) (bytes[digits / 2] << 4 | g_ascii_xdigit_value(*hex));
        digits++;
    }
    g_assert_cmpuint(digits, ==, 2 * len);
}

/* unhex_alloc: the same for a length that the text decides; g_free(). */
static inline guint8 *unhex_alloc(const char *hex, gsize *len)
{
    guint8 *bytes;
    gsize digits = 0;

    for (const char *c = hex; *c; c++)
        digits += g_ascii_isxdigit(*c) ? 1 : 0;
    *len = digits / 2;
    bytes = g_malloc0(*len + 1);
    unhex(bytes, *len, hex);
    return bytes;
}

#define assert_hex(actual, len, hex)                                                               \
    G_STMT_START                                                                                   \
    {                                                                                              \
        gsize expected_len_;                                                                       \
        g_autofree guint8 *expected_ = unhex_alloc((hex), &expected_len_);                         \
        g_assert_cmpmem((actual), (len), expected_, expected_len_);                                \
    }                                                                                              \
    G_STMT_END
