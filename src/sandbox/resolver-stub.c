/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver-stub.c: asks name servers that are not the system's, over sockets that somebody else
 * has connected to them: getaddrinfo(3) can do neither. The C library makes the queries and takes
 * the answers apart (resolver(3)); here is when to ask whom, and what counts as an answer.
 *
 * Addresses of both families are asked for at once, each server in turn, until there is an answer
 * to both. What does not fit into a datagram is left out: a tunnel needs one address that works.
 * Nothing is believed of an answer but that it is one: whoever is at an address has to prove itself
 * in a handshake.
 */
#include "config.h"

#include "resolver-private.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

/* Five tries of a second, as resolv.conf(5) has one of five. */
#define TRIES  5
#define TRY_US G_USEC_PER_SEC

/* One of the two types of addresses. */
typedef struct {
    guint8 query[RESOLVER_DATAGRAM_MAX];
    gsize len;
    gboolean answered;
} Asked;

typedef struct {
    const int *sockets;
    guint n_sockets;
    guint n_closed;
    gboolean closed[RESOLVER_SERVERS_MAX];
    Asked asked[2];
    guint n_asked;
    ResolverAnswer *answer;
} Stub;

/* ---- Messages of the DNS (RFC 1035, 4) ------------------------------------------------------ */

gsize resolver_stub_query(const char *name, int type, guint8 query[RESOLVER_DATAGRAM_MAX])
{
    int len =
        res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, query, RESOLVER_DATAGRAM_MAX);

    /* Not to be guessed by whoever cannot see it (RFC 5452, 4.3), which is not for each C library
     * to decide. */
    if (len < NS_HFIXEDSZ || getrandom(query, NS_INT16SZ, 0) != NS_INT16SZ)
        return 0;
    return (gsize) len;
}

/* With its number and its question. */
static gboolean is_reply_to(ns_msg *reply, ns_msg *query)
{
    ns_rr theirs, ours;

    return ns_msg_id(*reply) == ns_msg_id(*query) && ns_msg_getflag(*reply, ns_f_qr) == 1 &&
           ns_msg_count(*reply, ns_s_qd) == 1 && ns_parserr(reply, ns_s_qd, 0, &theirs) == 0 &&
           ns_parserr(query, ns_s_qd, 0, &ours) == 0 && ns_rr_type(theirs) == ns_rr_type(ours) &&
           ns_rr_class(theirs) == ns_c_in &&
           g_ascii_strcasecmp(ns_rr_name(theirs), ns_rr_name(ours)) == 0;
}

static void take_address(ResolverAnswer *answer, const ns_rr *record, gsize size)
{
    ResolverAddress *address = &answer->addresses[answer->n_addresses];

    if (answer->n_addresses >= RESOLVER_ADDRESSES_MAX)
        return;
    answer->n_addresses++;
    *address = (ResolverAddress){.family = size == NS_INADDRSZ ? AF_INET : AF_INET6};
    memcpy(address->bytes, ns_rr_rdata(*record), size);
}

/* Also those of another name, to which an alias leads. FALSE: the datagram is damaged. */
static gboolean take_addresses(ns_msg *reply, int type, ResolverAnswer *answer)
{
    gsize size = type == ns_t_a ? NS_INADDRSZ : NS_IN6ADDRSZ;
    ns_rr record;

    for (int i = 0; i < ns_msg_count(*reply, ns_s_an); i++) {
        if (ns_parserr(reply, ns_s_an, i, &record) != 0)
            return FALSE;
        if ((int) ns_rr_type(record) == type && ns_rr_class(record) == ns_c_in &&
            ns_rr_rdlen(record) == size)
            take_address(answer, &record, size);
    }
    return TRUE;
}

