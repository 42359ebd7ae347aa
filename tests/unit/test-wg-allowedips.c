/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-allowedips.c: longest-prefix match, by hand and at random against a plain list.
 */
#include "wireguard/wg-allowedips.h"

#include <arpa/inet.h>
#include <string.h>

/* Owners are opaque: any pointer will do. */
static char owner_marks[64];

static gpointer owner(guint i)
{
    return &owner_marks[i];
}

static WgPrefix prefix_of(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    WgPrefix prefix = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    g_assert_cmpint(inet_pton(prefix.family, parts[0], prefix.addr), ==, 1);
    g_assert_nonnull(parts[1]);
    prefix.length = (guint8) g_ascii_strtoull(parts[1], NULL, 10);
    return prefix;
}

static void insert(WgAllowedIps *table, const char *text, guint who)
{
    WgPrefix prefix = prefix_of(text);

    wg_allowed_ips_insert(table, &prefix, owner(who));
}

static void take_out(WgAllowedIps *table, const char *text, guint who)
{
    WgPrefix prefix = prefix_of(text);

    wg_allowed_ips_remove(table, &prefix, owner(who));
}

#define NOBODY G_MAXUINT

static void expect(const WgAllowedIps *table, const char *address, guint who)
{
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    guint8 bytes[16];
    gpointer found;

    g_assert_cmpint(inet_pton(family, address, bytes), ==, 1);
    found = wg_allowed_ips_lookup(table, family, bytes);
    if (found != (who == NOBODY ? NULL : owner(who)))
        g_error("%s is not where it should be", address);
}

static void expect_list(const WgAllowedIps *table, guint who, const char *expected)
{
    g_autoptr(GArray) prefixes = wg_allowed_ips_of(table, owner(who));
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < prefixes->len; i++) {
        const WgPrefix *prefix = &g_array_index(prefixes, WgPrefix, i);
        char address[INET6_ADDRSTRLEN];

        g_assert_nonnull(inet_ntop(prefix->family, prefix->addr, address, sizeof address));
        g_string_append_printf(text, "%s%s/%u", i > 0 ? " " : "", address, prefix->length);
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void test_empty(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();

    expect(table, "10.0.0.1", NOBODY);
    expect(table, "::", NOBODY);
    expect_list(table, 0, "");
    wg_allowed_ips_remove_owner(table, owner(0));
    take_out(table, "0.0.0.0/0", 0);
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 0);
}

static void test_longest_match(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();

    insert(table, "10.20.0.0/16", 1);
    insert(table, "10.20.30.0/24", 2);
    insert(table, "10.20.30.40/32", 3);
    insert(table, "10.20.30.42/31", 4);
    expect(table, "10.20.30.40", 3);
    expect(table, "10.20.30.41", 2);
    expect(table, "10.20.30.42", 4);
    expect(table, "10.20.30.43", 4);
    expect(table, "10.20.30.44", 2);
    expect(table, "10.20.31.40", 1);
    expect(table, "10.20.255.255", 1);
    expect(table, "10.21.0.0", NOBODY);
    expect(table, "10.19.255.255", NOBODY);
    expect(table, "::ffff:10.20.30.40", NOBODY);

    insert(table, "0.0.0.0/0", 5);
    expect(table, "10.21.0.0", 5);
    expect(table, "255.255.255.255", 5);
    expect(table, "10.20.30.41", 2);
    expect(table, "2001:db8::1", NOBODY);

    insert(table, "2001:db8::/32", 1);
    insert(table, "2001:db8:0:1::/64", 2);
    insert(table, "2001:db8:0:1::/65", 3);
    insert(table, "2001:db8:0:1::42/128", 4);
    insert(table, "::/0", 5);
    expect(table, "2001:db8:0:1::42", 4);
    expect(table, "2001:db8:0:1::43", 3);
    expect(table, "2001:db8:0:1:8000::42", 2);
    expect(table, "2001:db8:0:2::42", 1);
    expect(table, "2001:db7:ffff::", 5);
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 10);
}

