import AWSConfig
import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// `link` and `unlink`: entries in the AWS config file through which every SDK gets its credentials from the vault.
enum LinkCommands {
  static let all = [
    Command(
      "link",
      arguments: [
        ArgumentSpec(
          "PROFILE", kind: .profile, isRepeated: true, without: "Without PROFILE, a terminal shows a list to choose from.")
      ], topic: .use,
      summary: "make profiles available to every SDK through AWS_PROFILE",
      examples: [
        Example("vault link app-dev", "AWS_PROFILE=app-dev works in every SDK from now on"),
        Example("vault link app-dev --credentials-file", "for programs that read only ~/.aws/credentials"),
        Example("vault link --read-only app-dev", "programs that find it there can only read"),
      ],
      options: [
        OptionSpec("config", value: "FILE", kind: .file, "the config file (default: AWS_CONFIG_FILE or ~/.aws/config)"),
        OptionSpec(
          "credentials-file", "keep the profiles' keys fresh in ~/.aws/credentials instead, for tools that read only that"),
        OptionSpec("prefix", value: "TEXT", "prefix for a profile name that the file already has (default: vault-)"),
      ] + ScopeOptions.narrowing, run: link),
    Command(
      "unlink", arguments: [ArgumentSpec("PROFILE", kind: .profile, isOptional: true, isRepeated: true)], topic: .use,
      summary: "remove the entries that `vault link` made (default: all of them)",
      examples: [
        Example("vault unlink app-dev", "remove the entry of app-dev"),
        Example("vault unlink", "remove all entries"),
      ],
      options: [
        OptionSpec("config", value: "FILE", kind: .file, "the config file (default: AWS_CONFIG_FILE or ~/.aws/config)"),
        OptionSpec("credentials-file", "remove entries from ~/.aws/credentials instead"),
      ], run: unlink),
  ]

  private static func file(_ arguments: Arguments) throws(Failure) -> EditedFile {
    let named = arguments["config"] ?? variable("AWS_CONFIG_FILE").flatMap { $0.isEmpty ? nil : $0 }
    if let named { return EditedFile(path: named) }
    guard let home = variable("HOME"), !home.isEmpty else {
      throw Failure("HOME is not set", hint: "name the file with --config", exitStatus: .configuration)
    }
    mkdir(home + "/.aws", 0o700)
    return EditedFile(path: home + "/.aws/config")
  }

  private static func link(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let wanted = try arguments.positional.isEmpty ? ProfilePicker.chooseSeveral(paths) : arguments.positional
    guard !wanted.isEmpty else { throw Failure("missing argument: PROFILE", exitStatus: .usage) }
    let reader = try VaultReader(path: paths.database)
    let names = try reader.profileNames()
    let prefix = arguments["prefix"] ?? "vault-"
    guard !prefix.isEmpty, isName(prefix + "x") else {
      throw Failure("--prefix: a profile name cannot begin with \"\(prefix)\"", exitStatus: .usage)
    }
    for profile in wanted where !names.contains(profile) {
      throw Failure(
        "no profile \"\(profile)\"",
        hint: Suggestion.nearest(to: profile, in: names).map { "did you mean \($0)?" } ?? "`vault list` shows all \(names.count)",
        exitStatus: .noInput)
    }
    let scope = try SessionScope(arguments)
    if arguments.has("credentials-file") {
      for profile in wanted {
        let isOwn = try reader.origin(of: profile) == SettingOrigin.vault.file
        try linkFile(profile, as: isOwn ? profile : prefix + profile, narrowedTo: scope, paths)
      }
      return
    }
    guard let program = realpath("/proc/self/exe", nil).map({ String(cString: $0) }) else {
      throw Failure("cannot find vault's own program file", exitStatus: .software)
    }
    let options = try commandLine(arguments)
    let file = try file(arguments)
    let regions = try log(wanted, in: file, isLinked: true, paths)
    var linked: [(profile: String, name: String)] = []
    let entries = try wanted.enumerated().map { index, profile in
      (profile, regions.indices.contains(index) ? regions[index] : "", try reader.origin(of: profile) == SettingOrigin.vault.file)
    }
    let isChanged = try file.edit { before in
      linked = []
      try backUp(before, beside: file.path)
      var blocks = MarkedBlocks(before)
      for (profile, region, isOwn) in entries {
        // A profile of the file itself keeps its section; the linked one is added beside it.
        let name = isOwn ? profile : prefix + profile
        guard isName(name) else {
          throw Failure(
            "\"\(name)\" is not a valid profile name in \(file.path)",
            hint: "use letters, digits and _./%@:+- for the name of a link", exitStatus: .badData)
        }
        var text = name == "default" ? "[default]\n" : "[profile \(name)]\n"
        text += "credential_process = \"\(program)\" credentials \(profile)\(options)\n"
        if isName(region) { text += "region = \(region)\n" }
        blocks.put(name, text)
        linked.append((profile, name))
      }
      return blocks.bytes
    }
    for (profile, name) in linked {
      Diagnostics.notice("\(profile): AWS_PROFILE=\(name)" + (isChanged ? "" : " (as before)"))
    }
  }

