import AWSConfig
import CSystem
import Glibc
import VaultDatabase
import VaultModel

/// The logs of a whole team, from its PostgreSQL: `vault-team` fetches the rows that the filter wants, and every report runs over them.
enum TeamSource {
  static let option = Option("from", value: "URL", "the team's PostgreSQL (postgresql://…), and not this machine's log")

  /// What a report is to read.
  static func reader(_ arguments: Arguments, _ filter: AuditFilter, _ paths: VaultPaths) throws -> VaultReader {
    guard let address = arguments["from"] else { return try VaultReader(path: paths.database) }
    try check(address)
    var words = try ["rows", "--from=\(address)"] + files(SharedConfig.ownSettings(of: paths.settingsFiles))
    func want(_ name: String, _ value: String?) { if let value { words.append("--\(name)=\(value)") } }
    want("profile", filter.profile)
    want("role", filter.role)
    want("outcome", filter.outcome?.rawValue)
    want("action", filter.action?.rawValue)
    want("user", filter.user)
    want("session", filter.session)
    want("since", filter.since.map { String($0.milliseconds) })
    want("until", filter.until.map { String($0.milliseconds) })
    want("limit", filter.limit.map { String($0) })
    let log = try TeamLog()
    try fetch(words, into: log)
    if log.leftOut > 0 {
      Diagnostics.notice(
        "\(log.leftOut) rows are left out: this version does not know what they say (`vault audit verify --from` proves them)")
    }
    return try log.reader()
  }

  /// An address goes to another program's command line only where no password stands in it.
  static func check(_ address: String) throws(Failure) {
    switch TeamAddress.fault(in: address) {
    case .notAnAddress:
      throw Failure("that is no address of a PostgreSQL", hint: "postgresql://USER@HOST/DATABASE", exitStatus: .usage)
    case .password:
      throw Failure(
        "a password must not stand in the address, where every user of the machine sees it",
        hint: "put it in ~/.pgpass (mode 0600), or in a file that `vault config audit_passfile FILE` names",
        exitStatus: .usage)
    case nil: return
    }
  }

  /// The files of libpq's that the settings name: none of them is taken from the environment.
  static func files(_ settings: [String: Setting]) -> [String] {
    [(OwnSetting.auditPassfile, "passfile"), (.auditServiceFile, "service-file")].compactMap { setting, word in
      settings[setting.name]?.text.flatMap { $0.isEmpty ? nil : "--\(word)=\($0)" }
    }
  }

  private static func fetch(_ words: [String], into log: TeamLog) throws {
    var ends: [Int32] = [0, 0]
    guard sys_pipe(&ends) == 0 else { throw Failure("cannot make a pipe (errno \(errno))", exitStatus: .software) }
    defer { close(ends[0]) }
    let child: pid_t
    do {
      child = try spawn(words, output: ends[1])
    } catch {
      close(ends[1])
      throw error
    }
    close(ends[1])
    var stream = TeamStream.Reader()
    var damage: (any Error)?
    withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 8) { buffer in
      do {
        while true {
          let count = read(ends[0], buffer.baseAddress!, buffer.count)
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { break }
          stream.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          try stream.take { form, hash in try log.add(form, hash: hash) }
        }
      } catch {
        damage = error
        kill(child, SIGKILL)
      }
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    if let damage {
      guard damage is TeamStream.Damage else { throw damage }
      throw Failure("vault-team's answer makes no sense", exitStatus: .software)
    }
    // It has said itself what is wrong.
    if status & 0x7F == 0, status >> 8 & 0xFF != 0 { exit(status >> 8 & 0xFF) }
    guard status == 0, stream.hasEnded else {
      throw Failure("vault-team ended before it had told everything", exitStatus: .software)
    }
  }

  private static func spawn(_ words: [String], output: Int32) throws(Failure) -> pid_t {
    let program = try program()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + words).map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, program, &actions, nil, &arguments, sys_environment())
    guard code == 0 else { throw missing(program, code) }
    return child
  }

  /// Becomes `vault-team`. Comes back only by an error.
  static func become(_ words: [String]) throws(Failure) -> Never {
    let program = try program()
    var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + words).map { strdup($0) } + [nil]
    execve(program, &arguments, sys_environment())
    throw missing(program, errno)
  }

  private static func program() throws(Failure) -> String { try AgentStarter.program("vault-team") }

  private static func missing(_ program: String, _ code: Int32) -> Failure {
    Failure(
      "cannot start \(program) (\(String(cString: strerror(code))))",
      hint: "the program that speaks to PostgreSQL is installed beside vault (`make install`), and needs libpq5",
      exitStatus: .cannotExecute)
  }
}
