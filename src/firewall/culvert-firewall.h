/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-firewall.h: the tables that Culvert puts into nftables, and nothing of anybody else's.
 *
 * A connection has up to two, named after its UUID:
 *
 * - NAME, the kill switch. It is nobody's: it outlives the process that made it, however that ends.
 * - NAME-tunnel, which keeps packets from elsewhere off the tunnel's addresses. It has nftables'
 *   flag “owner”: the kernel removes it with the process. So it also says which connections are
 *   alive: a kill switch beside which it is missing is stale.
 *
 * The text that describes a table is made by pure functions; libnftables hands it to the kernel.
 * Each text takes effect whole or not at all, so that there is no moment without a table that is
 * replaced. One thread at a time.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The mark of a tunnel's datagrams if the profile has none: "Culv" in ASCII. Nothing else should
 * use it, since whatever has it may pass. */
#define CULVERT_FIREWALL_MARK 0x43756c76

/* What the kill switch is to let out beside the tunnel. */
typedef struct {
    guint32 mark;      /* of the tunnel's datagrams, and of queries for its gateway's name */
    gboolean names;    /* look-ups of names by the system, to find the gateway */
    gboolean local;    /* what goes to private and link-local addresses, and multicast ... */
    GPtrArray *beyond; /* ... but to none of these: they are behind the tunnel. (element-type
                          GInetAddressMask) */
} CulvertFirewallSwitch;

/* culvert_firewall_table: the name of a connection's kill switch; NULL if `uuid` is none, so that
 * nothing unexpected reaches nftables. (transfer full) */
char *culvert_firewall_table(const char *uuid);

/* culvert_firewall_format_switch: the text that makes or replaces the kill switch `table`.
 * (transfer full) */
char *culvert_firewall_format_switch(const char *table, const CulvertFirewallSwitch *rules);

/* culvert_firewall_format_tunnel: the text that makes or replaces the table `table`-tunnel.
 * `ifindex` is the tunnel's device, 0: there is none yet, and the table is empty; `addresses` its
 * addresses. (element-type GInetAddress) (transfer full) */
char *culvert_firewall_format_tunnel(const char *table, guint ifindex, GPtrArray *addresses);

/* culvert_firewall_format_removal: the text that removes `table`, which need not exist. (transfer
 * full) */
char *culvert_firewall_format_removal(const char *table);

/* culvert_firewall_find_stale: of the tables in `listing`, as “list tables inet” prints them, the
 * kill switches that nobody keeps. (transfer full) (element-type utf8) */
GPtrArray *culvert_firewall_find_stale(const char *listing);

/* culvert_firewall_find: whether `table` is in `listing`. */
gboolean culvert_firewall_find(const char *listing, const char *table);

/* A connection to the kernel's nftables. While it is open its tables NAME-tunnel exist. */
typedef struct _CulvertFirewall CulvertFirewall;

/* culvert_firewall_open: NULL if Culvert was built without libnftables, or the kernel has no
 * nftables; `error` (G_IO_ERROR_NOT_SUPPORTED) says so to people. */
CulvertFirewall *culvert_firewall_open(GError **error);
void culvert_firewall_close(CulvertFirewall *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertFirewall, culvert_firewall_close)

/* culvert_firewall_run: has the kernel do what `text` says; the error is nftables' own. */
gboolean culvert_firewall_run(CulvertFirewall *self, const char *text, GError **error);

/* culvert_firewall_list: all tables of the family inet, one a line; NULL on errors. (transfer
 * full) */
char *culvert_firewall_list(CulvertFirewall *self, GError **error);

G_END_DECLS
