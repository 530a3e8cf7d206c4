/// How to answer a credential request while the session is due for renewal.
package enum StaleRequestPolicy {
  /// Milliseconds that a request waits for a new session: less than the second after which an SDK gives up (the one for JavaScript;
  /// botocore takes two).
  package static let timeouts: Int64 = 800

  /// Seconds until a request may start a renewal again, after this many failures in a row.
  package static func delay(failures: Int) -> Int64 { failures == 0 ? 0 : min(20, 1 << Int64(min(failures, 10))) }
}
