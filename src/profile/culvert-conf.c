/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-conf.c: reads the .conf of wg(8) and wg-quick(8).
 *
 * The two programs read the same file differently: wg deletes all white space in a line before it
 * looks at it, while for wg-quick's own settings (Address, DNS, …) it separates the items of a
 * list. Both views of a line are kept, in secret memory, since any line may hold a key.
 */
#include "config.h"

#include "culvert-conf.h"

#include <arpa/inet.h>
#include <glib/gi18n-lib.h>
#include <netdb.h>
#include <string.h>

#include "culvert-check.h"
#include "culvert-options.h"
#include "culvert-secret-buffer.h"
#include "culvert-text.h"

#define WHITE_SPACE " \t\n\v\f\r"

/* The longest name that is repeated in a message; every name of a setting is shorter, and every
 * key longer. */
#define KEY_NAME_MAX 19

typedef enum {
    SECTION_NONE,
    SECTION_INTERFACE,
    SECTION_PEER,
} Section;

typedef struct {
    CulvertConf *conf;
    const char *name;
    guint line;
    Section section;
    guint interface_line;        /* 0: no [Interface] yet */
    GArray *peer_lines;          /* of guint: where each [Peer] begins */
    GHashTable *key_lines;       /* "peer/key" -> line, to blame a setting later */
    CulvertSecretBuffer compact; /* the line without comment and white space */
    CulvertSecretBuffer raw;     /* the line without comment */
} Parser;

static const char *const SECTION_NAMES[] = {"", "[Interface]", "[Peer]"};

/* wg-quick's settings of which import makes nothing: it runs no command, and NetworkManager is
 * where settings are saved. */
static const char *const LEFT_OUT[] = {"PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig"};

CulvertConf *culvert_conf_new(void)
{
    CulvertConf *conf = g_new0(CulvertConf, 1);

    conf->profile = culvert_profile_new();
    conf->table = CULVERT_CONF_TABLE_AUTO;
    conf->warnings = g_ptr_array_new_with_free_func(g_free);
    return conf;
}

void culvert_conf_free(CulvertConf *conf)
{
    if (!conf)
        return;
    culvert_profile_free(conf->profile);
    g_ptr_array_unref(conf->warnings);
    g_free(conf);
}

static void parser_clear(Parser *parser)
{
    culvert_conf_free(parser->conf);
    g_array_unref(parser->peer_lines);
    g_hash_table_unref(parser->key_lines);
    culvert_secret_buffer_clear(&parser->compact);
    culvert_secret_buffer_clear(&parser->raw);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parser, parser_clear)

/* ---- Messages ------------------------------------------------------------------------------- */

G_GNUC_PRINTF(5, 6)
static gboolean fail_at(const Parser *parser, guint line, GError **error, CulvertProfileError code,
                        const char *format, ...)
{
    va_list args;
    g_autofree char *fault = NULL;

    va_start(args, format);
    fault = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, CULVERT_PROFILE_ERROR, code, "%s:%u: %s", parser->name, line, fault);
    return FALSE;
}

static gboolean fail_key(const Parser *parser, const char *conf_key, GError **error,
                         const char *fault)
{
    return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_INVALID, "%s: %s", conf_key,
                   fault);
}

static gboolean fail_not_conf(const Parser *parser, GError **error, const char *found)
{
    return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_NOT_CONF,
                   _("this is not a WireGuard .conf file: %s; expected is text with the sections "
                     "[Interface] and [Peer]"),
                   found);
}

G_GNUC_PRINTF(2, 3)
static void warn(Parser *parser, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_ptr_array_add(parser->conf->warnings,
                    g_strdup_printf("%s:%u: %s", parser->name, parser->line, text));
}

/* A line whose name is unknown. A stray key, or a sentence that holds one, is not repeated. */
static gboolean fail_unknown(const Parser *parser, const char *key, GError **error)
{
    gboolean is_name = key[0] && strlen(key) <= KEY_NAME_MAX;

    for (const char *p = key; *p; p++)
        is_name = is_name && g_ascii_isalnum(*p);
    if (!is_name)
        return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_INVALID,
                       _("this line is not understood: expected is “Setting = value”, a section "
                         "like [Peer], or a comment after “#”"));
    return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_INVALID,
                   _("“%s” is not a setting of %s"), key, SECTION_NAMES[parser->section]);
}