gboolean resolver_stub_read(const guint8 *datagram, gsize len, const guint8 *query, gsize query_len,
                            ResolverAnswer *answer)
{
    guint before = answer->n_addresses;
    ns_msg reply, asked;
    ns_rr question;
    int code;

    if (ns_initparse(datagram, (int) len, &reply) != 0 ||
        ns_initparse(query, (int) query_len, &asked) != 0 || !is_reply_to(&reply, &asked) ||
        ns_parserr(&asked, ns_s_qd, 0, &question) != 0)
        return FALSE;
    code = ns_msg_getflag(reply, ns_f_rcode);
    if (code != ns_r_noerror && code != ns_r_nxdomain)
        return FALSE;
    if (take_addresses(&reply, (int) ns_rr_type(question), answer))
        return TRUE;
    answer->n_addresses = before;
    return FALSE;
}

/* ---- Asking --------------------------------------------------------------------------------- */

static void add_query(Stub *stub, const ResolverQuestion *question, int family, int type)
{
    Asked *asked = &stub->asked[stub->n_asked];

    if (question->family != AF_UNSPEC && question->family != family)
        return;
    asked->len = resolver_stub_query(question->name, type, asked->query);
    if (asked->len > 0)
        stub->n_asked++;
}

static void send_queries(Stub *stub, guint server)
{
    for (guint i = 0; i < stub->n_asked && !stub->closed[server]; i++) {
        const Asked *asked = &stub->asked[i];

        if (!asked->answered)
            (void) send(stub->sockets[server], asked->query, asked->len,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void take_datagram(Stub *stub, const guint8 *datagram, gsize len)
{
    for (guint i = 0; i < stub->n_asked; i++) {
        Asked *asked = &stub->asked[i];

        if (!asked->answered)
            asked->answered =
                resolver_stub_read(datagram, len, asked->query, asked->len, stub->answer);
    }
}

static void read_socket(Stub *stub, guint server)
{
    guint8 datagram[RESOLVER_DATAGRAM_MAX];
    gssize n = recv(stub->sockets[server], datagram, sizeof datagram, MSG_DONTWAIT);

    if (n > 0) {
        take_datagram(stub, datagram, (gsize) n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        stub->closed[server] = TRUE;
        stub->n_closed++;
    }
}

static gboolean is_done(const Stub *stub)
{
    for (guint i = 0; i < stub->n_asked; i++) {
        if (!stub->asked[i].answered)
            return stub->n_closed == stub->n_sockets;
    }
    return TRUE;
}

/* Until `end`, monotonic; a late answer of another server is one, too. */
static void wait_for_answers(Stub *stub, gint64 end)
{
    struct pollfd ready[RESOLVER_SERVERS_MAX];
    gint64 left;

    while (!is_done(stub) && (left = end - g_get_monotonic_time()) > 0) {
        for (guint i = 0; i < stub->n_sockets; i++)
            ready[i] = (struct pollfd){stub->closed[i] ? -1 : stub->sockets[i], POLLIN, 0};
        if (poll(ready, stub->n_sockets, (int) (left / G_TIME_SPAN_MILLISECOND) + 1) < 0 &&
            errno != EINTR)
            return;
        for (guint i = 0; i < stub->n_sockets; i++) {
            if (!stub->closed[i] && ready[i].revents != 0)
                read_socket(stub, i);
        }
    }
}

void resolver_stub_ask(const ResolverQuestion *question, const int *sockets, guint n_sockets,
                       ResolverAnswer *answer)
{
    Stub stub = {
        .sockets = sockets,
        .n_sockets = MIN(n_sockets, RESOLVER_SERVERS_MAX),
        .answer = answer,
    };

    add_query(&stub, question, AF_INET6, ns_t_aaaa);
    add_query(&stub, question, AF_INET, ns_t_a);
    /* A server that knows one type, and is silent about the other, is not waited for again. */
    for (guint i = 0; i < TRIES && !is_done(&stub) && answer->n_addresses == 0; i++) {
        send_queries(&stub, i % stub.n_sockets);
        wait_for_answers(&stub, g_get_monotonic_time() + TRY_US);
    }
    if (answer->n_addresses > 0)
        answer->status = 0;
    else
        answer->status = is_done(&stub) && stub.n_closed == 0 ? EAI_NONAME : EAI_AGAIN;
}
