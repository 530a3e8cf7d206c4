/// The requester as the kernel identifies it, not as it describes itself.
public struct Requester: Sendable, Hashable {
  /// The user's name, or the numeric id if it has none.
  public var user: String
  public var uid: UInt32
  public var pid: Int32
  /// The program that the user runs: the command that `vault exec` becomes, read from the kernel's copy of the command line, or the
  /// executable.
  public var program: String
  /// The file that the process runs (`/proc/PID/exe`); empty if it could not be proven.
  public var executable: String
  /// The working directory (`/proc/PID/cwd`).
  public var directory: String
  /// The executable of the parent process: the real requester when a tool calls `vault credentials`.
  public var parent: String
  public var host: String
  /// The processes above the requester, the nearest first; empty if they are not known.
  public var parents: [Ancestor]
  /// The run of `exec --automation` whose process tree the requester belongs to; nil if it belongs to none.
  public var automation: AutomationRun?
  /// The variable by which the requester says that it acts by itself (``AgentVariables``). It is the requester's own word, and
  /// counts only outside of a run.
  public var hint: String?

  public init(
    user: String, uid: UInt32, pid: Int32, program: String, executable: String, directory: String, parent: String, host: String,
    parents: [Ancestor] = [], automation: AutomationRun? = nil
  ) {
    self.user = user
    self.uid = uid
    self.pid = pid
    self.program = program
    self.executable = executable
    self.directory = directory
    self.parent = parent
    self.host = host
    self.parents = parents
    self.automation = automation
  }

  /// Whether the kernel vouched for the file that the process ran. If not, ``program`` is what the process said about itself.
  public var isProven: Bool { !executable.isEmpty }
  /// Follows the name of a program that is not proven.
  public static let unproven = " (unproven)"
  /// The program as reports show it.
  public var shownProgram: String { isProven ? program : program + Self.unproven }
}
