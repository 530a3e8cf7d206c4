// A program's `free` and `realloc` go before those of the C library in every library that it loads (glibc manual, "Replacing malloc").
// The blocks themselves are glibc's: `malloc`, `calloc` and the aligned ones stay as they are.
#include "CWipingHeap.h"

#include <malloc.h>
#include <stddef.h>
#include <string.h>

// A sanitizer has a heap of its own, which must see each block.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

/// glibc's own, under the names that it keeps for who takes their place.
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *block);

/// Wipes the whole block, also what lies behind the bytes that were asked for: a block that shrank keeps its end.
void free(void *block) {
  if (block == NULL) return;
  explicit_bzero(block, malloc_usable_size(block));
  __libc_free(block);
}

/// glibc's would leave the old bytes where they were when a block moves or shrinks.
void *realloc(void *block, size_t size) {
  if (block == NULL) return __libc_malloc(size);
  if (size == 0) {
    free(block);
    return NULL;
  }
  size_t had = malloc_usable_size(block);
  if (size <= had && size >= had / 2) return block;
  void *moved = __libc_malloc(size);
  if (moved == NULL) return NULL;
  memcpy(moved, block, size < had ? size : had);
  free(block);
  return moved;
}

#endif
