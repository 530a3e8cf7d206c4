import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel

/// `vault-team`: the part that `vault` does not link, the team's PostgreSQL. `vault` starts it with options of the form
/// `--name=value`.
public enum TeamProgram {
  /// Bytes of address space; a few tens of megabytes are in use.
  private static let memory: UInt = 512 << 20

  /// Runs the command, and exits if it fails.
  public static func main(_ words: [String]) {
    // A lost server, or a report that ends early (`| head`), is reported as an error, not by a signal.
    signal(SIGPIPE, SIG_IGN)
    // A libpq password is in memory.
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    // libpq reads a row into memory, whatever size the server claims for it.
    var maximum = rlimit(rlim_cur: memory, rlim_max: memory)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &maximum)
    let ignored = LibraryEnvironment.clear()
    do {
      if !ignored.isEmpty {
        notice(
          "ignored from the environment: \(ignored.joined(separator: ", ")); only the address and `vault config` choose the server and connection"
        )
      }
      try run(words)
    } catch {
      let failure = Failure(error)
      notice(failure.message)
      if let hint = failure.hint { say(hint, after: "hint: ", to: 2) }
      exit(failure.exitStatus.rawValue)
    }
  }

  private static func run(_ words: [String]) throws {
    let options = try TeamOptions(words.dropFirst(2))
    switch words.dropFirst().first {
    case "ship": try ship(options)
    case "rows": try rows(options)
    case "verify": try VerifyCommand.run(options)
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
    let head = try options["head"].map { line -> AuditCheckpoint in
      guard let head = AuditCheckpoint(line: line) else { throw Failure("--head: not a signed checkpoint", exitStatus: .usage) }
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
      outcome.last > 0 ? "the server has rows 1 to \(outcome.last) of \(try reader.vaultId() ?? "?")" : "nothing to ship"
    say("\(outcome.shipped) rows shipped to \(outcome.place); \(there)")
    for segment in outcome.absent {
      notice(
        "rows \(segment.first) to \(segment.last) were archived in \(segment.file), which is missing: only their end was shipped"
      )
    }
    if outcome.unsigned > 0 {
      notice("\(outcome.unsigned) rows wait for a signed checkpoint, which needs a running agent and an unlocked vault")
    }
    if outcome.waiting > 0 {
      notice("\(outcome.waiting) rows wait for their MACs, which they get when the vault is unlocked")
    }
  }

  // MARK: rows and proof

  private static func rows(_ options: TeamOptions) throws {
    let address = try options.address("from")
    var rows = TeamRows(filter: try options.filter())
    rows.login = options["login"]
    rows.vault = options["vault"]
    rows.isForSums = options["sums"] != nil
    try retrying { attempt in
      let server = try Server(address.parameters, timeouts: 600)
      let span = try rows.isForSums ? TeamRows.span(on: server) : nil
      let none = Timestamp(milliseconds: 0)
      var writer = TeamStream.Writer(first: span?.first ?? none, last: span?.last ?? none)
      do {
        try rows.forEach(on: server) { form, hash, origin in
          writer.add(form, hash: hash, from: origin)
          guard writer.bytes.count >= 1 << 18 else { return }
          // Output from here on cannot be retracted.
          attempt.isLast = true
          try flush(&writer.bytes)
        }
      }
      writer.end()
      try flush(&writer.bytes)
    }
  }

  // MARK: pieces

  struct Attempt {
    /// Whether output was already written that a retry would repeat.
    var isLast = false
  }

  static func retrying<Result>(_ body: () throws -> Result) throws -> Result { try retrying { _ in try body() } }

  private static func retrying<Result>(_ body: (inout Attempt) throws -> Result) throws -> Result {
    var backoff = Backoff(maximum: 4)
    while true {
      var attempt = Attempt()
      do {
        return try body(&attempt)
      } catch let error as ServerError where error.isPassing && !attempt.isLast {
        guard backoff.wait() else { throw error }
      }
    }
  }

  private static func flush(_ bytes: inout [UInt8]) throws {
    guard writeAll(bytes.span.bytes, to: 1) else {
      throw Failure("cannot write the rows: the reader has ended (errno \(errno))", exitStatus: .inputOutput)
    }
    bytes.removeAll(keepingCapacity: true)
  }

  /// The content of a small file, or of standard input.
  static func smallText(_ path: String) throws -> String {
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

  static func notice(_ text: String) { say(text, after: "\(name): ", to: 2) }

  /// The client's name: it starts this program under its own, with "-team" after it.
  private static let name = ProgramName.plain(CommandLine.arguments.first ?? "", without: "-team")

  /// Writes a line of words; on a terminal that is too narrow, several.
  static func say(_ text: String, after first: String = "", to descriptor: Int32 = 1) {
    var size = winsize()
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let lines = WordWrap.lines(
      ProgramName.renaming(safeText(text), to: name), first: first,
      indent: String(repeating: " ", count: max(2, first.utf8.count)), width: isKnown ? Int(size.ws_col) : .max
    ) { word in
      // Whatever is not ASCII may be two columns wide.
      word.unicodeScalars.reduce(0) { $0 + ($1.isASCII ? 1 : 2) }
    }
    write(to: descriptor, lines.joined(separator: "\n") + "\n")
  }

  static func write(to descriptor: Int32, _ text: String) { writeAll(text.utf8.span.bytes, to: descriptor) }

  static func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
