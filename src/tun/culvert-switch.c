/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-switch.c: ports, the stations that were heard at each, and what to do with a frame.
 *
 * Each port has its stations in one piece of memory. Those in use are in a list, the one that was
 * heard last at its end, so that one that has aged is found at its head; and in one hash table of
 * all ports.
 */
#include "culvert-switch.h"

#include <pthread.h>
#include <string.h>

#include "culvert-ethernet.h"
#include "culvert-hash.h"

/* A port's number is that of its place, and behind that how often somebody else had the place
 * before: who still has the number of one that is gone does not mean the next one by it. */
#define N_PORTS (1 + CULVERT_SWITCH_REMOTES_MAX)
#define SERIALS (G_MAXUINT / N_PORTS)
G_STATIC_ASSERT((N_PORTS & (N_PORTS - 1)) == 0);

typedef struct _Station Station;

struct _Station {
    guint64 address; /* see get_address() */
    guint port;      /* its place */
    gint64 heard;
    Station *chain;           /* the next one in its bucket, or of those not in use */
    Station *older, *younger; /* of its port */
};

typedef struct {
    CulvertVtep vtep;
    Station *memory; /* NULL: there is no such port */
    guint serial;    /* how many there were before in this place */
    guint n_touched; /* the others have never been used, nor touched */
    Station *unused;
    Station *oldest, *youngest;
    /* A token bucket in microseconds: the time at which it will have been, or was, full. */
    gint64 flood_full;
    gboolean kept; /* while set_remotes() is at work */
} Port;

struct _CulvertSwitch {
    pthread_mutex_t lock;
    guint32 seed; /* nobody can foresee which addresses share a bucket */
    Station **buckets;
    guint n_buckets;     /* a power of two */
    guint n_ports;       /* up to the last one in use */
    guint n_remotes;     /* in use */
    GHashTable *by_vtep; /* CulvertVtep of the port -> Port */
    CulvertSwitchStats stats;
    guint64 own[CULVERT_SWITCH_OWN_MAX]; /* 0: none */
    Port ports[N_PORTS];
};

/* A MAC address as a number of 48 bits. In the table the VLAN is in front of it: what has the same
 * address in another one is another station (IEEE 802.1Q, 8.8: independent VLAN learning). */
static guint64 get_address(const guint8 *bytes)
{
    guint64 address = 0;

    for (guint i = 0; i < ETHERNET_ADDRESS_SIZE; i++)
        address = address << 8 | bytes[i];
    return address;
}

static guint64 in_vlan(guint64 address, guint16 vlan)
{
    return address | (guint64) vlan << (8 * ETHERNET_ADDRESS_SIZE);
}

/* ---- Stations ------------------------------------------------------------------------------- */

static Station **bucket_of(CulvertSwitch *self, guint64 address)
{
    guint64 value = (address ^ self->seed) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

    value ^= value >> 32;
    value *= G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    return &self->buckets[(value >> 32) & (self->n_buckets - 1)];
}

static Station *find_station(CulvertSwitch *self, guint64 address)
{
    Station *station = *bucket_of(self, address);

    while (station && station->address != address)
        station = station->chain;
    return station;
}

static void add_to_bucket(CulvertSwitch *self, Station *station)
{
    Station **bucket = bucket_of(self, station->address);

    station->chain = *bucket;
    *bucket = station;
}

static void remove_from_bucket(CulvertSwitch *self, Station *station)
{
    Station **link = bucket_of(self, station->address);

    while (*link != station)
        link = &(*link)->chain;
    *link = station->chain;
}

static void append(Port *port, Station *station)
{
    station->younger = NULL;
    station->older = port->youngest;
    if (port->youngest)
        port->youngest->younger = station;
    else
        port->oldest = station;
    port->youngest = station;
}

static void take_out(Port *port, Station *station)
{
    if (station->older)
        station->older->younger = station->younger;
    else
        port->oldest = station->younger;
    if (station->younger)
        station->younger->older = station->older;
    else
        port->youngest = station->older;
}

static void forget(CulvertSwitch *self, Station *station)
{
    Port *port = &self->ports[station->port];

    remove_from_bucket(self, station);
    take_out(port, station);
    station->chain = port->unused;
    port->unused = station;
}

static gboolean has_aged(const Station *station, gint64 now)
{
    return now - station->heard >= CULVERT_SWITCH_AGEING;
}

static guint n_stations(guint at)
{
    return at == CULVERT_SWITCH_DEVICE ? CULVERT_SWITCH_DEVICE_STATIONS
                                       : CULVERT_SWITCH_REMOTE_STATIONS;
}

