import AWSConfig
import AWSPolicy
import CSystem
import Glibc
import VaultAudit
import VaultDatabase
import VaultModel
import VaultWire

/// `vault iam why`: explains a refusal by AWS.
enum WhyCommand {
  static let command = Command(
    "iam why", arguments: [ArgumentSpec("EVENT | PROFILE | -", kind: .oneOf([.profile, .words(["-"])]), isOptional: true)],
    topic: .account,
    summary: "explain why AWS refused a call, and who can change what",
    examples: [
      Example("vault iam why", "explain the newest refusal in the audit log"),
      Example("aws s3 ls 2>&1 | vault iam why -", "explain another program's error"),
    ],
    options: [
      OptionSpec(
        "profile", short: "p", value: "PROFILE", kind: .profile, "look at the account as this profile, such as an administrator's"
      ),
      OptionSpec("offline", "explain from AWS's words alone, without a look at the account"),
      OptionSpec("no-session", "with --profile: sign with the access keys themselves, which IAM requires of keys without MFA"),
      OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
      OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
      OptionSpec("format", value: "FORMAT", kind: .words(["table", "json"]), "table or json"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let word = try arguments.single("EVENT, PROFILE or -", required: false)
    let reader = try VaultReader(path: paths.database)
    if let profile = arguments["profile"] { try ShowReport.requireProfile(profile, reader) }
    var report: WhyReport
    if word == "-" {
      guard let denial = Denial(reading: try pasted()) else {
        throw Failure(
          "this tells of no refusal by AWS", hint: "paste the whole error, the JSON of it, or its event of CloudTrail",
          exitStatus: .badData)
      }
      report = WhyReport(denial)
    } else {
      let record = try record(word, reader)
      guard let denial = denial(record) else {
        throw Failure(
          "\(record.id) is no refusal by AWS: \(record.event.action.rawValue), \(record.event.outcome.rawValue)",
          hint: "`vault audit --outcome refused` shows the refusals", exitStatus: .badData)
      }
      report = WhyReport(denial, record: record)
      report.later = try success(after: record, reader)
    }
    report.call = [report.record?.event.profile, arguments["profile"]].lazy.compactMap { call($0, of: report, reader) }.first
    report.profiles = try profiles(of: report.denial, reader)
    if let profile = arguments["profile"] {
      try ask(&report, with: IssueRequest(arguments, profile: profile, trigger: .manual), paths: paths)
    }
    if !arguments.has("offline") { try look(&report, arguments, paths: paths) }
    report.write(as: format)
  }

  // MARK: which refusal

  /// Standard input, to its end.
  private static func pasted() throws(Failure) -> [UInt8] {
    if isatty(0) == 1 { Diagnostics.notice("paste the error, then press Enter and Ctrl-D") }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(0, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Failure("cannot read standard input (errno \(errno))", exitStatus: .noInput) }
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
      guard bytes.count <= Denial.maxBytes else {
        throw Failure("standard input is longer than 1 MiB", hint: "paste the one error that is meant", exitStatus: .badData)
      }
    }
  }

  /// The event of this id; else the last refusal of the profile, or of any.
  private static func record(_ word: String?, _ reader: VaultReader) throws -> AuditRecord {
    if let word, word.hasPrefix("evt_") {
      var filter = AuditFilter()
      (filter.id, filter.includesIntents) = (word, true)
      guard let record = try reader.auditRecords(filter).first else {
        throw Failure(
          "no event \(word) in the audit log", hint: "`vault audit --outcome refused --format json` has the ids",
          exitStatus: .noInput)
      }
      return record
    }
    let profile = word ?? Arguments.namedProfile
    if let word { try ShowReport.requireProfile(word, reader) }
    var profiles: [String?] = [profile]
    // A refusal is logged with the profile whose call it was, which may be a source of the one that was asked for.
    if let profile, let chain = try? chain(profile, reader) {
      let own = Set(chain.roles.map(\.profile) + [chain.identity.profile].compactMap { $0 }).subtracting([profile])
      profiles += own.sorted()
    }
    var newest: AuditRecord?
    for profile in profiles {
      for outcome in [AuditOutcome.refused, .failure] {
        var filter = AuditFilter()
        (filter.profile, filter.outcome, filter.limit, filter.reverse) = (profile, outcome, 100, true)
        guard let found = try reader.auditRecords(filter).first(where: { denial($0) != nil }) else { continue }
        if newest.map({ $0.sequence < found.sequence }) ?? true { newest = found }
      }
    }
    if let newest { return newest }
    throw Failure(
      "no refusal by AWS in the audit log" + (profile.map { " of \($0)" } ?? ""),
      hint: "`vault iam why -` explains an error that you paste", exitStatus: .noInput)
  }

  /// The refusal by AWS that a row tells of; nil for a row of another kind.
  private static func denial(_ record: AuditRecord) -> Denial? {
    let event = record.event
    guard event.outcome == .refused || event.outcome == .failure, calls.contains(event.action), let error = event.error,
      var denial = Denial(error, operation: event.action.rawValue)
    else { return nil }
    denial.requestedRole = event.roleARN
    return denial
  }

  private static let calls: Set<AuditAction> = [
    .assumeRole, .assumeRoleWithWebIdentity, .assumeRoleWithSAML, .getSessionToken, .getFederationToken, .getRoleCredentials,
    .createAccessKey, .deleteAccessKey, .decodeAuthorizationMessage, .getRequestAuthorizationDetails,
  ]

  /// The time of a later success of the same call.
  private static func success(after record: AuditRecord, _ reader: VaultReader) throws -> Timestamp? {
    guard let profile = record.event.profile else { return nil }
    var filter = AuditFilter()
    (filter.profile, filter.action, filter.outcome) = (profile, record.event.action, .success)
    (filter.limit, filter.after) = (1, record.sequence)
    return try reader.auditRecords(filter).first?.time
  }

  // MARK: what else is known

  private static func chain(_ profile: String, _ reader: VaultReader) throws -> CredentialChain {
    try ChainResolver(lookup: { kind, name in try? reader.section(kind, name) }, environment: variable).chain(for: profile)
  }

  /// What the profile sends for the role that was refused; nil if it has no such role now.
  private static func call(_ profile: String?, of report: WhyReport, _ reader: VaultReader) -> AccessNeeds? {
    guard let profile, let chain = try? chain(profile, reader) else { return nil }
    let calls = AccessNeeds.calls(of: chain)
    guard let role = report.denial.role else { return calls.last }
    guard var call = calls.last(where: { $0.role == role }) else { return nil }
    // The profile may have been changed since; the row says what was sent.
    if let event = report.record?.event, event.action == .assumeRole, call.sent.sourceIdentity != event.sourceIdentity {
      call.sent.sourceIdentity = event.sourceIdentity ?? call.sent.sourceIdentity
    }
    return call
  }

  /// The profiles that assume a role from the permission set that was refused something else: what was to be done is the role's
  /// work.
  private static func profiles(of denial: Denial, _ reader: VaultReader) throws -> [String] {
    guard denial.action?.hasPrefix("sts:") != true, let caller = denial.principal.flatMap({ CallerName($0) }),
      case .permissionSet(let name) = caller.kind
    else { return [] }
    return try reader.profileNames().filter { profile in
      guard let chain = try? chain(profile, reader), !chain.roles.isEmpty, case .sso(_, let account, let role, _) = chain.identity
      else { return false }
      return role == name && account == caller.account
    }
  }

  /// Compares the account with what the profile needs, where AWS's words leave open which side refused to have a role assumed.
  private static func look(_ report: inout WhyReport, _ arguments: Arguments, paths: VaultPaths) throws {
    guard report.denial.isAssumeRole, let call = report.call, DenialCause(report.denial, call: call).isOpen else { return }
    do {
      let reply = try AgentClient(paths: paths).ask(
        IAMCheckRequest(arguments, profile: call.profile, reader: arguments["profile"]))
      report.findings = Finding.read(reply.withBytes { String(decoding: $0, as: UTF8.self) }) ?? []
    } catch let failure as Failure { report.notAsked.append(failure.message) }
    report.missingPermission = report.findings.lazy.compactMap(\.missingPermission).first ?? report.missingPermission
  }

  /// Asks AWS, if there is something to ask for. That it does not tell is reported, and the words alone are explained.
  private static func ask(_ report: inout WhyReport, with credentials: IssueRequest, paths: VaultPaths) throws {
    for question in Question.allCases {
      guard let request = question.request(report.denial, with: credentials) else { continue }
      let reply: DenialReply
      do {
        reply = try AgentClient(paths: paths).ask(request)
      } catch let failure as Failure where [.refused, .unavailable, .temporary].contains(failure.exitStatus) {
        report.notAsked.append(failure.message)
        continue
      }
      guard let fault = reply.fault else {
        report.denial = report.denial.completed(by: Denial(reply))
        return
      }
      report.notAsked.append(fault)
      report.missingPermission = reply.missingPermission ?? report.missingPermission
    }
  }
}

/// What AWS can be asked about a refusal; the first answer is enough.
private enum Question: CaseIterable {
  case authorization, message

  /// - Returns: nil if the refusal has nothing of the kind.
  func request(_ denial: Denial, with credentials: IssueRequest) -> DenialRequest? {
    var request = DenialRequest()
    request.credentials = credentials
    switch self {
    case .authorization:
      request.authorizationId = denial.authorizationId
      request.credentials.region = denial.authorizationRegion
    case .message: request.encodedMessage = denial.encodedMessage
    }
    return (request.authorizationId ?? request.encodedMessage) == nil ? nil : request
  }
}

extension Denial {
  /// What AWS told the agent.
  fileprivate init(_ reply: DenialReply) {
    self.init(message: "")
    (principal, action, resource) = (reply.principal, reply.action, reply.resource)
    policyType = reply.policyType.flatMap { PolicyType(rawValue: $0) }
    (isExplicit, policyARN, sid) = (reply.isExplicit, reply.policyARN, reply.sid)
  }
}
