/* Endpoints, links, routes, and who we are. */
#include "core.h"

#include <errno.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/** The endpoint as the socket's family wants it; 0 when an IPv4 socket is asked for an IPv6 address. */
socklen_t endpoint_to_address(const uint8_t *endpoint, int family, union address *address) {
  memset(address, 0, sizeof *address);
  if (family == AF_INET) {
    if (memcmp(endpoint, MAPPED, sizeof MAPPED) != 0) return 0;
    address->v4.sin_family = AF_INET;
    memcpy(&address->v4.sin_addr, endpoint + 12, 4);
    memcpy(&address->v4.sin_port, endpoint + 16, 2);
    return sizeof address->v4;
  }
  address->v6.sin6_family = AF_INET6;
  memcpy(&address->v6.sin6_addr, endpoint, 16);
  memcpy(&address->v6.sin6_port, endpoint + 16, 2);
  return sizeof address->v6;
}

void address_to_endpoint(const union address *address, uint8_t *endpoint) {
  if (address->any.sa_family == AF_INET) {
    memcpy(endpoint, MAPPED, sizeof MAPPED);
    memcpy(endpoint + 12, &address->v4.sin_addr, 4);
    memcpy(endpoint + 16, &address->v4.sin_port, 2);
  } else {
    memcpy(endpoint, &address->v6.sin6_addr, 16);
    memcpy(endpoint + 16, &address->v6.sin6_port, 2);
  }
}

void key_of_address(const union address *address, struct link_key *key) {
  uint8_t endpoint[ENDPOINT_BYTES];
  address_to_endpoint(address, endpoint);
  key->address[0] = load64(endpoint);
  key->address[1] = load64(endpoint + 8);
  key->port = (uint32_t)endpoint[16] << 8 | endpoint[17];
}

/* ── the table of links: open addressing, linear probing ──────────────────────────────────────────────────────── */

static uint64_t mix(uint64_t a, uint64_t b) {
  a = (a ^ b) * 0x9e3779b97f4a7c15u;
  return a ^ (a >> 29);
}

static uint32_t bucket_of(const struct io_core *core, const struct link_key *key) {
  /* Seeded, so that a sender cannot choose conn_ids that fall into one bucket. */
  uint64_t hash = mix(core->hash_seed, key->address[0]);
  hash = mix(hash, key->address[1]);
  hash = mix(hash, (uint64_t)key->conn_id << 32 | key->port);
  hash = mix(hash, (uint32_t)key->socket);
  return (uint32_t)(hash >> 20) & (LINK_BUCKETS - 1);
}

static int same_key(const struct link_key *a, const struct link_key *b) {
  return a->conn_id == b->conn_id && a->address[1] == b->address[1] && a->port == b->port && a->socket == b->socket &&
         a->address[0] == b->address[0];
}

int32_t link_find(const struct io_core *core, const struct link_key *key) {
  for (uint32_t b = bucket_of(core, key); core->buckets[b] != 0; b = (b + 1) & (LINK_BUCKETS - 1)) {
    int32_t link = core->buckets[b] - 1;
    if (same_key(&core->links[link].key, key)) return link;
  }
  return -1;
}

static void table_insert(struct io_core *core, int32_t link) {
  uint32_t b = bucket_of(core, &core->links[link].key);
  while (core->buckets[b] != 0) b = (b + 1) & (LINK_BUCKETS - 1);
  core->buckets[b] = (int16_t)(link + 1);
}

/** Removes without tombstones: later members of the run move up into the hole where their probe allows. */
static void table_remove(struct io_core *core, int32_t link) {
  uint32_t hole = bucket_of(core, &core->links[link].key);
  while (core->buckets[hole] != link + 1) hole = (hole + 1) & (LINK_BUCKETS - 1);
  for (uint32_t b = (hole + 1) & (LINK_BUCKETS - 1); core->buckets[b] != 0; b = (b + 1) & (LINK_BUCKETS - 1)) {
    uint32_t home = bucket_of(core, &core->links[core->buckets[b] - 1].key);
    if (((b - home) & (LINK_BUCKETS - 1)) >= ((b - hole) & (LINK_BUCKETS - 1))) {
      core->buckets[hole] = core->buckets[b];
      hole = b;
    }
  }
  core->buckets[hole] = 0;
}

struct link *link_get(struct io_core *core, int32_t link) {
  if (link < 0 || link >= IO_MAX_LINKS || !core->links[link].used) return NULL;
  return &core->links[link];
}

int io_link_set(struct io_core *core, int32_t link, int32_t socket, int32_t endpoint, uint32_t conn_id) {
  struct handle *entry = handle_get(core, socket, KIND_UDP);
  if (entry == NULL) return -EBADF;
  if (link < 0 || link >= IO_MAX_LINKS || !bytes_ok(core, endpoint, ENDPOINT_BYTES)) return -EINVAL;
  struct link fresh = {.used = 1};
  fresh.address_bytes = endpoint_to_address(core->arena + endpoint, entry->as.udp.family, &fresh.address);
  if (fresh.address_bytes == 0) return -EAFNOSUPPORT;
  key_of_address(&fresh.address, &fresh.key);
  fresh.key.conn_id = conn_id;
  fresh.key.socket = socket;
  int32_t other = link_find(core, &fresh.key);
  if (other >= 0 && other != link) return -EEXIST;
  if (core->links[link].used) table_remove(core, link);
  core->links[link] = fresh;
  table_insert(core, link);
  return 0;
}

int io_link_clear(struct io_core *core, int32_t link) {
  if (link_get(core, link) == NULL) return -ENOENT;
  table_remove(core, link);
  core->links[link].used = 0;
  return 0;
}

void links_forget_socket(struct io_core *core, int32_t socket) {
  for (int32_t link = 0; link < IO_MAX_LINKS; link++) {
    if (core->links[link].used && core->links[link].key.socket == socket) io_link_clear(core, link);
  }
}

int io_identity_set(struct io_core *core, uint32_t peer_id, int32_t key) {
  struct aead *aead = NULL;
  if (key >= 0) {
    if (!bytes_ok(core, key, AEAD_KEY_BYTES)) return -EINVAL;
    aead = aead_new(core->arena + key, core->without & IO_WITHOUT_OWN_CIPHER    ? aead_library()
                                       : core->without & IO_WITHOUT_WIDE_CIPHER ? "x86-narrow"
                                                                                : NULL);
    if (aead == NULL) return IO_E_NO_CIPHER;
  }
  aead_free(core->aead);
  core->aead = aead;
  core->peer_id = peer_id;
  return 0;
}

int io_route_set(struct io_core *core, int32_t route, int32_t link, int32_t header) {
  if (route < 0 || route >= IO_MAX_ROUTES || link < 0 || link >= IO_MAX_LINKS) return -EINVAL;
  if (!bytes_ok(core, header, PEER_HEADER_BYTES)) return -EINVAL;
  core->routes[route].used = 1;
  core->routes[route].link = link;
  memcpy(core->routes[route].header, core->arena + header, PEER_HEADER_BYTES);
  return 0;
}

int io_route_clear(struct io_core *core, int32_t route) {
  if (route < 0 || route >= IO_MAX_ROUTES || !core->routes[route].used) return -ENOENT;
  core->routes[route].used = 0;
  return 0;
}