/* ---- Where things stood ----------------------------------------------------------------------*/

static char *line_key(const CulvertOption *option, guint peer)
{
    return g_strdup_printf("%u/%s", option->scope == CULVERT_SCOPE_PEER ? peer : 0, option->key);
}

static void note_line(Parser *parser, const CulvertOption *option)
{
    guint peer = MAX(parser->conf->profile->peers->len, 1) - 1;

    g_hash_table_insert(parser->key_lines, line_key(option, peer), GUINT_TO_POINTER(parser->line));
}

/* The line of a setting; of its section if it is not there. */
static guint find_line(const Parser *parser, const CulvertOption *option, guint peer)
{
    g_autofree char *key = line_key(option, peer);
    guint line = GPOINTER_TO_UINT(g_hash_table_lookup(parser->key_lines, key));

    if (line)
        return line;
    if (option->scope == CULVERT_SCOPE_PEER && peer < parser->peer_lines->len)
        return g_array_index(parser->peer_lines, guint, peer);
    return parser->interface_line;
}

/* ---- Values --------------------------------------------------------------------------------- */

/* wg takes the names of services for ports. */
static char *resolve_port(const char *port)
{
    struct servent entry;
    struct servent *found = NULL;
    char buffer[1024];

    if (!port[0] || port[strspn(port, "0123456789")] == '\0' || culvert_text_has_control(port))
        return g_strdup(port);
    if (getservbyname_r(port, "udp", &entry, buffer, sizeof(buffer), &found) != 0 || !found)
        return g_strdup(port);
    return g_strdup_printf("%u", ntohs(found->s_port));
}

static char *resolve_endpoint(const char *endpoint)
{
    const char *colon = strrchr(endpoint, ':');
    g_autofree char *port = NULL;

    if (!colon)
        return g_strdup(endpoint);
    port = resolve_port(colon + 1);
    return g_strdup_printf("%.*s:%s", (int) (colon - endpoint), endpoint, port);
}

/* Address and DNS: wg-quick lets the shell take the list apart. */
static gboolean parse_words(const CulvertOption *option, const char *raw, gpointer object,
                            GError **fault)
{
    g_auto(GStrv) items = g_strsplit_set(raw, "," WHITE_SPACE, -1);

    for (guint i = 0; items[i]; i++) {
        if (items[i][0] && !culvert_option_parse_item(option, items[i], object, fault))
            return FALSE;
    }
    return TRUE;
}

static void warn_host_bits(Parser *parser, const CulvertOption *option, const char *item)
{
    g_autofree char *quoted = culvert_text_quote(item);
    g_autofree char *masked = NULL;
    WgPrefix prefix;

    if (!culvert_text_parse_prefix(item, &prefix) || !culvert_text_mask_prefix(&prefix))
        return;
    masked = culvert_text_format_prefix(&prefix);
    warn(parser, _("%s: “%s” is taken as the network %s"), option->conf_key, quoted, masked);
}

/* AllowedIPs: "+" before an item adds it, as without; "-" takes it out of those before. */
static gboolean parse_prefixes(Parser *parser, const CulvertOption *option, const char *value,
                               gpointer object, GError **fault)
{
    g_auto(GStrv) items = g_strsplit(value, ",", -1);

    for (guint i = 0; items[i]; i++) {
        const char *item = items[i];
        gboolean is_removal = item[0] == '-';
        gboolean ok;

        if (item[0] == '+' || item[0] == '-')
            item++;
        ok = is_removal ? culvert_option_remove_item(option, item, object, fault)
                        : culvert_option_parse_item(option, item, object, fault);
        if (!ok)
            return FALSE;
        warn_host_bits(parser, option, item);
    }
    return TRUE;
}

/* The presence of a preshared key is said by its flags; see culvert-setting.c. */
static gboolean parse_secret(const CulvertOption *option, const char *value, gpointer object,
                             GError **fault)
{
    NMSettingSecretFlags *flags = culvert_option_secret_flags(option, object);

    if (!culvert_option_parse_item(option, value, object, fault))
        return FALSE;
    if (culvert_option_secret(option, object) && *flags == NM_SETTING_SECRET_FLAG_NOT_REQUIRED)
        *flags = NM_SETTING_SECRET_FLAG_NONE;
    return TRUE;
}

