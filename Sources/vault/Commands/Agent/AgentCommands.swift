import CSystem
import Glibc
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `vault agent …`: starting, stopping and watching the agent.
enum AgentCommands {
  static let all = [
    Command(
      "agent run", topic: .upkeep,
      summary: "run the agent in the foreground",
      examples: [
        Example("vault agent run", "run it until Ctrl-C"),
        Example("VAULT_HOME=~/other vault agent run", "the agent of another vault"),
      ]
    ) { arguments, _ in
      try arguments.none()
      let program = try AgentStarter.program()
      var words: [UnsafeMutablePointer<CChar>?] = [strdup(program), nil]
      var environment = AgentEnvironment.cleaned(sys_environment()).entries
      execve(program, &words, &environment)
      throw Failure("cannot run \(program) (errno \(errno))", hint: "is the installation complete?", exitStatus: .software)
    },
    Command(
      "agent start", topic: .upkeep,
      summary: "start the agent in the background",
      examples: [
        Example("vault agent start", "start it; other commands do so when they need it"),
        Example("vault agent start && vault agent status", "and see its process"),
      ]
    ) { arguments, paths in
      try arguments.none()
      // Only an agent that answers counts. The socket of a killed agent accepts connections for a moment longer.
      let client = AgentClient(paths: paths)
      if (try? client.askRunning(.status)) != nil { return Diagnostics.notice("the agent is already running") }
      _ = try client.ask(.status)
      Diagnostics.notice("the agent is running")
    },
    Command(
      "agent stop", topic: .upkeep,
      summary: "stop the agent; commands that wait for it ask the next one",
      examples: [
        Example("vault agent stop", "stop it"),
        Example("vault agent stop && vault agent start", "start the version that is installed now"),
      ]
    ) { arguments, paths in
      try arguments.none()
      let agent = AgentSilence.pid(inLock: paths.agentLock)
      guard try AgentClient(paths: paths).stop() else { return Diagnostics.notice("no agent is running") }
      try waitForEnd(of: agent, paths)
      Diagnostics.notice("the agent has stopped")
      // The agent's own last act was to end the leases of programs that have ended.
      guard let served = try? VaultReader(path: paths.database).servedPrograms(), served > 0 else { return }
      Diagnostics.notice(
        (served == 1 ? "1 running program gets" : "\(served) running programs get")
          + " no credentials until the next agent starts: \(ProgramName.renaming("vault unlock"))"
      )
    },
    Command(
      "agent status", topic: .upkeep,
      summary: "show whether the agent is running, and since when",
      examples: [
        Example("vault agent status", "whether it runs"),
        Example("vault agent status --format json", "the same for a program"),
      ], options: ReportCommands.formats,
      run: status),
    Command(
      "agent log", topic: .upkeep,
      summary: "show the agent's log",
      examples: [
        Example("vault agent log", "the whole log"),
        Example("vault agent log | tail -n 20", "its last 20 lines"),
      ]
    ) { arguments, paths in
      try arguments.none()
      try printLog(paths.log)
    },
  ]

  /// Waits until the agent has released its lock: only then has it closed the database.
  private static func waitForEnd(of agent: Int32?, _ paths: VaultPaths) throws {
    let lock = sys_open(paths.agentLock, O_RDWR | O_NOFOLLOW, 0)
    guard lock >= 0 else { return }
    defer { close(lock) }
    for _ in 0..<200 {
      if sys_flock(lock, LOCK_SH | LOCK_NB) == 0 { return }
      // A client that was waiting for the old agent's answer may already have started the next one.
      if let next = AgentSilence.pid(inLock: paths.agentLock), next != agent { return }
      usleep(50_000)
    }
    throw Failure(
      "the agent has not stopped after 10 s", hint: "it may still wait for AWS; see `vault agent log`", exitStatus: .temporary)
  }

  private static func status(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let status = try AgentClient(paths: paths).askRunning(.status)
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      writer.object { writer in
        writer.field("running", status != nil)
        guard let status else { return }
        writer.field("version", status.version)
        writer.field("protocol", status.protocolVersion)
        writer.field("pid", status.pid)
        writer.field("started", status.started.iso8601)
        writer.field("vault", status.vaultId)
        writer.field("memory", status.memory)
        writer.field("unlocked", status.isUnlocked)
        if let locks = status.locks { writer.field("locks", locks) }
        for exporter in status.exporters {
          writer.field("audit" + exporter.name.prefix(1).uppercased() + exporter.name.dropFirst(), exporter.state)
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    } else if let status {
      let lines: [(String, String?)] = [
        ("version", status.version), ("protocol", "\(status.protocolVersion)"), ("pid", "\(status.pid)"),
        ("started", status.started.iso8601), ("vault", status.vaultId), ("memory", status.memory),
        ("unlocked", status.isUnlocked ? "yes" : "no"), ("locks", status.locks),
      ]
      for (name, value) in lines + status.exporters.map({ ("audit_\($0.name)", $0.state) }) {
        if let value { output.words(value, first: "\(name): ") }
      }
    } else {
      output.words("no agent is running; the next command that needs one starts it")
    }
    output.flush()
  }

  private static func printLog(_ path: String) throws(Failure) {
    let file = sys_open(path, O_RDONLY | O_NOFOLLOW, 0)
    guard file >= 0 else {
      if errno == ENOENT { return Diagnostics.notice("no log yet; under systemd it is in the journal") }
      throw Failure(
        "cannot read \(path) (errno \(errno))", hint: "an agent that systemd started logs in the journal", exitStatus: .noInput)
    }
    defer { close(file) }
    var output = Output()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let isTerminal = Terminal.outputIsTerminal
    var rest: [UInt8] = []
    while true {
      let got = read(file, &buffer, buffer.count)
      if got <= 0 { break }
      guard isTerminal else {
        output.write(bytes: Array(buffer[..<got]))
        continue
      }
      rest += buffer[..<got]
      guard let end = rest.lastIndex(of: 10) else { continue }
      for line in rest[..<end].split(separator: 10, omittingEmptySubsequences: false) {
        output.words(String(decoding: line, as: UTF8.self), indent: "    ")
      }
      rest.removeSubrange(...end)
    }
    if !rest.isEmpty { output.words(String(decoding: rest, as: UTF8.self), indent: "    ") }
    output.flush()
  }
}