/* Whatever comes in between is found: neighbours at every length, both ways of inserting. */
static void test_every_length(void)
{
    for (guint round = 0; round < 2; round++) {
        g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();
        WgPrefix prefix = {.family = AF_INET6};
        guint8 address[16];

        memset(prefix.addr, 0xa5, sizeof prefix.addr);
        for (guint i = 0; i <= 128; i++) {
            prefix.length = (guint8) (round ? 128 - i : i);
            wg_allowed_ips_insert(table, &prefix, GUINT_TO_POINTER(prefix.length + 1));
        }
        g_assert_cmpuint(wg_allowed_ips_size(table), ==, 129);
        for (guint i = 0; i < 128; i++) {
            memset(address, 0xa5, sizeof address);
            address[i / 8] ^= (guint8) (0x80 >> i % 8);
            g_assert_cmpuint(GPOINTER_TO_UINT(wg_allowed_ips_lookup(table, AF_INET6, address)), ==,
                             i + 1);
        }
    }
}

/* 1.2.3.4/8 is 1.0.0.0/8, and one prefix has one owner: the last. */
static void test_moves(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();

    insert(table, "10.9.8.7/8", 1);
    expect(table, "10.255.0.1", 1);
    expect_list(table, 1, "10.0.0.0/8");
    insert(table, "10.1.1.1/8", 2);
    expect(table, "10.255.0.1", 2);
    expect_list(table, 1, "");
    expect_list(table, 2, "10.0.0.0/8");
    insert(table, "10.0.0.0/8", 2);
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 1);

    insert(table, "fd00:1:2:3:4:5:6:7/50", 1);
    insert(table, "fd00:1:2::/50", 2);
    expect(table, "fd00:1:2:3fff::", 2);
    expect(table, "fd00:1:2:4000::", NOBODY);
    expect_list(table, 2, "10.0.0.0/8 fd00:1:2::/50");
}

static void test_list_order(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();

    insert(table, "::/0", 1);
    insert(table, "10.0.0.0/8", 1);
    insert(table, "fd00::/8", 1);
    insert(table, "9.0.0.0/8", 1);
    insert(table, "10.0.0.0/32", 1);
    insert(table, "11.0.0.0/8", 2);
    insert(table, "0.0.0.0/0", 1);
    insert(table, "192.0.2.1/32", 1);
    expect_list(table, 1, "0.0.0.0/0 9.0.0.0/8 10.0.0.0/8 10.0.0.0/32 192.0.2.1/32 ::/0 fd00::/8");
}

static void test_removal(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();

    insert(table, "10.0.0.0/8", 1);
    insert(table, "10.0.0.0/25", 2);
    insert(table, "10.0.0.128/25", 3); /* with the one before: a fork at /24 that is nobody's */

    take_out(table, "10.0.0.0/24", 2); /* the fork is not an entry */
    take_out(table, "10.0.0.0/25", 1); /* not the owner */
    take_out(table, "10.0.0.0/26", 2); /* no such entry */
    take_out(table, "11.0.0.0/25", 2); /* likewise */
    take_out(table, "10.0.0.0/9", 1);  /* likewise */
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 3);
    expect(table, "10.0.0.1", 2);

    take_out(table, "10.0.0.99/25", 2); /* host bits do not matter */
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 2);
    expect(table, "10.0.0.1", 1);
    expect(table, "10.0.0.129", 3);
    take_out(table, "10.0.0.0/8", 1);
    expect(table, "10.0.0.1", NOBODY);
    expect(table, "10.0.0.129", 3);
    take_out(table, "10.0.0.128/25", 3);
    expect(table, "10.0.0.129", NOBODY);
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 0);
}

static void test_remove_owner(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();

    insert(table, "0.0.0.0/0", 1);
    insert(table, "::/0", 1);
    insert(table, "10.0.0.0/8", 2);
    insert(table, "10.1.0.0/16", 1);
    insert(table, "10.1.1.0/24", 2);
    insert(table, "fd00::/8", 2);
    insert(table, "fd00::1/128", 1);

    wg_allowed_ips_remove_owner(table, owner(1));
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 3);
    expect_list(table, 1, "");
    expect_list(table, 2, "10.0.0.0/8 10.1.1.0/24 fd00::/8");
    expect(table, "10.1.0.1", 2);
    expect(table, "10.1.1.1", 2);
    expect(table, "fd00::1", 2);
    expect(table, "9.9.9.9", NOBODY);
    wg_allowed_ips_remove_owner(table, owner(1));
    wg_allowed_ips_remove_owner(table, owner(2));
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 0);
    insert(table, "10.0.0.0/8", 1);
    expect(table, "10.1.1.1", 1);
}

