/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uapi-request.c: the reader of configuration requests: values, then one table of keys, then the
 * lines of a request.
 */
#include "uapi-request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

/* ---- Values --------------------------------------------------------------------------------- */

/* The value of a hex digit, -1: none. Without a branch or table, for it may be a private key's. */
static int hex_digit(guint8 c)
{
    int digit = c - '0', letter = (c | 0x20) - 'a';
    int is_digit = (digit | (9 - digit)) >> 8;    /* 0: yes, -1: no */
    int is_letter = (letter | (5 - letter)) >> 8; /* likewise */

    return (~is_digit & digit) | (~is_letter & (letter + 10)) | (is_digit & is_letter);
}

gboolean uapi_parse_key(const char *text, WgKey *key)
{
    int bad = 0;

    memset(key, 0, sizeof *key);
    if (strlen(text) != 2 * WG_KEY_SIZE)
        return FALSE;
    for (guint i = 0; i < WG_KEY_SIZE; i++) {
        int high = hex_digit((guint8) text[2 * i]), low = hex_digit((guint8) text[2 * i + 1]);

        bad |= high | low;
        key->bytes[i] = (guint8) ((guint) high << 4 | (guint) low);
    }
    if (bad < 0)
        wg_wipe(key, sizeof *key);
    return bad >= 0;
}

gboolean uapi_parse_number(const char *text, guint64 max, guint64 *number)
{
    return g_ascii_string_to_unsigned(text, 10, 0, max, number, NULL) && g_ascii_isdigit(text[0]);
}

/* Splits at the last colon: HOST:PORT, with [HOST] for IPv6, and only for that. `host` holds `size`
 * bytes. */
static gboolean split_endpoint(const char *text, char *host, gsize size, guint16 *port,
                               gboolean *ipv6)
{
    const char *colon = strrchr(text, ':');
    guint64 number;
    gsize len;

    if (!colon || !uapi_parse_number(colon + 1, G_MAXUINT16, &number) || number == 0)
        return FALSE;
    *port = (guint16) number;
    len = (gsize) (colon - text);
    *ipv6 = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (*ipv6) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= size)
        return FALSE;
    memcpy(host, text, len);
    host[len] = '\0';
    return TRUE;
}

static gboolean parse_scope(char *host, guint32 *scope)
{
    char *percent = strchr(host, '%');
    guint64 number;

    *scope = 0;
    if (!percent)
        return TRUE;
    *percent = '\0';
    if (!uapi_parse_number(percent + 1, G_MAXUINT32, &number))
        number = if_nametoindex(percent + 1);
    *scope = (guint32) number;
    return number != 0;
}

static gboolean parse_ipv4(const char *host, guint16 port, struct sockaddr_in *address)
{
    if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
        return FALSE;
    address->sin_family = AF_INET;
    address->sin_port = g_htons(port);
    return TRUE;
}

static gboolean parse_ipv6(char *host, guint16 port, struct sockaddr_in6 *address)
{
    if (!parse_scope(host, &address->sin6_scope_id) ||
        inet_pton(AF_INET6, host, &address->sin6_addr) != 1)
        return FALSE;
    address->sin6_family = AF_INET6;
    address->sin6_port = g_htons(port);
    return TRUE;
}

gboolean uapi_parse_endpoint(const char *text, WgEndpoint *endpoint)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    gboolean ipv6, fine;
    guint16 port;

    memset(endpoint, 0, sizeof *endpoint);
    if (!split_endpoint(text, host, sizeof host, &port, &ipv6))
        return FALSE;
    fine = ipv6 ? parse_ipv6(host, port, &endpoint->remote.in6)
                : parse_ipv4(host, port, &endpoint->remote.in4);
    if (!fine)
        memset(endpoint, 0, sizeof *endpoint);
    return fine;
}

gboolean uapi_parse_prefix(const char *text, WgPrefix *prefix)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    gsize len = slash ? (gsize) (slash - text) : strlen(text);
    guint64 bits;

    memset(prefix, 0, sizeof *prefix);
    if (len >= sizeof address)
        return FALSE;
    memcpy(address, text, len);
    address[len] = '\0';
    prefix->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(prefix->family, address, prefix->addr) != 1)
        return FALSE;
    bits = prefix->family == AF_INET ? 32 : 128;
    if (slash && !uapi_parse_number(slash + 1, bits, &bits))
        return FALSE;
    prefix->length = (guint8) bits;
    return TRUE;
}