static gboolean parse_value(Parser *parser, const CulvertOption *option, const char *value,
                            const char *raw, gpointer object, GError **fault)
{
    g_autofree char *resolved = NULL;

    switch (option->type) {
    case CULVERT_TYPE_ADDRESS:
    case CULVERT_TYPE_DNS:
        return parse_words(option, raw, object, fault);
    case CULVERT_TYPE_PREFIX:
        return parse_prefixes(parser, option, value, object, fault);
    case CULVERT_TYPE_SECRET_KEY:
        return parse_secret(option, value, object, fault);
    case CULVERT_TYPE_ENDPOINT:
        resolved = resolve_endpoint(value);
        return culvert_option_parse_item(option, resolved, object, fault);
    case CULVERT_TYPE_NUMBER:
        /* For wg-quick no MTU is one to find out. */
        if (value[0] == '\0' && g_str_equal(option->key, "mtu"))
            value = "0";
        if (g_str_equal(option->key, "listen-port"))
            value = resolved = resolve_port(value);
        return culvert_option_parse_item(option, value, object, fault);
    case CULVERT_TYPE_MARK:
    case CULVERT_TYPE_DEVICE_TYPE:
    case CULVERT_TYPE_KILL_SWITCH:
    case CULVERT_TYPE_PUBLIC_KEY:
    case CULVERT_TYPE_HOST:
    case CULVERT_TYPE_INTERFACE:
    case CULVERT_TYPE_ACCOUNT:
        return culvert_option_parse_item(option, value, object, fault);
    }
    g_return_val_if_reached(FALSE);
}

/* The tables that every system has, by the numbers of linux/rtnetlink.h. */
static gboolean find_table(const char *value, gint64 *table)
{
    static const struct {
        const char *name;
        gint64 table;
    } NAMES[] = {
        {"", CULVERT_CONF_TABLE_AUTO},
        {"auto", CULVERT_CONF_TABLE_AUTO},
        {"0", CULVERT_CONF_TABLE_AUTO},
        {"off", CULVERT_CONF_TABLE_OFF},
        {"default", 253},
        {"main", 254},
        {"local", 255},
    };
    guint32 number;

    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        if (g_ascii_strcasecmp(value, NAMES[i].name) == 0) {
            *table = NAMES[i].table;
            return TRUE;
        }
    }
    if (!culvert_text_parse_mark(value, G_MAXUINT32, &number) || number == 0)
        return FALSE;
    *table = number;
    return TRUE;
}

static gboolean parse_table(Parser *parser, const char *value, GError **error)
{
    g_autofree char *quoted = NULL;

    if (!find_table(value, &parser->conf->table)) {
        quoted = culvert_text_quote(value);
        return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_INVALID,
                       _("Table: “%s” is neither auto, off nor the number of a routing table; the "
                         "numbers of named ones stand in /etc/iproute2/rt_tables"),
                       quoted);
    }
    if (parser->conf->table > 0)
        warn(parser, _("Table: NetworkManager before 1.52 ignores this for a VPN and uses the main "
                       "table"));
    return TRUE;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static gpointer section_object(const Parser *parser)
{
    GPtrArray *peers = parser->conf->profile->peers;

    if (parser->section == SECTION_INTERFACE)
        return parser->conf->profile;
    return g_ptr_array_index(peers, peers->len - 1);
}

static gboolean belongs_here(const Parser *parser, const CulvertOption *option)
{
    return parser->section ==
           (option->scope == CULVERT_SCOPE_PEER ? SECTION_PEER : SECTION_INTERFACE);
}

static gboolean fail_section(const Parser *parser, const char *key, Section right, GError **error)
{
    return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_INVALID,
                   _("%s belongs in the section %s"), key, SECTION_NAMES[right]);
}

/* The canonical name, if import leaves the setting out. */
static const char *find_left_out(const char *key)
{
    for (guint i = 0; i < G_N_ELEMENTS(LEFT_OUT); i++) {
        if (g_ascii_strcasecmp(LEFT_OUT[i], key) == 0)
            return LEFT_OUT[i];
    }
    return NULL;
}

