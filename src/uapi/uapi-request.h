/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uapi-request.h: a request of WireGuard's cross-platform configuration protocol
 * (https://www.wireguard.com/xplatform/), read line by line into plain data.
 *
 * Nothing is applied before the whole request has been read and found valid: an invalid request
 * changes nothing. Untrusted bytes in, no I/O, no allocation beyond the request's own size.
 */
#pragma once

#include "wireguard/wireguard.h"

G_BEGIN_DECLS

/* A line is a key and a value; the longest are a public key in hex and an IPv6 endpoint. */
#define UAPI_LINE_MAX 512

/* Lines of one request: 10,000 peers with a hundred allowed IPs each fit. */
#define UAPI_LINES_MAX (1 << 21)

typedef struct {
    WgPrefix prefix;
    gboolean remove;
} UapiAllowedIp;

typedef struct {
    WgKey public_key;
    gboolean remove;
    gboolean update_only;
    gboolean replace_allowed_ips;
    gboolean has_preshared_key, has_endpoint, has_keepalive;
    WgKey preshared_key; /* zeros: none */
    WgEndpoint endpoint;
    guint16 keepalive;
    GArray *allowed_ips; /* of UapiAllowedIp; NULL: none */
} UapiPeer;

typedef struct {
    gboolean has_private_key, has_listen_port, has_fwmark;
    gboolean replace_peers;
    WgKey private_key; /* zeros: remove */
    guint16 listen_port;
    guint32 fwmark;
    GPtrArray *peers; /* of UapiPeer */
} UapiSet;

typedef struct _UapiReader UapiReader;

typedef enum {
    UAPI_MORE,  /* the request goes on */
    UAPI_GET,   /* a complete get=1 */
    UAPI_SET,   /* a complete set=1: uapi_reader_take_set() */
    UAPI_WRONG, /* complete, and invalid: uapi_reader_get_errno() */
    UAPI_CLOSE, /* not this protocol at all: hang up */
} UapiResult;

UapiReader *uapi_reader_new(void);
void uapi_reader_free(UapiReader *reader); /* wipes keys */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UapiReader, uapi_reader_free)

/* uapi_reader_line: takes the next line, `line` without its newline. After anything but UAPI_MORE
 * the next line begins a new request. */
UapiResult uapi_reader_line(UapiReader *reader, const char *line, gsize len);

/* uapi_reader_get_errno: after UAPI_WRONG, the positive errno of the first bad line, and in `line`
 * (if not NULL) its number, from 1. */
int uapi_reader_get_errno(const UapiReader *reader, guint *line);

/* uapi_reader_take_set: after UAPI_SET; (transfer full). */
UapiSet *uapi_reader_take_set(UapiReader *reader);
void uapi_set_free(UapiSet *set); /* wipes keys */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UapiSet, uapi_set_free)

/* The values, for the reader and for tests. Each is the whole of `text`. */
gboolean uapi_parse_key(const char *text, WgKey *key);
gboolean uapi_parse_number(const char *text, guint64 max, guint64 *number);
gboolean uapi_parse_endpoint(const char *text, WgEndpoint *endpoint);
gboolean uapi_parse_prefix(const char *text, WgPrefix *prefix);

G_END_DECLS
