import AWSConfig
import CSystem
import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultWire

/// `vault doctor`: checks everything that a user would have to check, and suggests remedies.
enum DoctorCommand {
  static let command = Command(
    "doctor", topic: .upkeep,
    summary: "check the installation and suggest fixes",
    examples: [
      Example("vault doctor", "check everything"),
      Example("vault doctor --offline", "check only the files"),
    ],
    options: [OptionSpec("offline", "do not contact the agent or the key store")],
    run: run)

  private enum Finding {
    case good(String)
    /// Not a fault, but worth mentioning.
    case note(String)
    case bad(String, remedy: String?)
  }

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    var findings = folders(paths) + [memory(paths, asks: !arguments.has("offline"))] + environment() + guards(paths)
    var reader: VaultReader?
    do {
      let opened = try VaultReader(path: paths.database)
      reader = opened
      findings += try contents(opened)
    } catch {
      findings.append(bad(error))
    }
    let isMade = try reader?.vaultId() != nil
    // A request to the agent would create a key for a vault without one, but this command must change nothing.
    if !arguments.has("offline"), try reader?.keyRecords().contains(where: { $0.state == .active }) == true {
      findings += [agent(paths)] + locking(paths)
    }
    if let reader, isMade { findings.append(log(reader)) }
    var output = Output()
    var wrong = 0
    func write(_ word: String, _ text: String) { output.words(text, first: DisplayWidth.padded(word, to: 6), indent: "      ") }
    for finding in findings {
      switch finding {
      case .good(let text): write("ok", text)
      case .note(let text): write("note", text)
      case .bad(let text, let remedy):
        wrong += 1
        write("FAIL", text)
        if let remedy { write("", remedy) }
      }
    }
    output.flush()
    if wrong > 0 {
      throw Failure("\(findings.count) checks, \(wrong) problem\(wrong == 1 ? "" : "s")", exitStatus: .configuration)
    }
  }

  private static func bad(_ error: any Error) -> Finding {
    let failure = Failure(error)
    return .bad(failure.message, remedy: failure.hint)
  }

  private static func folders(_ paths: VaultPaths) -> [Finding] {
    Set([paths.dataDirectory, paths.stateDirectory, paths.runtimeDirectory]).sorted().map { folder in
      guard access(folder, F_OK) == 0 else { return .note("\(folder) does not exist yet; the first command creates it") }
      do {
        try PrivateDirectory.ensure(folder)
        return .good("\(folder) is accessible only to you")
      } catch {
        return bad(error)
      }
    }
  }

  /// Secrets are locked into memory; under too low a limit, they could be swapped out. The agent's limit counts, or this process's
  /// if the agent is yet to be started.
  private static func memory(_ paths: VaultPaths, asks: Bool) -> Finding {
    let remedy = "ulimit -l 8192, or LimitMEMLOCK= in systemd; then `vault agent stop`"
    if asks, let status = try? AgentClient(paths: paths).askRunning(.status) {
      return status.memoryFault == nil
        ? .good("secrets are kept out of the swap file")
        : .bad("the agent's memory is \(status.memory): secrets could be swapped out", remedy: remedy)
    }
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else {
      return .note("the memory limit cannot be read")
    }
    return limit.rlim_cur >= 1 << 20
      ? .good("secrets can be kept out of the swap file")
      : .bad("only \(limit.rlim_cur / 1_024) KiB can be locked into memory", remedy: remedy)
  }

  private static func environment() -> [Finding] {
    var findings: [Finding] = []
    let hides = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"].filter { variable($0)?.isEmpty == false }
    if !hides.isEmpty, variable("VAULT_PROFILE") == nil {
      findings.append(
        .note(
          "\(hides.joined(separator: ", ")) in your environment applies to programs that run without vault; `vault exec` removes it"
        ))
    }
    return findings
  }

  /// The guard rules that cannot be understood, or that others can take away.
  private static func guards(_ paths: VaultPaths) -> [Finding] {
    let rules = GuardCommand.rules(paths).rules
    guard !rules.isEmpty else { return [] }
    let faults = rules.flatMap(\.faults).map {
      Finding.bad("guard rules: \($0)", remedy: "correct that line; until then it guards all that it could mean")
    }
    let exposed = GuardRules.exposed(paths.guardFiles, home: variable("HOME")).map {
      Finding.bad("guard rules: \($0)", remedy: "chmod go-w \($0.origin.file)")
    }
    let count = "\(rules.count) guard rule\(rules.count == 1 ? "" : "s")"
    return (faults.isEmpty ? [.good("\(count), all understood")] : faults) + exposed
  }

  private static func contents(_ reader: VaultReader) throws -> [Finding] {
    guard try reader.vaultId() != nil else { return [.note("there is no vault yet; `vault import` creates one")] }
    var findings: [Finding] = [.good("the database can be opened")]
    let key = try reader.keyRecords().first { $0.state == .active }
    findings.append(
      key.map { .good("the master key \($0.id) is in the key store (\($0.store))") } ?? .note("no master key yet"))
    var count = 0
    try reader.forEachProfile { profile in
      count += 1
      if let problem = profile.problem {
        findings.append(.bad("profile \(profile.name): \(problem)", remedy: "vault show \(ShellText.word(profile.name))"))
      } else if let pendingAction = profile.pendingAction {
        findings.append(.bad("profile \(profile.name): \(pendingAction.rawValue)", remedy: remedy(pendingAction, profile.name)))
      }
    }
    findings.append(.good("\(count) profile\(count == 1 ? "" : "s")"))
    for section in try reader.shadowedSections() {
      findings.append(.note(ListReport.hidden(section) + "; `vault remove \(ShellText.word(section.profile))` removes that"))
    }
    for file in try reader.watchedFiles() where access(file.path, R_OK) != 0 && file.identity.size > 0 {
      findings.append(.bad("the watched file \(file.path) cannot be read", remedy: "vault import FILE, or restore the file"))
    }
    return findings
  }

  private static func remedy(_ pendingAction: SessionState, _ profile: String) -> String {
    switch pendingAction {
    case .needsLogin: "vault login \(ShellText.word(profile))"
    case .needsMFA: "vault exec \(ShellText.word(profile)) -- true"
    default: "vault audit --profile \(ShellText.word(profile)) -n 5"
    }
  }

  private static func agent(_ paths: VaultPaths) -> Finding {
    do {
      if let fault = try AgentClient(paths: paths).ask(.auditCheckpoint(refresh: false)).fault {
        return .bad("the audit log: \(fault)", remedy: "vault audit verify")
      }
      return .good("the agent responds, the vault is unlocked, and the key store has the log's checkpoint")
    } catch {
      return bad(error)
    }
  }

  /// When the vault will lock automatically.
  private static func locking(_ paths: VaultPaths) -> [Finding] {
    guard let next = try? AgentClient(paths: paths).askRunning(.status)?.locks else { return [] }
    return [.good("the vault will be locked at \(next)")]
  }

  private static func log(_ reader: VaultReader) -> Finding {
    do {
      switch try AuditChain.verify(reader) {
      case .whole(let rows): return .good("verified: \(rows) audit rows, chain intact")
      case .broken(let fault): return .bad("the audit log: \(fault)", remedy: "vault audit verify")
      }
    } catch {
      return bad(error)
    }
  }
}
