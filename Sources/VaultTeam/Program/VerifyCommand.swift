import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets

/// `vault audit verify --from`: verifies each laptop's log separately. A fault in one log is reported on its own line; the others
/// are still verified.
struct VerifyCommand {
  /// Attempts per laptop over a connection that breaks.
  private static let tries = 4

  private var verifier: TeamVerifier
  private var verified: VerifiedLogs
  private let all: Bool
  private var count = 0, broken = 0, unsigned = 0, strange = 0

  static func run(_ options: TeamOptions) throws {
    let address = try options.address("from")
    let vault = options["vault"]
    let key = try options["key"].map { path -> AuditVerificationKey in
      guard let key = AuditVerificationKey(text: try TeamProgram.smallText(path)) else {
        throw Failure(
          "\(path) does not contain a verification key", hint: "`vault audit key --new` prints one", exitStatus: .badData)
      }
      return key
    }
    let publicKey = try options["public-key"].map { text -> [UInt8] in
      guard let key = unhex(text, count: 32) else {
        throw Failure("--public-key: expected 64 hexadecimal digits", exitStatus: .usage)
      }
      return key
    }
    guard vault != nil || (key == nil && publicKey == nil) else {
      throw Failure("a key belongs to one vault", hint: "name the vault: --vault vlt_…", exitStatus: .usage)
    }
    guard let paths = VaultPaths(environment: TeamProgram.environmentValue) else {
      throw Failure("neither VAULT_HOME nor HOME is an absolute path", exitStatus: .configuration)
    }
    let connect = { try Server(address.parameters, timeouts: 600) }
    let verifier = try TeamProgram.retrying { try TeamVerifier(key: key, publicKey: publicKey, connect: connect) }
    var command = VerifyCommand(
      verifier: verifier, verified: try VerifiedLogs(in: paths.stateDirectory, of: verifier.server.database),
      all: options["full"] != nil)
    if let id = options["forget"] { return try command.forget(id) }
    try command.verify(vault, login: options["login"])
    try command.conclude(vault)
  }

  private init(verifier: TeamVerifier, verified: VerifiedLogs, all: Bool) {
    self.verifier = verifier
    self.verified = verified
    self.all = all
  }

  private mutating func forget(_ id: String) throws {
    guard verified[id] != nil else {
      throw Failure(
        "\(id) was never verified here", hint: "`vault audit verify --from URL` lists the vaults", exitStatus: .noInput)
    }
    verified[id] = nil
    try verified.save()
  }

  private mutating func verify(_ vault: String?, login: String?) throws {
    let (laptops, others) = try Laptop.all(vault, login: login, on: verifier.server)
    var isHeaded = false
    for laptop in laptops {
      if laptop.enrolled == nil, !isHeaded {
        isHeaded = true
        say("not enrolled: only the login says whose logs these are (`vault audit enroll`):")
      }
      count += 1
      try verify(laptop)
    }
    for (login, there) in others {
      broken += 1
      count += 1
      say(
        "login \(login): FAIL: it has \(there) vaults that are not enrolled; only the first \(Laptop.maxLoginsPerUser) were verified"
      )
    }
    let seen = Set(laptops.filter(\.hasShipped).map(\.vaultId))
    for id in verified.vaultIds.sorted() where !seen.contains(id) && id == vault ?? id {
      guard let entry = verified[id], entry.login == login ?? entry.login, !others.contains(where: { $0.login == entry.login })
      else {
        continue
      }
      count += 1
      broken += 1
      say("\(id), login \(entry.login): MISSING: it was verified here up to row \(entry.place.sequence)")
    }
  }

  private mutating func verify(_ laptop: Laptop) throws {
    let name = "\(laptop.vaultId) \(laptop.name), login \(laptop.login)"
    guard laptop.hasShipped else {
      if verified[laptop.vaultId] == nil {
        say("\(laptop.vaultId), login \(laptop.login): enrolled, no rows yet")
      }
      return
    }
    let verdict = try verdict(on: laptop)
    if let fault = verdict.fault {
      broken += 1
      return say("\(name): FAIL: \(fault)")
    }
    if laptop.enrolled == nil { strange += 1 }
    let before = verdict.before > 0 ? ", \(verdict.before) of them verified earlier" : ""
    let archived = verdict.archived > 0 ? ", \(verdict.archived) archived" : ""
    var line = "\(name): \(verdict.rows) rows intact\(before)\(archived), "
    line += verdict.signed > 0 ? "signed up to row \(verdict.signed)" : "not signed"
    if verdict.ahead.count > 0 {
      line += "; \(verdict.ahead.count) of them are dated after they were received, the first is row \(verdict.ahead.first)"
    }
    if verdict.unsigned > 0 {
      unsigned += 1
      line += "; UNSIGNED: \(verdict.unsigned) rows after it, which anyone with this login could have written"
    }
    say(line)
    guard let entry = verdict.entry, verified[laptop.vaultId] != entry else { return }
    verified[laptop.vaultId] = entry
  }

  /// An invalid answer, or a lost connection, for one laptop does not keep the others from being verified.
  private mutating func verdict(on laptop: Laptop) throws -> TeamVerifier.Verdict {
    var backoff = Backoff(maximum: Self.tries)
    while true {
      do {
        return try verifier.verify(laptop, known: verified[laptop.vaultId], all: all)
      } catch let error as ServerError {
        if error.isPassing, backoff.wait() {
          try TeamProgram.retrying { try verifier.reconnect() }
          continue
        }
        try TeamProgram.retrying { try verifier.reconnect() }
        var verdict = TeamVerifier.Verdict()
        verdict.fault = "cannot be read: \(error.message)"
        return verdict
      }
    }
  }

  private func conclude(_ vault: String?) throws {
    guard count > 0 else {
      throw Failure(
        "the server has no log" + (vault.map { " of \($0)" } ?? ""), hint: "`vault audit ship` on a laptop uploads its log",
        exitStatus: .noInput)
    }
    try verified.save()
    guard broken == 0 else {
      throw Failure(
        "\(broken) of \(count) logs on the server failed verification",
        hint: "compare them with the laptops' own logs: run `vault audit verify` there",
        exitStatus: .badData)
    }
    guard unsigned == 0 else {
      throw Failure(
        "\(unsigned) of \(count) logs on the server end with rows that no checkpoint covers",
        hint: "the laptop's next `vault audit ship` signs its own rows, and reports others", exitStatus: .badData)
    }
    if strange > 0 {
      TeamProgram.notice("\(strange) of \(count) logs are not enrolled: run `vault audit enroll` on the laptop")
    }
  }

  private func say(_ line: String) { TeamProgram.say(line) }
}
