/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-attempts.c: counting attempts, and putting them into words.
 */
#include "config.h"

#include "service-attempts.h"

/* A connection with very many endpoints is described by its first ones. */
#define MAX_ATTEMPTS 32

typedef struct {
    char *name;
    char *endpoint; /* NULL: the name could not be resolved */
    char *reason;   /* why not, the last time */
    guint count;
    gboolean unsent; /* the last time nothing left this computer, for that reason */
} Attempt;

struct _CulvertAttempts {
    GPtrArray *attempts; /* of Attempt */
};

static void attempt_free(gpointer data)
{
    Attempt *attempt = data;

    g_free(attempt->name);
    g_free(attempt->endpoint);
    g_free(attempt->reason);
    g_free(attempt);
}

CulvertAttempts *culvert_attempts_new(void)
{
    CulvertAttempts *self = g_new0(CulvertAttempts, 1);

    self->attempts = g_ptr_array_new_with_free_func(attempt_free);
    return self;
}

void culvert_attempts_free(CulvertAttempts *self)
{
    g_ptr_array_unref(self->attempts);
    g_free(self);
}

char *culvert_attempts_endpoint_to_string(GInetSocketAddress *endpoint)
{
    return g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));
}

static Attempt *find_attempt(CulvertAttempts *self, const char *name, const char *endpoint)
{
    Attempt *attempt;

    for (guint i = 0; i < self->attempts->len; i++) {
        attempt = g_ptr_array_index(self->attempts, i);
        if (g_str_equal(attempt->name, name) && g_strcmp0(attempt->endpoint, endpoint) == 0)
            return attempt;
    }
    if (self->attempts->len >= MAX_ATTEMPTS)
        return NULL;
    attempt = g_new0(Attempt, 1);
    attempt->name = g_strdup(name);
    attempt->endpoint = g_strdup(endpoint);
    g_ptr_array_add(self->attempts, attempt);
    return attempt;
}

guint culvert_attempts_add(CulvertAttempts *self, const char *name, GInetSocketAddress *endpoint,
                           const GError *error)
{
    g_autofree char *text = endpoint ? culvert_attempts_endpoint_to_string(endpoint) : NULL;
    Attempt *attempt = find_attempt(self, name, text);

    if (!attempt)
        return G_MAXUINT;
    attempt->unsent = FALSE;
    if (error) {
        g_free(attempt->reason);
        attempt->reason = g_strdup(error->message);
    }
    return ++attempt->count;
}

void culvert_attempts_unsent(CulvertAttempts *self, GInetSocketAddress *endpoint,
                             const GError *error)
{
    g_autofree char *text = culvert_attempts_endpoint_to_string(endpoint);

    for (guint i = 0; i < self->attempts->len; i++) {
        Attempt *attempt = g_ptr_array_index(self->attempts, i);

        if (g_strcmp0(attempt->endpoint, text) != 0)
            continue;
        attempt->unsent = TRUE;
        g_free(attempt->reason);
        attempt->reason = g_strdup(error->message);
    }
}

typedef enum {
    RESOLVED_NOTHING, /* no name has an address */
    SENT_NOTHING,     /* nothing left this computer */
    SENT_SOMETHING,   /* only then a key can be to blame */
} Reach;

static Reach find_reach(const CulvertAttempts *self)
{
    Reach reach = RESOLVED_NOTHING;

    for (guint i = 0; i < self->attempts->len; i++) {
        const Attempt *attempt = g_ptr_array_index(self->attempts, i);

        if (attempt->endpoint)
            reach = MAX(reach, attempt->unsent ? SENT_NOTHING : SENT_SOMETHING);
    }
    return reach;
}

static char *describe(const Attempt *attempt, const char *answer)
{
    g_autofree char *times =
        attempt->count == 1 ? g_strdup("once") : g_strdup_printf("%u times", attempt->count);
    g_autofree char *outcome = attempt->unsent
                                   ? g_strdup_printf("could not be sent: %s", attempt->reason)
                                   : g_strdup(answer);

    if (!attempt->endpoint)
        return g_strdup_printf("“%s”: the name could not be resolved, tried %s: %s", attempt->name,
                               times, attempt->reason ? attempt->reason : "no reason given");
    if (g_str_equal(attempt->name, attempt->endpoint))
        return g_strdup_printf("%s: tried %s, %s", attempt->endpoint, times, outcome);
    return g_strdup_printf("“%s” at %s: tried %s, %s", attempt->name, attempt->endpoint, times,
                           outcome);
}

static void add_lines(GPtrArray *report, const char *const *lines)
{
    for (; *lines; lines++)
        g_ptr_array_add(report, g_strdup(*lines));
}

static void add_likely_causes(GPtrArray *report, Reach reach, gboolean answered)
{
    static const char *const UNRESOLVED[] = {
        "Likely causes:",
        "- the name is misspelt",
        "- this network's DNS server cannot be reached, or does not know the name",
        NULL,
    };
    static const char *const UNSENT[] = {
        "Likely causes:",
        "- this computer is not connected to a network that leads there: an IPv6 address needs "
        "IPv6 here, too",
        "- a firewall on this computer forbids it",
        NULL,
    };

    /* A gateway answers an initiation that its own and our public key fit; the preshared key is
     * part of the answer only (WireGuard paper, 5.4.3). */
    static const char *const ANSWERED[] = {
        "Likely cause: the gateway answers, but the answer does not fit the keys: the preshared "
        "key is not the one the gateway has for this computer",
        NULL,
    };
    static const char *const SILENT[] = {
        "Likely causes, in all of which WireGuard is silent:",
        "- the gateway is off, or a firewall drops UDP on the way",
        "- the endpoint's address or port is wrong",
        "- the public key in the profile is not the gateway's",
        "- the gateway does not know this computer's public key",
        NULL,
    };

    if (reach == RESOLVED_NOTHING)
        add_lines(report, UNRESOLVED);
    else if (reach == SENT_NOTHING)
        add_lines(report, UNSENT);
    else
        add_lines(report, answered ? ANSWERED : SILENT);
}

GPtrArray *culvert_attempts_report(const CulvertAttempts *self, const char *public_key,
                                   guint16 listen_port, gboolean answered)
{
    GPtrArray *report = g_ptr_array_new_with_free_func(g_free);
    Reach reach = find_reach(self);

    for (guint i = 0; i < self->attempts->len; i++)
        g_ptr_array_add(report, describe(g_ptr_array_index(self->attempts, i),
                                         answered ? "no valid answer" : "no answer"));
    if (self->attempts->len == 0)
        g_ptr_array_add(report, g_strdup_printf("No peer has an endpoint: this computer waited to "
                                                "be called on UDP port %u, and nobody did. Give "
                                                "the gateway's peer an endpoint",
                                                listen_port));
    else
        add_likely_causes(report, reach, answered);
    if (self->attempts->len == 0 || reach == SENT_SOMETHING)
        g_ptr_array_add(report, g_strdup_printf("This computer's public key is %s", public_key));
    return report;
}
