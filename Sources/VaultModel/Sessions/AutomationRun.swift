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

  /// The session tags of its sessions, where a guard rule sends them.
  public var tags: [SessionTag] {
    [SessionTag(key: SessionTag.automation, value: name), SessionTag(key: SessionTag.run, value: run)]
  }
}

extension SessionTag {
  /// The name of the run to which a session belongs.
  public static let automation = "vault:automation"
  /// The ID of that run.
  public static let run = "vault:run"

  /// Whether it says to which run a session belongs. AWS does not distinguish keys by case.
  public var namesRun: Bool { [Self.automation, Self.run].contains(key.lowercased()) }
}
