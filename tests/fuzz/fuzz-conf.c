/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-conf.c: a .conf of any bytes. It is read, or refused with a message that names a line of it;
 * what was read, written and read again is the same.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "profile/culvert-conf.h"

#define PRIVATE "eLjp+kQVxBPZK0kUTsy1hEVPpo1o/UfElrv3cjWhEVI="
#define PUBLIC1 "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define PUBLIC2 "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="

const FuzzSeed fuzz_seeds[] = {
    FUZZ_SEED("[Interface]\nPrivateKey = " PRIVATE "\nAddress = 10.8.0.2/24, fd08::2/64\n"
              "DNS = 10.8.0.1, fd08::1, corp.example\nMTU = 1400\nListenPort = 51820\n"
              "FwMark = 0xca6c\nTable = 42\nPostUp = echo %i # no\n# Culvert: DeviceType = tun\n"
              "\n[Peer]\nPublicKey = " PUBLIC1 "\nPresharedKey = " PRIVATE "\n"
              "AllowedIPs = 10.8.0.0/24, ::/0\nEndpoint = [2001:db8::1]:51820\n"
              "# Culvert: Endpoint = vpn.example.com:1\nPersistentKeepalive = 25\n"),
    FUZZ_SEED("\xef\xbb\xbf[interface]\r\nprivatekey=" PRIVATE "\r\n[peer]\r\npublickey=" PUBLIC1
              "\r\nallowedips=0.0.0.0/0\r\n[peer]\r\npublickey=" PUBLIC2
              "\r\nallowedips=+10.0.0.1,-10.0.0.1\r\nendpoint=192.0.2.1:1\r\n"),
    {NULL, 0},
};

static guint count_lines(const guint8 *data, gsize len)
{
    guint n = 1;

    for (gsize i = 0; i < len; i++)
        n += data[i] == '\n';
    return n;
}

/* "x.conf:LINE: ..." */
static void check_message(const char *message, guint n_lines)
{
    char *end = NULL;
    gulong line;

    g_assert_true(g_utf8_validate(message, -1, NULL));
    g_assert_true(g_str_has_prefix(message, "x.conf:"));
    line = strtoul(message + strlen("x.conf:"), &end, 10);
    g_assert_true(g_str_has_prefix(end, ": "));
    g_assert_cmpuint(line, >=, 1);
    g_assert_cmpuint(line, <=, n_lines);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize len)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertConf) conf = culvert_conf_parse((const char *) data, len, "x.conf", &error);
    g_autoptr(CulvertConf) again = NULL;
    g_autoptr(GBytes) written = NULL;
    g_autoptr(GBytes) rewritten = NULL;
    guint n_lines = count_lines(data, len);

    g_assert_true((conf != NULL) == (error == NULL));
    if (!conf) {
        check_message(error->message, n_lines);
        return 0;
    }
    for (guint i = 0; i < conf->warnings->len; i++)
        check_message(g_ptr_array_index(conf->warnings, i), n_lines);
    written = culvert_conf_format(conf);
    again =
        culvert_conf_parse(g_bytes_get_data(written, NULL), g_bytes_get_size(written), "y", &error);
    g_assert_no_error(error);
    rewritten = culvert_conf_format(again);
    g_assert_true(g_bytes_equal(written, rewritten));
    return 0;
}