/* NULL: the port has as many as it may have, and remembers no more until one has aged. */
static Station *take_unused(CulvertSwitch *self, guint at, gint64 now)
{
    Port *port = &self->ports[at];
    Station *station;

    if (!port->unused && port->n_touched < n_stations(at))
        return &port->memory[port->n_touched++];
    if (!port->unused && has_aged(port->oldest, now))
        forget(self, port->oldest);
    station = port->unused;
    if (station)
        port->unused = station->chain;
    return station;
}

static void remember(CulvertSwitch *self, guint at, guint64 address, gint64 now)
{
    Station *station = take_unused(self, at, now);

    if (!station)
        return;
    station->address = address;
    station->port = at;
    station->heard = now;
    append(&self->ports[at], station);
    add_to_bucket(self, station);
}

/* Whether a station that is remembered at another port may be at this one now. */
static gboolean may_move(const Station *station, guint at, gint64 now)
{
    if (at == CULVERT_SWITCH_DEVICE)
        return TRUE;
    if (station->port == CULVERT_SWITCH_DEVICE)
        return now - station->heard >= CULVERT_SWITCH_LEAVING;
    return has_aged(station, now);
}

/* FALSE: the station is somewhere else. */
static gboolean learn(CulvertSwitch *self, guint at, guint64 address, gint64 now)
{
    Station *station = find_station(self, address);

    if (station && station->port == at) {
        station->heard = now;
        take_out(&self->ports[at], station);
        append(&self->ports[at], station);
        return TRUE;
    }
    if (station && !may_move(station, at, now))
        return FALSE;
    if (station)
        forget(self, station);
    remember(self, at, address, now);
    return TRUE;
}

/* ---- Ports ---------------------------------------------------------------------------------- */

static guint number_of(const CulvertSwitch *self, guint at)
{
    return self->ports[at].serial % SERIALS * N_PORTS + at;
}

/* The place of the port with that number; N_PORTS: there is none. */
static guint find_port(const CulvertSwitch *self, guint number)
{
    guint at = number % N_PORTS;

    return self->ports[at].memory && number_of(self, at) == number ? at : N_PORTS;
}

static void open_port(CulvertSwitch *self, guint at)
{
    self->ports[at] =
        (Port){.memory = g_new(Station, n_stations(at)), .serial = self->ports[at].serial};
    self->n_ports = MAX(self->n_ports, at + 1);
}

static void close_port(CulvertSwitch *self, guint at)
{
    Port *port = &self->ports[at];

    g_hash_table_remove(self->by_vtep, &port->vtep);
    while (port->oldest)
        forget(self, port->oldest);
    g_clear_pointer(&port->memory, g_free);
    port->serial++;
    while (!self->ports[self->n_ports - 1].memory)
        self->n_ports--;
    self->n_remotes--;
}

/* The first port from `at` on that is free: where that was. N_PORTS: there is no room for it. */
static guint add_remote(CulvertSwitch *self, guint at, const CulvertVtep *vtep)
{
    while (at < N_PORTS && self->ports[at].memory)
        at++;
    if (at == N_PORTS)
        return at;
    open_port(self, at);
    self->ports[at].vtep = *vtep;
    g_hash_table_insert(self->by_vtep, &self->ports[at].vtep, &self->ports[at]);
    self->n_remotes++;
    return at;
}

/* As many buckets as there can be stations. */
static void fit_buckets(CulvertSwitch *self)
{
    guint wanted = CULVERT_SWITCH_DEVICE_STATIONS, ports = self->n_remotes;

    while (wanted < CULVERT_SWITCH_DEVICE_STATIONS + ports * CULVERT_SWITCH_REMOTE_STATIONS)
        wanted *= 2;
    if (wanted == self->n_buckets)
        return;
    g_free(self->buckets);
    self->buckets = g_new0(Station *, wanted);
    self->n_buckets = wanted;
    for (guint at = 0; at < self->n_ports; at++) {
        for (Station *s = self->ports[at].memory ? self->ports[at].oldest : NULL; s; s = s->younger)
            add_to_bucket(self, s);
    }
}

static void close_ports_but(CulvertSwitch *self, const CulvertVtep *remotes, guint n)
{
    for (guint at = 1; at < self->n_ports; at++)
        self->ports[at].kept = FALSE;
    for (guint i = 0; i < n; i++) {
        Port *port = g_hash_table_lookup(self->by_vtep, &remotes[i]);

        if (port)
            port->kept = TRUE;
    }
    for (guint at = self->n_ports; at-- > 1;) {
        if (self->ports[at].memory && !self->ports[at].kept)
            close_port(self, at);
    }
}

