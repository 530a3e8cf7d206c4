/// The requested use of long-lived access keys.
enum KeyUse: Sendable, Hashable {
  /// A session of the keys, unless they only sign the call for a role.
  case session
  /// Credentials for the console, which refuses such a session.
  case console
  /// The keys as they are, without their own session.
  case themselves
}
