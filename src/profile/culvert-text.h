/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-text.h: single values as people write them: prefixes, endpoints, domains, numbers; and
 * how to show them in a message. Private to this folder. All functions: any thread.
 */
#pragma once

#include <glib.h>

#include "wireguard/wireguard.h"

G_BEGIN_DECLS

/* culvert_text_quote: `text` made fit for a message: valid UTF-8, without control characters, not
 * too long, and with everything that could be (part of) a key replaced by "…". (transfer full) */
char *culvert_text_quote(const char *text);

/* culvert_text_find_control: whether `text` is not UTF-8 or holds a control character. */
gboolean culvert_text_has_control(const char *text);

/* culvert_text_parse_number: decimal digits alone, up to `max`. */
gboolean culvert_text_parse_number(const char *text, guint32 max, guint32 *number);

/* culvert_text_parse_mark: the same, or hexadecimal digits after "0x". */
gboolean culvert_text_parse_mark(const char *text, guint32 max, guint32 *number);

/* culvert_text_parse_prefix: "address/length"; without a length the whole address. Host bits are
 * kept. */
gboolean culvert_text_parse_prefix(const char *text, WgPrefix *prefix);
char *culvert_text_format_prefix(const WgPrefix *prefix);

/* culvert_text_mask_prefix: clears the host bits; TRUE if there were any. */
gboolean culvert_text_mask_prefix(WgPrefix *prefix);

/* culvert_text_is_ipv6: an IPv6 address, with or without %scope. */
gboolean culvert_text_is_ipv6(const char *text);

/* culvert_text_is_host: an address, or a name that may be one's in the DNS. */
gboolean culvert_text_is_host(const char *text);

/* culvert_text_split_endpoint: cuts "host:port" or "[v6]:port" at the last colon; the host comes
 * without brackets. Checks nothing else. */
gboolean culvert_text_split_endpoint(const char *text, char **host, char **port);

/* culvert_text_join_endpoint: the reverse, with brackets where they are needed. */
char *culvert_text_join_endpoint(const char *host, guint port);

/* culvert_text_is_domain: a search domain; with "~" before it one that only routes look-ups. */
gboolean culvert_text_is_domain(const char *text);

G_END_DECLS
