import CSystem
import Glibc
import Synchronization
import VaultModel
import VaultSecrets

/// The environments that requesters have sent when asked: all of it for a program that a profile names, which runs as if the
/// requester ran it; the variables that give an SDK its identity, for a profile that uses one of them.
///
/// The agent's own environment belongs to no requester in particular. An automatic renewal uses the last requester's environment
/// for the same purpose. It may be secret, and is therefore in guarded memory.
final class ClientEnvironments: Sendable {
  /// Maximum number of remembered answers: profiles have few commands and identities.
  private static let maximum = 64
  private let last = Mutex<[String: SecretBytes]>([:])

  /// Forgets all when the vault is locked: there may be credentials among them.
  func forget() { last.withLock { $0.removeAll() } }

  /// - Parameter key: its purpose; nil if it is not to be remembered.
  /// - Returns: nil if nobody can be asked, and nobody was.
  func answer(to question: Question, for key: String?, _ prompter: any Prompter) async throws -> SecretBytes? {
    guard prompter.isInteractive else { return key.flatMap { key in last.withLock { $0[key] } } }
    let answer = try await prompter.ask(question)
    if let key {
      last.withLock { last in
        if last.count == Self.maximum, last[key] == nil { last.removeAll() }
        last[key] = answer
      }
    }
    return answer
  }
}

/// The environment with which a program is started.
struct ProgramEnvironment {
  /// A shell's credentials and profile would decide whose credentials a program returns.
  private static let notPassedOn: Set<String> = [
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_VAULT", "VAULT_PROFILE", profileChainVariable,
  ]
  /// Ends with nil.
  var entries: [UnsafeMutablePointer<CChar>?]

  /// Runs `body` with a requester's environment; with the agent's own if there is none.
  static func with<Result>(_ asked: SecretBytes?, _ body: (inout ProgramEnvironment) throws -> Result) rethrows -> Result {
    guard let asked else {
      var environment = ProgramEnvironment(entries: [])
      var next = sys_environment()
      while let entry = next?.pointee {
        environment.add(entry)
        next = next?.successor()
      }
      environment.entries.append(nil)
      return try body(&environment)
    }
    return try asked.withBytes { bytes in
      var environment = ProgramEnvironment(entries: [])
      var start = 0
      while let end = bytes[start...].firstIndex(of: 0), let base = bytes.baseAddress {
        environment.add(UnsafeMutablePointer(mutating: (base + start).assumingMemoryBound(to: CChar.self)))
        start = end + 1
      }
      environment.entries.append(nil)
      return try body(&environment)
    }
  }

  private mutating func add(_ entry: UnsafeMutablePointer<CChar>) {
    guard let equals = strchr(entry, 0x3D), equals > entry else { return }
    let name = String(decoding: UnsafeRawBufferPointer(start: entry, count: equals - entry), as: UTF8.self)
    if !Self.notPassedOn.contains(name) { entries.append(entry) }
  }

  /// The file of a program that is named without a folder, by this environment's `PATH`, since the agent's own differs. Relative
  /// folders are skipped, since the agent's working directory differs.
  func file(of program: String) -> String? {
    if program.contains("/") { return program }
    let path = entries.lazy.compactMap { $0 }.first { strncmp($0, "PATH=", 5) == 0 }.map { String(cString: $0 + 5) }
    for folder in (path ?? AgentEnvironment.path).split(separator: ":") where folder.hasPrefix("/") {
      let file = "\(folder)/\(program)"
      var status = stat()
      if stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, access(file, X_OK) == 0 { return file }
    }
    return nil
  }
}
