/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-options.h: the one table of settings.
 *
 * Each setting is one row. Reading and writing NetworkManager's vpn setting, reading and writing a
 * .conf, an editor's checks and the tables in the documentation all walk these rows; a new setting
 * is a new row and a field in CulvertProfile or CulvertProfilePeer.
 *
 * The faults these functions report are half sentences about a value ("“x” is not a port"). The
 * caller puts the name of the setting, or file and line, before them. They never quote a value of
 * a key or anything that looks like one. All functions: any thread.
 */
#pragma once

#include "culvert-profile.h"

G_BEGIN_DECLS

typedef enum {
    CULVERT_SCOPE_INTERFACE, /* once: a field of CulvertProfile */
    CULVERT_SCOPE_PEER,      /* for each peer: a field of CulvertProfilePeer */
} CulvertScope;

typedef enum {
    CULVERT_TYPE_ADDRESS,     /* addresses with prefix length, host bits kept */
    CULVERT_TYPE_DNS,         /* addresses of servers and search domains, mixed */
    CULVERT_TYPE_NUMBER,      /* 0 (the default), or `min` to `max` */
    CULVERT_TYPE_MARK,        /* the same, written as hexadecimal; "off" is 0 */
    CULVERT_TYPE_DEVICE_TYPE, /* tun or tap */
    CULVERT_TYPE_KILL_SWITCH, /* no, yes or allow-local */
    CULVERT_TYPE_PUBLIC_KEY,
    CULVERT_TYPE_SECRET_KEY,
    CULVERT_TYPE_ENDPOINT,  /* host:port */
    CULVERT_TYPE_PREFIX,    /* address prefixes, host bits masked */
    CULVERT_TYPE_HOST,      /* one address, without prefix length */
    CULVERT_TYPE_INTERFACE, /* the name of a network interface */
    CULVERT_TYPE_ACCOUNT,   /* a user or group, by name or number */
} CulvertType;

typedef enum {
    CULVERT_OPTION_NONE = 0,
    CULVERT_OPTION_LIST = 1 << 0,        /* several values */
    CULVERT_OPTION_SECRET = 1 << 1,      /* in vpn.secrets, with "-flags" in vpn.data */
    CULVERT_OPTION_REQUIRED = 1 << 2,    /* no tunnel without it */
    CULVERT_OPTION_ACCUMULATES = 1 << 3, /* a further line in a .conf adds to the list */
    CULVERT_OPTION_OFF = 1 << 4,         /* the word "off" means 0 */
    CULVERT_OPTION_EXTENSION = 1 << 5,   /* unknown to wg: in a .conf, it hides in a comment */
    CULVERT_OPTION_ETHERNET = 1 << 6,    /* for the device type tap alone */
} CulvertOptionFlags;

typedef struct {
    const char *key;      /* in vpn.data or vpn.secrets, without "peerN-" */
    const char *conf_key; /* in a .conf */
    CulvertScope scope;
    CulvertType type;
    CulvertOptionFlags flags;
    guint32 min; /* of the numeric types; 0 is always allowed too */
    guint32 max;
    gsize offset;       /* of the field in its struct */
    gsize size;         /* of the field: numbers are of 2 or 4 bytes */
    gsize flags_offset; /* of a secret's NMSettingSecretFlags */
    const char *help;   /* one line, marked for translation: use _(help) */
} CulvertOption;

/* culvert_options: all rows, in the order in which they are documented and written. */
const CulvertOption *culvert_options(guint *n_options);

/* culvert_options_find: the row of a key of the vpn setting, without "peerN-"; NULL: unknown. */
const CulvertOption *culvert_options_find(const char *key);

/* culvert_options_find_conf: the row of a key in a .conf, in any case; NULL: unknown. */
const CulvertOption *culvert_options_find_conf(const char *conf_key);

/* culvert_option_parse: reads a whole value as it stands in the vpn setting, a list's items
 * separated by commas, semicolons or spaces, into the field of `object`, a CulvertProfile or
 * CulvertProfilePeer as the row's scope says. A list is added to. FALSE: `error` is the fault. */
gboolean culvert_option_parse(const CulvertOption *option, const char *value, gpointer object,
                              GError **error);

/* culvert_option_parse_item: the same for one item of a list, or the value of any other row. */
gboolean culvert_option_parse_item(const CulvertOption *option, const char *item, gpointer object,
                                   GError **error);

/* culvert_option_remove_item: takes a prefix out of a list of prefixes again; whether it was in
 * the list does not matter. */
gboolean culvert_option_remove_item(const CulvertOption *option, const char *item, gpointer object,
                                    GError **error);

/* culvert_option_reset: back to the default. */
void culvert_option_reset(const CulvertOption *option, gpointer object);

/* culvert_option_format_items: the field as strings, in the form that culvert_option_parse_item()
 * reads. Empty when it is at its default. Not for secrets: their text must not be copied around,
 * see culvert_option_secret(). (transfer full) */
GPtrArray *culvert_option_format_items(const CulvertOption *option, gconstpointer object);

/* culvert_option_format: the same, joined by `separator`; NULL at the default. (transfer full) */
char *culvert_option_format(const CulvertOption *option, gconstpointer object,
                            const char *separator);

/* culvert_option_secret: the field of a secret, NULL: unset; and of its flags. */
const WgKey *culvert_option_secret(const CulvertOption *option, gconstpointer object);
NMSettingSecretFlags *culvert_option_secret_flags(const CulvertOption *option, gpointer object);

/* culvert_option_values: what values are accepted, in a few words, translated; for the
 * documentation and editors. (transfer full) */
char *culvert_option_values(const CulvertOption *option);

/* culvert_options_markdown: the table of all settings for README.md. (transfer full) */
char *culvert_options_markdown(void);

/* culvert_options_manual: the settings in the manual page, in roff, in English. (transfer full) */
char *culvert_options_manual(void);

G_END_DECLS
