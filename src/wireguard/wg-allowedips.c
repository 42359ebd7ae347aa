/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-allowedips.c: a compressed binary trie of address prefixes.
 *
 * A node stands for a prefix. It exists because an owner has that prefix, or because two prefixes
 * part there; in the second case it has two children and no owner. So there are fewer nodes than
 * twice the entries, and a walk down passes at most one for each bit. A node's children are the
 * prefixes below it, by their next bit.
 *
 * Whole addresses (/32, /128), of which a gateway has one or two for each peer, are also in a hash
 * table, so that finding them costs the same for ten peers and for ten thousand.
 *
 * Every owner also has the list of its nodes, so that removing an owner touches only its own.
 */
#include "wg-allowedips.h"

#include <string.h>

#define MAX_BITS 128

/* The bits of an address, first bit highest; an IPv4 address is the upper half of word[0]. */
typedef struct {
    guint64 word[2];
} Bits;

typedef struct _Node Node;

struct _Node {
    Bits bits; /* zero beyond `length` */
    guint8 length;
    guint8 family;
    Node *parent; /* NULL: the root */
    Node *child[2];
    gpointer owner; /* NULL: two prefixes part here, nothing else */
    GList link;     /* in the owner's list; data is the node */
};

struct _WgAllowedIps {
    Node *root[2];
    GHashTable *owners;   /* owner -> GQueue of its nodes */
    GHashTable *hosts[2]; /* Bits of a node of full length -> the node, if it has an owner */
    guint n_entries;
};

static Bits bits_of(int family, const guint8 *addr)
{
    Bits bits = {{0, 0}};

    if (family == AF_INET) {
        guint32 word;

        memcpy(&word, addr, sizeof word);
        bits.word[0] = (guint64) GUINT32_FROM_BE(word) << 32;
        return bits;
    }
    memcpy(bits.word, addr, sizeof bits.word);
    bits.word[0] = GUINT64_FROM_BE(bits.word[0]);
    bits.word[1] = GUINT64_FROM_BE(bits.word[1]);
    return bits;
}

/* The first `length` (0 to 64) bits of a word. */
static guint64 word_head(guint64 word, guint length)
{
    return length == 0 ? 0 : word & G_MAXUINT64 << (64 - length);
}

static Bits bits_head(const Bits *bits, guint length)
{
    Bits head = {{word_head(bits->word[0], MIN(length, 64)),
                  word_head(bits->word[1], MAX(length, 64) - 64)}};

    return head;
}

static guint bit_at(const Bits *bits, guint index)
{
    return bits->word[index / 64] >> (63 - index % 64) & 1;
}

/* How many bits two addresses begin with in common. */
static guint common_bits(const Bits *a, const Bits *b)
{
    guint64 first = a->word[0] ^ b->word[0];
    guint64 second = a->word[1] ^ b->word[1];

    if (first)
        return (guint) __builtin_clzll(first);
    return second ? 64 + (guint) __builtin_clzll(second) : MAX_BITS;
}

static guint family_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

static Node **root_of(WgAllowedIps *table, int family)
{
    return &table->root[family == AF_INET ? 0 : 1];
}

static gboolean is_host(const Node *node)
{
    return node->length == family_bits(node->family);
}

static GHashTable *hosts_of(const WgAllowedIps *table, int family)
{
    return table->hosts[family == AF_INET ? 0 : 1];
}

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4), of both halves. The prefixes are an administrator's;
 * strangers only choose what is looked up. */
static guint bits_hash(gconstpointer key)
{
    const Bits *bits = key;
    guint64 mixed = (bits->word[0] ^ (bits->word[1] << 32 | bits->word[1] >> 32)) *
                    G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

    return (guint) (mixed >> 32);
}

static gboolean bits_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(Bits)) == 0;
}

static gboolean prefix_is_sane(const WgPrefix *prefix)
{
    return (prefix->family == AF_INET || prefix->family == AF_INET6) &&
           prefix->length <= family_bits(prefix->family);
}

