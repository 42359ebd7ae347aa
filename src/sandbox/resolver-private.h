/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver-private.h: what the service and its resolver say to each other: one message a question,
 * one an answer, over a SOCK_SEQPACKET pair. A question that is not for the system's own resolver
 * comes with sockets, each of which leads to a name server, a message a datagram.
 */
#pragma once

#include <glib.h>
#include <netdb.h>

#include "sandbox-message.h"

G_BEGIN_DECLS

/* More of one name are of no use to a dialer that gives each its seconds. */
#define RESOLVER_ADDRESSES_MAX 32

/* MAXNS of resolv.conf(5): more are not asked. */
#define RESOLVER_SERVERS_MAX 3
G_STATIC_ASSERT(RESOLVER_SERVERS_MAX <= SANDBOX_MESSAGE_FDS_MAX);

/* Of a datagram either way, without EDNS (RFC 1035, 4.2.1). */
#define RESOLVER_DATAGRAM_MAX 512

typedef enum {
    RESOLVER_HOST,
    RESOLVER_USER,
    RESOLVER_GROUP,
} ResolverKind;

typedef struct {
    guint32 id;
    gint32 kind;   /* ResolverKind */
    gint32 family; /* of a host; AF_UNSPEC: both */
    char name[NI_MAXHOST];
} ResolverQuestion;

typedef struct {
    gint32 family;
    guint32 scope; /* of a link-local address: index of the interface */
    guint8 bytes[16];
} ResolverAddress;

typedef struct {
    guint32 id;
    gint32 status;   /* 0, or EAI_... of getaddrinfo(3); of an account 0 or an errno */
    guint32 account; /* its number */
    guint32 n_addresses;
    ResolverAddress addresses[RESOLVER_ADDRESSES_MAX];
} ResolverAnswer;

/* resolver_stub_ask (resolver-stub.c): asks name servers for the addresses of a name, over sockets
 * as above, which stay the caller's. Waits, for less than six seconds. */
void resolver_stub_ask(const ResolverQuestion *question, const int *sockets, guint n_sockets,
                       ResolverAnswer *answer);

/* resolver_stub_query: the datagram that asks for addresses of `type` (ns_t_a, ns_t_aaaa); its
 * size, 0: that is no name. */
gsize resolver_stub_query(const char *name, int type, guint8 query[RESOLVER_DATAGRAM_MAX]);

/* resolver_stub_read: adds the addresses of a datagram to `answer`. FALSE, with nothing added: it
 * is not an answer to the query, or not one that would end the search. */
gboolean resolver_stub_read(const guint8 *datagram, gsize len, const guint8 *query, gsize query_len,
                            ResolverAnswer *answer);

/* The resolver's whole life: confines itself, and answers what comes from `fd` to its end. */
void resolver_process_run(int fd);

G_END_DECLS