/* ---- Requests ------------------------------------------------------------------------------- */

typedef enum {
    STATE_START,
    STATE_GET,
    STATE_SET,
} State;

struct _UapiReader {
    State state;
    guint line;
    int wrong; /* errno of the first bad line; 0: none */
    guint wrong_line;
    UapiSet *set;
    UapiPeer *peer; /* the last one of `set`; NULL: none yet */
};

static void uapi_peer_free(gpointer data)
{
    UapiPeer *peer = data;

    wg_wipe(&peer->preshared_key, sizeof peer->preshared_key);
    g_clear_pointer(&peer->allowed_ips, g_array_unref);
    g_free(peer);
}

static UapiSet *uapi_set_new(void)
{
    UapiSet *set = g_new0(UapiSet, 1);

    set->peers = g_ptr_array_new_with_free_func(uapi_peer_free);
    return set;
}

void uapi_set_free(UapiSet *set)
{
    if (!set)
        return;
    wg_wipe(&set->private_key, sizeof set->private_key);
    g_ptr_array_unref(set->peers);
    g_free(set);
}

UapiReader *uapi_reader_new(void)
{
    return g_new0(UapiReader, 1);
}

void uapi_reader_free(UapiReader *reader)
{
    if (!reader)
        return;
    uapi_set_free(reader->set);
    g_free(reader);
}

/* ---- Keys of a set request: each takes a value and returns an errno, 0 if it is fine --------- */

static int parse_true(const char *value, gboolean *flag)
{
    *flag = TRUE;
    return strcmp(value, "true") == 0 ? 0 : EINVAL;
}

static int set_private_key(UapiReader *reader, const char *value)
{
    reader->set->has_private_key = TRUE;
    return uapi_parse_key(value, &reader->set->private_key) ? 0 : EINVAL;
}

static int set_listen_port(UapiReader *reader, const char *value)
{
    guint64 number = 0;

    if (!uapi_parse_number(value, G_MAXUINT16, &number))
        return EINVAL;
    reader->set->has_listen_port = TRUE;
    reader->set->listen_port = (guint16) number;
    return 0;
}

static int set_fwmark(UapiReader *reader, const char *value)
{
    guint64 number = 0;

    if (!uapi_parse_number(value, G_MAXUINT32, &number))
        return EINVAL;
    reader->set->has_fwmark = TRUE;
    reader->set->fwmark = (guint32) number;
    return 0;
}

static int set_replace_peers(UapiReader *reader, const char *value)
{
    return parse_true(value, &reader->set->replace_peers);
}

static int set_public_key(UapiReader *reader, const char *value)
{
    WgKey key;

    if (!uapi_parse_key(value, &key))
        return EINVAL;
    reader->peer = g_new0(UapiPeer, 1);
    reader->peer->public_key = key;
    g_ptr_array_add(reader->set->peers, reader->peer);
    return 0;
}

static int set_remove(UapiReader *reader, const char *value)
{
    return parse_true(value, &reader->peer->remove);
}

static int set_update_only(UapiReader *reader, const char *value)
{
    return parse_true(value, &reader->peer->update_only);
}

static int set_preshared_key(UapiReader *reader, const char *value)
{
    reader->peer->has_preshared_key = TRUE;
    return uapi_parse_key(value, &reader->peer->preshared_key) ? 0 : EINVAL;
}

static int set_endpoint(UapiReader *reader, const char *value)
{
    reader->peer->has_endpoint = TRUE;
    return uapi_parse_endpoint(value, &reader->peer->endpoint) ? 0 : EINVAL;
}

static int set_keepalive(UapiReader *reader, const char *value)
{
    guint64 number = 0;

    if (!uapi_parse_number(value, G_MAXUINT16, &number))
        return EINVAL;
    reader->peer->has_keepalive = TRUE;
    reader->peer->keepalive = (guint16) number;
    return 0;
}

static int set_replace_allowed_ips(UapiReader *reader, const char *value)
{
    if (reader->peer->allowed_ips)
        g_array_set_size(reader->peer->allowed_ips, 0);
    return parse_true(value, &reader->peer->replace_allowed_ips);
}

