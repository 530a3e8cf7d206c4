/// What every request says of its sender: which vault is meant, and what the agent cannot see. The agent serves all shells of its
/// user, and has no desktop, bus, `PATH` or AWS settings of its own that would suit each of them.
public struct ClientContext: WireFields {
  /// The identity of the vault's folder (``VaultPaths/identity``), empty if there is none yet, and its path.
  public var vaultIdentity = ""
  public var vaultPath = ""
  /// The index of the word in the client's command line where the command to run begins.
  public var commandIndex: Int?
  /// The profiles whose programs wait for this request, outermost first (``profileChainVariable``).
  public var chain: [String] = []
  /// Variables of the requester's own session on this machine: its bus, its display, its `PATH`.
  public var session = EnvironmentBlock()
  /// The variables that tell the SDKs where AWS is.
  public var environment = EnvironmentBlock()
  /// The run that the requester's environment names (``AgentVariables/run``).
  public var run: String?
  /// The variable in it by which a coding agent names itself (``AgentVariables/names``).
  public var agentVariable: String?
  public init() {}
  public mutating func code(_ coder: FieldCoder) {
    coder.field(&vaultIdentity).field(&vaultPath).field(&commandIndex).field(&chain).field(&session).field(&environment)
      .field(&run).field(&agentVariable)
  }
}
