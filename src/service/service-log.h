/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-log.h: where the service's messages go, and which of them.
 *
 * The GLib levels are used so: WARNING, why something failed; MESSAGE, the story of a connection,
 * shown by default; INFO, each attempt and renewed session; DEBUG, all else. Key material is never
 * given to any of them.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_service_log_init: sends all messages of this process to its log, once, before any other
 * thread. NetworkManager says in the environment how much it wants: NM_VPN_LOG_LEVEL, a syslog
 * level from 0 to 7 (5, "notice", if missing), and where: NM_VPN_LOG_SYSLOG=1, the journal or
 * syslog if there is one; otherwise standard error. `debug` overrides both: everything, to standard
 * error. */
void culvert_service_log_init(gboolean debug);

/* culvert_service_log_set_connection: the connection that messages are about from now on. The
 * journal keeps its UUID as NM_CONNECTION, as NetworkManager's own messages do: the journalctl
 * command that nmcli recommends after a failure finds them by it. Any thread. */
void culvert_service_log_set_connection(const char *uuid);

/* culvert_service_log_parse_level: the syslog level in `text`; 5 if it is NULL or none. */
int culvert_service_log_parse_level(const char *text);

/* culvert_service_log_syslog_level: the syslog level of a message. */
int culvert_service_log_syslog_level(GLogLevelFlags level);

/* culvert_service_log_clean: a copy of `message` without control characters and invalid UTF-8:
 * what came from a file or the bus cannot forge a line of the log. (transfer full) */
char *culvert_service_log_clean(const char *message);

G_END_DECLS
