/// What is done for a served program that asks while its session is due.
package enum StaleRequestPolicy {
  /// Milliseconds that it waits for a new session: less than the second after which an SDK gives up (the one for JavaScript; botocore takes
  /// two).
  package static let timeouts: Int64 = 800

  /// Seconds until a question may begin a renewal again, after so many in a row that brought nothing.
  package static func pause(failures: Int) -> Int64 { failures == 0 ? 0 : min(20, 1 << Int64(min(failures, 10))) }
}
