import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// `vault env` and `vault credentials`: a profile's credentials as text, for programs that the vault does not run.
enum EnvCommands {
  private static let common =
    [
      OptionSpec(
        "duration", short: "d", value: "TIME", kind: .time,
        "session duration (15m to 12h; at most 1h for a chained role, 36h for access keys)"),
      OptionSpec("min-remaining", value: "TIME", kind: .time, "start a new session unless the cached one is valid for this long"),
      OptionSpec("refresh", "always start a new session"),
      OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
      OptionSpec("session-name", value: "NAME", "the role session's name in CloudTrail"),
      OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
    ] + ScopeOptions.all

  static let all = [
    Command(
      "env", arguments: [.profile], topic: .use,
      summary: "print credentials as environment variables, for eval or --env-file",
      examples: [
        Example("eval \"$(vault env app-dev)\"", "put the credentials into this shell"),
        Example("vault env app-dev --format docker > app.env", "write a file for docker run --env-file"),
      ],
      options: common + [
        OptionSpec("no-session", "use the access keys themselves instead of a session"),
        OptionSpec("region", short: "r", value: "REGION", kind: .region, "the region"),
        OptionSpec(
          "format", value: "FORMAT", kind: .words(["sh", "fish", "powershell", "dotenv", "docker", "json"]),
          "sh, fish, powershell, dotenv, docker or json (default: the syntax of your shell)"),
      ] + SwitchCommand.options, run: env),
    Command(
      "credentials", arguments: [ArgumentSpec("PROFILE", kind: .profile, without: "Without PROFILE, AWS_PROFILE counts.")],
      topic: .use,
      summary: "print credentials in the credential_process format (version 1)",
      examples: [
        Example("vault credentials app-dev", "for credential_process in an AWS config file"),
        Example("vault credentials app-dev --min-remaining 30m", "valid for another half hour at least"),
      ], options: common,
      run: credentials),
  ]

  private static func env(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let format = try EnvFormat(named: arguments["format"])
    if try SwitchCommand.run(arguments, in: format, paths) { return }
    let profile = try arguments.profile(paths)
    let reply = try AgentClient(paths: paths).ask(try IssueRequest(arguments, profile: profile, trigger: .env))
    var pairs: [(name: String, value: String)] = []
    reply.forEachVariable(of: profile) { pairs.append(($0, String(decoding: $1, as: UTF8.self))) }
    let overriding = ChildEnvironment.removed.union(OwnRegion.present).subtracting(pairs.map(\.name)).filter { getenv($0) != nil }
      .sorted()
    var output = Output()
    output.write(bytes: try format.text(pairs, unset: overriding))
    output.flush()
  }

  private static func credentials(_ arguments: Arguments, _ paths: VaultPaths) throws {
    var client = AgentClient(paths: paths)
    client.isTyped = false
    let reply = try client.ask(try IssueRequest(arguments, profile: try arguments.profile(), trigger: .credentials))
    var writer = JSONWriter()
    writer.object { writer in
      writer.field("Version", 1)
      writer.field("AccessKeyId", reply.accessKeyId)
      writer.field("SecretAccessKey", reply.secretAccessKey?.text)
      if let token = reply.sessionToken { writer.field("SessionToken", token.text) }
      if let end = reply.expiration { writer.field("Expiration", end.iso8601) }
      if let account = reply.accountId { writer.field("AccountId", account) }
    }
    var output = Output()
    output.write(bytes: writer.consume())
    output.write("\n")
    output.flush()
  }
}

extension WireBytes {
  /// For output. Unlike the bytes, it is not wiped.
  fileprivate var text: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}

/// The formats for variables; in each, any value is safe to read back.
enum EnvFormat: String, CaseIterable {
  case sh, fish, powershell, dotenv, docker, json

  /// - Parameter name: nil for the format of the calling shell.
  init(named name: String?) throws(Failure) {
    guard let name else {
      self = Self.ofParent
      return
    }
    guard let format = Self(rawValue: name) else {
      throw Failure(
        "--format: unknown format \"\(name)\"", hint: "use one of \(Self.allCases.map(\.rawValue).joined(separator: ", "))",
        exitStatus: .usage)
    }
    self = format
  }

