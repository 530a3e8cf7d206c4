import AWSConfig
import VaultBytes
import VaultDatabase
import VaultModel

/// `vault show`: one profile, every setting with its place, and the way to its credentials.
enum ShowReport {
  static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.profile()
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let reader = try ReportCommands.reader(paths)
    try requireProfile(name, reader)
    let resolver = ChainResolver(lookup: { kind, name in try? reader.section(kind, name) }, environment: variable)
    let explanation = resolver.explanation(for: name)
    let chain: CredentialChain
    do {
      chain = try resolver.chain(for: name)
    } catch {
      // What the profile has is shown all the same; that it leads nowhere is the command's end.
      if format == .table { showSettings(explanation) }
      throw error
    }
    let session = try reader.currentSession(of: name)
    let now = SystemClock().now()
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      json(chain, explanation, origin(name, reader), session, now, &writer)
      output.write(bytes: writer.take())
      output.write("\n")
    } else {
      table(chain, origin(name, reader), session, now, &output)
      output.flush()
      showSettings(explanation)
    }
    output.flush()
  }

  /// - Throws: no input, with the name that was probably meant.
  static func requireProfile(_ name: String, _ reader: VaultReader) throws {
    if try reader.section(.profile, name) != nil { return }
    let names = try reader.profileNames()
    let hint: String
    if let near = Suggestion.nearest(to: name, in: names) {
      hint = "did you mean \(near)?  `vault list` shows all \(names.count)"
    } else {
      hint = names.isEmpty ? "`vault import` takes the profiles of ~/.aws/config" : "`vault list` shows all \(names.count)"
    }
    throw Failure("no profile \"\(name.count > 80 ? name.prefix(80) + "…" : name[...])\"", hint: hint, exitStatus: .noInput)
  }

  private static func origin(_ name: String, _ reader: VaultReader) -> String {
    (try? reader.origin(of: name)) ?? SettingOrigin.vault.file
  }

  // MARK: for a person

  private static func table(
    _ chain: CredentialChain, _ origin: String, _ session: SessionRecord?, _ now: Timestamp, _ output: inout Output
  ) {
    output.line("profile   \(safeText(chain.profile))  (\(safeText(origin)))")
    output.line("region    \(safeText(chain.region ?? "-"))")
    output.line("identity  \(safeText(describe(chain.identity, isDelivered: chain.roles.isEmpty)))")
    if chain.roles.isEmpty, case .keys(_, _, nil) = chain.identity {
      output.line(
        "note      AWS refuses IAM's calls to a session of keys that had no MFA; `vault exec --no-session` gives the key itself")
    }
    for (role, isChained) in roles(chain) {
      var line = "role      \(role.roleARN.text)"
      if let id = role.externalId { line += "  external id \(id)" }
      if let serial = role.mfaSerial { line += "  MFA \(serial)" }
      if let asked = role.duration {
        let granted = asked.limited(chained: isChained)
        line += "  \(TimeText.length(seconds: Int64(granted.seconds)))"
        if granted != asked { line += " (asked: \(TimeText.length(seconds: Int64(asked.seconds))); a chained role gets no more)" }
      }
      output.line(safeText(line))
    }
    if let session {
      let ends = Terminal.outputIsTerminal ? TimeText.relative(session.expiresAt, now: now) : session.expiresAt.iso8601
      output.line("session   \(session.id)  \(session.state(at: now).rawValue)  \(session.accessKeyId)  ends \(ends)")
    } else {
      output.line("session   none yet")
    }
  }

  /// The roles, and which of them are assumed from a role.
  private static func roles(_ chain: CredentialChain) -> [(RoleLink, isChained: Bool)] {
    chain.roles.enumerated().map { ($1, $0 > 0 || chain.identity.isRole) }
  }

  private static func showSettings(_ explanation: ProfileExplanation) {
    var output = Output()
    output.line("")
    var table = Table(["SETTING", "VALUE", "FROM", "EFFECT"])
    for setting in explanation.settings {
      let why = explanation.ignored.first { $0.name == setting.name && $0.from == setting.origin }?.why
      table.add([setting.name, text(setting.value), setting.origin.description, why.map { "none: \($0)" } ?? "yes"])
    }
    table.write(to: &output)
    output.flush()
  }

  private static func text(_ value: SettingValue) -> String {
    switch value {
    case .text(let text): text
    case .nested(let lines): lines.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
    }
  }

  /// - Parameter isDelivered: whether no role comes after it. A role's call has the device of the role's profile alone, as in the SDKs.
  private static func describe(_ identity: IdentityLink, isDelivered: Bool) -> String {
    switch identity {
    case .keys(let name, let id, let serial):
      "access key \(name) \(id ?? "")" + (isDelivered ? serial.map { "  MFA \($0)" } ?? "" : "")
    case .sso(_, let account, let role, let place):
      "IAM Identity Center \(place.startURL), account \(account), permission set \(role)"
    case .webIdentity(let role, let token): "web identity \(describe(token)) for \(role.roleARN.text)"
    case .saml(let role, _, let command): "SAML assertion of \(command ?? "standard input") for \(role.roleARN.text)"
    case .process(_, let command): "command \(command)"
    case .container: "container endpoint"
    case .instance: "instance metadata"
    case .environment: "environment"
    }
  }

  private static func describe(_ token: WebIdentityToken) -> String {
    switch token {
    case .file(let file): file
    case .process(let command): "of the command \(command)"
    case .gitHubActions(let audience): "of GitHub Actions for \(audience)"
    }
  }

  // MARK: for a program

  private static func json(
    _ chain: CredentialChain, _ explanation: ProfileExplanation, _ origin: String, _ session: SessionRecord?, _ now: Timestamp,
    _ writer: inout JSONWriter
  ) {
    writer.object { writer in
      writer.field("profile", chain.profile)
      writer.field("kind", kind(chain))
      writer.field("region", chain.region)
      writer.field("origin", origin)
      writer.key("settings")
      writer.array { writer in
        for setting in explanation.settings {
          writer.object { writer in
            writer.field("name", setting.name)
            writer.key("value")
            DryRun.value(setting.value, &writer)
            writer.field("from", setting.origin.description)
          }
        }
      }
      writer.key("ignored")
      writer.array { writer in
        for setting in explanation.ignored {
          writer.object { writer in
            writer.field("name", setting.name)
            writer.field("from", setting.from.description)
            writer.field("why", setting.why)
          }
        }
      }
      writer.key("chain")
      writer.array { writer in
        identity(chain.identity, isDelivered: chain.roles.isEmpty, &writer)
        for (role, isChained) in roles(chain) { link(role, isChained, &writer) }
      }
      writer.key("session")
      ListReport.session(session, now, &writer)
    }
  }

  private static func kind(_ chain: CredentialChain) -> String {
    if !chain.roles.isEmpty { return ProfileKind.assumeRole.rawValue }
    switch chain.identity {
    case .keys: return ProfileKind.keys.rawValue
    case .sso: return ProfileKind.sso.rawValue
    case .webIdentity: return ProfileKind.webIdentity.rawValue
    case .saml: return ProfileKind.saml.rawValue
    case .process: return ProfileKind.process.rawValue
    case .container, .instance: return ProfileKind.container.rawValue
    case .environment: return ProfileKind.environment.rawValue
    }
  }

  private static func identity(_ identity: IdentityLink, isDelivered: Bool, _ writer: inout JSONWriter) {
    writer.object { writer in
      switch identity {
      case .keys(_, let id, let serial):
        writer.field("kind", "keys")
        writer.field("accessKeyId", id)
        writer.field("accountId", nil as String?)
        writer.field("mfaSerial", isDelivered ? serial : nil)
      case .sso(_, let account, let role, let place):
        writer.field("kind", "sso")
        writer.field("accountId", account)
        writer.field("roleName", role)
        writer.field("startUrl", place.startURL)
        writer.field("region", place.region)
        writer.field("ssoSession", place.isSession ? place.name : nil)
      case .webIdentity(let role, let token):
        writer.field("kind", "web-identity")
        writer.field("roleArn", role.roleARN.text)
        switch token {
        case .file(let file): writer.field("tokenFile", file)
        case .process(let command):
          writer.field("tokenFile", nil as String?)
          writer.field("tokenCommand", command)
        case .gitHubActions(let audience):
          writer.field("tokenFile", nil as String?)
          writer.field("tokenSource", "GitHubActions")
          writer.field("audience", audience)
        }
        writer.field("roleSessionName", role.roleSessionName?.text)
      case .saml(let role, let provider, let command):
        writer.field("kind", "saml")
        writer.field("roleArn", role.roleARN.text)
        writer.field("providerArn", provider)
        writer.field("command", command)
      case .process(_, let command):
        writer.field("kind", "process")
        writer.field("command", command)
      case .container: writer.field("kind", "container")
      case .instance: writer.field("kind", "instance")
      case .environment: writer.field("kind", "environment")
      }
    }
  }

  private static func link(_ role: RoleLink, _ isChained: Bool, _ writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("kind", "assume-role")
      writer.field("roleArn", role.roleARN.text)
      writer.field("roleSessionName", role.roleSessionName?.text)
      writer.field("externalId", role.externalId)
      writer.field("mfaSerial", role.mfaSerial)
      writer.field("durationSeconds", (role.duration ?? .standard).limited(chained: isChained).seconds)
      writer.field("sourceIdentity", role.sourceIdentity)
    }
  }
}
