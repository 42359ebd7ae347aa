/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firewall-rules.c: what stands in Culvert's tables, as text for nft(8). Pure: all that is put into
 * it are numbers, addresses that were parsed, and a UUID that was checked.
 */
#include "config.h"

#include "culvert-firewall.h"

#include <string.h>

#define PREFIX        "nm-culvert-"
#define TUNNEL_SUFFIX "-tunnel"

/* The system's accounts, such as its resolver's (SYS_UID_MAX of login.defs(5), systemd's
 * SYSTEM_UID_MAX), and “nobody”, as whom NetworkManager's dnsmasq may run. */
#define SYSTEM_USERS "{ 0-999, 65534 }"

/* Programs are told at once, rather than left to wait. */
#define REFUSE "reject with icmpx admin-prohibited"

/* What no system can do without on a link, and what cannot be routed away from it: addresses by
 * DHCP, and IPv6's neighbour discovery (RFC 4861) and memberships (RFC 3810), which Linux sends by
 * itself. ARP is not IP, so that no rule of the family inet sees it. */
#define LINK_RULES                                                                                 \
    "    meta nfproto ipv4 udp sport 68 udp dport 67 accept\n"                                     \
    "    ip6 saddr fe80::/10 ip6 daddr { ff02::1:2, fe80::/10 } udp sport 546 udp dport 547 "      \
    "accept\n"                                                                                     \
    "    ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-neighbor-solicit, "                  \
    "nd-neighbor-advert } accept\n"                                                                \
    "    ip6 daddr ff02::/16 icmpv6 type { mld-listener-report, mld-listener-done, "               \
    "mld2-listener-report } accept\n"

/* Only what nobody can own on the internet (RFC 1918, 3927, 4193, 4291, multicast and broadcast): a
 * network that hands out other people's addresses as its own gets nothing of what is meant for
 * those people (TunnelCrack, LocalNet, CVE-2023-36672). */
#define LOCAL_RULES                                                                                \
    "    ip daddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, 224.0.0.0/4, "      \
    "255.255.255.255 } accept\n"                                                                   \
    "    ip6 daddr { fc00::/7, fe80::/10, ff00::/8 } accept\n"

char *culvert_firewall_table(const char *uuid)
{
    if (!uuid || !g_uuid_string_is_valid(uuid))
        return NULL;
    return g_strconcat(PREFIX, uuid, NULL);
}

/* Of what is there already nothing remains: the first line makes sure that there is something for
 * the second one to remove. */
static GString *begin_table(const char *table, const char *flags)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "table inet %s {%s }\n", table, flags);
    g_string_append_printf(text, "delete table inet %s\n", table);
    g_string_append_printf(text, "table inet %s {%s\n", table, flags);
    return text;
}

/* When there is no tunnel, its routes are gone as well, and what belongs into it would go to
 * whoever has the same private address here. */
static void append_local(GString *text, const CulvertFirewallSwitch *rules, const char *refuse)
{
    if (!rules->local)
        return;
    for (guint i = 0; i < rules->beyond->len; i++) {
        GInetAddressMask *network = g_ptr_array_index(rules->beyond, i);
        gboolean v6 = g_inet_address_mask_get_family(network) == G_SOCKET_FAMILY_IPV6;
        g_autofree char *literal = g_inet_address_mask_to_string(network);

        g_string_append_printf(text, "    %s daddr %s counter %s\n", v6 ? "ip6" : "ip", literal,
                               refuse);
    }
    g_string_append(text, LOCAL_RULES);
}

/* By what a device is, not by its name: a rule for the name would have to be changed whenever there
 * is another device. What goes into other TUN devices, of other VPNs, may pass likewise: it is not
 * on a wire yet, and what those VPNs make of it comes by here again. */
static void append_output(GString *text, const CulvertFirewallSwitch *rules)
{
    g_string_append(text, "  chain output {\n"
                          "    type filter hook output priority filter; policy drop;\n"
                          "    oifname lo accept\n"
                          "    meta oifkind tun accept\n");
    g_string_append_printf(text, "    meta mark 0x%x meta l4proto udp accept\n", rules->mark);
    g_string_append(text, LINK_RULES);
    if (rules->names)
        g_string_append(text, "    meta skuid " SYSTEM_USERS
                              " meta l4proto { tcp, udp } th dport { 53, 853 } accept\n");
    append_local(text, rules, REFUSE);
    g_string_append(text, "    counter " REFUSE "\n"
                          "  }\n");
}

/* What this computer routes for others, containers say. */
static void append_forward(GString *text, const CulvertFirewallSwitch *rules)
{
    g_string_append(text, "  chain forward {\n"
                          "    type filter hook forward priority filter; policy drop;\n"
                          "    meta oifkind tun accept\n"
                          "    meta iifkind tun accept\n");
    append_local(text, rules, "drop");
    g_string_append(text, "    counter\n"
                          "  }\n");
}

char *culvert_firewall_format_switch(const char *table, const CulvertFirewallSwitch *rules)
{
    GString *text = begin_table(table, "");

    append_output(text, rules);
    append_forward(text, rules);
    g_string_append(text, "}\n");
    return g_string_free(text, FALSE);
}

/* Linux answers for an address on every interface, not only on the one that has it (RFC 1122,
 * 3.3.4.2, weak end system model). Whoever is on the same network could so find out the tunnel's
 * address, and which connections run through it (CVE-2019-14899). */
static void append_address(GString *text, guint ifindex, GInetAddress *address)
{
    gboolean v6 = g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
    g_autofree char *literal = g_inet_address_to_string(address);

    g_string_append_printf(text, "    iif != %u %s daddr %s fib saddr type != local counter drop\n",
                           ifindex, v6 ? "ip6" : "ip", literal);
}

char *culvert_firewall_format_tunnel(const char *table, guint ifindex, GPtrArray *addresses)
{
    g_autofree char *name = g_strconcat(table, TUNNEL_SUFFIX, NULL);
    GString *text = begin_table(name, " flags owner;");

    if (ifindex != 0) {
        g_string_append(text, "  chain prerouting {\n"
                              "    type filter hook prerouting priority raw; policy accept;\n");
        for (guint i = 0; i < addresses->len; i++)
            append_address(text, ifindex, g_ptr_array_index(addresses, i));
        g_string_append(text, "  }\n");
    }
    g_string_append(text, "}\n");
    return g_string_free(text, FALSE);
}

char *culvert_firewall_format_removal(const char *table)
{
    return g_strdup_printf("table inet %s { }\ndelete table inet %s\n", table, table);
}

gboolean culvert_firewall_find(const char *listing, const char *table)
{
    g_auto(GStrv) lines = g_strsplit(listing, "\n", -1);
    g_autofree char *wanted = g_strconcat("table inet ", table, NULL);

    return g_strv_contains((const char *const *) lines, wanted);
}

/* The name of the kill switch that a line is about, NULL: none. */
static char *read_line(const char *line)
{
    const char *uuid = line;

    if (!g_str_has_prefix(line, "table inet " PREFIX))
        return NULL;
    uuid += strlen("table inet " PREFIX);
    return culvert_firewall_table(uuid);
}

GPtrArray *culvert_firewall_find_stale(const char *listing)
{
    GPtrArray *stale = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(listing, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        g_autofree char *table = read_line(lines[i]);
        g_autofree char *keeper = table ? g_strconcat(table, TUNNEL_SUFFIX, NULL) : NULL;

        if (table && !culvert_firewall_find(listing, keeper))
            g_ptr_array_add(stale, g_steal_pointer(&table));
    }
    return stale;
}
