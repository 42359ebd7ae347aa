/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-log.h: where a program's messages go, and which of them.
 *
 * The GLib levels are used so: WARNING, why something failed; MESSAGE, the story of a connection,
 * shown by default; INFO, each attempt and renewed session; DEBUG, all else. Key material is never
 * given to any of them.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_log_init: sends this process's messages up to syslog level `level` (0 to 7) to its log,
 * once, before any other thread: to the journal or syslog if `to_syslog` and there is one,
 * otherwise to standard error. `identifier` names the program and must stay. */
void culvert_log_init(const char *identifier, int level, gboolean to_syslog);

/* culvert_log_set_connection: the connection that messages are about from now on. The journal keeps
 * its UUID as NM_CONNECTION, as NetworkManager's own messages do: the journalctl command that nmcli
 * recommends after a failure finds them by it. Any thread. */
void culvert_log_set_connection(const char *uuid);

/* culvert_log_to_syslog: from now on to the journal or syslog: the program has gone into the
 * background. */
void culvert_log_to_syslog(void);

/* culvert_log_parse_level: the syslog level in `text`, as in NM_VPN_LOG_LEVEL; 5, "notice", if it
 * is NULL or none. */
int culvert_log_parse_level(const char *text);

/* culvert_log_syslog_level: the syslog level of a message. */
int culvert_log_syslog_level(GLogLevelFlags level);

/* culvert_log_clean: a copy of `message` without control characters and invalid UTF-8:
 * what came from a file or the bus cannot forge a line of the log. (transfer full) */
char *culvert_log_clean(const char *message);

G_END_DECLS