WgAllowedIps *wg_allowed_ips_new(void)
{
    WgAllowedIps *table = g_new0(WgAllowedIps, 1);

    table->owners = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    for (guint i = 0; i < G_N_ELEMENTS(table->hosts); i++)
        table->hosts[i] = g_hash_table_new(bits_hash, bits_equal);
    return table;
}

static void free_below(Node *node)
{
    if (!node)
        return;
    free_below(node->child[0]);
    free_below(node->child[1]);
    g_free(node);
}

void wg_allowed_ips_free(WgAllowedIps *table)
{
    if (!table)
        return;
    free_below(table->root[0]);
    free_below(table->root[1]);
    g_hash_table_unref(table->owners);
    for (guint i = 0; i < G_N_ELEMENTS(table->hosts); i++)
        g_hash_table_unref(table->hosts[i]);
    g_free(table);
}

/* ---- Owners --------------------------------------------------------------------------------- */

static void disown(WgAllowedIps *table, Node *node)
{
    GQueue *nodes;

    if (!node->owner)
        return;
    nodes = g_hash_table_lookup(table->owners, node->owner);
    g_queue_unlink(nodes, &node->link);
    if (g_queue_is_empty(nodes))
        g_hash_table_remove(table->owners, node->owner);
    node->owner = NULL;
    table->n_entries--;
    if (is_host(node))
        g_hash_table_remove(hosts_of(table, node->family), &node->bits);
}

static void own(WgAllowedIps *table, Node *node, gpointer owner)
{
    GQueue *nodes = g_hash_table_lookup(table->owners, owner);

    if (!nodes) {
        nodes = g_new0(GQueue, 1);
        g_hash_table_insert(table->owners, owner, nodes);
    }
    node->owner = owner;
    node->link.data = node;
    g_queue_push_tail_link(nodes, &node->link);
    table->n_entries++;
    if (is_host(node))
        g_hash_table_insert(hosts_of(table, node->family), &node->bits, node);
}

/* ---- Shape ---------------------------------------------------------------------------------- */

static Node *node_new(guint8 family, const Bits *bits, guint length)
{
    Node *node = g_new0(Node, 1);

    node->family = family;
    node->bits = bits_head(bits, length);
    node->length = (guint8) length;
    return node;
}

static void set_child(Node *parent, Node *child)
{
    parent->child[bit_at(&child->bits, parent->length)] = child;
    child->parent = parent;
}

/* The pointer that leads to a node. */
static Node **slot_of(WgAllowedIps *table, Node *node)
{
    if (!node->parent)
        return root_of(table, node->family);
    return &node->parent->child[node->parent->child[1] == node];
}

/* Puts `upper` where `lower` is, with `lower` below it. */
static void push_down(WgAllowedIps *table, Node *upper, Node *lower)
{
    *slot_of(table, lower) = upper;
    upper->parent = lower->parent;
    set_child(upper, lower);
}

/* The node of exactly this prefix, made if needed. */
static Node *find_or_make(WgAllowedIps *table, guint8 family, const Bits *bits, guint length)
{
    Node *parent = NULL;
    Node *node = *root_of(table, family);
    guint common = 0;
    Node *made;

    while (node) {
        common = MIN(common_bits(&node->bits, bits), MIN(node->length, length));
        if (common < node->length)
            break;
        if (node->length == length)
            return node;
        parent = node;
        node = node->child[bit_at(bits, node->length)];
    }

    made = node_new(family, bits, length);
    if (!node && !parent) {
        *root_of(table, family) = made;
    } else if (!node) {
        set_child(parent, made);
    } else if (common == length) {
        push_down(table, made, node);
    } else {
        Node *fork = node_new(family, bits, common);

        push_down(table, fork, node);
        set_child(fork, made);
    }
    return made;
}

/* Takes out a node that has no owner and at most one child, and then its parent if that is such a
 * node now. */
