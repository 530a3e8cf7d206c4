/// A run of `vault exec --automation NAME`: the tree of processes that act by themselves.
public struct AutomationRun: Sendable, Hashable {
  /// The name given to `--automation`.
  public let name: String
  /// `run_…`
  public let run: String
  /// The root of the tree.
  public let rootPid: Int32

  public init(name: String, run: String, rootPid: Int32) {
    self.name = name
    self.run = run
    self.rootPid = rootPid
  }

  /// One about which nothing is known.
  public static let unknown = AutomationRun(name: "unknown", run: "unknown", rootPid: 0)
}
