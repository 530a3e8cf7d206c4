/// What a person asks of long-lived access keys.
enum KeyUse: Sendable, Hashable {
  /// A session of theirs, where they are not only what signs the call for a role.
  case session
  /// Something that the console takes, which refuses such a session.
  case console
  /// The keys as they are, without a session of theirs.
  case themselves
}
