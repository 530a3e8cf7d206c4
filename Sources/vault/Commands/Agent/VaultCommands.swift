import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `lock`, `unlock` and `master-key`: the commands for the vault as a whole.
enum VaultCommands {
  static let all = [
    Command(
      "lock", topic: .upkeep,
      summary: "lock the vault: nothing is served until `vault unlock`",
      examples: [
        Example("vault lock", "lock the vault"),
        Example("vault lock && systemctl suspend", "lock it before you leave"),
      ]
    ) { arguments, paths in
      try arguments.none()
      _ = try AgentClient(paths: paths).ask(.lock)
      Diagnostics.notice("locked")
    },
    Command(
      "unlock", topic: .upkeep,
      summary: "unlock the vault",
      examples: [
        Example("vault unlock", "unlock the vault"),
        Example("vault unlock && vault list", "and see what is valid"),
      ]
    ) { arguments, paths in
      try arguments.none()
      _ = try AgentClient(paths: paths).ask(.unlock)
      Diagnostics.notice("unlocked")
    },
    Command(
      "master-key status", topic: .upkeep,
      summary: "show the encryption key's id, key store and age",
      examples: [
        Example("vault master-key status", "the key and where it is stored"),
        Example("vault master-key status --format json", "the same for a program"),
      ], options: ReportCommands.formats + [Table.wideOption],
      run: status),
    Command(
      "master-key rotate", topic: .upkeep,
      summary: "create a new key and encrypt everything with it",
      examples: [
        Example("vault master-key rotate", "encrypt everything with a new key"),
        Example("vault master-key rotate && vault master-key backup new-key", "and back the new key up"),
      ]
    ) { arguments, paths in
      try arguments.none()
      let reply = try AgentClient(paths: paths).ask(.keyRotate)
      Diagnostics.notice("the master key is now \(reply.keyId); \(reply.count) secrets were re-encrypted")
    },
    Command(
      "master-key backup", arguments: [ArgumentSpec("FILE", kind: .file)], topic: .upkeep,
      summary: "write a copy of the key to a new file, encrypted with a passphrase",
      examples: [
        Example("vault master-key backup key.bak", "you are asked for a passphrase"),
        Example("vault master-key backup key.bak --passphrase-file phrase", "read the passphrase from a file"),
      ],
      options: [passphraseFile],
      run: { arguments, paths in
        let (reply, file) = try copyKey(arguments, paths, restore: false)
        Diagnostics.notice(
          "key \(reply.keyId) was backed up to \(file); keep it off this machine, and keep the passphrase separate")
      }),
    Command(
      "master-key restore", arguments: [ArgumentSpec("FILE", kind: .file)], topic: .upkeep,
      summary: "restore the key from a backup into a key store that has lost it",
      examples: [
        Example("vault master-key restore key.bak", "you are asked for the passphrase"),
        Example("vault master-key restore key.bak --passphrase-file phrase", "read the passphrase from a file"),
      ],
      options: [passphraseFile],
      run: { arguments, paths in
        let (reply, _) = try copyKey(arguments, paths, restore: true)
        Diagnostics.notice("key \(reply.keyId) is restored to the key store")
        if let notice = reply.notice { Diagnostics.notice(notice) }
      }),
  ]

  private static let passphraseFile = OptionSpec(
    "passphrase-file", value: "PATH", kind: .file, "a file that contains the backup's passphrase (default: you are asked)")

  private static func copyKey(_ arguments: Arguments, _ paths: VaultPaths, restore: Bool) throws -> (
    reply: KeyCopy, file: String
  ) {
    guard let word = arguments.positional.first, arguments.positional.count == 1 else {
      throw Failure(
        "missing argument: FILE", hint: "vault master-key \(restore ? "restore" : "backup") FILE", exitStatus: .usage)
    }
    let request = try KeyCopyRequest {
      $0.file = try restore ? existingPath(word) : absolutePath(word)
      $0.passphraseFile = try arguments["passphrase-file"].map(absolutePath)
      $0.restore = restore
    }
    return (try AgentClient(paths: paths).ask(request), request.file)
  }

  private static func status(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json, .csv])
    let reader = try VaultReader(path: paths.database)
    let now = SystemClock().now()
    let rows = try reader.keyRecords()
    var output = Output()
    switch format {
    case .json, .jsonl:
      var writer = JSONWriter()
      writer.array { writer in
        for row in rows {
          writer.object {
            $0.field("keyId", row.id.description)
            $0.field("state", row.state.rawValue)
            $0.field("keyStore", row.store)
            $0.field("createdAt", row.createdAt.iso8601)
          }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    case .csv:
      output.line("keyId,state,keyStore,createdAt")
      for row in rows { output.line(csvRow([row.id.description, row.state.rawValue, row.store, row.createdAt.iso8601])) }
    case .table:
      var table = Table(
        [.whole("KEY"), .whole("STATE"), .name("KEY STORE", rank: 2), .whole("CREATED", rank: 1)],
        isWide: arguments.has(Table.wideOption.name))
      for row in rows {
        table.add([
          row.id.description, row.state.rawValue, row.store,
          Terminal.outputIsTerminal ? TimeText.local(row.createdAt, now: now) : row.createdAt.iso8601,
        ])
      }
      table.write(to: &output)
      if rows.isEmpty { Diagnostics.notice("no key yet; `vault import` creates the vault") }
    }
    output.flush()
  }
}

extension Arguments {
  /// - Throws: usage, if there are words that the command does not accept.
  func none() throws(Failure) {
    if let word = positional.first { throw Failure("unexpected argument: \"\(word)\"", exitStatus: .usage) }
  }
}
