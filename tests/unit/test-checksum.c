/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-checksum.c: the Internet checksum, against one that goes byte by byte.
 */
#include "tun/culvert-checksum.h"

#include <netinet/in.h>
#include <string.h>

#include "packets.h"
#include "test-hex.h"

static guint16 checksum(const guint8 *data, gsize len)
{
    return GUINT16_FROM_BE(culvert_checksum_fold(culvert_checksum_add(0, data, len)));
}

/* RFC 1071, 3: the words 0001, f203, f4f5 and f6f7 add up to ddf2. */
static void test_example(void)
{
    static const guint8 data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    guint8 out[2];

    g_assert_cmphex(checksum(data, sizeof data), ==, (guint16) ~0xddf2);
    culvert_checksum_put(out, culvert_checksum_add(0, data, sizeof data));
    g_assert_cmphex(out[0], ==, 0x22);
    g_assert_cmphex(out[1], ==, 0x0d);
    g_assert_cmphex(checksum(NULL, 0), ==, 0xffff);
}

/* Each length to a few blocks and more, each alignment, in memory of just that size. */
static void test_lengths(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1071);

    for (gsize len = 0; len < 700; len++) {
        gsize offset = len % 17;
        g_autofree guint8 *data = g_malloc(offset + len + 1);
        g_autofree guint8 *exact = NULL;

        for (gsize i = 0; i <= offset + len; i++)
            data[i] = (guint8) g_rand_int(rand);
        exact = g_memdup2(data, offset + len);
        g_assert_cmphex(checksum(exact + offset, len), ==, packets_checksum(data + offset, len));
    }
}

/* As many carries as there can be. */
static void test_carries(void)
{
    g_autofree guint8 *data = g_malloc(65535);

    memset(data, 0xff, 65535);
    for (gsize len = 65535; len > 65400; len--)
        g_assert_cmphex(checksum(data, len), ==, packets_checksum(data, len));
    g_assert_cmphex(culvert_checksum_fold(G_MAXUINT64), ==, 0);
    g_assert_cmphex(culvert_checksum_fold(0x1ffffffffULL), ==, (guint16) ~1);
}

static void test_runs(void)
{
    guint8 data[300];

    for (guint i = 0; i < sizeof data; i++)
        data[i] = (guint8) (i * 37 + 11);
    for (gsize cut = 0; cut < sizeof data; cut += 2) {
        guint64 sum = culvert_checksum_add(0, data, cut);

        sum = culvert_checksum_add(sum, data + cut, 299 - cut);
        g_assert_cmphex(GUINT16_FROM_BE(culvert_checksum_fold(sum)), ==,
                        packets_checksum(data, 299));
    }

    /* A number counts as its bytes in the packet would. */
    guint64 sum = culvert_checksum_word((guint16) (data[0] << 8 | data[1]));

    sum = culvert_checksum_add(sum, data + 2, 297);
    g_assert_cmphex(GUINT16_FROM_BE(culvert_checksum_fold(sum)), ==, packets_checksum(data, 299));
}

static void test_pseudo(void)
{
    gsize len;
    g_autofree guint8 *packet4 =
        unhex_alloc("4500 0024 0001 0000 4011 66c6 0a000001 0a000002", &len);
    g_autofree guint8 *packet6 = unhex_alloc("6000 0000 0010 1140 fd000000000000000000000000000001 "
                                             "fd000000000000000000000000000002",
                                             &len);
    g_autofree guint8 *pseudo4 = unhex_alloc("0a000001 0a000002 0011 ff10", &len);

    g_assert_cmphex(GUINT16_FROM_BE(culvert_checksum_fold(
                        culvert_checksum_pseudo(packet4, IPPROTO_UDP, 0xff10))),
                    ==, packets_checksum(pseudo4, len));

    g_autofree guint8 *pseudo6 = unhex_alloc("fd000000000000000000000000000001 "
                                             "fd000000000000000000000000000002 0000ff10 00000011",
                                             &len);

    g_assert_cmphex(GUINT16_FROM_BE(culvert_checksum_fold(
                        culvert_checksum_pseudo(packet6, IPPROTO_UDP, 0xff10))),
                    ==, packets_checksum(pseudo6, len));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func("/checksum/" name, func)
    ADD("example", test_example);
    ADD("lengths", test_lengths);
    ADD("carries", test_carries);
    ADD("runs", test_runs);
    ADD("pseudo", test_pseudo);
    return g_test_run();
}
