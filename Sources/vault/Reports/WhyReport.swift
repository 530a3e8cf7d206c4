import AWSPolicy
import VaultBytes
import VaultModel

/// The explanation of a refusal, for a person or a program.
struct WhyReport {
  var denial: Denial
  /// The row of our log that tells of it.
  let record: AuditRecord?
  /// What the profile sends for the role.
  var call: AccessNeeds?
  /// The profiles that assume a role from the permission set that was refused.
  var profiles: [String] = []
  /// What the account has, compared with what the profile needs; empty if nobody looked.
  var findings: [Finding] = []
  /// When the same call succeeded since.
  var later: Timestamp?
  /// Why AWS did not tell more when it was asked.
  var notAsked: [String] = []
  var missingPermission: String?

  init(_ denial: Denial, record: AuditRecord? = nil) {
    self.denial = denial
    self.record = record
  }

  func write(as format: ReportFormat) {
    let first = DenialCause(denial, call: call)
    let cause = first.completed(by: findings)
    // The account's findings have whole policies, and the words alone a statement.
    let isWhole = cause.fix?.document != first.fix?.document
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      json(cause, to: &writer)
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      text(cause, isWhole: isWhole, to: &output)
    }
    output.flush()
  }

  // MARK: for a person

  private func text(_ cause: DenialCause, isWhole: Bool, to output: inout Output) {
    func lines(_ lines: [String]) { for line in lines { output.line(safeText(line)) } }
    func fact(_ name: String, _ value: String?) {
      guard let value else { return }
      let name = name.padded(to: 10)
      lines(WrappedText.lines(value, first: name, indent: "".padded(to: 10)))
    }
    if let news {
      output.line(news)
      output.line("")
    }
    lines(WrappedText.lines("AWS refused \(denial.action ?? denial.operation ?? "the call")."))
    let caller = denial.principal.flatMap { CallerName($0) }
    fact("caller", caller.map { "\($0.words), account \($0.account)" } ?? denial.principal)
    fact("on", denial.resource ?? denial.requestedRole)
    fact("by", side(cause))
    fact("policy", cause.policyARN)
    fact("statement", cause.sid)
    fact("profile", record?.event.profile ?? call?.profile)
    if let record {
      fact("event", "\(record.id), \(record.time.iso8601)")
      fact("carried", record.event.detail)
    }
    output.line("")
    lines(WrappedText.lines(cause.explanation))
    if cause.possible.isEmpty {
      fix(cause.fix, title: isWhole ? wholeTitle(cause.fix?.document) : "The statement to add:", to: &output)
    } else {
      output.line("")
      output.line(cause.refusedBy == .unknown ? "It can be, most likely first:" : "Either of these:")
      for (index, possibility) in cause.possible.enumerated() {
        let number = "\(index + 1).".padded(to: 4)
        lines(WrappedText.lines(possibility.explanation, first: number, indent: "    "))
        if let fix = possibility.fix { lines(WrappedText.lines("→ \(fix.who)", first: "    ", indent: "      ")) }
      }
      documents(cause, to: &output)
    }
    closing(to: &output)
  }

  /// Whether the same call was made anew and succeeded; nil if nobody knows.
  private var succeedsNow: Bool? {
    switch findings.last(where: { $0.check == .assumeRole })?.state {
    case .ok: true
    case .differs: false
    default: nil
    }
  }

  /// What makes the rest less urgent.
  private var news: String? {
    succeedsNow == true ? "The same call succeeds now." : later.map { "The same call has succeeded since, at \($0.iso8601)." }
  }

  private func side(_ cause: DenialCause) -> String {
    let how = cause.isExplicit ? " (a Deny statement)" : ""
    switch cause.refusedBy {
    case .trustPolicy: return "the role's trust policy" + how
    case .identityPolicy: return "the caller's own policies" + how
    case .permissionsBoundary: return "the caller's permissions boundary" + how
    case .sessionPolicy: return "the session policy" + how
    case .scp: return "a service control policy of the organization" + how
    case .rcp: return "a resource control policy of the organization" + how
    case .endpointPolicy: return "the policy of a VPC endpoint" + how
    case .mfa: return "a demand for MFA"
    case .externalId: return "the external id"
    case .duration: return "the limit of the session's duration"
    case .clock: return "the check of the time of the signature"
    case .chain: return "the limits of role chaining"
    case .region: return "the region"
    case .sourceIdentity: return "the permission to pass a source identity (sts:SetSourceIdentity)"
    case .tags: return "the permission to pass session tags (sts:TagSession)"
    case .unknown where cause.possible.isEmpty && denial.policyType == nil: return "AWS itself, and no policy"
    case .unknown: return denial.policyType.map { "a \($0.rawValue)" + how } ?? "a side that AWS does not name" + how
    }
  }

  private func fix(_ fix: DenialCause.Fix?, title: String, to output: inout Output) {
    guard let fix else { return }
    output.line("")
    for line in WrappedText.lines(fix.who, first: "Who can change it: ", indent: "  ") { output.line(safeText(line)) }
    document(fix.document, title, to: &output)
  }

  /// The title of a document from the account's findings: the whole trust policy, or the whole inline policy of a permission set,
  /// which has one; else a policy to add.
  private func wholeTitle(_ document: PolicyDocument?) -> String {
    if document?.statements.contains(where: { $0.principals != nil }) == true { return "The trust policy as it should be:" }
    if case .permissionSet? = call?.door { return "The permission set's inline policy as it should be:" }
    return "The policy to add:"
  }

  /// The statements of the two sides that a call for a role needs, each once.
  private func documents(_ cause: DenialCause, to output: inout Output) {
    var shown: Set<PolicyDocument> = []
    for possibility in cause.possible {
      guard let document = possibility.fix?.document, shown.insert(document).inserted else { continue }
      let place =
        possibility.side == .identityPolicy
        ? "A statement for the caller's own policies:" : "A statement for the role's trust policy:"
      self.document(document, place, to: &output)
    }
  }

  private func document(_ document: PolicyDocument?, _ title: String, to output: inout Output) {
    guard let document else { return }
    output.line("")
    output.line(title)
    output.line("")
    output.document(document.json.pretty())
  }

  private func closing(to output: inout Output) {
    var notes: [String] = []
    if !profiles.isEmpty {
      let more = profiles.count > 8 ? ", …" : ""
      notes.append("Profiles that assume a role from it: \(profiles.prefix(8).joined(separator: ", "))\(more).")
    }
    if denial.others > 0 { notes.append("The text has \(denial.others + 1) different refusals; this is the last of them.") }
    for fault in notAsked { notes.append("AWS was asked for more and did not tell: \(fault).") }
    if let missingPermission { notes.append("The permission that asking needs: \(missingPermission).") }
    if notAsked.isEmpty, !denial.isEvaluated { notes += [needed].compactMap { $0 } }
    for note in notes {
      output.line("")
      for line in WrappedText.lines(note) { output.line(safeText(line)) }
    }
  }

  /// How more can be known.
  private var needed: String? {
    if denial.authorizationId != nil {
      return
        "AWS has the whole evaluation for a day: `--profile PROFILE` asks for it (permission iam:GetRequestAuthorizationDetails)."
    }
    if denial.encodedMessage != nil {
      return "AWS can decode the message: `--profile PROFILE` asks for it (permission sts:DecodeAuthorizationMessage)."
    }
    if denial.isAssumeRole, findings.isEmpty {
      return
        "To look at the role and at the caller's policies, name the profile that was refused; `--profile PROFILE` looks as an "
        + "administrator (permission iam:GetRole)."
    }
    return nil
  }

  // MARK: for a program

  private func json(_ cause: DenialCause, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.field("action", denial.action)
      writer.field("principal", denial.principal)
      writer.field("resource", denial.resource ?? denial.requestedRole)
      writer.field("refusedBy", cause.refusedBy.rawValue)
      writer.field("explicit", cause.isExplicit)
      writer.field("policyArn", cause.policyARN)
      writer.field("sid", cause.sid)
      writer.field("explanation", cause.explanation)
      // Where nothing is certain, a program must not take the first guess for the answer.
      let isKnown = cause.refusedBy != .unknown
      Self.fix(isKnown ? cause.fix : nil, to: &writer)
      writer.key("possible")
      writer.array { writer in
        for possibility in cause.possible {
          Self.possibility(possibility.side, possibility.explanation, fix: possibility.fix, to: &writer)
        }
        // What to do about it is known, and only its side has no name here: that of a bucket's policy, of expired credentials.
        if !isKnown, cause.possible.isEmpty { Self.possibility(cause.refusedBy, cause.explanation, fix: cause.fix, to: &writer) }
      }
      writer.key("profiles")
      writer.array { writer in for profile in profiles { writer.string(profile) } }
      writer.field("event", record?.id)
      writer.field("missingPermission", missingPermission)
      if let succeedsNow {
        writer.field("succeedsNow", succeedsNow)
      } else {
        writer.key("succeedsNow")
        writer.null()
      }
    }
  }

  private static func possibility(
    _ side: DenialCause.Side, _ explanation: String, fix: DenialCause.Fix?, to writer: inout JSONWriter
  ) {
    writer.object { writer in
      writer.field("refusedBy", side.rawValue)
      writer.field("explanation", explanation)
      Self.fix(fix, to: &writer)
    }
  }

  private static func fix(_ fix: DenialCause.Fix?, to writer: inout JSONWriter) {
    writer.key("fix")
    guard let fix else { return writer.null() }
    writer.object { writer in
      writer.field("who", fix.who)
      writer.key("document")
      if let document = fix.document { writer.value { $0.append(string: document.json.compact()) } } else { writer.null() }
    }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
