/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-uapi.c: anything sent to the configuration socket, applied to a tunnel as the socket does.
 * A request that is refused changes nothing and has a line at fault; what a tunnel prints is a
 * request that makes another one print the same.
 */
#include "fuzz.h"

#include <string.h>

#include "uapi/uapi-device.h"
#include "uapi/uapi-request.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "f0e0d0c0b0a09080706050403020100f0e0d0c0b0a09080706050403020100ff"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

const FuzzSeed fuzz_seeds[] = {
    FUZZ_SEED("set=1\nprivate_key=" KEY_B "\nlisten_port=51820\nfwmark=51820\n"
              "replace_peers=true\npublic_key=" KEY_A "\npreshared_key=" KEY_B
              "\nendpoint=192.0.2.1:51820\npersistent_keepalive_interval=25\n"
              "replace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=-fd00::/64\n"
              "protocol_version=1\npublic_key=" KEY_B "\nendpoint=[2001:db8::1]:1\n"
              "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\n\nget=1\n\n"),
    FUZZ_SEED("set=1\npublic_key=" KEY_A "\nallowed_ip=10.0.0.1/32\n\nset=1\npublic_key=" KEY_A
              "\nupdate_only=true\nallowed_ip=-10.0.0.1/32\nendpoint=[fe80::1%1]:7\n\n"
              "set=1\npublic_key=" KEY_A "\nremove=true\n\nset=1\nprivate_key=" ZEROS
              "\nlisten_port=0\nfwmark=0\n\n"),
    {NULL, 0},
};

/* What two prints have to have in common: a time and bytes are not settings. */
static char *settings_of(CulvertTunnel *tunnel)
{
    g_autoptr(GString) printed = uapi_device_print(tunnel);
    g_auto(GStrv) lines = g_strsplit(printed->str, "\n", -1);
    GString *kept = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        if (lines[i][0] && !g_str_has_prefix(lines[i], "last_handshake_time_") &&
            !g_str_has_prefix(lines[i], "tx_bytes=") && !g_str_has_prefix(lines[i], "rx_bytes="))
            g_string_append_printf(kept, "%s\n", lines[i]);
    }
    return g_string_free(kept, FALSE);
}

static void take_request(CulvertTunnel *tunnel, UapiReader *reader, UapiResult result)
{
    g_autoptr(UapiSet) set = uapi_reader_take_set(reader);
    guint line = 0;

    g_assert_true((result == UAPI_SET) == (set != NULL));
    if (result == UAPI_SET)
        g_assert_cmpint(uapi_device_apply(tunnel, set), ==, 0);
    if (result != UAPI_WRONG)
        return;
    g_assert_cmpint(uapi_reader_get_errno(reader, &line), >, 0);
    g_assert_cmpuint(line, >, 1);
}

/* The lines, in blocks of exactly their size. TRUE: to the end. */
static gboolean feed(CulvertTunnel *tunnel, const char *data, gsize len)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    UapiResult result = UAPI_MORE;
    const char *newline;

    while (result != UAPI_CLOSE && (newline = memchr(data, '\n', len))) {
        gsize size = (gsize) (newline - data);
        g_autofree char *line = g_memdup2(data, size);

        result = uapi_reader_line(reader, line ? line : "", size);
        if (result != UAPI_MORE)
            take_request(tunnel, reader, result);
        data = newline + 1;
        len -= size + 1;
    }
    return result != UAPI_CLOSE;
}

/* A second reader, which only looks: what is refused must have left no trace. */
static void check_refused(CulvertTunnel *tunnel, const char *data, gsize len)
{
    g_autofree char *before = settings_of(tunnel);
    g_autofree char *after = NULL;
    g_autoptr(GString) wrong = g_string_new("set=1\nreplace_peers=true\nlisten_port=9\n");

    g_string_append_len(wrong, data, (gssize) len);
    g_string_append(wrong, "\nno-such-key=1\n");
    /* Half a request, in which an empty line of the input may have ended another. */
    if (!strstr(wrong->str, "\n\n") && strlen(wrong->str) == wrong->len) {
        g_string_append(wrong, "\n");
        feed(tunnel, wrong->str, wrong->len);
        after = settings_of(tunnel);
        g_assert_cmpstr(before, ==, after);
    }
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize len)
{
    g_autoptr(CulvertTunnel) tunnel = culvert_tunnel_new();
    g_autoptr(CulvertTunnel) copy = culvert_tunnel_new();
    g_autofree char *settings = NULL, *request = NULL, *copied = NULL;

    feed(tunnel, (const char *) data, len);
    settings = settings_of(tunnel);
    request = g_strconcat("set=1\n", settings, "\n", NULL);
    g_assert_true(feed(copy, request, strlen(request)));
    copied = settings_of(copy);
    g_assert_cmpstr(settings, ==, copied);
    check_refused(tunnel, (const char *) data, MIN(len, 2000));
    return 0;
}
