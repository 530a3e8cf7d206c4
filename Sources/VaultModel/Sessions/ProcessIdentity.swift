/// A process, told apart from every other that has had or will have its number: by when it was started, and in which start of the machine.
public struct ProcessIdentity: Sendable, Hashable {
  public let pid: Int32
  /// Clock ticks since the machine's start (`starttime`, proc(5)).
  public let started: Int64
  /// `/proc/sys/kernel/random/boot_id`.
  public let boot: String

  public init(pid: Int32, started: Int64, boot: String) {
    self.pid = pid
    self.started = started
    self.boot = boot
  }
}