/* A setting of wg-quick's that has no row in the table. */
static gboolean parse_wg_quick(Parser *parser, const char *key, const char *value,
                               gboolean *matched, GError **error)
{
    const char *left_out = find_left_out(key);
    gboolean is_table = g_ascii_strcasecmp(key, "Table") == 0;

    *matched = left_out || is_table;
    if (!*matched)
        return TRUE;
    if (parser->section != SECTION_INTERFACE)
        return fail_section(parser, left_out ? left_out : "Table", SECTION_INTERFACE, error);
    if (is_table)
        return parse_table(parser, value, error);
    if (g_str_equal(left_out, "SaveConfig"))
        warn(parser, _("%s is left out: NetworkManager saves what is changed"), left_out);
    else
        warn(parser, _("%s is left out: commands in a .conf are not run"), left_out);
    return TRUE;
}

static gboolean parse_setting(Parser *parser, const char *key, const char *value, const char *raw,
                              GError **error)
{
    const CulvertOption *option = culvert_options_find_conf(key);
    g_autoptr(GError) fault = NULL;
    gboolean matched;

    if (option && (option->flags & CULVERT_OPTION_EXTENSION))
        option = NULL;
    if (parser->section == SECTION_NONE && !option && !find_left_out(key))
        return fail_not_conf(parser, error, _("it does not begin with a section"));
    if (!parse_wg_quick(parser, key, value, &matched, error))
        return FALSE;
    if (matched)
        return TRUE;
    if (!option)
        return fail_unknown(parser, key, error);
    if (!belongs_here(parser, option))
        return fail_section(parser, option->conf_key,
                            option->scope == CULVERT_SCOPE_PEER ? SECTION_PEER : SECTION_INTERFACE,
                            error);
    note_line(parser, option);
    if ((option->flags & CULVERT_OPTION_LIST) && !(option->flags & CULVERT_OPTION_ACCUMULATES))
        culvert_option_reset(option, section_object(parser));
    if (!parse_value(parser, option, value, raw, section_object(parser), &fault))
        return fail_key(parser, option->conf_key, error, fault->message);
    return TRUE;
}

static gboolean parse_section(Parser *parser, const char *text, GError **error)
{
    g_autofree char *quoted = NULL;

    if (g_ascii_strcasecmp(text, SECTION_NAMES[SECTION_INTERFACE]) == 0) {
        parser->section = SECTION_INTERFACE;
        parser->interface_line = parser->line;
        return TRUE;
    }
    if (g_ascii_strcasecmp(text, SECTION_NAMES[SECTION_PEER]) == 0) {
        parser->section = SECTION_PEER;
        culvert_profile_add_peer(parser->conf->profile);
        g_array_append_val(parser->peer_lines, parser->line);
        return TRUE;
    }
    if (parser->section == SECTION_NONE)
        return fail_not_conf(parser, error, _("it begins with another section"));
    quoted = culvert_text_quote(text);
    return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_INVALID,
                   _("“%s” is not a section: expected is [Interface] or [Peer]"), quoted);
}

/* The row and kind of a setting in a "# Culvert:" comment; NULL: there is none. */
static const CulvertOption *find_extension(const char *key, gboolean *is_flags)
{
    const gsize suffix = strlen("Flags");
    gsize length = strlen(key);
    const CulvertOption *option;
    g_autofree char *secret = NULL;

    *is_flags = length > suffix && g_ascii_strcasecmp(key + length - suffix, "Flags") == 0;
    if (*is_flags) {
        secret = g_strndup(key, length - suffix);
        option = culvert_options_find_conf(secret);
        return option && (option->flags & CULVERT_OPTION_SECRET) ? option : NULL;
    }
    option = culvert_options_find_conf(key);
    if (option &&
        (option->type == CULVERT_TYPE_ENDPOINT || (option->flags & CULVERT_OPTION_EXTENSION)))
        return option;
    return NULL;
}

static gboolean parse_extension(Parser *parser, const char *key, const char *value, GError **error)
{
    gboolean is_flags;
    const CulvertOption *option = find_extension(key, &is_flags);
    g_autoptr(GError) fault = NULL;
    guint32 number;

    /* It is a comment after all: perhaps that of a later version, or a person's. */
    if (!option || !belongs_here(parser, option)) {
        warn(parser, _("this comment is left out: it is not a setting of %s"),
             parser->section == SECTION_NONE ? "Culvert" : SECTION_NAMES[parser->section]);
        return TRUE;
    }
    if (option->flags & CULVERT_OPTION_EXTENSION)
        note_line(parser, option);
    if (is_flags) {
        if (!culvert_text_parse_number(value, 7, &number))
            return fail_key(parser, option->conf_key, error,
                            _("the flags are not a number from 0 to 7"));
        *culvert_option_secret_flags(option, section_object(parser)) = number;
        return TRUE;
    }
    if (!culvert_option_parse(option, value, section_object(parser), &fault))
        return fail_key(parser, option->conf_key, error, fault->message);
    return TRUE;
}

