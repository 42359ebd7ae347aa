/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netns-private.h: what a daemon and the process that enters namespaces for it say to each other:
 * one message a question, with a descriptor of the namespace, and one an answer, with that of the
 * socket, over a SOCK_SEQPACKET pair.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    gint32 domain, type, protocol;
} NetnsQuestion;

typedef struct {
    gint32 errsv; /* if there is no descriptor */
} NetnsAnswer;

extern int netns_process_fd;

G_END_DECLS
