import AWSConfig
import CSystem
import Glibc
import VaultBytes
import VaultAudit
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultWire

/// Operations on the audit log as a whole: verifying it, exporting what others can verify it with, archiving.
enum AuditCommands {
  static let all = [
    Command(
      "audit verify", arguments: [ArgumentSpec("FILE", kind: .file, isOptional: true, isRepeated: true)], topic: .audit,
      summary: "verify the audit log, an archive of it, or an export",
      examples: [
        Example("vault audit verify", "verify this machine's log"),
        Example("vault audit verify audit.jsonl", "verify an export"),
      ],
      options: [
        OptionSpec(
          "key", value: "FILE", kind: .file,
          "a file that contains a verification key (`vault audit key --new`); - for standard input"),
        OptionSpec(
          "public-key", value: "HEX", "the public key that signs the checkpoints, as it was given to you (`vault audit key`)"),
        OptionSpec("partial", "for an export: rows may be missing (filters), and the end need not be signed"),
        OptionSpec("thorough", "check every entry of the report indexes, even in logs of over 100,000 rows"),
        OptionSpec("offline", "do not compare with the checkpoint in the key store"),
        OptionSpec("from", value: "URL", "verify each log in the team's PostgreSQL"),
        OptionSpec("vault", value: "ID", "with --from: only this vault's log (vlt_…)"),
        OptionSpec("login", value: "LOGIN", "with --from: only this login's logs"),
        OptionSpec("full", "with --from: verify again the rows that this machine has verified before"),
        OptionSpec("forget", value: "ID", "with --from: forget what this machine verified of this vault"),
      ], run: verify),
    Command(
      "audit key", topic: .audit,
      summary: "print the public key that signs the log's checkpoints",
      examples: [
        Example("vault audit key", "the public key, to compare with an export's signer"),
        Example("vault audit key --new", "a verification key for an auditor"),
      ],
      options: [
        OptionSpec("new", "print a new verification key for an auditor (shown once; verifies all later rows)")
      ],
      run: key),
    Command(
      "audit accept", topic: .audit,
      summary: "accept an audit log restored from a backup (recorded in the log)",
      examples: [
        Example("vault audit accept", "go on with a log from a backup"),
        Example("vault audit accept && vault audit verify", "and prove that the log is intact"),
      ]
    ) {
      arguments, paths in
      try arguments.none()
      _ = try AgentClient(paths: paths).ask(.auditAccept)
      Diagnostics.notice("the log continues from here; this is recorded")
    },
    Command(
      "audit archive", topic: .audit,
      summary: "move old rows to a signed file",
      examples: [
        Example("vault audit archive --before 90d", "move rows that are older than 90 days"),
        Example("vault audit archive --before 2026-01-01 --to 2025.archive", "choose the file"),
      ],
      options: [
        OptionSpec("before", value: "TIME", kind: .time, "archive rows from before this time (ISO 8601, or 90d)"),
        OptionSpec("to", value: "FILE", kind: .file, "the archive file (default: a file in the vault's folder)"),
      ], run: archive),
  ]

  // MARK: verify

  private static func verify(_ arguments: Arguments, _ paths: VaultPaths) throws {
    if let address = arguments["from"] {
      try arguments.none()
      try TeamSource.check(address)
      let given = ["vault", "login", "key", "public-key", "full", "forget"].compactMap { name in
        arguments[name].map { "--\(name)=\($0)" }
      }
      let files = try TeamSource.files(SharedConfig.ownSettings(of: paths.settingsFiles))
      try TeamSource.become(["verify", "--from=\(address)"] + files + given)
    }
    var verification = VerificationInput()
    if let text = arguments["public-key"] {
      guard let key = unhex(text, count: 32) else {
        throw Failure("--public-key: expected 64 hexadecimal digits", exitStatus: .usage)
      }
      verification.publicKey = key
    }
    verification.key = try arguments["key"].map(verificationKey)
    verification.isThorough = arguments.has("thorough")
    if arguments.positional.isEmpty {
      try verifyOwn(verification, isOffline: arguments.has("offline"), paths)
    } else {
      for file in arguments.positional {
        try existingPath(file)
        if ExportedLog.isOne(file) {
          try say(ExportVerification.text(of: file, against: verification, isPart: arguments.has("partial")))
          continue
        }
        let archive: VaultReader
        let rows: (count: Int64, text: String)
        do {
          archive = try VaultReader(archive: file)
          rows = try judge(AuditChain.verify(archive, against: verification), of: file)
        } catch DatabaseError.corrupt {
          throw AuditArchive.Damage(path: file)
        }
        if verification.publicKey == nil, let signer = try archive.auditSigner() {
          Diagnostics.notice("the file itself names the signer; compare it with `vault audit key`: \(hex(signer))")
        }
        try say("\(file): verified: rows \(archive.firstSequence()) to \(rows.count), up to a signed checkpoint")
      }
    }
  }

