/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-status.h: how a connection is at the moment, from the service's D-Bus status, for as long
 * as it is up; nm-culvert-service(8) describes that. No widgets, and nothing blocks.
 *
 * Believed is who owns a bus name of the service, which the bus gives to root alone. One thread,
 * with a main context that is the default one.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A minute of rates, a value a second. */
#define CULVERT_STATUS_HISTORY 60

typedef struct {
    char *state;          /* connecting, connected or silent */
    gint64 since;         /* seconds since 1970 */
    char *endpoint;       /* address and port in use; may be empty */
    char *endpoint_name;  /* what the profile calls it; may be empty */
    gint64 handshake_age; /* seconds; -1: there was none yet */
    guint64 rx_bytes;
    guint64 tx_bytes;
} CulvertStatusNow;

typedef struct {
    double rx; /* bytes a second */
    double tx;
} CulvertStatusRate;

typedef struct _CulvertEditorStatus CulvertEditorStatus;

/* culvert_editor_status_new: follows the connection with this UUID. `bus` NULL: the system bus.
 * `changed` is called when there is news, never from in here. */
CulvertEditorStatus *culvert_editor_status_new(GDBusConnection *bus, const char *uuid,
                                               void (*changed)(gpointer user_data),
                                               gpointer user_data);
void culvert_editor_status_free(CulvertEditorStatus *status);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertEditorStatus, culvert_editor_status_free)

/* culvert_editor_status_get: NULL while the connection is not up; borrowed until the next change.
 */
const CulvertStatusNow *culvert_editor_status_get(CulvertEditorStatus *status);

/* culvert_editor_status_get_rates: of the last minute, the oldest first; borrowed until the next
 * change. */
const CulvertStatusRate *culvert_editor_status_get_rates(CulvertEditorStatus *status, guint *n);

G_END_DECLS
