#include <sqlite3.h>

/// sqlite3_db_config for the options that take a switch; the C function is variadic.
static inline int vault_sqlite_config(sqlite3 *database, int option, int on, int *now) {
  return sqlite3_db_config(database, option, on, now);
}