  /// The options that narrow a session, as the entry's command has them: `credential_process` is split like a shell's words.
  private static func commandLine(_ arguments: Arguments) throws(Failure) -> String {
    var text = ""
    for option in ScopeOptions.narrowing where arguments.has(option.name) {
      guard option.value != nil else {
        text += " --\(option.name)"
        continue
      }
      for value in arguments.all(option.name) {
        guard option.kind != .file || value != "-" else {
          throw Failure("--\(option.name): a link needs a file, which it reads each time", exitStatus: .usage)
        }
        let value = option.kind == .file ? try absolutePath(value) : value
        guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) && ![0x22, 0x24, 0x5C, 0x60].contains($0) }) else {
          throw Failure(
            "--\(option.name): \"\(value)\" cannot stand in an AWS config file",
            hint: "use printable ASCII without quotes, backslashes and dollar signs", exitStatus: .badData)
        }
        text += " --\(option.name) \"\(value)\""
      }
    }
    return text
  }

  private static func unlink(_ arguments: Arguments, _ paths: VaultPaths) throws {
    if arguments.has("credentials-file") { return try unlinkFiles(arguments.positional, paths) }
    let file = try file(arguments)
    var removed: [String] = []
    var missing: [String] = []
    _ = try file.edit { before in
      var blocks = MarkedBlocks(before)
      let known = blocks.names
      removed = []
      missing = []
      for asked in arguments.positional.isEmpty ? known : arguments.positional {
        let name = known.contains(asked) ? asked : known.first { $0.hasSuffix("-" + asked) } ?? asked
        if blocks.remove(name) { removed.append(name) } else { missing.append(asked) }
      }
      if !removed.isEmpty { _ = try log(removed, in: file, isLinked: false, paths) }
      return blocks.bytes
    }
    if let name = missing.first {
      throw Failure(
        "\(file.path) has no link \"\(name)\", or its markers were changed", hint: "you can remove the lines by hand",
        exitStatus: .noInput)
    }
    Diagnostics.notice(removed.isEmpty ? "no links to remove" : "unlinked: \(removed.joined(separator: ", "))")
  }

  /// Writes the audit row before the file is changed.
  ///
  /// - Returns: the region of each linked profile, empty if it has none.
  private static func log(_ names: [String], in file: EditedFile, isLinked: Bool, _ paths: VaultPaths) throws -> [String] {
    let request = try LinkProfilesRequest { ($0.file, $0.names, $0.unlink) = (try absolutePath(file.path), names, !isLinked) }
    return try AgentClient(paths: paths).ask(request)
  }

  // MARK: the credentials file

  private static func credentialsFile() throws(Failure) -> String {
    if let named = variable("AWS_SHARED_CREDENTIALS_FILE"), named.hasPrefix("/") { return named }
    guard let home = variable("HOME"), home.hasPrefix("/") else {
      throw Failure("HOME is not set", hint: "name the file with AWS_SHARED_CREDENTIALS_FILE", exitStatus: .configuration)
    }
    mkdir(home + "/.aws", 0o700)
    return home + "/.aws/credentials"
  }

  private static func linkFile(_ profile: String, as section: String, narrowedTo scope: SessionScope, _ paths: VaultPaths) throws
  {
    guard isName(section) else {
      throw Failure(
        "\"\(section)\" is not a valid profile name", hint: "use letters, digits and _./%@:+- for the name of a link",
        exitStatus: .badData)
    }
    let file = try credentialsFile()
    _ = try AgentClient(paths: paths).ask(
      LinkFileRequest {
        ($0.profile, $0.section, $0.file, $0.scope) = (profile, section, file, scope.isEmpty ? nil : scope)
      })
    Diagnostics.notice("\(profile): [\(section)] in \(file), while the agent runs and the vault is unlocked")
  }

  private static func unlinkFiles(_ names: [String], _ paths: VaultPaths) throws {
    let file = try credentialsFile()
    var removed: [String] = []
    for name in names.isEmpty ? [nil] : names.map({ Optional($0) }) {
      let sections = try AgentClient(paths: paths).ask(UnlinkFileRequest { ($0.file, $0.name) = (file, name) })
      if sections.isEmpty, let name {
        throw Failure(
          "\(file) has no link \"\(name)\"", hint: "`vault unlink --credentials-file` removes all of them", exitStatus: .noInput
        )
      }
      removed += sections
    }
    Diagnostics.notice(removed.isEmpty ? "no links to remove" : "unlinked: \(removed.joined(separator: ", "))")
  }

  /// Keeps a copy of the file as it was before the first link, beside it.
  private static func backUp(_ bytes: [UInt8], beside path: String) throws(Failure) {
    guard !bytes.isEmpty, MarkedBlocks(bytes).names.isEmpty else { return }
    do { _ = try EditedFile(path: path + ".before-vault", isLocked: true).edit { _ in bytes } } catch { throw Failure(error) }
  }

  /// Whether a name can be used unquoted in a section header and on a command line.
  private static func isName(_ text: String) -> Bool {
    (1...256).contains(text.utf8.count) && !text.hasPrefix("-")
      && text.utf8.allSatisfy {
        (48...57).contains($0) || (97...122).contains($0 | 0x20)
          || [0x5F, 0x2E, 0x2F, 0x25, 0x40, 0x3A, 0x2B, 0x2D].contains($0)
      }
  }
}
