// BLAKE2b (RFC 7693) in `LANES` lanes, for machines that have `TARGET`; CBlake2.c includes it once for each.
#include <string.h>

#ifndef BLAKE2_BLOCK
#define BLAKE2_BLOCK 128
/// RFC 7693, 2.6 and 2.7.
static const uint64_t IV[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
static const uint8_t SIGMA[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};
#define ROTATED(x, bits) ((x) >> (bits) | (x) << (64 - (bits)))
#define MIX(a, b, c, d, x, y)                                           \
  a += b + (x), d = ROTATED(d ^ a, 32), c += d, b = ROTATED(b ^ c, 24); \
  a += b + (y), d = ROTATED(d ^ a, 16), c += d, b = ROTATED(b ^ c, 63)
#endif

/// A word of each lane, as a vector or one by one.
typedef union {
  uint64_t all __attribute__((vector_size(8 * LANES)));
  uint64_t of[LANES];
} WIDE(Words);

/// RFC 7693, 3.2, in each lane.
TARGET __attribute__((always_inline)) static inline void WIDE(compress)(
    WIDE(Words) state[8], const uint8_t *const blocks[LANES], WIDE(Words) hashed, WIDE(Words) last) {
  uint64_t __attribute__((vector_size(8 * LANES))) m[16], v[16];
  for (int i = 0; i < 16; i++) {
    for (int lane = 0; lane < LANES; lane++) {
      uint64_t word;
      memcpy(&word, blocks[lane] + 8 * i, 8);
      m[i][lane] = word;
    }
  }
  for (int i = 0; i < 8; i++) v[i] = state[i].all, v[i + 8] = v[i] - v[i] + IV[i];
  v[12] ^= hashed.all;
  v[14] ^= last.all;
#pragma clang loop unroll(full)
  for (int round = 0; round < 12; round++) {
    const uint8_t *s = SIGMA[round];
    MIX(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    MIX(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    MIX(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    MIX(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    MIX(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    MIX(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    MIX(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    MIX(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; i++) state[i].all ^= v[i] ^ v[i + 8];
}

/// A lane that is done with its message takes the next; one that has none works on zeros, and nobody looks.
TARGET void WIDE(blake2b_256_many)(const uint8_t *messages, const size_t *lengths, size_t count, uint8_t *digests) {
  static const uint8_t nothing[BLAKE2_BLOCK];
  WIDE(Words) state[8], hashed, last;
  memset(state, 0, sizeof state), memset(&hashed, 0, sizeof hashed), memset(&last, 0, sizeof last);
  const uint8_t *block[LANES];
  size_t left[LANES], message[LANES], next = 0, live = 0;
  for (int lane = 0; lane < LANES; lane++) block[lane] = nothing, left[lane] = 0, message[lane] = count;
  while (live > 0 || next < count) {
    for (int lane = 0; lane < LANES; lane++) {
      if (message[lane] == count && next < count) {
        message[lane] = next, block[lane] = messages, left[lane] = lengths[next];
        messages += left[lane] == 0 ? BLAKE2_BLOCK : (left[lane] + BLAKE2_BLOCK - 1) / BLAKE2_BLOCK * BLAKE2_BLOCK;
        for (int i = 0; i < 8; i++) state[i].of[lane] = IV[i];
        // The parameters: 32 bytes of digest, no key, and no tree.
        state[0].of[lane] ^= 0x01010020;
        hashed.of[lane] = 0;
        next++, live++;
      }
      hashed.of[lane] += left[lane] < BLAKE2_BLOCK ? left[lane] : BLAKE2_BLOCK;
      last.of[lane] = left[lane] <= BLAKE2_BLOCK ? ~UINT64_C(0) : 0;
    }
    WIDE(compress)(state, block, hashed, last);
    for (int lane = 0; lane < LANES; lane++) {
      if (message[lane] == count) continue;
      if (left[lane] > BLAKE2_BLOCK) {
        left[lane] -= BLAKE2_BLOCK, block[lane] += BLAKE2_BLOCK;
        continue;
      }
      for (int i = 0; i < 4; i++) memcpy(digests + 32 * message[lane] + 8 * i, &state[i].of[lane], 8);
      block[lane] = nothing, left[lane] = 0, message[lane] = count;
      live--;
    }
  }
}

#undef LANES
#undef WIDE
#undef TARGET
