/// A process, told apart from every other with the same PID by its start time and the boot id.
public struct ProcessIdentity: Sendable, Hashable {
  public let pid: Int32
  /// Clock ticks since boot (`starttime`, proc(5)).
  public let started: Int64
  /// `/proc/sys/kernel/random/boot_id`.
  public let boot: String

  public init(pid: Int32, started: Int64, boot: String) {
    self.pid = pid
    self.started = started
    self.boot = boot
  }
}
