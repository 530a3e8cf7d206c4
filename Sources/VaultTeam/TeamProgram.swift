import Glibc
import VaultDatabase
import VaultModel

/// `vault-team`: what `vault` does not link, the team's PostgreSQL. `vault` starts it, with words of the form `--name=value`.
public enum TeamProgram {
  /// Runs the command, and ends the process where it fails.
  public static func main(_ words: [String]) {
    // A server that goes away, or a report that ends early (`| head`), is told by an error, and not by a signal.
    signal(SIGPIPE, SIG_IGN)
    // A password of libpq's is in memory.
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    let ignored = LibraryEnvironment.clear()
    do {
      if !ignored.isEmpty {
        notice(
          "\(ignored.joined(separator: ", ")) of the environment: ignored; the address and `vault config` say where to and how")
      }
      try run(words)
    } catch {
      let failure = Failure(error)
      write(to: 2, "vault: \(safeText(failure.message))\n" + (failure.hint.map { "hint: \(safeText($0))\n" } ?? ""))
      exit(failure.exitStatus.rawValue)
    }
  }

  private static func run(_ words: [String]) throws {
    let options = try TeamOptions(words.dropFirst(2))
    switch words.dropFirst().first {
    case "ship": try ship(options)
    case "rows": try rows(options)
    case "verify": try verify(options)
    case "schema": write(to: 1, String(decoding: PackageResources.vault_audit_sql, as: UTF8.self))
    case "--version": write(to: 1, "vault-team \(vaultVersion)\n")
    default:
      throw Failure(
        "vault-team is started by `vault audit ship` and by reports with --from", hint: "vault audit ship --help",
        exitStatus: .usage)
    }
  }

  // MARK: ship

  private static func ship(_ options: TeamOptions) throws {
    let address = try options.address("to")
    warn(of: address)
    let head = try options["head"].map { line -> AuditCheckpoint in
      guard let head = AuditCheckpoint(line: line) else { throw Failure("--head: no signed head", exitStatus: .usage) }
      return head
    }
    let batch = try options.number("batch", in: 1...100_000) ?? 5_000
    guard let paths = VaultPaths(environment: environmentValue) else {
      throw Failure("neither VAULT_HOME nor HOME is an absolute path", exitStatus: .configuration)
    }
    let reader = try VaultReader(path: paths.database)
    var display = ShippingDisplay()
    let shipper = try Shipper(
      reader, to: address, batch: batch, progress: { display.show($0, of: $1) }, onRetry: { display.retry($0) })
    defer { display.end() }
    let outcome = try shipper.run(head: head)
    display.end()
    let there =
      outcome.last > 0 ? "rows 1 to \(outcome.last) of \(try reader.vaultId() ?? "?") are there" : "there is nothing to ship"
    write(to: 1, "\(outcome.shipped) rows shipped to \(safeText(outcome.place)); \(there)\n")
    for segment in outcome.absent {
      notice(
        "rows \(segment.first) to \(segment.last) were archived in \(segment.file), which is not there: only their end was shipped"
      )
    }
    if outcome.waiting > 0 {
      notice("\(outcome.waiting) rows wait for their codes, which they get when the vault is unlocked")
    }
  }

  // MARK: rows and proof

  private static func rows(_ options: TeamOptions) throws {
    let address = try options.address("from")
    warn(of: address)
    let filter = try options.filter()
    try retrying { attempt in
      let server = try Server(address.parameters, patience: 600)
      var writer = TeamStream.Writer()
      do {
        try TeamRows.forEach(filter, on: server) { form, hash in
          writer.add(form, hash: hash)
          guard writer.bytes.count >= 1 << 18 else { return }
          // From here on nothing can be taken back.
          attempt.isLast = true
          try flush(&writer.bytes)
        }
      }
      writer.end()
      try flush(&writer.bytes)
    }
  }

  private static func verify(_ options: TeamOptions) throws {
    let address = try options.address("from")
    warn(of: address)
    let vault = options["vault"]
    let key = try options["key"].map { path -> AuditVerificationKey in
      guard let key = AuditVerificationKey(text: try smallText(path)) else {
        throw Failure("\(path) holds no verification key", hint: "`vault audit key --new` prints one", exitStatus: .badData)
      }
      return key
    }
    let publicKey = try options["public-key"].map { text -> [UInt8] in
      guard let key = unhex(text, count: 32) else { throw Failure("--public-key: not 64 hexadecimal digits", exitStatus: .usage) }
      return key
    }
    guard vault != nil || (key == nil && publicKey == nil) else {
      throw Failure("a key is one vault's", hint: "say which: --vault vlt_…", exitStatus: .usage)
    }
    var broken = 0, count = 0
    try retrying { attempt in
      var verifier = try TeamVerifier(key: key, publicKey: publicKey) { try Server(address.parameters, patience: 600) }
      for laptop in try verifier.laptops(vault) {
        let verdict = try verifier.verify(laptop)
        attempt.isLast = true
        count += 1
        let name = safeText("\(laptop.vaultId) \(laptop.name)")
        if let fault = verdict.fault {
          broken += 1
          write(to: 1, "\(name): NOT WHOLE: \(fault)\n")
        } else {
          let archived = verdict.archived > 0 ? ", \(verdict.archived) are archived" : ""
          let signed = verdict.signed > 0 ? "signed up to row \(verdict.signed)" : "not signed"
          write(to: 1, "\(name): \(verdict.rows) rows are whole\(archived), \(signed)\n")
        }
      }
    }
    guard count > 0 else { throw Failure("the server has no log" + (vault.map { " of \($0)" } ?? ""), exitStatus: .noInput) }
    guard broken == 0 else {
      throw Failure(
        "\(broken) of \(count) logs on the server are not whole",
        hint: "compare them with the laptops' own: `vault audit verify` there",
        exitStatus: .badData)
    }
  }

  // MARK: pieces

  private struct Attempt {
    /// Whether something was told already, that a second try would tell again.
    var isLast = false
  }

  private static func retrying(_ body: (inout Attempt) throws -> Void) throws {
    var backoff = Backoff(most: 4)
    while true {
      var attempt = Attempt()
      do {
        return try body(&attempt)
      } catch let error as ServerError where error.isPassing && !attempt.isLast {
        guard backoff.wait() else { throw error }
      }
    }
  }

  private static func warn(of address: ServerAddress) {
    if address.isWeak { notice("the address asks for a connection on which the server is not checked, or nothing is encrypted") }
  }

  private static func flush(_ bytes: inout [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let written = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress! + offset, $0.count - offset) }
      if written > 0 {
        offset += written
      } else if errno != EINTR {
        throw Failure("nobody reads the rows any more (errno \(errno))", exitStatus: .inputOutput)
      }
    }
    bytes.removeAll(keepingCapacity: true)
  }

  /// What is in a small file, or comes on standard input.
  private static func smallText(_ path: String) throws -> String {
    let file = path == "-" ? 0 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { throw Failure("cannot read \(path) (errno \(errno))", exitStatus: .noInput) }
    defer { if file > 0 { close(file) } }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    var count = 0
    while count < bytes.count {
      let more = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress! + count, $0.count - count) }
      guard more > 0 else { break }
      count += more
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  static func notice(_ text: String) { write(to: 2, "vault: \(safeText(text))\n") }

  static func write(to descriptor: Int32, _ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var offset = 0
      while offset < bytes.count {
        let written = Glibc.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
        if written > 0 { offset += written } else if errno != EINTR { return }
      }
    }
  }

  static func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