  private static func verifyOwn(_ given: VerificationInput, isOffline: Bool, _ paths: VaultPaths) throws {
    var verification = given
    var agentsFault: String?
    var notCompared: String? = isOffline ? "--offline" : nil
    if !isOffline {
      do {
        let reply = try AgentClient(paths: paths).ask(.auditCheckpoint(refresh: false))
        verification.anchoredCheckpoint = reply.line.flatMap { AuditCheckpoint(line: $0) }
        agentsFault = reply.fault
      } catch let failure as Failure {
        notCompared = failure.message
      }
    }
    let reader = try VaultReader(path: paths.database)
    let rows = try judge(AuditChain.verify(reader, against: verification), of: "the audit log")
    if let agentsFault { throw broken("the audit log", agentsFault) }
    try verifyArchives(reader, verification)
    let archived = try reader.auditSegments().last?.last ?? 0
    say("verified: \(rows.text), chain intact" + (archived > 0 ? "; rows 1 to \(archived) are archived" : ""))
    if !verification.isThorough, rows.count - archived > VerificationInput.maxIndexed {
      Diagnostics.notice("the indexes that reports use were not checked: --thorough checks them, in a few seconds")
    }
    if let notCompared { Diagnostics.notice("not compared with the checkpoint in the key store: \(notCompared)") }
  }

  /// The files of archived rows that are still where they were written.
  private static func verifyArchives(_ reader: VaultReader, _ verification: VerificationInput) throws {
    for segment in try reader.auditSegments() {
      guard access(segment.file, F_OK) == 0 else {
        Diagnostics.notice("rows \(segment.first) to \(segment.last) are in \(segment.file), which is missing")
        continue
      }
      var own = VerificationInput(publicKey: verification.publicKey ?? verification.anchoredCheckpoint?.publicKey)
      own.key = verification.key
      own.isThorough = verification.isThorough
      let archive = try VaultReader(archive: segment.file, digest: segment.digest)
      _ = try judge(AuditChain.verify(archive, against: own), of: segment.file)
    }
  }

  private static func judge(_ verdict: AuditChain.Verdict, of what: String) throws -> (count: Int64, text: String) {
    switch verdict {
    case .whole(let rows): return (rows, "\(rows) row\(rows == 1 ? "" : "s")")
    case .broken(let fault): throw broken(what, fault.description)
    }
  }

  private static func broken(_ what: String, _ fault: String) -> Failure {
    Failure("\(what) is not intact: \(fault)", hint: "leave the file unchanged, and compare it with a copy", exitStatus: .badData)
  }

  private static func verificationKey(_ path: String) throws -> AuditVerificationKey {
    guard let key = AuditVerificationKey(text: try smallText(path)) else {
      throw Failure(
        "\(path) does not contain a verification key", hint: "`vault audit key --new` prints one", exitStatus: .badData)
    }
    return key
  }

  /// The content of a small file, or of standard input.
  private static func smallText(_ path: String) throws(Failure) -> String {
    let file = path == "-" ? 0 : sys_open(path, O_RDONLY | O_NONBLOCK, 0)
    guard file >= 0 else {
      throw Failure(
        "cannot read \(path) (errno \(errno))", hint: "check its name, owner and permissions", exitStatus: .noInput)
    }
    defer { if file > 0 { close(file) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1_024)
    while bytes.count < 4_096 {
      let count = read(file, &buffer, buffer.count)
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: keys and archives

  private static func key(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    guard arguments.has("new") else {
      guard let key = try VaultReader(path: paths.database).auditPublicKey() else {
        throw Failure("the log has no key yet", hint: "it gets one when the vault is first unlocked", exitStatus: .noInput)
      }
      return print(help: hex(key) + "\n")
    }
    let reply = try AgentClient(paths: paths).ask(.auditKey)
    let digits = reply.key.withBytes { SecretHex.encoded(SecretBytes(copying: $0)) }
    print(help: "vault-audit-key-1 \(reply.sequence) \(digits.withBytes { String(decoding: $0, as: UTF8.self) })\n")
    Diagnostics.notice(
      "store this key off this machine: it verifies rows from \(reply.sequence) on, and the vault does not keep it")
  }

  private static func archive(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let now = SystemClock().now()
    guard let text = arguments["before"] else {
      throw Failure("missing option: --before", hint: "vault audit archive --before 90d", exitStatus: .usage)
    }
    guard let before = TimeText.moment(text, now: now), before <= now else {
      throw Failure("--before: \"\(text)\" is not a time in the past", hint: "for example 2026-01-01 or 90d", exitStatus: .usage)
    }
    let folder = paths.dataDirectory + "/archive"
    if arguments["to"] == nil { try PrivateDirectory.ensure(folder) }
    while true {
      // Named by its first row, so that a repeated attempt finds the file of an interrupted one.
      let first = try (VaultReader(path: paths.database).auditSegments().last?.last ?? 0) + 1
      let file = try arguments["to"].map(absolutePath) ?? "\(folder)/audit-from-\(first).gz"
      let reply = try AgentClient(paths: paths).ask(ArchiveRequest { ($0.file, $0.before) = (file, before) })
      say("rows \(reply.first) to \(reply.last) are in \(file)")
      guard reply.left != 0 else { return }
      guard arguments["to"] == nil else {
        return Diagnostics.notice("the file has reached its size limit: \(reply.left) more rows need another file")
      }
    }
  }

  private static func say(_ line: String) {
    var output = Output()
    output.words(line)
    output.flush()
  }
}