  /// The format for the parent process, as the kernel names it: `SHELL` is the login shell, and the calling script may be for
  /// another one.
  private static var ofParent: EnvFormat {
    switch parentProgram {
    case "fish": .fish
    case "pwsh": .powershell
    default: .sh
    }
  }

  private static var parentProgram: String {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let length = bytes.withUnsafeMutableBytes {
      readlink("/proc/\(getppid())/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    if length > 0 {
      var path = String(decoding: bytes[..<length], as: UTF8.self)
      let mark = " (deleted)"
      if path.hasSuffix(mark) { path.removeLast(mark.count) }
      return String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
    }
    // Even if it is another user's, as with sudo, its name is readable.
    guard let file = fopen("/proc/\(getppid())/comm", "re") else { return "" }
    defer { fclose(file) }
    let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress!, 1, 64, file) }
    return String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
  }

  /// - Parameter unset: variables that would override these, for the formats that can unset variables.
  /// - Throws: bad data, for a value that the format cannot express.
  func text(_ pairs: [(name: String, value: String)], unset: [String]) throws(Failure) -> [UInt8] {
    var text = ""
    switch self {
    case .sh, .fish: return self.text(set: pairs, unset: unset)
    case .powershell:
      for name in unset { text += "Remove-Item Env:\(name) -ErrorAction SilentlyContinue\n" }
      for (name, value) in pairs { text += "$Env:\(name) = '\(Self.doubled(value))'\n" }
    case .dotenv, .docker:
      for (name, value) in pairs {
        // Neither format has quotes that all its readers understand; the values from AWS need none.
        guard value.utf8.allSatisfy({ (33...126).contains($0) && ![0x22, 0x23, 0x24, 0x27, 0x5C, 0x60].contains($0) }) else {
          throw Failure(
            "\(name): this value cannot be written as \(rawValue)", hint: "use --format json or sh", exitStatus: .badData)
        }
        text += "\(name)=\(value)\n"
      }
    case .json:
      var writer = JSONWriter()
      writer.object { writer in for (name, value) in pairs { writer.field(name, value) } }
      return writer.consume() + [10]
    }
    return Array(text.utf8)
  }

  /// The text for a shell.
  ///
  /// - Parameters:
  ///   - own: variables of the shell itself, which its programs do not get; nil to remove one.
  ///   - restores: whether the values are those that the shell had before.
  func text(
    set pairs: [(name: String, value: String)], unset: [String], own: [(name: String, value: String?)] = [],
    restores: Bool = false
  ) -> [UInt8] {
    var text = ""
    if self == .fish {
      // Each line also ends with a semicolon, since `eval (vault env …)` receives the lines as words of one line. A universal variable is
      // every shell's, and fish exports it even if a global one hides it: the user is told, and it stays.
      for name in unset {
        text += "set -eg \(name); set -qUx \(name); and echo 'vault: \(name) is a universal variable, and stays set:"
        text += " remove it with set -eU \(name)' >&2;\n"
      }
      for (name, value) in pairs {
        let quoted = Self.fishQuoted(value)
        if restores { text += "set -eg \(name); test \"$\(name)\" = \(quoted); and set -qx \(name); or " }
        text += "set -gx \(name) \(quoted);\n"
      }
      for (name, value) in own { text += value.map { "set -g \(name) \(Self.fishQuoted($0));\n" } ?? "set -eg \(name);\n" }
    } else {
      for name in unset { text += "unset \(name)\n" }
      for (name, value) in pairs { text += "export \(name)=\(ShellText.quoted(value))\n" }
      for (name, value) in own { text += value.map { "\(name)=\(ShellText.quoted($0))\n" } ?? "unset \(name)\n" }
    }
    return Array(text.utf8)
  }

  private static func fishQuoted(_ value: String) -> String {
    "'\(value.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
  }

  /// PowerShell treats typographic quotes as straight ones (about_Quoting_Rules); each is doubled within a literal.
  private static func doubled(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars {
      text.unicodeScalars.append(scalar)
      if ["'", "\u{2018}", "\u{2019}", "\u{201A}", "\u{201B}"].contains(scalar) { text.unicodeScalars.append(scalar) }
    }
    return text
  }
}
