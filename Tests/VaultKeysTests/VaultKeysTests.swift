import Testing

/// All suites of this module. One test after the other: each has a bus and a keyring to itself, or a processor for Argon2id, and a
/// deadline is only worth measuring on a machine that is not busy with the neighbours.
@Suite("Key stores", .serialized)
enum VaultKeysTests {}