/* ---- At random, against a plain list -------------------------------------------------------- */

typedef struct {
    WgPrefix prefix;
    guint who;
} Entry;

static gboolean covers(const WgPrefix *prefix, int family, const guint8 *addr)
{
    if (prefix->family != family)
        return FALSE;
    for (guint i = 0; i < prefix->length; i++)
        if (((prefix->addr[i / 8] ^ addr[i / 8]) >> (7 - i % 8)) & 1)
            return FALSE;
    return TRUE;
}

static guint list_find(GArray *list, const WgPrefix *prefix)
{
    for (guint i = 0; i < list->len; i++) {
        const WgPrefix *other = &g_array_index(list, Entry, i).prefix;

        if (other->length == prefix->length && covers(other, prefix->family, prefix->addr))
            return i;
    }
    return list->len;
}

static guint list_lookup(GArray *list, int family, const guint8 *addr)
{
    guint who = NOBODY;
    int longest = -1;

    for (guint i = 0; i < list->len; i++) {
        const Entry *entry = &g_array_index(list, Entry, i);

        if (entry->prefix.length > longest && covers(&entry->prefix, family, addr)) {
            longest = entry->prefix.length;
            who = entry->who;
        }
    }
    return who;
}

static void list_remove_owner(GArray *list, guint who)
{
    for (guint i = list->len; i-- > 0;)
        if (g_array_index(list, Entry, i).who == who)
            g_array_remove_index_fast(list, i);
}

/* Addresses with few different bits, so that they meet; sometimes any address. */
static void random_address(guint8 *addr)
{
    gboolean any = g_test_rand_int_range(0, 8) == 0;

    for (guint i = 0; i < 16; i++)
        addr[i] = any ? (guint8) g_test_rand_int_range(0, 256)
                      : (guint8) (g_test_rand_int_range(0, 2) << g_test_rand_int_range(0, 8));
}

static WgPrefix random_prefix(void)
{
    WgPrefix prefix = {.family = g_test_rand_int_range(0, 2) ? AF_INET6 : AF_INET};
    guint bits = prefix.family == AF_INET ? 32 : 128;

    random_address(prefix.addr);
    prefix.length = (guint8) g_test_rand_int_range(0, (gint32) bits + 1);
    return prefix;
}

static void change_both(WgAllowedIps *table, GArray *list, guint n_owners)
{
    gint32 what = g_test_rand_int_range(0, 1000);
    Entry entry = {random_prefix(), (guint) g_test_rand_int_range(0, (gint32) n_owners)};
    guint at;

    if (what < 3) {
        wg_allowed_ips_remove_owner(table, owner(entry.who));
        list_remove_owner(list, entry.who);
        return;
    }
    if (what < 350 && list->len > 0) {
        /* An entry that is there, mostly of its owner. */
        entry.prefix =
            g_array_index(list, Entry, (guint) g_test_rand_int_range(0, (gint32) list->len)).prefix;
        at = list_find(list, &entry.prefix);
        if (what < 300)
            entry.who = g_array_index(list, Entry, at).who;
        wg_allowed_ips_remove(table, &entry.prefix, owner(entry.who));
        if (g_array_index(list, Entry, at).who == entry.who)
            g_array_remove_index_fast(list, at);
        return;
    }
    wg_allowed_ips_insert(table, &entry.prefix, owner(entry.who));
    at = list_find(list, &entry.prefix);
    if (at < list->len)
        g_array_index(list, Entry, at).who = entry.who;
    else
        g_array_append_val(list, entry);
}

