/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-text.c: single values as people write them. See culvert-text.h.
 */
#include "config.h"

#include "culvert-text.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

/* A value in a message is cut here. */
#define QUOTE_MAX 60

/* A run of this many base64 characters may be a key that went astray, whole or in part. No address
 * has one, and a host name hardly ever. */
#define KEY_RUN 20

/* RFC 1035, 2.3.4: a name has at most 253 characters when written without the final dot, a label
 * at most 63. */
#define NAME_MAX_LENGTH 253
#define LABEL_MAX       63

static gboolean is_base64(char c)
{
    return g_ascii_isalnum(c) || c == '+' || c == '/' || c == '=';
}

/* Leaves out what may be a key. */
static void append_without_keys(GString *out, const char *text)
{
    while (*text) {
        gsize run = 0;

        while (is_base64(text[run]))
            run++;
        if (run >= KEY_RUN) {
            g_string_append(out, "…");
            text += run;
            continue;
        }
        run = MAX(run, 1);
        g_string_append_len(out, text, run);
        text += run;
    }
}

char *culvert_text_quote(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GString) hidden = g_string_new(NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    gsize n = 0;

    append_without_keys(hidden, valid);
    for (const char *p = hidden->str; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (n++ == QUOTE_MAX) {
            g_string_append(out, "…");
            break;
        }
        g_string_append_unichar(out, g_unichar_iscntrl(c) ? 0xfffd : c);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

gboolean culvert_text_has_control(const char *text)
{
    if (!g_utf8_validate(text, -1, NULL))
        return TRUE;
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return TRUE;
    }
    return FALSE;
}

gboolean culvert_text_parse_number(const char *text, guint32 max, guint32 *number)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 0, max, &value, NULL))
        return FALSE;
    *number = value;
    return TRUE;
}

gboolean culvert_text_parse_mark(const char *text, guint32 max, guint32 *number)
{
    guint64 value;

    if (g_ascii_strncasecmp(text, "0x", 2) != 0)
        return culvert_text_parse_number(text, max, number);
    if (!g_ascii_isxdigit(text[2]) ||
        !g_ascii_string_to_unsigned(text + 2, 16, 0, max, &value, NULL))
        return FALSE;
    *number = value;
    return TRUE;
}

gboolean culvert_text_parse_prefix(const char *text, WgPrefix *prefix)
{
    const char *slash = strchr(text, '/');
    g_autofree char *address = slash ? g_strndup(text, slash - text) : g_strdup(text);
    guint32 length;

    memset(prefix, 0, sizeof(*prefix));
    prefix->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(prefix->family, address, prefix->addr) != 1)
        return FALSE;
    length = prefix->family == AF_INET ? 32 : 128;
    if (slash && !culvert_text_parse_number(slash + 1, length, &length))
        return FALSE;
    prefix->length = length;
    return TRUE;
}

char *culvert_text_format_prefix(const WgPrefix *prefix)
{
    char address[INET6_ADDRSTRLEN];

    inet_ntop(prefix->family, prefix->addr, address, sizeof(address));
    return g_strdup_printf("%s/%u", address, prefix->length);
}

gboolean culvert_text_mask_prefix(WgPrefix *prefix)
{
    gboolean had_host_bits = FALSE;

    for (guint i = 0; i < sizeof(prefix->addr); i++) {
        int bits = CLAMP((int) prefix->length - 8 * (int) i, 0, 8);
        guint8 mask = (0xff00 >> bits) & 0xff;

        had_host_bits |= (prefix->addr[i] & ~mask) != 0;
        prefix->addr[i] &= mask;
    }
    return had_host_bits;
}

gboolean culvert_text_is_ipv6(const char *text)
{
    const char *scope = strchr(text, '%');
    g_autofree char *address = scope ? g_strndup(text, scope - text) : g_strdup(text);
    struct in6_addr bytes;

    if (inet_pton(AF_INET6, address, &bytes) != 1)
        return FALSE;
    if (!scope)
        return TRUE;
    scope++;
    return *scope && strlen(scope) < IFNAMSIZ && !strpbrk(scope, "/%:[] \t");
}

/* A label of a name: letters, digits, "-" and "_"; letters of any script, since GResolver turns
 * those into ASCII. */
static gboolean is_label(const char *label)
{
    gsize length = strlen(label);

    if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-')
        return FALSE;
    for (const char *p = label; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (!g_unichar_isalnum(c) && !g_unichar_ismark(c) && c != '-' && c != '_')
            return FALSE;
    }
    return TRUE;
}

static gboolean is_name(const char *text)
{
    gsize length = strlen(text);
    g_auto(GStrv) labels = NULL;

    if (length == 0 || length > NAME_MAX_LENGTH + 1 || !g_utf8_validate(text, -1, NULL))
        return FALSE;
    labels = g_strsplit(text, ".", -1);
    for (guint i = 0; labels[i]; i++) {
        if (labels[i][0] == '\0' && i > 0 && !labels[i + 1])
            return TRUE; /* the final dot */
        if (!is_label(labels[i]))
            return FALSE;
    }
    return TRUE;
}

/* Digits and dots alone are meant as an address; a name cannot end in a label of digits. */
static gboolean looks_like_ipv4(const char *text)
{
    return text[strspn(text, "0123456789.")] == '\0';
}

gboolean culvert_text_is_host(const char *text)
{
    struct in_addr bytes;

    if (strchr(text, ':'))
        return culvert_text_is_ipv6(text);
    if (looks_like_ipv4(text))
        return inet_pton(AF_INET, text, &bytes) == 1;
    return is_name(text);
}

gboolean culvert_text_split_endpoint(const char *text, char **host, char **port)
{
    const char *colon = strrchr(text, ':');
    const char *end;

    if (!colon)
        return FALSE;
    if (text[0] != '[') {
        *host = g_strndup(text, colon - text);
        *port = g_strdup(colon + 1);
        return TRUE;
    }
    end = strchr(text, ']');
    if (!end || end + 1 != colon)
        return FALSE;
    *host = g_strndup(text + 1, end - text - 1);
    *port = g_strdup(colon + 1);
    return TRUE;
}

char *culvert_text_join_endpoint(const char *host, guint port)
{
    return g_strdup_printf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

gboolean culvert_text_is_domain(const char *text)
{
    if (text[0] == '~')
        return text[1] == '\0' || is_name(text + 1);
    return !looks_like_ipv4(text) && is_name(text);
}