/* Deletes white space, in place. */
static void compact(CulvertSecretBuffer *buffer)
{
    gsize n = 0;

    for (gsize i = 0; i < buffer->length; i++) {
        if (!strchr(WHITE_SPACE, buffer->text[i]))
            buffer->text[n++] = buffer->text[i];
    }
    buffer->text[n] = '\0';
    buffer->length = n;
}

static void set_text(CulvertSecretBuffer *buffer, const char *text, gsize length)
{
    buffer->length = 0;
    culvert_secret_buffer_append_len(buffer, text, length);
}

/* Whether the line, which begins with "#", is one of ours: then `start` is after the mark. */
static gboolean is_extension(const char *line, const char **start)
{
    const char *mark = line + strspn(line, WHITE_SPACE);

    if (*mark != '#')
        return FALSE;
    mark += strspn(mark, "#" WHITE_SPACE);
    if (g_ascii_strncasecmp(mark, "Culvert:", strlen("Culvert:")) != 0)
        return FALSE;
    *start = mark + strlen("Culvert:");
    return TRUE;
}

static gboolean parse_line(Parser *parser, GError **error)
{
    const char *start = parser->raw.text;
    gboolean extends = is_extension(parser->raw.text, &start);
    char *equals;
    const char *raw;

    set_text(&parser->compact, start, extends ? strlen(start) : strcspn(start, "#"));
    compact(&parser->compact);
    equals = strchr(parser->compact.text, '=');
    if (!parser->compact.text[0])
        return TRUE;
    if (!extends && parser->compact.text[0] == '[')
        return parse_section(parser, parser->compact.text, error);
    if (!equals && extends)
        return parse_extension(parser, "", "", error);
    if (!equals && parser->section == SECTION_NONE)
        return fail_not_conf(parser, error, _("it does not begin with a section"));
    if (!equals)
        return fail_unknown(parser, "", error);

    *equals = '\0';
    if (extends)
        return parse_extension(parser, parser->compact.text, equals + 1, error);
    parser->raw.text[strcspn(parser->raw.text, "#")] = '\0';
    raw = strchr(parser->raw.text, '=') + 1;
    return parse_setting(parser, parser->compact.text, equals + 1, raw, error);
}

static gboolean parse_lines(Parser *parser, const char *text, gsize length, GError **error)
{
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', end - text);
        gsize size = (newline ? newline : end) - text;

        parser->line++;
        if (memchr(text, '\0', size))
            return fail_not_conf(parser, error, _("it is not text"));
        set_text(&parser->raw, text, size);
        if (!parse_line(parser, error))
            return FALSE;
        text += newline ? size + 1 : size;
    }
    parser->line = MAX(parser->line, 1);
    return TRUE;
}

/* ---- The whole ------------------------------------------------------------------------------ */

/* NetworkManager gives a VPN nothing of a family in which it has no address. */
static void warn_family(Parser *parser, int family)
{
    const CulvertProfile *profile = parser->conf->profile;
    const char *family_name = family == AF_INET ? "IPv4" : "IPv6";

    for (guint i = 0; i < profile->peers->len; i++) {
        const CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, i);

        for (guint j = 0; j < peer->allowed_ips->len; j++) {
            if (g_array_index(peer->allowed_ips, WgPrefix, j).family != family)
                continue;
            parser->line = find_line(parser, culvert_options_find("allowed-ips"), i);
            warn(parser,
                 _("AllowedIPs: %s stays outside of the tunnel, since there is no %s Address"),
                 family_name, family_name);
            return;
        }
    }
}

static void warn_dns(Parser *parser, int family)
{
    GPtrArray *dns = parser->conf->profile->dns;

    for (guint i = 0; i < dns->len; i++) {
        const char *server = g_ptr_array_index(dns, i);

        if ((strchr(server, ':') ? AF_INET6 : AF_INET) != family)
            continue;
        parser->line = find_line(parser, culvert_options_find("dns"), 0);
        warn(parser,
             parser->conf->profile->device_type == CULVERT_DEVICE_TAP
                 ? _("DNS: %s is not asked, since there is no %s TapAddress")
                 : _("DNS: %s is not asked, since there is no %s Address"),
             server, family == AF_INET ? "IPv4" : "IPv6");
    }
}