static void compare_lookups(const WgAllowedIps *table, GArray *list, guint n)
{
    for (guint i = 0; i < n; i++) {
        int family = g_test_rand_int_range(0, 2) ? AF_INET6 : AF_INET;
        guint8 addr[16];
        guint who;

        random_address(addr);
        if (list->len > 0 && g_test_rand_int_range(0, 2)) {
            const Entry *entry =
                &g_array_index(list, Entry, (guint) g_test_rand_int_range(0, (gint32) list->len));

            family = entry->prefix.family;
            memcpy(addr, entry->prefix.addr, sizeof addr);
            addr[g_test_rand_int_range(0, 16)] ^= (guint8) (1 << g_test_rand_int_range(0, 8));
        }
        who = list_lookup(list, family, addr);
        g_assert_true(wg_allowed_ips_lookup(table, family, addr) ==
                      (who == NOBODY ? NULL : owner(who)));
    }
}

/* What is listed for an owner is what the plain list has for it. */
static void compare_owners(const WgAllowedIps *table, GArray *list, guint n_owners)
{
    guint total = 0;

    for (guint who = 0; who < n_owners; who++) {
        g_autoptr(GArray) prefixes = wg_allowed_ips_of(table, owner(who));

        for (guint i = 0; i < prefixes->len; i++) {
            guint at = list_find(list, &g_array_index(prefixes, WgPrefix, i));

            g_assert_cmpuint(at, <, list->len);
            g_assert_cmpuint(g_array_index(list, Entry, at).who, ==, who);
        }
        total += prefixes->len;
    }
    g_assert_cmpuint(total, ==, list->len);
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, list->len);
}

static void test_random(void)
{
    const guint n_owners = 12;

    for (guint round = 0; round < 20; round++) {
        g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();
        g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(Entry));

        for (guint i = 0; i < 1000; i++) {
            change_both(table, list, n_owners);
            compare_lookups(table, list, 10);
            if (i % 100 == 0)
                compare_owners(table, list, n_owners);
        }
        compare_owners(table, list, n_owners);
        for (guint who = 0; who < n_owners; who++) {
            wg_allowed_ips_remove_owner(table, owner(who));
            list_remove_owner(list, who);
            compare_lookups(table, list, 200);
        }
        g_assert_cmpuint(wg_allowed_ips_size(table), ==, 0);
    }
}

/* As many as Linux's netns.sh gives a peer: 255*256 addresses in each family. */
static void test_many(void)
{
    g_autoptr(WgAllowedIps) table = wg_allowed_ips_new();
    const guint n = 255 * 256;
    WgPrefix v4 = {.addr = {10}, .family = AF_INET, .length = 32};
    WgPrefix v6 = {.addr = {0xab, 0xcd}, .family = AF_INET6, .length = 128};

    for (guint i = 0; i < n; i++) {
        v4.addr[2] = v6.addr[14] = (guint8) (i >> 8);
        v4.addr[3] = v6.addr[15] = (guint8) i;
        wg_allowed_ips_insert(table, &v4, owner(i % 2));
        wg_allowed_ips_insert(table, &v6, owner(i % 2));
    }
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, 2 * n);
    expect(table, "10.0.254.254", 0);
    expect(table, "10.0.254.255", 1);
    expect(table, "10.0.255.0", NOBODY);
    expect(table, "abcd::fe01", 1);
    g_autoptr(GArray) prefixes = wg_allowed_ips_of(table, owner(1));
    g_assert_cmpuint(prefixes->len, ==, n);
    wg_allowed_ips_remove_owner(table, owner(1));
    g_assert_cmpuint(wg_allowed_ips_size(table), ==, n);
    expect(table, "10.0.254.254", 0);
    expect(table, "10.0.254.255", NOBODY);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-allowedips/empty", test_empty);
    g_test_add_func("/wg-allowedips/longest-match", test_longest_match); /* row 20 */
    g_test_add_func("/wg-allowedips/every-length", test_every_length);
    g_test_add_func("/wg-allowedips/moves", test_moves); /* row 20 */
    g_test_add_func("/wg-allowedips/list-order", test_list_order);
    g_test_add_func("/wg-allowedips/removal", test_removal);
    g_test_add_func("/wg-allowedips/remove-owner", test_remove_owner); /* row 20 */
    g_test_add_func("/wg-allowedips/random", test_random);             /* row 20 */
    g_test_add_func("/wg-allowedips/many", test_many);                 /* row 20 */
    return g_test_run();
}
