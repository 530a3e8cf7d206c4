import AWSConfig
import AWSPolicy
import VaultBytes
import VaultDatabase
import VaultModel

/// `vault show`: one profile, with the origin of every setting, and the chain to its credentials.
enum ShowReport {
  static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.profile(paths)
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let reader = try ReportCommands.reader(paths)
    try requireProfile(name, reader)
    let resolver = ChainResolver(lookup: { kind, name in try? reader.section(kind, name) }, environment: variable)
    let explanation = resolver.explanation(for: name)
    let chain: CredentialChain
    do {
      chain = try resolver.chain(for: name)
    } catch {
      // The profile's settings are shown anyway; the command then fails because the profile gives no credentials.
      if format == .table { showSettings(explanation, isWide: arguments.has(Table.wideOption.name)) }
      throw error
    }
    let session = try reader.currentSession(of: name)
    let check = try reader.iamCheck(of: name)
    let now = SystemClock().now()
    let guards = GuardCommand.Decisions(GuardCommand.rules(paths), reader).decision(for: name)
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      json(
        chain, explanation: explanation, origin: origin(name, reader), session: session, check: check, guards: guards, now: now,
        to: &writer)
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      table(chain, origin: origin(name, reader), session: session, check: check, guards: guards, now: now, to: &output)
      output.flush()
      showSettings(explanation, isWide: arguments.has(Table.wideOption.name))
    }
    output.flush()
  }

  /// - Throws: no input, with the most similar name.
  static func requireProfile(_ name: String, _ reader: VaultReader) throws {
    if try reader.section(.profile, name) != nil { return }
    let names = try reader.profileNames()
    let hint: String
    if let near = Suggestion.nearest(to: name, in: names) {
      hint = "did you mean \(near)?  `vault list` shows all \(names.count)"
    } else {
      hint = names.isEmpty ? "`vault import` imports the profiles of ~/.aws/config" : "`vault list` shows all \(names.count)"
    }
    throw Failure("no profile \"\(name.count > 80 ? name.prefix(80) + "…" : name[...])\"", hint: hint, exitStatus: .noInput)
  }

  private static func origin(_ name: String, _ reader: VaultReader) -> String {
    (try? reader.origin(of: name)) ?? SettingOrigin.vault.file
  }

  // MARK: for a person

  private static func table(
    _ chain: CredentialChain, origin: String, session: SessionRecord?, check: IAMCheckRecord?, guards: GuardDecision,
    now: Timestamp, to output: inout Output
  ) {
    func fact(_ name: String, _ text: String) {
      output.words(text, first: DisplayWidth.padded(name, to: 10), indent: String(repeating: " ", count: 10), longWords: .whole)
    }
    fact("profile", "\(chain.profile)  (\(origin))")
    fact("region", chain.region ?? "-")
    fact("identity", chain.identity.description(isDelivered: chain.roles.isEmpty).text)
    if chain.roles.isEmpty, case .keys(_, _, nil) = chain.identity {
      fact("note", "AWS refuses IAM calls from a session without MFA; `vault exec --no-session` uses the key itself")
    }
    for (role, isChained) in roles(chain) {
      var line = role.roleARN.text
      if let id = role.externalId { line += "  external id \(id)" }
      if let serial = role.mfaSerial { line += "  MFA \(serial)" }
      if let asked = role.duration {
        let granted = asked.limited(chained: isChained)
        line += "  \(TimeText.length(seconds: Int64(granted.seconds)))"
        if granted != asked {
          line += " (requested: \(TimeText.length(seconds: Int64(asked.seconds))); a chained role gets no more)"
        }
      }
      fact("role", line)
    }
    if let session {
      let ends = Terminal.outputIsTerminal ? TimeText.relative(session.expiresAt, now: now) : session.expiresAt.iso8601
      fact("session", "\(session.id)  \(session.state(at: now).rawValue)  \(session.accessKeyId)  ends \(ends)")
    } else {
      fact("session", "none yet")
    }
    if guards.isGuarded {
      let rules = guards.rules.map { "[\($0.section)] \($0.origin)" }.joined(separator: ", ")
      fact("guarded", "\(rules)  `vault guard check \(ShellText.word(chain.profile))` shows what they demand")
    }
    guard !chain.roles.isEmpty || chain.identity.role != nil else { return }
    guard let check, let findings = Finding.read(check.findings) else {
      return fact("AWS side", "`vault iam check` has not been run")
    }
    let when = Terminal.outputIsTerminal ? TimeText.relative(check.checkedAt, now: now) : check.checkedAt.iso8601
    fact("AWS side", "\(CheckCommand.summary(findings))  checked \(when)")
    for finding in findings where finding.state == .differs {
      fact("", "\(finding.check.rawValue): \(finding.detail)")
    }
  }

  /// The roles, and which of them are assumed from a role.
  private static func roles(_ chain: CredentialChain) -> [(RoleLink, isChained: Bool)] {
    chain.roles.enumerated().map { ($1, $0 > 0 || chain.identity.isRole) }
  }

  private static func showSettings(_ explanation: ProfileExplanation, isWide: Bool) {
    var output = Output()
    output.line("")
    var table = Table([.whole("SETTING"), .whole("VALUE"), .whole("FROM"), .whole("EFFECT")], isWide: isWide)
    var facts: [(name: String, value: String, note: String)] = []
    for setting in explanation.settings {
      let why = explanation.ignored.first { $0.name == setting.name && $0.from == setting.origin }?.why
      let from = setting.origin.description
      table.add([setting.name, text(setting.value), from, why.map { "none: \($0)" } ?? "yes"])
      facts.append((setting.name, text(setting.value), why.map { "\(from), no effect: \($0)" } ?? from))
    }
    if table.fits { table.write(to: &output) } else { output.facts(facts) }
    output.flush()
  }

  private static func text(_ value: SettingValue) -> String {
    switch value {
    case .text(let text): text
    case .nested(let lines): lines.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
    }
  }

  // MARK: for a program

  private static func json(
    _ chain: CredentialChain, explanation: ProfileExplanation, origin: String, session: SessionRecord?, check: IAMCheckRecord?,
    guards: GuardDecision, now: Timestamp, to writer: inout JSONWriter
  ) {
    writer.object { writer in
      writer.field("profile", chain.profile)
      writer.field("kind", (chain.roles.isEmpty ? chain.identity.kind : .assumeRole).rawValue)
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
        writer.object { writer in
          for field in chain.identity.description(isDelivered: chain.roles.isEmpty).fields {
            writer.field(field.name, field.value)
          }
        }
        for (role, isChained) in roles(chain) { link(role, isChained: isChained, to: &writer) }
      }
      writer.key("session")
      ListReport.session(session, now: now, to: &writer)
      writer.field("guarded", guards.isGuarded)
      writer.key("iamCheck")
      guard let check, let findings = Finding.read(check.findings) else { return writer.null() }
      writer.object { writer in
        writer.field("checkedAt", check.checkedAt.iso8601)
        writer.key("findings")
        writer.value { $0.append(string: Finding.json(findings).compact()) }
      }
    }
  }

  private static func link(_ role: RoleLink, isChained: Bool, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("kind", "assume-role")
      writer.field("roleArn", role.roleARN.text)
      writer.field("roleSessionName", role.roleSessionName?.text)
      writer.field("externalId", role.externalId)
      writer.field("mfaSerial", role.mfaSerial)
      writer.field("durationSeconds", (role.duration ?? .default).limited(chained: isChained).seconds)
      writer.field("sourceIdentity", role.sourceIdentity)
    }
  }
}
