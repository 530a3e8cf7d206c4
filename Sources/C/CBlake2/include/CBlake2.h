// BLAKE2b-256 (RFC 7693, no key) of many messages, some at one time, each in a lane of the machine's wide registers.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Four at one time, with AVX2; and eight, with AVX-512F. What the machine has is for the caller to know. Both do nothing where there is
/// no x86-64.
///
/// - Parameters:
///   - messages: one after the other, each filled up with zeros to a multiple of 128 bytes; 128 zeros for one of no bytes.
///   - lengths: the bytes of each without the zeros.
///   - digests: 32 bytes for each.
void blake2b_256_many_avx2(const uint8_t *messages, const size_t *lengths, size_t count, uint8_t *digests);
void blake2b_256_many_avx512(const uint8_t *messages, const size_t *lengths, size_t count, uint8_t *digests);
