/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver-private.h: what the service and its resolver say to each other: one message a question,
 * one an answer, over a SOCK_SEQPACKET pair.
 */
#pragma once

#include <glib.h>
#include <netdb.h>

G_BEGIN_DECLS

/* More of one name are of no use to a dialer that gives each its seconds. */
#define RESOLVER_ADDRESSES_MAX 32

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

/* The resolver's whole life: confines itself, and answers what comes from `fd` to its end. */
void resolver_process_run(int fd);

G_END_DECLS
