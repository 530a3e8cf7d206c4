import Glibc
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `vault access-key …`: long-term IAM access keys, encrypted in the vault.
enum AccessKeyCommands {
  static let all = [
    Command(
      "access-key add", arguments: [ArgumentSpec("NAME", kind: .text)], topic: .setUp,
      summary: "store an access key, encrypted (typed, or read from standard input)",
      examples: [
        Example("vault access-key add corp", "you are asked for the key"),
        Example("vault access-key add corp --totp", "generate its MFA codes from now on"),
      ],
      options: [
        OptionSpec("access-key-id", value: "ID", "the key's ID; you are then asked only for the secret"),
        OptionSpec("mfa-serial", value: "SERIAL", "the MFA device for the key's sessions"),
        OptionSpec("totp", "also store the virtual MFA device's secret, so that the vault generates its codes"),
        OptionSpec("replace", "replace an existing key of this name"),
      ], run: add),
    Command(
      "access-key list", topic: .setUp,
      summary: "list the access keys in the vault",
      examples: [
        Example("vault access-key list", "every key and its age"),
        Example("vault access-key list --format json", "the same for a program"),
      ], options: ReportCommands.formats + [Table.wideOption], run: list),
    Command(
      "access-key rotate", arguments: [ArgumentSpec("NAME", kind: .accessKey)], topic: .setUp,
      summary: "replace an access key with a new one in IAM, and delete the old one",
      examples: [
        Example("vault access-key rotate corp", "replace the key in IAM and in the vault"),
        Example("vault access-key rotate corp --reason yearly", "say why in the audit log"),
      ],
      options: [
        OptionSpec("mfa-code", value: "CODE", "the code of the key's MFA device"),
        OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
      ], run: rotate),
    Command(
      "access-key remove", arguments: [ArgumentSpec("NAME", kind: .accessKey)], topic: .setUp,
      summary: "remove an access key from the vault",
      examples: [
        Example("vault access-key remove corp", "remove the key named corp"),
        Example("vault access-key list && vault access-key remove corp", "look at the keys first"),
      ]
    ) { arguments, paths in
      _ = try AgentClient(paths: paths).ask(.removeAccessKey(try arguments.required("NAME")))
      Diagnostics.notice("removed")
    },
  ]

  private static func add(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.required("NAME")
    let id = try arguments["access-key-id"].map { WireBytes($0) } ?? WireBytes(ask("Access key id:", echo: true))
    guard id.withBytes({ AccessKeyForm.isId($0) }) else {
      throw Failure(
        "invalid access key id", hint: "expected 16 to 128 letters and digits, such as AKIAIOSFODNN7EXAMPLE",
        exitStatus: .badData)
    }
    let secret = try ask("Secret access key:", echo: false)
    guard secret.withBytes({ AccessKeyForm.isSecret($0) }) else {
      throw Failure(
        "invalid secret access key", hint: "expected 40 characters without spaces or quotes", exitStatus: .badData)
    }
    var device: WireBuffer?
    if arguments.has("totp") {
      guard arguments["mfa-serial"] != nil else {
        throw Failure(
          "missing option: --mfa-serial (required by --totp)", hint: "--mfa-serial arn:aws:iam::ACCOUNT:mfa/NAME",
          exitStatus: .usage)
      }
      device = try ask("Secret key of the MFA device:", echo: false)
    }
    _ = try AgentClient(paths: paths).ask(
      AddAccessKeyRequest {
        $0.name = name
        $0.accessKeyId = id.withBytes { String(decoding: $0, as: UTF8.self) }
        ($0.secretAccessKey, $0.mfaSecret) = (WireBytes(secret), device.map { WireBytes($0) })
        ($0.mfaSerial, $0.replace) = (arguments["mfa-serial"], arguments.has("replace"))
      })
    Diagnostics.notice("the access key \(name) is stored, encrypted")
  }

  private static func rotate(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.required("NAME")
    let reply = try AgentClient(paths: paths).ask(
      try RotateAccessKeyRequest {
        ($0.name, $0.reason) = (name, try arguments.reason())
        $0.mfaCode = arguments["mfa-code"].map { WireBytes($0) }
      })
    Diagnostics.notice("\(name) has the new key \(reply.new); \(reply.old) is deleted")
  }

  /// Reads from the terminal if standard input is one, otherwise the next line of standard input.
  private static func ask(_ question: String, echo: Bool) throws -> WireBuffer {
    if isatty(0) == 1 {
      guard let typed = Terminal.ask(question, echo: echo) else {
        throw Failure(
          "nothing was entered", hint: "or give the id and the secret as two lines on standard input", exitStatus: .badData)
      }
      return typed
    }
    return try SecretInput.line(from: 0, what: "standard input")
  }

  private static func list(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json, .csv])
    let keys = try VaultReader(path: paths.database).accessKeys()
    let now = SystemClock().now()
    var output = Output()
    switch format {
    case .json, .jsonl:
      var writer = JSONWriter()
      writer.array { writer in
        for key in keys {
          writer.newLine()
          writer.object {
            $0.field("name", key.name)
            $0.field("accessKeyId", key.accessKeyId)
            $0.field("mfaSerial", key.mfaSerial)
            $0.field("origin", key.origin)
            $0.field("createdAt", key.createdAt.iso8601)
          }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    case .csv:
      output.line("name,accessKeyId,mfaSerial,origin,createdAt")
      for key in keys {
        output.line(csvRow([key.name, key.accessKeyId, key.mfaSerial ?? "", key.origin, key.createdAt.iso8601]))
      }
    case .table:
      var table = Table(
        [
          .name("NAME"), .whole("ACCESS KEY ID"), .arn("MFA", rank: 1), .name("FROM", rank: 3, least: 12),
          .whole("SINCE", rank: 2),
        ], isWide: arguments.has(Table.wideOption.name))
      for key in keys {
        let since = Terminal.outputIsTerminal ? TimeText.local(key.createdAt, now: now) : key.createdAt.iso8601
        table.add([key.name, key.accessKeyId, key.mfaSerial ?? "-", key.origin, since])
      }
      table.write(to: &output)
      if keys.isEmpty {
        Diagnostics.notice("no access keys in the vault; add one with `vault access-key add NAME` or `vault import`")
      }
    }
    output.flush()
  }
}
