/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-attempts.h: what was tried to reach the gateway, so that a failure can be explained.
 * Plain data.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _CulvertAttempts CulvertAttempts;

CulvertAttempts *culvert_attempts_new(void);
void culvert_attempts_free(CulvertAttempts *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertAttempts, culvert_attempts_free)

/* culvert_attempts_add: notes that `endpoint`, an address of `name` ("host:port"), was tried; or,
 * with `endpoint` NULL, that `name` could not be resolved because of `error`. Returns how often
 * the same happened, this time included. */
guint culvert_attempts_add(CulvertAttempts *self, const char *name, GInetSocketAddress *endpoint,
                           const GError *error);

/* culvert_attempts_unsent: what was to be sent to `endpoint` could not leave this computer, because
 * of `error`. */
void culvert_attempts_unsent(CulvertAttempts *self, GInetSocketAddress *endpoint,
                             const GError *error);

/* culvert_attempts_report: why no gateway answered, in sentences: a line for each endpoint and each
 * name that could not be resolved, in the order of their first attempt, then the likely causes.
 * `public_key` is this computer's, in base64, and `listen_port` its UDP port; `answered`: answers
 * came that did not fit the keys. (transfer full) (element-type utf8) */
GPtrArray *culvert_attempts_report(const CulvertAttempts *self, const char *public_key,
                                   guint16 listen_port, gboolean answered);

/* culvert_attempts_endpoint_to_string: "192.0.2.1:51820" or "[2001:db8::1]:51820". (transfer
 * full) */
char *culvert_attempts_endpoint_to_string(GInetSocketAddress *endpoint);

G_END_DECLS
