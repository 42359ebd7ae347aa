/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service-names.c: which of NetworkManager's name servers are asked beside the tunnel.
 */
#include "service/service-names.h"

#define INDEX 7

/* The form of the property Configuration, as NetworkManager 1.42 sends it. */
static GPtrArray *read_servers(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) configuration =
        g_variant_parse(G_VARIANT_TYPE("aa{sv}"), text, NULL, NULL, &error);

    g_assert_no_error(error);
    return culvert_names_read_servers(configuration, "wan0", INDEX);
}

static void assert_server(GPtrArray *servers, guint i, const char *expected)
{
    g_autofree char *text = NULL;

    g_assert_cmpuint(i, <, servers->len);
    text = g_socket_connectable_to_string(g_ptr_array_index(servers, i));
    g_assert_cmpstr(text, ==, expected);
}

/* Of the interface alone, though NetworkManager has the tunnel's asked instead. */
static void test_of_the_interface(void)
{
    g_autoptr(GPtrArray) servers = read_servers(
        "[{'nameservers': <['10.8.0.1']>, 'interface': <'culvert0'>, 'priority': <-50>,"
        "  'vpn': <true>},"
        " {'nameservers': <['192.0.2.1', '192.0.2.3']>, 'interface': <'wan0'>,"
        "  'priority': <100>, 'vpn': <false>},"
        " {'nameservers': <['192.0.3.1']>, 'interface': <'wan1'>, 'priority': <100>},"
        " {'nameservers': <['2001:db8:1::1']>, 'interface': <'wan0'>, 'priority': <100>}]");

    g_assert_cmpuint(servers->len, ==, 3);
    assert_server(servers, 0, "192.0.2.1:53");
    assert_server(servers, 1, "192.0.2.3:53");
    assert_server(servers, 2, "[2001:db8:1::1]:53");
}

static void test_link_local(void)
{
    g_autoptr(GPtrArray) servers =
        read_servers("[{'nameservers': <['fe80::1', 'fe80::2%wan0']>, 'interface': <'wan0'>}]");

    g_assert_cmpuint(servers->len, ==, 2);
    for (guint i = 0; i < servers->len; i++)
        g_assert_cmpuint(g_inet_socket_address_get_scope_id(g_ptr_array_index(servers, i)), ==,
                         INDEX);
}

/* One that is to be asked in secret is not asked in the clear. */
static void test_not_in_the_clear(void)
{
    g_autoptr(GPtrArray) servers =
        read_servers("[{'nameservers': <['192.0.2.1#dns.example', 'dns+tls://192.0.2.2',"
                     " 'https://dns.example/', 'dns+udp://192.0.2.3', '127.0.0.53', '::1', '']>,"
                     " 'interface': <'wan0'>}]");

    g_assert_cmpuint(servers->len, ==, 1);
    assert_server(servers, 0, "192.0.2.3:53");
}

/* Another NetworkManager, another form. */
static void test_other_types(void)
{
    g_autoptr(GPtrArray) servers =
        read_servers("[{'nameservers': <'192.0.2.1'>, 'interface': <'wan0'>},"
                     " {'nameservers': <['192.0.2.2']>, 'interface': <2>},"
                     " {'nameservers': <['192.0.2.3']>}, {'interface': <'wan0'>}]");

    g_assert_cmpuint(servers->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-names/of-the-interface", test_of_the_interface);
    g_test_add_func("/service-names/link-local", test_link_local);
    g_test_add_func("/service-names/not-in-the-clear", test_not_in_the_clear);
    g_test_add_func("/service-names/other-types", test_other_types);
    return g_test_run();
}