static void prune(WgAllowedIps *table, Node *node)
{
    while (node && !node->owner && !(node->child[0] && node->child[1])) {
        Node *parent = node->parent;
        Node *child = node->child[0] ? node->child[0] : node->child[1];

        *slot_of(table, node) = child;
        if (child)
            child->parent = parent;
        g_free(node);
        node = parent;
    }
}

/* ---- Interface ------------------------------------------------------------------------------ */

void wg_allowed_ips_insert(WgAllowedIps *table, const WgPrefix *prefix, gpointer owner)
{
    g_return_if_fail(owner != NULL);
    g_return_if_fail(prefix_is_sane(prefix));

    Bits bits = bits_of(prefix->family, prefix->addr);
    Bits head = bits_head(&bits, prefix->length);
    Node *node = find_or_make(table, prefix->family, &head, prefix->length);

    if (node->owner == owner)
        return;
    disown(table, node);
    own(table, node, owner);
}

void wg_allowed_ips_remove(WgAllowedIps *table, const WgPrefix *prefix, gpointer owner)
{
    g_return_if_fail(owner != NULL);
    g_return_if_fail(prefix_is_sane(prefix));

    Bits bits = bits_of(prefix->family, prefix->addr);
    Bits head = bits_head(&bits, prefix->length);
    Node *node = *root_of(table, prefix->family);

    while (node && node->length < prefix->length)
        node = node->child[bit_at(&head, node->length)];
    if (!node || node->length != prefix->length || common_bits(&node->bits, &head) < MAX_BITS ||
        node->owner != owner)
        return;
    disown(table, node);
    prune(table, node);
}

void wg_allowed_ips_remove_owner(WgAllowedIps *table, gpointer owner)
{
    GQueue *nodes;

    /* disown() frees the list with its last node, so it is looked up anew each time. */
    while ((nodes = g_hash_table_lookup(table->owners, owner)) != NULL) {
        Node *node = g_queue_peek_head(nodes);

        disown(table, node);
        prune(table, node);
    }
}

gpointer wg_allowed_ips_lookup(const WgAllowedIps *table, int family, const guint8 *addr)
{
    const Node *node = table->root[family == AF_INET ? 0 : 1];
    guint last = family_bits(family);
    Bits bits = bits_of(family, addr);
    const Node *host = g_hash_table_lookup(hosts_of(table, family), &bits);
    gpointer owner = NULL;

    if (host)
        return host->owner;
    while (node && common_bits(&node->bits, &bits) >= node->length) {
        if (node->owner)
            owner = node->owner;
        if (node->length == last)
            break;
        node = node->child[bit_at(&bits, node->length)];
    }
    return owner;
}

static void write_prefix(const Node *node, WgPrefix *prefix)
{
    memset(prefix, 0, sizeof *prefix);
    prefix->family = node->family;
    prefix->length = node->length;
    for (guint i = 0; i < family_bits(node->family) / 8; i++)
        prefix->addr[i] = (guint8) (node->bits.word[i / 8] >> (56 - i % 8 * 8));
}

static int compare_prefixes(gconstpointer a, gconstpointer b)
{
    const WgPrefix *left = a;
    const WgPrefix *right = b;
    int order;

    if (left->family != right->family)
        return left->family == AF_INET ? -1 : 1;
    order = memcmp(left->addr, right->addr, sizeof left->addr);
    return order != 0 ? order : (int) left->length - (int) right->length;
}

GArray *wg_allowed_ips_of(const WgAllowedIps *table, gconstpointer owner)
{
    GArray *prefixes = g_array_new(FALSE, FALSE, sizeof(WgPrefix));
    GQueue *nodes = g_hash_table_lookup(table->owners, owner);

    for (GList *l = nodes ? nodes->head : NULL; l; l = l->next) {
        WgPrefix prefix;

        write_prefix(l->data, &prefix);
        g_array_append_val(prefixes, prefix);
    }
    g_array_sort(prefixes, compare_prefixes);
    return prefixes;
}

guint wg_allowed_ips_size(const WgAllowedIps *table)
{
    return table->n_entries;
}
