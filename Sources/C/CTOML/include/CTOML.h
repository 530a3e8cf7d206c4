#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Called with each text, number and truth value of a document. The path is the keys that lead there, and the places in lists, each
/// followed by a zero.
typedef void (*vault_toml_visit)(void *context, const char *path, size_t path_length, const char *value, size_t length);

/// Reads TOML 1.0. Returns 0, or the line of the first error; nothing has been visited then.
unsigned vault_toml_read(const char *text, size_t length, vault_toml_visit visit, void *context);

#ifdef __cplusplus
}
#endif
