/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver-process.c: the process that resolves names, a thread a question: one of them may wait
 * for a name server that does not answer. Answers of name servers are strangers' packets, too.
 */
#include "config.h"

#include "account-private.h"
#include "resolver-private.h"
#include "sandbox-private.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* At once; more are told to come again. A tunnel asks for one name of each peer at a time. */
#define QUESTIONS_MAX 64

/* The kernel's overflow user, who owns nothing. */
#define NOBODY 65534

typedef struct {
    int fd;
    ResolverQuestion question;
    int sockets[SANDBOX_MESSAGE_FDS_MAX]; /* ours to close */
    guint n_sockets;                      /* 0: the system's resolver is meant */
} Work;

static gint running;

/* ---- One question --------------------------------------------------------------------------- */

static gboolean take_address(ResolverAddress *to, const struct addrinfo *from)
{
    to->family = from->ai_family;
    if (from->ai_family == AF_INET) {
        memcpy(to->bytes, &((const struct sockaddr_in *) from->ai_addr)->sin_addr, 4);
        return TRUE;
    }
    if (from->ai_family == AF_INET6) {
        const struct sockaddr_in6 *address = (const struct sockaddr_in6 *) from->ai_addr;

        memcpy(to->bytes, &address->sin6_addr, sizeof to->bytes);
        to->scope = address->sin6_scope_id;
        return TRUE;
    }
    return FALSE;
}

static void ask_system(const ResolverQuestion *question, ResolverAnswer *reply)
{
    const struct addrinfo hints = {.ai_family = question->family, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;

    reply->status = getaddrinfo(question->name, NULL, &hints, &found);
    for (struct addrinfo *a = found; a && reply->n_addresses < RESOLVER_ADDRESSES_MAX;
         a = a->ai_next)
        reply->n_addresses += take_address(&reply->addresses[reply->n_addresses], a);
    if (found)
        freeaddrinfo(found);
}

static void find_account(const ResolverQuestion *question, ResolverAnswer *reply)
{
    CulvertAccountKind kind =
        question->kind == RESOLVER_USER ? CULVERT_ACCOUNT_USER : CULVERT_ACCOUNT_GROUP;

    reply->status = culvert_account_look_up(kind, question->name, &reply->account);
}

static void answer(const Work *work)
{
    ResolverAnswer reply = {.id = work->question.id};

    if (work->question.kind != RESOLVER_HOST)
        find_account(&work->question, &reply);
    else if (work->n_sockets > 0)
        resolver_stub_ask(&work->question, work->sockets, work->n_sockets, &reply);
    else
        ask_system(&work->question, &reply);
    /* Whole or not at all; if nobody listens any more, this process ends anyhow. */
    (void) send(work->fd, &reply, sizeof reply, MSG_NOSIGNAL);
}

static void free_work(Work *work)
{
    for (guint i = 0; i < work->n_sockets; i++)
        close(work->sockets[i]);
    g_free(work);
}

static void *work_main(void *data)
{
    answer(data);
    free_work(data);
    g_atomic_int_add(&running, -1);
    return NULL;
}

static void refuse(const Work *work)
{
    const ResolverAnswer reply = {
        .id = work->question.id,
        .status = work->question.kind == RESOLVER_HOST ? EAI_AGAIN : EAGAIN,
    };

    (void) send(work->fd, &reply, sizeof reply, MSG_NOSIGNAL);
}

/* Takes `work`. */
static void take_question(Work *work)
{
    pthread_attr_t detached;
    pthread_t thread;

    work->question.name[sizeof work->question.name - 1] = '\0';
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (g_atomic_int_get(&running) >= QUESTIONS_MAX ||
        pthread_create(&thread, &detached, work_main, work) != 0) {
        refuse(work);
        free_work(work);
    } else {
        g_atomic_int_inc(&running);
    }
    pthread_attr_destroy(&detached);
}

/* ---- The process ---------------------------------------------------------------------------- */

/* Without the capability for it, as in some containers, it stays who it is. */
static void become_nobody(void)
{
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        g_info("The process that resolves names keeps its user: %s", g_strerror(errno));
}

static gboolean confine(GError **error)
{
    static const int to_become_nobody[] = {CAP_SETUID, CAP_SETGID, -1};
    static const int none[] = {-1};

    /* In two steps, as another user may not clear the bounding set any more. */
    if (!sandbox_keep_capabilities(to_become_nobody, error))
        return FALSE;
    become_nobody();
    return sandbox_keep_capabilities(none, error) && sandbox_hide(error) &&
           sandbox_restrict_files(SANDBOX_RESOLVER, error) &&
           sandbox_restrict_calls(SANDBOX_RESOLVER, error);
}

void resolver_process_run(int fd)
{
    g_autoptr(GError) error = NULL;
    Work *work;

    if (!confine(&error)) {
        g_warning("%s", error->message);
        return;
    }
    work = g_new0(Work, 1);
    work->fd = fd;
    while (sandbox_message_receive(fd, &work->question, sizeof work->question, work->sockets,
                                   &work->n_sockets)) {
        take_question(work);
        work = g_new0(Work, 1);
        work->fd = fd;
    }
}
