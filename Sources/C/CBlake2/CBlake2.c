// libsodium hashes one message at a time, in which each step of BLAKE2b waits for the one before. Here a register holds the same word of
// several messages (docs/decisions/0011-hashes-side-by-side.md).
#include "CBlake2.h"

#if defined(__x86_64__)
#define LANES 4
#define WIDE(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#include "Lanes.h"

#define LANES 8
#define WIDE(name) name##_avx512
#define TARGET __attribute__((target("avx512f")))
#include "Lanes.h"
#else
void blake2b_256_many_avx2(const uint8_t *messages, const size_t *lengths, size_t count, uint8_t *digests) {
  (void)messages, (void)lengths, (void)count, (void)digests;
}
void blake2b_256_many_avx512(const uint8_t *messages, const size_t *lengths, size_t count, uint8_t *digests) {
  (void)messages, (void)lengths, (void)count, (void)digests;
}
#endif