static int set_allowed_ip(UapiReader *reader, const char *value)
{
    UapiAllowedIp allowed = {.remove = value[0] == '-'};

    if (!uapi_parse_prefix(value + (allowed.remove ? 1 : 0), &allowed.prefix))
        return EINVAL;
    if (!reader->peer->allowed_ips)
        reader->peer->allowed_ips = g_array_new(FALSE, FALSE, sizeof(UapiAllowedIp));
    g_array_append_val(reader->peer->allowed_ips, allowed);
    return 0;
}

static int set_protocol_version(UapiReader *reader, const char *value)
{
    return strcmp(value, "1") == 0 ? 0 : EPROTONOSUPPORT;
}

static const struct {
    const char *key;
    gboolean of_peer;
    int (*set)(UapiReader *reader, const char *value);
} keys[] = {
    {"private_key", FALSE, set_private_key},
    {"listen_port", FALSE, set_listen_port},
    {"fwmark", FALSE, set_fwmark},
    {"replace_peers", FALSE, set_replace_peers},
    {"public_key", FALSE, set_public_key},
    {"remove", TRUE, set_remove},
    {"update_only", TRUE, set_update_only},
    {"preshared_key", TRUE, set_preshared_key},
    {"endpoint", TRUE, set_endpoint},
    {"persistent_keepalive_interval", TRUE, set_keepalive},
    {"replace_allowed_ips", TRUE, set_replace_allowed_ips},
    {"allowed_ip", TRUE, set_allowed_ip},
    {"protocol_version", TRUE, set_protocol_version},
};

static int set_line(UapiReader *reader, const char *line)
{
    const char *equals = strchr(line, '=');
    gsize len = equals ? (gsize) (equals - line) : 0;

    if (!equals)
        return EPROTO;
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        gboolean device_key = !keys[i].of_peer && keys[i].set != set_public_key;

        if (strlen(keys[i].key) != len || strncmp(keys[i].key, line, len) != 0)
            continue;
        /* The device's keys come before the first peer, a peer's after its public key. */
        if (keys[i].of_peer ? !reader->peer : device_key && reader->peer)
            return EINVAL;
        return keys[i].set(reader, equals + 1);
    }
    return EINVAL;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static UapiResult close_reader(UapiReader *reader)
{
    reader->state = STATE_START;
    reader->peer = NULL;
    g_clear_pointer(&reader->set, uapi_set_free);
    return UAPI_CLOSE;
}

static UapiResult start_request(UapiReader *reader, const char *line)
{
    reader->line = 1;
    reader->wrong = 0;
    reader->peer = NULL;
    g_clear_pointer(&reader->set, uapi_set_free);
    if (strcmp(line, "get=1") == 0) {
        reader->state = STATE_GET;
        return UAPI_MORE;
    }
    if (strcmp(line, "set=1") == 0) {
        reader->state = STATE_SET;
        reader->set = uapi_set_new();
        return UAPI_MORE;
    }
    return close_reader(reader);
}

static UapiResult end_request(UapiReader *reader)
{
    State state = reader->state;

    reader->state = STATE_START;
    reader->peer = NULL;
    if (reader->wrong == 0)
        return state == STATE_GET ? UAPI_GET : UAPI_SET;
    g_clear_pointer(&reader->set, uapi_set_free);
    return UAPI_WRONG;
}

static void note_wrong(UapiReader *reader, int errsv)
{
    if (errsv == 0 || reader->wrong != 0)
        return;
    reader->wrong = errsv;
    reader->wrong_line = reader->line;
}

UapiResult uapi_reader_line(UapiReader *reader, const char *line, gsize len)
{
    char text[UAPI_LINE_MAX + 1];

    if (len > UAPI_LINE_MAX || memchr(line, '\0', len))
        return close_reader(reader);
    memcpy(text, line, len);
    text[len] = '\0';
    if (reader->state == STATE_START)
        return start_request(reader, text);
    if (len == 0)
        return end_request(reader);
    if (++reader->line > UAPI_LINES_MAX)
        return close_reader(reader);
    /* What follows a bad line is read to its end, so that the client gets its answer, but not
     * kept. */
    if (reader->state == STATE_GET)
        note_wrong(reader, EINVAL);
    else if (reader->wrong == 0)
        note_wrong(reader, set_line(reader, text));
    wg_wipe(text, len);
    return UAPI_MORE;
}

int uapi_reader_get_errno(const UapiReader *reader, guint *line)
{
    if (line)
        *line = reader->wrong_line;
    return reader->wrong;
}

UapiSet *uapi_reader_take_set(UapiReader *reader)
{
    return g_steal_pointer(&reader->set);
}