/* What an Ethernet device needs besides an address. */
static void warn_ethernet(Parser *parser)
{
    CulvertBlame blame;

    if (!culvert_profile_check_complete(parser->conf->profile, &blame))
        warn(parser, "%s: %s", blame.option->conf_key, blame.fault);
}

static void warn_incomplete(Parser *parser)
{
    static const int FAMILIES[] = {AF_INET, AF_INET6};
    const CulvertProfile *profile = parser->conf->profile;

    parser->line = parser->interface_line;
    if (!profile->private_key)
        warn(parser, _("PrivateKey is missing: the desktop will ask for it, or “nmcli --ask”"));
    if (profile->addresses->len == 0) {
        warn(parser, _("Address is missing: the connection cannot be used before it has one"));
        return;
    }
    warn_ethernet(parser);
    for (guint i = 0; i < G_N_ELEMENTS(FAMILIES); i++) {
        if (culvert_profile_has_address(profile, FAMILIES[i]))
            continue;
        if (profile->device_type == CULVERT_DEVICE_TUN)
            warn_family(parser, FAMILIES[i]);
        warn_dns(parser, FAMILIES[i]);
    }
}

/* A key with such flags is in the file, but will not be in NetworkManager's hands. */
static void warn_unsaved(Parser *parser, const char *key, gpointer object, guint peer)
{
    const CulvertOption *option = culvert_options_find(key);
    NMSettingSecretFlags flags = *culvert_option_secret_flags(option, object);

    if (!culvert_option_secret(option, object))
        return;
    parser->line = find_line(parser, option, peer);
    if (flags & NM_SETTING_SECRET_FLAG_NOT_SAVED)
        warn(parser, _("%s: its flags say that nobody keeps it: it will be asked for"),
             option->conf_key);
    else if (flags & NM_SETTING_SECRET_FLAG_AGENT_OWNED)
        warn(parser,
             _("%s: its flags say that a secret agent keeps it, as desktops have one: without "
               "that, it will be asked for"),
             option->conf_key);
}

static void warn_secrets(Parser *parser)
{
    CulvertProfile *profile = parser->conf->profile;

    warn_unsaved(parser, "private-key", profile, 0);
    for (guint i = 0; i < profile->peers->len; i++)
        warn_unsaved(parser, "preshared-key", g_ptr_array_index(profile->peers, i), i);
}

static gboolean finish(Parser *parser, GError **error)
{
    CulvertBlame blame;

    if (parser->section == SECTION_NONE)
        return fail_not_conf(parser, error, _("there is nothing in it"));
    if (!parser->interface_line)
        return fail_at(parser, parser->line, error, CULVERT_PROFILE_ERROR_MISSING,
                       _("the section [Interface] is missing"));
    if (!culvert_profile_check(parser->conf->profile, &blame))
        return fail_at(parser, find_line(parser, blame.option, blame.peer), error, blame.code,
                       "%s: %s", blame.option->conf_key, blame.fault);
    warn_incomplete(parser);
    warn_secrets(parser);
    return TRUE;
}

static gboolean has_prefix(const char *text, gsize length, const char *prefix)
{
    return length >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

CulvertConf *culvert_conf_parse(const char *text, gsize length, const char *name, GError **error)
{
    g_autofree char *shown = culvert_text_quote(name);
    g_auto(Parser) parser = {
        .conf = culvert_conf_new(),
        .name = shown,
        .peer_lines = g_array_new(FALSE, FALSE, sizeof(guint)),
        .key_lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };

    if (has_prefix(text, length, "\xff\xfe") || has_prefix(text, length, "\xfe\xff")) {
        parser.line = 1;
        fail_not_conf(&parser, error, _("it is UTF-16, save it as UTF-8"));
        return NULL;
    }
    if (has_prefix(text, length, "\xef\xbb\xbf")) {
        text += 3;
        length -= 3;
    }
    if (!parse_lines(&parser, text, length, error) || !finish(&parser, error))
        return NULL;
    return g_steal_pointer(&parser.conf);
}
