/// When a profile's sessions are renewed automatically (`rotation`, `rotation_idle`).
public struct RotationRule: Sendable, Hashable {
  public enum Mode: String, Sendable {
    /// Always, from the first use on.
    case always
    /// While a program has a lease, and for a time after the last use.
    case used
    /// Never automatically.
    case off
  }

  public var mode: Mode
  /// Seconds after the last use.
  public var idle: Int64

  public static let `default` = RotationRule(mode: .used, idle: 8 * 3_600)
  /// Only while a program has a lease.
  public static let served = RotationRule(mode: .used, idle: 0)

  public init(mode: Mode, idle: Int64) {
    self.mode = mode
    self.idle = idle
  }
}
