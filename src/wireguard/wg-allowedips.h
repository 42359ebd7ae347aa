/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-allowedips.h: the routing table of crypto-key routing: address prefix to owner, longest
 * match first, one compressed binary trie per address family.
 *
 * A look-up costs at most one step per bit of the address, whatever the number of entries. Not
 * locked. Owners are opaque pointers; the table keeps no reference.
 */
#pragma once

#include "wireguard.h"

G_BEGIN_DECLS

typedef struct _WgAllowedIps WgAllowedIps;

WgAllowedIps *wg_allowed_ips_new(void);
void wg_allowed_ips_free(WgAllowedIps *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WgAllowedIps, wg_allowed_ips_free)

/* wg_allowed_ips_insert: host bits are masked off; a prefix that has an owner changes it. */
void wg_allowed_ips_insert(WgAllowedIps *table, const WgPrefix *prefix, gpointer owner);

/* wg_allowed_ips_remove: no-op unless exactly this prefix is `owner`'s. */
void wg_allowed_ips_remove(WgAllowedIps *table, const WgPrefix *prefix, gpointer owner);

void wg_allowed_ips_remove_owner(WgAllowedIps *table, gpointer owner);

/* wg_allowed_ips_lookup: the owner of the longest prefix that covers the address (`addr`: 4 or 16
 * bytes in network byte order); NULL: nobody's. */
gpointer wg_allowed_ips_lookup(const WgAllowedIps *table, int family, const guint8 *addr);

/* wg_allowed_ips_of: the owner's prefixes, IPv4 first, by address, then by length; (transfer full)
 * array of WgPrefix. */
GArray *wg_allowed_ips_of(const WgAllowedIps *table, gconstpointer owner);

guint wg_allowed_ips_size(const WgAllowedIps *table);

G_END_DECLS
