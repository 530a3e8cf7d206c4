#include <jansson.h>
#include <malloc.h>
#include <string.h>

/// Frees what jansson lets go of, wiped: the texts in it are credentials.
static inline void vault_json_free(void *memory) {
  if (memory) explicit_bzero(memory, malloc_usable_size(memory));
  free(memory);
}

/// For all of jansson; call it before anything else of it.
static inline void vault_json_wipe_on_free(void) { json_set_alloc_funcs(malloc, vault_json_free); }
