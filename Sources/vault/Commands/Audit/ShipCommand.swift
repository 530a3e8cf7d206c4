import AWSConfig
import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultWire

/// `vault audit enroll`: the data that the team's server needs about this laptop before it ships.
enum EnrollCommand {
  static let command = Command(
    "audit enroll", topic: .audit,
    summary: "print this vault's id and public key for the owner of the team's server",
    examples: [
      Example("vault audit enroll", "show the line that the server's owner needs"),
      Example("vault audit enroll > laptop.txt", "keep it in a file"),
    ]
  ) {
    arguments, paths in
    try arguments.none()
    let reader = try VaultReader(path: paths.database)
    guard let id = try reader.vaultId(), let key = try reader.auditPublicKey() else {
      throw Failure("the log has no key yet", hint: "it gets one when the vault is first unlocked", exitStatus: .noInput)
    }
    var output = Output()
    output.line("\(id) \(hex(key))")
    output.flush()
    Diagnostics.notice("for the server's owner: SELECT vault_audit.enroll('LOGIN', 'this line');")
  }
}

/// `vault audit ship`: uploads the log to the team's PostgreSQL.
enum ShipCommand {
  static let command = Command(
    "audit ship", topic: .audit,
    summary: "upload new audit rows to the team's PostgreSQL",
    examples: [
      Example("vault audit ship --to postgresql://alice@db.example/audit", "upload what is new"),
      Example("vault audit ship --print-schema", "the SQL for the database's owner"),
    ],
    options: [
      OptionSpec("to", value: "URL", "postgresql://USER@HOST/DATABASE (default: the setting \(OwnSetting.auditShipTo.name))"),
      OptionSpec("batch", value: "N", kind: .number, "rows per transaction (default: 5000)"),
      OptionSpec("offline", "do not ask the agent for the newest signed checkpoint"),
      OptionSpec("print-schema", "print the SQL for the database's owner: tables and roles"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    if arguments.has("print-schema") { try TeamSource.become(["schema"]) }
    let settings = try SharedConfig.ownSettings(of: paths.settingsFiles)
    guard let address = try arguments["to"] ?? chosen(settings), !address.isEmpty else {
      throw Failure(
        "missing option: --to",
        hint: "--to postgresql://USER@HOST/DATABASE, or `vault config \(OwnSetting.auditShipTo.name) postgresql://…`",
        exitStatus: .usage)
    }
    try TeamSource.check(address)
    var words = ["ship", "--to=\(address)"] + TeamSource.files(settings)
    if let batch = arguments["batch"] { words.append("--batch=\(batch)") }
    if !arguments.has("offline"), let head = newestCheckpoint(paths) { words.append("--head=\(head.line)") }
    try TeamSource.become(words)
  }

  /// The server from the settings. A folder's environment may choose one of the trusted servers, but not add one: the whole log
  /// would be sent there.
  private static func chosen(_ settings: [String: Setting]) throws -> String? {
    let name = OwnSetting.auditShipTo.name
    let set = settings[name]?.text
    let source = "VAULT_" + name.uppercased()
    guard let wish = variable(source), !wish.isEmpty, wish != set else { return set }
    guard TeamAddress.isTrusted(wish, by: settings["trusted_endpoints"]?.text ?? "") else {
      throw Failure(
        "\(source) names a server that differs from the vault's settings: nothing was sent",
        hint: "`vault config \(name) postgresql://…` sets the server; or unset \(source)", exitStatus: .refused)
    }
    return wish
  }

  /// A checkpoint that the agent signs now; requesting it also gives every row its MAC. Without a user at the terminal, nothing is
  /// asked.
  private static func newestCheckpoint(_ paths: VaultPaths) -> AuditCheckpoint? {
    do {
      let client = AgentClient(paths: paths)
      // Not the key store's checkpoint, which is up to ten seconds old.
      guard
        let reply = try isatty(2) == 1
          ? client.ask(.auditCheckpoint(refresh: true)) : client.askRunning(.auditCheckpoint(refresh: true))
      else { return nil }
      if let fault = reply.fault { Diagnostics.notice("the agent reports a fault in the log: \(fault)") }
      return reply.line.flatMap { AuditCheckpoint(line: $0) }
    } catch {
      Diagnostics.notice("no checkpoint was signed for the newest row: \(Failure(error).message)")
      return nil
    }
  }
}