guint culvert_switch_set_remotes(CulvertSwitch *self, const CulvertVtep *remotes, guint n)
{
    guint left_out = 0, at = 1;

    pthread_mutex_lock(&self->lock);
    close_ports_but(self, remotes, n);
    for (guint i = 0; i < n; i++) {
        if (g_hash_table_contains(self->by_vtep, &remotes[i]))
            continue;
        at = add_remote(self, at, &remotes[i]);
        left_out += at == N_PORTS;
    }
    fit_buckets(self);
    pthread_mutex_unlock(&self->lock);
    return left_out;
}

guint culvert_switch_find_remote(CulvertSwitch *self, const CulvertVtep *remote)
{
    const Port *port;
    guint at;

    pthread_mutex_lock(&self->lock);
    port = g_hash_table_lookup(self->by_vtep, remote);
    at = port ? number_of(self, (guint) (port - self->ports)) : 0;
    pthread_mutex_unlock(&self->lock);
    return at;
}

gboolean culvert_switch_next_remote(CulvertSwitch *self, guint *port, guint except,
                                    CulvertVtep *vtep)
{
    guint at = *port % N_PORTS;
    gboolean found = FALSE;

    pthread_mutex_lock(&self->lock);
    while (!found && ++at < self->n_ports)
        found = self->ports[at].memory && number_of(self, at) != except;
    if (found) {
        *vtep = self->ports[at].vtep;
        *port = number_of(self, at);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

/* ---- Frames --------------------------------------------------------------------------------- */

static gboolean is_group(const guint8 *address)
{
    return (address[0] & 1) != 0;
}

/* 01-80-C2-00-00-00 to -0F: never forwarded by a bridge (IEEE 802.1Q, table 8-1). */
static gboolean is_reserved(const guint8 *address)
{
    static const guint8 prefix[] = {0x01, 0x80, 0xc2, 0, 0};

    return memcmp(address, prefix, sizeof prefix) == 0 && address[5] < 16;
}

/* Whether so many copies of what came in at the port may be made now. If it has made none for long,
 * they may, however many they are; it pays for at most one second of those beyond the limit. */
static gboolean take_tokens(Port *port, guint64 copies, gint64 now)
{
    gint64 cost = (gint64) (copies * G_USEC_PER_SEC / CULVERT_SWITCH_COPIES_PER_SECOND);
    gint64 full = MAX(port->flood_full, now);

    if (full > now && full + cost - now > G_USEC_PER_SEC)
        return FALSE;
    port->flood_full = MIN(full + cost, now + 2 * G_USEC_PER_SEC);
    return TRUE;
}

static guint n_other_remotes(const CulvertSwitch *self, guint from)
{
    return self->n_remotes - (from == CULVERT_SWITCH_DEVICE ? 0 : 1);
}

/* Broadcast and multicast: each costs the device's stations something, too, where it is one of
 * those who get it. */
static void flood_group(CulvertSwitch *self, guint from, guint count, gint64 now,
                        CulvertForwarding *to)
{
    gboolean to_device = from != CULVERT_SWITCH_DEVICE;
    guint others = n_other_remotes(self, from), copies = others + (to_device ? 1 : 0);

    if (copies == 0 || !take_tokens(&self->ports[from], (guint64) count * copies, now)) {
        self->stats.flooded += count;
        return;
    }
    to->to_device = to_device;
    to->flood = others > 0;
}

/* To a single receiver an unknown station's frame costs what a known one's does: the device, and a
 * single remote, are not limited. */
static void flood_unknown(CulvertSwitch *self, guint from, guint count, gint64 now,
                          CulvertForwarding *to)
{
    guint others = n_other_remotes(self, from);

    to->to_device = from != CULVERT_SWITCH_DEVICE;
    to->flood = others == 1 ||
                (others > 1 && take_tokens(&self->ports[from], (guint64) count * others, now));
    if (!to->to_device && !to->flood)
        self->stats.flooded += count;
}

static void forward_to_station(CulvertSwitch *self, const Station *station, guint from,
                               CulvertForwarding *to)
{
    to->known = TRUE;
    if (station->port == from) {
        to->known = FALSE;
        self->stats.local++;
    } else if (station->port == CULVERT_SWITCH_DEVICE) {
        to->to_device = TRUE;
    } else {
        to->remote = number_of(self, station->port);
        to->vtep = self->ports[station->port].vtep;
    }
}

/* Stations of this machine are at the device, in whichever VLAN, and nowhere else. */
static gboolean is_own(const CulvertSwitch *self, guint64 address)
{
    for (guint i = 0; i < G_N_ELEMENTS(self->own); i++) {
        if (self->own[i] == address && address != 0)
            return TRUE;
    }
    return FALSE;
}

static void forward_to_own(CulvertSwitch *self, guint from, CulvertForwarding *to)
{
    to->to_device = to->known = from != CULVERT_SWITCH_DEVICE;
    if (!to->to_device)
        self->stats.local++;
}

static void forward_unicast(CulvertSwitch *self, guint from, guint64 destination, guint count,
                            gint64 now, CulvertForwarding *to)
{
    const Station *station = find_station(self, destination);

    if (station && !has_aged(station, now))
        forward_to_station(self, station, from, to);
    else
        flood_unknown(self, from, count, now, to);
}

/* FALSE: nobody sends such a frame, or not from there. */
static gboolean take_source(CulvertSwitch *self, guint from, const guint8 *source, guint16 vlan,
                            gint64 now)
{
    guint64 address = get_address(source);
    gboolean there;

    if (is_group(source) || address == 0) {
        self->stats.malformed++;
        return FALSE;
    }
    there = is_own(self, address) ? from == CULVERT_SWITCH_DEVICE
                                  : learn(self, from, in_vlan(address, vlan), now);
    if (!there)
        self->stats.moved++;
    return there;
}

static void forward_locked(CulvertSwitch *self, guint from, const guint8 *frame, gsize len,
                           guint count, gint64 now, CulvertForwarding *to)
{
    const guint8 *destination = frame + ETHERNET_DESTINATION;
    guint16 vlan = culvert_ethernet_find_vlan(frame, len);

    if (is_reserved(destination)) {
        self->stats.reserved++;
        return;
    }
    if (!take_source(self, from, frame + ETHERNET_SOURCE, vlan, now))
        return;
    if (is_group(destination))
        flood_group(self, from, count, now, to);
    else if (is_own(self, get_address(destination)))
        forward_to_own(self, from, to);
    else
        forward_unicast(self, from, in_vlan(get_address(destination), vlan), count, now, to);
}

void culvert_switch_forward(CulvertSwitch *self, guint from, const guint8 *frame, gsize len,
                            guint count, gint64 now, CulvertForwarding *to)
{
    guint at;

    *to = (CulvertForwarding){0};
    pthread_mutex_lock(&self->lock);
    at = find_port(self, from);
    if (at == N_PORTS)
        self->stats.gone++;
    else if (len < ETHERNET_HEADER_SIZE)
        self->stats.malformed++;
    else
        forward_locked(self, at, frame, len, count, now, to);
    pthread_mutex_unlock(&self->lock);
}

/* ---- Settings ------------------------------------------------------------------------------- */

void culvert_switch_set_own(CulvertSwitch *self, const guint8 *addresses, guint n)
{
    g_return_if_fail(n <= CULVERT_SWITCH_OWN_MAX);

    pthread_mutex_lock(&self->lock);
    for (guint i = 0; i < CULVERT_SWITCH_OWN_MAX; i++)
        self->own[i] = i < n ? get_address(addresses + i * ETHERNET_ADDRESS_SIZE) : 0;
    pthread_mutex_unlock(&self->lock);
}

/* ---- What there is -------------------------------------------------------------------------- */

void culvert_switch_get_stats(CulvertSwitch *self, CulvertSwitchStats *stats)
{
    pthread_mutex_lock(&self->lock);
    *stats = self->stats;
    pthread_mutex_unlock(&self->lock);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static guint hash_vtep(gconstpointer data)
{
    const CulvertVtep *vtep = data;

    return culvert_hash(CULVERT_HASH_BEGIN, vtep->address, sizeof vtep->address);
}

static gboolean equal_vteps(gconstpointer a, gconstpointer b)
{
    return culvert_vtep_equal(a, b);
}

CulvertSwitch *culvert_switch_new(void)
{
    CulvertSwitch *self = g_new0(CulvertSwitch, 1);

    pthread_mutex_init(&self->lock, NULL);
    self->seed = g_random_int();
    self->by_vtep = g_hash_table_new(hash_vtep, equal_vteps);
    open_port(self, CULVERT_SWITCH_DEVICE);
    fit_buckets(self);
    return self;
}

void culvert_switch_free(CulvertSwitch *self)
{
    if (!self)
        return;
    for (guint at = 0; at < self->n_ports; at++)
        g_free(self->ports[at].memory);
    g_free(self->buckets);
    g_hash_table_unref(self->by_vtep);
    pthread_mutex_destroy(&self->lock);
    g_free(self);
}
