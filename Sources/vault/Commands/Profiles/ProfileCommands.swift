import AWSConfig
import Glibc
import VaultAudit
import VaultBytes
import VaultModel
import VaultWire

/// `add`, `edit`, `remove` and `import`: the commands that change profiles.
enum ProfileCommands {
  static let all = [
    Command(
      "import", arguments: [ArgumentSpec("FILE", kind: .file, isOptional: true)], topic: .setUp,
      summary: "import profiles from an AWS config file, and watch it for changes",
      examples: [
        Example("vault import --dry-run", "show what would be imported"),
        Example("vault import", "follow ~/.aws/config from now on"),
        Example("vault import --from aws-vault", "take over what aws-vault has"),
      ],
      options: importOptions,
      run: importFiles),
    Command(
      "add", arguments: [ArgumentSpec("PROFILE", kind: .text)], topic: .setUp,
      summary: "add a vault-managed profile",
      examples: [
        Example(
          "vault add app-dev --source corp \\\n    --role-arn arn:aws:iam::123456789012:role/dev",
          "a role that corp's credentials may assume"),
        Example(
          "vault add logs --source app-dev --role-arn \\\n    arn:aws:iam::210987654321:role/logs --duration 1h",
          "a second role that the first one may assume"),
      ], options: settingOptions,
      run: add),
    Command(
      "edit", arguments: [ArgumentSpec("PROFILE", kind: .profile)], topic: .setUp,
      summary: "change a vault-managed profile",
      examples: [
        Example("vault edit app-dev --region eu-central-1", "set the region"),
        Example("vault edit app-dev --unset mfa_serial", "remove a setting"),
      ],
      options: settingOptions + [OptionSpec("unset", value: "NAME", "remove a setting; can be repeated")], run: edit),
    Command(
      "remove", arguments: [ArgumentSpec("PROFILE", kind: .profile)], topic: .setUp,
      summary: "remove a vault-managed profile and forget its sessions",
      examples: [
        Example("vault remove app-dev", "remove app-dev from the vault"),
        Example("vault show app-dev && vault remove app-dev", "look at its settings first"),
      ]
    ) { arguments, paths in
      _ = try AgentClient(paths: paths).ask(.removeProfile(try arguments.required("PROFILE")))
      Diagnostics.notice("removed")
    },
  ]

  // MARK: import

  private static let importOptions = [
    OptionSpec("config", value: "FILE", kind: .file, "the config file (default: AWS_CONFIG_FILE or ~/.aws/config)"),
    OptionSpec(
      "credentials", value: "FILE", kind: .file,
      "the credentials file (default: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials)"),
    OptionSpec("dry-run", "show what would be imported, and change nothing"),
    ImportFrom.option,
    OptionSpec("once", "copy the profiles into the vault without watching the files"),
    PlainKeysCommand.options[0],
    PlainKeysCommand.options[1],
    OptionSpec("format", value: "FORMAT", kind: .words(["table", "json"]), "with --dry-run or --from: table or json"),
    Table.wideOption,
  ]

  private static func importFiles(_ arguments: Arguments, _ paths: VaultPaths) throws {
    guard arguments.has("take-keys") || !arguments.has("link") else {
      throw Failure("--link requires --take-keys", exitStatus: .usage)
    }
    for other in ["dry-run", "from"] where arguments.has("take-keys") && arguments.has(other) {
      throw Failure("--take-keys and --\(other) cannot be combined", exitStatus: .usage)
    }
    if let program = arguments["from"] { return try ImportFrom.run(program: program, arguments, paths) }
    let request = try ImportRequest(arguments)
    if arguments.has("dry-run") {
      return try DryRun.show(
        request, format: try ReportFormat(arguments["format"], allowed: [.table, .json]),
        isWide: arguments.has(Table.wideOption.name), paths: paths)
    }
    let reply = try AgentClient(paths: paths).ask(request)
    for line in reply.warnings + reply.lines { Diagnostics.notice(line) }
    if !arguments.has("take-keys"), let line = reply.plainKeys { Diagnostics.notice(line) }
    try PlainKeysCommand.run(for: request, arguments, paths)
    try ImportNext.tell(paths)
  }

  // MARK: profiles of the vault's own

  private static let settingOptions = [
    OptionSpec("role-arn", value: "ARN", "the role to assume"),
    OptionSpec("source", value: "PROFILE", kind: .profile, "the profile whose credentials are used to assume the role"),
    OptionSpec("region", value: "REGION", kind: .region, "the profile's region"),
    OptionSpec("mfa-serial", value: "SERIAL", "the MFA device that the role requires"),
    OptionSpec("external-id", value: "ID", "the external ID that the trust policy requires"),
    OptionSpec("duration", value: "TIME", kind: .time, "session duration (15m to 12h)"),
    OptionSpec("session-name", value: "NAME", "the role session's name in CloudTrail"),
    OptionSpec("source-identity", value: "NAME", "the source identity of the sessions"),
    OptionSpec("set", value: "NAME=VALUE", "any other setting of an AWS profile; can be repeated"),
  ]

