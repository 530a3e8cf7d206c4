import AWSClient
import AWSConfig
import Glibc
import VaultConcurrency
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// Takes plain access keys out of the AWS files, once the vault has them and they work from there.
struct PlainKeyRemoval {
  let handler: RequestHandler
  let request: TakeKeysRequest
  let context: RequestContext

  private struct File {
    let path: String
    let kind: ConfigFileKind
  }

  /// More than this do not fit in a reply; the others come with the next request.
  static let limit = 200

  func run() async throws -> [TakenKey] {
    if let program = request.program {
      guard program.hasPrefix("/"), program.utf8.allSatisfy({ (32...126).contains($0) && $0 != 0x22 && $0 != 0x5C }) else {
        throw AgentError.badRequest("the path of this program cannot stand in a credential_process")
      }
    }
    var taken: [TakenKey] = []
    for (path, kind) in [(request.files.config, ConfigFileKind.config), (request.files.credentials, .credentials)] {
      guard let path else { continue }
      let keys = try PlainKeys(path: path, kind: kind, home: request.files.home).keys
      let backup = Self.backup(of: path)
      for key in keys where taken.count < Self.limit {
        var entry = TakenKey { ($0.profile, $0.accessKeyId, $0.place) = (key.profile, key.accessKeyId, key.place) }
        do {
          if request.dryRun {
            _ = try await sealed(key)
          } else {
            try await prove(key)
            try await remove(key, from: File(path: path, kind: kind), backup: backup)
            entry.backup = backup
          }
        } catch is CancellationError {
          throw CancellationError()
        } catch {
          entry.fault = Self.shortened(Failure(error).message)
          // It may have left the file all the same, with an audit row that could not be completed.
          if !request.dryRun, (try? PlainKeys(path: path, kind: kind, home: nil).keys.contains { $0.isSame(key) }) == false {
            entry.backup = backup
          }
        }
        taken.append(entry)
      }
      if !request.dryRun, (try? isNeedless(backup, of: File(path: path, kind: kind))) == true { unlink(backup) }
    }
    return taken
  }

  /// Up to 200 characters of a message, which end with a word.
  private static func shortened(_ message: String) -> String {
    guard message.count > 200 else { return message }
    let head = message.prefix(200)
    return String(head[..<(head.lastIndex(of: " ") ?? head.endIndex)]) + " …"
  }

  /// The first free name beside a file.
  private static func backup(of path: String) -> String {
    func isThere(_ path: String) -> Bool {
      var status = stat()
      return lstat(path, &status) == 0
    }
    let first = path + ".with-keys"
    guard isThere(first) else { return first }
    var number = 2
    while isThere("\(first)-\(number)") { number += 1 }
    return "\(first)-\(number)"
  }

  /// Whether every key in a backup is still in its file. A key may have left it although its removal is reported as failed: its
  /// audit row could not be completed.
  private func isNeedless(_ backup: String, of file: File) throws -> Bool {
    let kept = try PlainKeys(path: backup, kind: file.kind, home: nil).keys
    let left = try PlainKeys(path: file.path, kind: file.kind, home: nil).keys
    return kept.allSatisfy { key in left.contains { $0.isSame(key) } }
  }

  /// The key as the vault has it: what it decrypts to must be what the file has.
  private func sealed(_ key: PlainKey) async throws -> Credential {
    guard let sealed = try await handler.store.openAccessKey(name: key.profile) else {
      throw AgentError.badRequest("the vault has no key of this name")
    }
    guard sealed.accessKeyId == key.accessKeyId, sealed.secretAccessKey.equals(key.secret), sealed.sessionToken == nil else {
      throw AgentError.badRequest("the vault has another key of this name")
    }
    return sealed
  }

  /// AWS accepts the key that the vault decrypts.
  private func prove(_ key: PlainKey) async throws {
    let credential = try await sealed(key)
    let chain = try await handler.catalog.resolved(
      context.environment, prompter: context.prompter, requester: context.requester
    ) { try $0.chain(for: key.profile) }
    let endpoint = try STSEndpoint(region: chain.region ?? "us-east-1", settings: chain.endpoint)
    context.prompter.progress("asking AWS whether the key of \(key.profile) works …")
    let network = NetworkTrust.Context(
      requester: context.requester, trigger: .manual, environment: context.environment, prompter: context.prompter)
    let route = try await handler.clients.trust.route(
      to: endpoint, chain.endpoint, sending: "a call signed with an access key", for: network)
    _ = try await handler.clients.sts.getCallerIdentity(signedBy: credential, at: endpoint, via: route)
  }

  private func remove(_ key: PlainKey, from file: File, backup: String) async throws {
    var intent = AuditEvent(
      action: .plainKeyRemoved, outcome: .intent, trigger: .manual, profile: key.profile, requester: context.requester)
    intent.accessKeyId = key.accessKeyId
    intent.detail = "\(key.place); backup \(backup)"
    let process = request.program.map { "\"\($0)\" credentials \(key.profile)" }
    if process != nil, !Self.isWord(key.profile) {
      throw AgentError.badRequest("its name cannot stand in a credential_process")
    }
    try await audited(intent, in: handler.store) { _ in
      // Waits for the folder's lock, and for programs that are writing the file.
      try await BlockingPool.shared.run { () -> Result<Void, any Error> in
        Result {
          let isChanged = try EditedFile(path: file.path).edit(evenReadOnly: true) { before in
            guard let after = try PlainKeys.removing(key, from: before, kind: file.kind, leaving: process) else { return nil }
            try Self.backUp(before, with: key, file.kind, to: backup)
            return after
          }
          guard isChanged else { throw AgentError.badRequest("the file was changed meanwhile; its key is another one now") }
        }
      }.get()
    }
  }

  /// Keeps the file as it is before its first key goes. What other programs write from then on stays in the file itself.
  private static func backUp(_ bytes: [UInt8], with key: PlainKey, _ kind: ConfigFileKind, to path: String) throws {
    guard access(path, F_OK) == 0 else {
      _ = try EditedFile(path: path, isPrivate: true, isLocked: true).edit { _ in bytes }
      return
    }
    let kept = try PlainKeys(path: path, kind: kind, home: nil).keys
    guard kept.contains(where: { $0.isSame(key) }) else {
      throw AgentError.badRequest("the file was changed meanwhile, and its backup does not have the key")
    }
  }

  /// Whether a name needs no quotes in a command line.
  private static func isWord(_ text: String) -> Bool {
    !text.isEmpty && !text.hasPrefix("-")
      && text.utf8.allSatisfy {
        (48...57).contains($0) || (97...122).contains($0 | 0x20)
          || [0x5F, 0x2E, 0x2F, 0x25, 0x40, 0x3A, 0x2B, 0x2D].contains($0)
      }
  }
}

extension PlainKeys.Problem: ReportableError {
  public var message: String {
    switch self {
    case .otherKey(let key):
      "the file has another key for this profile (lines \(key.lines.map(String.init).joined(separator: " and ")) of the result)"
    case .entangled: "without its lines, other lines of the file would mean something else"
    }
  }
  public var hint: String? { "edit the file by hand" }
  public var exitStatus: ExitStatus { .badData }
}

extension RequestHandler {
  func takeKeys(_ request: TakeKeysRequest, _ context: RequestContext) async throws -> [TakenKey] {
    try await ensureUnlocked(context)
    return try await PlainKeyRemoval(handler: self, request: request, context: context).run()
  }
}
