/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-firewall.c: the text of Culvert's tables, and which tables are stale. What the kernel makes
 * of it is tests/desktop/test_leaks.py's.
 */
#include "config.h"

#include <glib.h>
#include <string.h>

#include "firewall/culvert-firewall.h"

#define UUID  "3b1c9a3e-0000-4000-8000-000000000001"
#define OTHER "3b1c9a3e-0000-4000-8000-000000000002"
#define TABLE "nm-culvert-" UUID

static void test_table(void)
{
    g_autofree char *table = culvert_firewall_table(UUID);

    g_assert_cmpstr(table, ==, TABLE);
    g_assert_null(culvert_firewall_table(NULL));
    g_assert_null(culvert_firewall_table(""));
    g_assert_null(culvert_firewall_table("*"));
    g_assert_null(culvert_firewall_table(UUID "; flush ruleset"));
    g_assert_null(culvert_firewall_table(UUID "-tunnel"));
}

static char *format_switch(gboolean names, gboolean local)
{
    g_autoptr(GPtrArray) beyond = g_ptr_array_new_with_free_func(g_object_unref);
    CulvertFirewallSwitch rules = {.mark = 0x51, .names = names, .local = local, .beyond = beyond};

    g_ptr_array_add(beyond, g_inet_address_mask_new_from_string("10.8.0.0/24", NULL));
    g_ptr_array_add(beyond, g_inet_address_mask_new_from_string("fd08::/64", NULL));
    return culvert_firewall_format_switch(TABLE, &rules);
}

static void assert_order(const char *text, const char *first, const char *second)
{
    const char *found = strstr(text, first);

    g_assert_nonnull(found);
    g_assert_nonnull(strstr(found, second));
}

static void test_switch(void)
{
    g_autofree char *text = format_switch(FALSE, FALSE);

    /* Replaced in one go. */
    g_assert_true(g_str_has_prefix(text, "table inet " TABLE " { }\ndelete table inet " TABLE
                                         "\ntable inet " TABLE " {\n"));
    assert_order(text, "hook output priority filter; policy drop;",
                 "meta mark 0x51 meta l4proto udp accept");
    assert_order(text, "hook forward priority filter; policy drop;", "meta iifkind tun accept");
    /* Neither names nor a local network. */
    g_assert_null(strstr(text, "53"));
    g_assert_null(strstr(text, "192.168.0.0/16"));
    g_assert_null(strstr(text, "10.8.0.0/24"));
}

static void test_switch_names(void)
{
    g_autofree char *text = format_switch(TRUE, FALSE);

    assert_order(text, "hook output",
                 "meta skuid { 0-999, 65534 } meta l4proto { tcp, udp } th dport");
    g_assert_null(strstr(text, "192.168.0.0/16"));
}

/* What is behind the tunnel is refused before private addresses are let out. */
static void test_switch_local(void)
{
    g_autofree char *text = format_switch(FALSE, TRUE);
    const char *forward = strstr(text, "chain forward");

    assert_order(text, "ip daddr 10.8.0.0/24 counter reject", "192.168.0.0/16");
    assert_order(text, "ip6 daddr fd08::/64 counter reject", "fe80::/10, ff00::/8 } accept");
    assert_order(forward, "ip daddr 10.8.0.0/24 counter drop", "192.168.0.0/16");
    g_assert_null(strstr(text, "53"));
}

static void test_tunnel(void)
{
    g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_object_unref);
    g_autofree char *text = NULL;
    g_autofree char *empty = NULL;

    g_ptr_array_add(addresses, g_inet_address_new_from_string("10.8.0.2"));
    g_ptr_array_add(addresses, g_inet_address_new_from_string("fd08::2"));
    text = culvert_firewall_format_tunnel(TABLE, 7, addresses);
    assert_order(text, "table inet " TABLE "-tunnel { flags owner;", "hook prerouting");
    assert_order(text, "iif != 7 ip daddr 10.8.0.2 fib saddr type != local counter drop\n",
                 "iif != 7 ip6 daddr fd08::2 fib saddr type != local counter drop\n");
    empty = culvert_firewall_format_tunnel(TABLE, 0, addresses);
    g_assert_nonnull(strstr(empty, TABLE "-tunnel"));
    g_assert_null(strstr(empty, "chain"));
}

/* A kill switch is stale if nobody keeps it; other people's tables are none of our business. */
static void test_stale(void)
{
    const char *listing = "table inet filter\n"
                          "table inet nm-culvert-" OTHER "\n"
                          "table inet " TABLE "\n"
                          "table inet nm-culvert-something\n"
                          "table inet nm-culvert-3b1c9a3e-0000-4000-8000-000000000003-tunnel\n"
                          "table inet " TABLE "-tunnel\n";
    g_autoptr(GPtrArray) stale = culvert_firewall_find_stale(listing);
    g_autoptr(GPtrArray) none = culvert_firewall_find_stale("");

    g_assert_cmpuint(stale->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(stale, 0), ==, "nm-culvert-" OTHER);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_true(culvert_firewall_find(listing, TABLE));
    g_assert_false(culvert_firewall_find(listing, "nm-culvert"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/firewall/table", test_table);
    g_test_add_func("/firewall/switch", test_switch);
    g_test_add_func("/firewall/switch-names", test_switch_names);
    g_test_add_func("/firewall/switch-local", test_switch_local);
    g_test_add_func("/firewall/tunnel", test_tunnel);
    g_test_add_func("/firewall/stale", test_stale);
    return g_test_run();
}