  /// The vault's option names and the settings that they write.
  private static let settingNames = [
    "role-arn": "role_arn", "source": "source_profile", "region": "region", "mfa-serial": "mfa_serial",
    "external-id": "external_id",
    "session-name": "role_session_name", "source-identity": "source_identity",
  ]

  private static func settings(_ arguments: Arguments) throws(Failure) -> [String] {
    var settings: [String] = []
    for option in settingOptions {
      if let name = settingNames[option.name], let value = arguments[option.name] { settings.append("\(name)=\(value)") }
    }
    if let text = arguments["duration"] {
      guard let duration = SessionDuration(text: text) else {
        throw Failure("--duration: \"\(text)\" is not a duration from 15m to 12h", exitStatus: .usage)
      }
      settings.append("duration_seconds=\(duration.seconds)")
    }
    for text in arguments.all("set") {
      guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
        throw Failure("--set: \"\(text)\" is not NAME=VALUE", exitStatus: .usage)
      }
      let name = text[..<equals].lowercased()
      guard name != "aws_secret_access_key", name != "aws_session_token" else {
        throw Failure(
          "--set: secrets do not belong on the command line", hint: "`vault access-key add NAME` asks for it", exitStatus: .usage
        )
      }
      settings.append(text)
    }
    return settings
  }

  private static func add(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try put(arguments, paths, mustExist: false)
  }

  private static func edit(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try put(arguments, paths, mustExist: true)
  }

  private static func put(_ arguments: Arguments, _ paths: VaultPaths, mustExist: Bool) throws {
    let profile = try arguments.required("PROFILE")
    let settings = try settings(arguments)
    guard !settings.isEmpty || !arguments.all("unset").isEmpty else {
      throw Failure("missing setting", hint: "for example --role-arn ARN --source PROFILE", exitStatus: .usage)
    }
    if !mustExist, let change = SignInSettings(settings) {
      let added = try URLSignIn.add(change.url, region: change.region, scopes: change.scopes, name: profile, paths: paths)
      Diagnostics.notice("sso-session \(added.name): \(added.startURL) in \(added.region ?? "")")
      return NextStep.tell("vault login \(ShellText.word(added.name)) --discover")
    }
    let change = ProfileChange {
      ($0.name, $0.set, $0.unset, $0.mustExist) = (profile, settings, arguments.all("unset"), mustExist)
    }
    _ = try AgentClient(paths: paths).ask(.putProfiles([change]))
    Diagnostics.notice(mustExist ? "changed" : "added")
  }
}

/// Settings of an `sso-session`, and of nothing else: a profile would need an account and a role.
private struct SignInSettings {
  var url = ""
  var region: String?
  var scopes: String?

  init?(_ settings: [String]) {
    for setting in settings {
      guard let equals = setting.firstIndex(of: "=") else { return nil }
      let value = String(setting[setting.index(after: equals)...])
      switch setting[..<equals].lowercased() {
      case "sso_start_url": url = value
      case "sso_region": region = value
      case "sso_registration_scopes": scopes = value
      default: return nil
      }
    }
    if url.isEmpty { return nil }
  }
}

extension ImportRequest {
  /// - Throws: no input, if a named file does not exist.
  init(_ arguments: Arguments) throws(Failure) {
    self.init()
    once = arguments.has("once")
    let named = try arguments.single("FILE", required: false)
    guard named == nil || arguments["config"] == nil else {
      throw Failure("FILE and --config cannot be combined", exitStatus: .usage)
    }
    home = variable("HOME")
    let explicit = named ?? arguments["config"]
    let isNamed = explicit != nil || arguments["credentials"] != nil
    config = explicit ?? (isNamed ? nil : variable("AWS_CONFIG_FILE").flatMap(Self.some) ?? home.map { $0 + "/.aws/config" })
    credentials =
      arguments["credentials"]
      ?? (isNamed ? nil : variable("AWS_SHARED_CREDENTIALS_FILE").flatMap(Self.some) ?? home.map { $0 + "/.aws/credentials" })
    // `/dev/null` is the usual way to say "none".
    config = try config.map(absolutePath).flatMap { $0 == "/dev/null" ? nil : $0 }
    credentials = try credentials.map(absolutePath).flatMap { $0 == "/dev/null" ? nil : $0 }
    let present = [config, credentials].compactMap { $0 }.filter { access($0, F_OK) == 0 }
    for path in [explicit, arguments["credentials"]].compactMap({ $0 }) { try existingPath(path) }
    if present.isEmpty {
      throw Failure(
        "neither \(config ?? "a config file") nor \(credentials ?? "a credentials file") exists",
        hint: "name the file: vault import FILE", exitStatus: .noInput)
    }
    guard !isNamed else { return }
    for (name, path) in [("AWS_CONFIG_FILE", config), ("AWS_SHARED_CREDENTIALS_FILE", credentials)] {
      guard variable(name)?.isEmpty == false, let path, access(path, F_OK) != 0 else { continue }
      Diagnostics.notice("\(name) names \(path), which does not exist")
    }
  }

  private static func some(_ text: String) -> String? { text.isEmpty ? nil : text }
}
