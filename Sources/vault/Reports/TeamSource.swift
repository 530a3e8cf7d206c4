import AWSConfig
import CSystem
import Glibc
import VaultAudit
import VaultDatabase
import VaultModel

/// The logs of a whole team, from its PostgreSQL: `vault-team` fetches the rows that match the filter, and every report can use
/// them.
enum TeamSource {
  static let options = [
    OptionSpec("from", value: "URL", "read the team's PostgreSQL (postgresql://…) instead of this machine's log"),
    OptionSpec("login", value: "LOGIN", "with --from: only rows uploaded by this login"),
    OptionSpec("vault", value: "ID", "with --from: only rows of this vault (vlt_…)"),
  ]

  /// The `vault-team` arguments that fetch the rows for a filter; nil if this machine's own log is to be read.
  static func words(_ arguments: Arguments, filter: AuditFilter, forSums: Bool, paths: VaultPaths) throws -> [String]? {
    guard let address = arguments["from"] else {
      guard arguments["login"] == nil, arguments["vault"] == nil else {
        throw Failure("--login and --vault require --from", hint: "--from postgresql://…", exitStatus: .usage)
      }
      return nil
    }
    try check(address)
    guard filter.pid == nil else {
      throw Failure(
        "--pid works only with this machine's log: the team's server has no column for it",
        hint: "use --program, --automation or --run", exitStatus: .usage)
    }
    var words = try ["rows", "--from=\(address)"] + files(SharedConfig.ownSettings(of: paths.settingsFiles))
    func want(_ name: String, _ value: String?) { if let value { words.append("--\(name)=\(value)") } }
    want("profile", filter.profile)
    want("role", filter.role)
    want("outcome", filter.outcome?.rawValue)
    want("action", filter.action?.rawValue)
    want("user", filter.user)
    want("session", filter.session)
    want("program", filter.program)
    want("automation", filter.automation)
    want("run", filter.run)
    want("since", filter.since.map { String($0.milliseconds) })
    want("until", filter.until.map { String($0.milliseconds) })
    want("limit", filter.limit.map { String($0) })
    want("reverse", filter.reverse ? "" : nil)
    want("login", arguments["login"])
    want("vault", arguments["vault"])
    want("sums", forSums ? "" : nil)
    return words
  }

  /// Lends each of the team's rows that match a filter, in order; keeps none of them.
  ///
  /// - Returns: false if this machine's own log is to be read.
  static func forEachLine(
    _ arguments: Arguments, filter: AuditFilter, paths: VaultPaths, _ body: (AuditRowView) throws -> Void
  ) throws -> Bool {
    guard let words = try words(arguments, filter: filter, forSums: false, paths: paths) else { return false }
    try TeamFetch(words).forEach(body)
    return true
  }

  /// The source of the figures.
  static func figures(_ arguments: Arguments, filter: AuditFilter, paths: VaultPaths) throws -> any ReportSource {
    guard let words = try words(arguments, filter: filter, forSums: true, paths: paths) else {
      return try VaultReader(path: paths.database)
    }
    return try TeamFigures(TeamFetch(words))
  }

  /// An address may appear on another program's command line only if it contains no password.
  static func check(_ address: String) throws(Failure) {
    switch TeamAddress.fault(in: address) {
    case .notAnAddress:
      throw Failure("that is not a PostgreSQL address", hint: "postgresql://USER@HOST/DATABASE", exitStatus: .usage)
    case .password:
      throw Failure(
        "the address must not contain a password: every user of the machine could see it",
        hint: "put it in ~/.pgpass (mode 0600), or in the file set with `vault config audit_passfile FILE`",
        exitStatus: .usage)
    case nil: return
    }
  }

  /// The libpq files named by the settings: none is taken from the environment.
  static func files(_ settings: [String: Setting]) -> [String] {
    [(OwnSetting.auditPassfile, "passfile"), (.auditServiceFile, "service-file")].compactMap { setting, word in
      settings[setting.name]?.text.flatMap { $0.isEmpty ? nil : "--\(word)=\($0)" }
    }
  }

  static func spawn(_ words: [String], output: Int32) throws(Failure) -> pid_t {
    let program = try program()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = ([ProgramName.current + "-team"] + words).map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, program, &actions, nil, &arguments, sys_environment())
    guard code == 0 else { throw missing(program, code) }
    return child
  }

  /// Becomes `vault-team`. Returns only by throwing.
  static func become(_ words: [String]) throws(Failure) -> Never {
    let program = try program()
    var arguments: [UnsafeMutablePointer<CChar>?] = ([ProgramName.current + "-team"] + words).map { strdup($0) } + [nil]
    execve(program, &arguments, sys_environment())
    throw missing(program, errno)
  }

  private static func program() throws(Failure) -> String { try AgentStarter.program(.team) }

  private static func missing(_ program: String, _ code: Int32) -> Failure {
    Failure(
      "cannot start \(program) (\(String(cString: strerror(code))))",
      hint: "vault-team is installed beside vault (`make install`), and needs libpq5",
      exitStatus: .cannotExecute)
  }
}
