import AWSPolicy
import VaultAudit
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `vault revoke --in-aws`: each role denies what it issued until now.
struct RevokeInAWS {
  /// A role, and what of its sessions is meant.
  struct Role {
    let arn: RoleARN
    /// None for all of its sessions.
    var names: [RoleSessionName] = []
    /// The automation runs to which the sessions of these names belong; none unless AWS can tell them by their tags.
    var runs: [String] = []

    var reach: RevocationPolicy.Reach { names.isEmpty ? .all : .sessions(names, runs: runs) }
  }

  /// A session as a policy can name it.
  private struct Named: Hashable {
    let name: RoleSessionName
    let run: String?
  }

  private let paths: VaultPaths
  /// The profile that puts the policies; nil to print them.
  private let profile: String?
  /// Whether the policies are printed, and nothing is changed.
  let prints: Bool
  private let agrees: Bool
  private let mfaCode: WireBytes?
  private let reason: String?
  private(set) var roles: [Role] = []
  /// What no policy reaches, and who does.
  private var others: Set<String> = []

  /// - Throws: usage, before anything is revoked.
  init(_ arguments: Arguments, for request: RevokeRequest, _ paths: VaultPaths) throws {
    self.paths = paths
    prints = arguments.has("print")
    profile = arguments["with"]
    guard prints != (profile != nil) else {
      throw Failure(
        prints ? "--print and --with cannot be combined" : "--in-aws needs a profile that may put the policy",
        hint: "--with PROFILE, such as an administrator's; or --print", exitStatus: .usage)
    }
    if prints, let option = ["yes", "mfa-code", "reason"].first(where: { arguments.has($0) }) {
      throw Failure("--print only prints: --\(option) has no effect", exitStatus: .usage)
    }
    agrees = arguments.has("yes")
    guard prints || agrees || Dialogue.isPossible else {
      throw Failure("nobody can be asked here", hint: "--yes puts the policy without a question", exitStatus: .usage)
    }
    mfaCode = arguments["mfa-code"].map { WireBytes($0) }
    reason = request.reason
    let reader = try VaultReader(path: paths.database)
    if let profile { try ShowReport.requireProfile(profile, reader) }
    try find(request, reader)
    // Its own sessions are refused too, once its role has the policy.
    if let own = try profile.flatMap({ try reader.profileRole($0) }), let place = roles.firstIndex(where: { $0.arn.text == own })
    {
      roles.append(roles.remove(at: place))
    }
    if prints, roles.isEmpty, let name = request.profile { try ShowReport.requireProfile(name, reader) }
  }

  /// The roles of all that AWS may still accept, however it ended here.
  private mutating func find(_ request: RevokeRequest, _ reader: VaultReader) throws {
    let isWhole = request.all || request.profile != nil
    let now = SystemClock().now()
    // A process of this number that ended before was another one.
    let start = request.pid.flatMap { Int32(exactly: $0) }.flatMap { ProcessIdentity(running: $0)?.startTime(at: now) }
    var found: [String: [Named]] = [:]
    for session in try reader.unexpiredSessions(at: now) where try isMeant(session, by: request, since: start, reader) {
      guard let arn = session.roleARN, session.kind == .role || !isReserved(arn) else {
        others.insert(other(session))
        continue
      }
      if isReserved(arn) {
        others.insert(other(session))
      } else {
        let name = session.roleSessionName.flatMap { RoleSessionName($0) }
        found[arn, default: []] += name.map { [Named(name: $0, run: run(of: session))] } ?? []
      }
    }
    // A profile's role may have sessions that only other machines know.
    if let name = request.profile, let arn = try reader.profileRole(name), !isReserved(arn) { found[arn, default: []] += [] }
    for (text, sessions) in found.sorted(by: { $0.key < $1.key }) {
      guard let arn = RoleARN(text) else { continue }
      var role = Role(arn: arn)
      if !isWhole {
        role.names = Set(sessions.map(\.name)).sorted { $0.text < $1.text }
        let runs = sessions.compactMap(\.run)
        // One that is without its tag is told by its name alone.
        if runs.count == sessions.count { role.runs = Set(runs).sorted() }
      }
      // Without its name, a session cannot be told from others.
      if isWhole || !role.names.isEmpty { roles.append(role) }
    }
  }

  /// The run that a session's tag names.
  private func run(of session: SessionRecord) -> String? {
    session.scope.flatMap { try? JSONText(Array($0.utf8)) }?.value["tags"]?[SessionTag.run]?.string
  }

  private func isMeant(
    _ session: SessionRecord, by request: RevokeRequest, since start: Timestamp?, _ reader: VaultReader
  ) throws -> Bool {
    if request.all { return true }
    if let profile = request.profile { return session.profile == profile }
    if let id = request.session { return session.id == id || session.accessKeyId == id }
    return try reader.deliveries(of: session).contains { delivery in
      let who = delivery.row.event.requester
      guard let pid = request.pid else { return who.automation?.name == request.automation }
      return Int(who.pid) == pid && start.map { delivery.row.time >= $0 } ?? true
    }
  }

  /// Roles of IAM Identity Center and of services cannot be changed in IAM (IAM User Guide, "Disabling permissions for temporary security
  /// credentials").
  private func isReserved(_ arn: String) -> Bool {
    arn.contains(":role/aws-reserved/") || arn.contains(":role/aws-service-role/") || arn.contains("/AWSReservedSSO_")
  }

  private func other(_ session: SessionRecord) -> String {
    session.roleARN.map { _ in "\(session.profile): a permission set, whose sessions IAM Identity Center revokes" }
      ?? "\(session.profile): an identity's own session; deactivate its key, or end its sign-in"
  }

  /// Prints the commands, or puts the policies.
  func run() throws {
    for text in others.sorted() { Diagnostics.notice("not reached in AWS: \(text)") }
    guard !roles.isEmpty else {
      throw Failure("AWS accepts nothing of it that a role's policy could refuse", exitStatus: .noInput)
    }
    guard let profile else { return try printCommands() }
    var fault: Failure?
    for role in roles {
      do {
        try put(role, with: profile)
      } catch {
        let failure = Failure(error)
        if roles.count == 1 { throw failure }
        Diagnostics.notice("\(role.arn.name): \(failure.message)")
        fault = fault ?? failure
      }
    }
    if let fault { throw Failure("not every role refuses what it issued", exitStatus: fault.exitStatus) }
  }

  private func put(_ role: Role, with profile: String) throws {
    let client = AgentClient(paths: paths)
    var request = RevokeInAWSRequest {
      ($0.profile, $0.roleARN, $0.sessionNames, $0.runs) = (profile, role.arn.text, role.names.map(\.text), role.runs)
      ($0.mfaCode, $0.reason) = (mfaCode, reason)
    }
    let shown = try client.ask(request)
    if !agrees {
      guard let document = try? JSONText(shown.document.withBytes { Array($0) }) else {
        throw Failure("the agent's reply cannot be read", exitStatus: .software)
      }
      Diagnostics.notice(
        "\(shown.isAddition ? "the policy \(shown.policyName) of \(role.arn.name) becomes" : "\(role.arn.name) gets the policy \(shown.policyName)"):"
      )
      Diagnostics.write(document.value.pretty().split(separator: "\n").map { safeText(String($0)) + "\n" }.joined())
      guard Dialogue.agrees("Put it? \(reach(role))") else { throw Failure("nothing was put", exitStatus: .refused) }
    }
    (request.before, request.document) = (shown.before, shown.document)
    _ = try client.ask(request)
    Diagnostics.notice(
      "\(role.arn.name) refuses \(role.names.isEmpty ? "every session" : "its sessions named \(role.names.map(\.text).joined(separator: ", "))")"
        + " issued before \(shown.before.iso8601); it may take AWS a few minutes")
  }

  private func reach(_ role: Role) -> String {
    if role.names.isEmpty { return "Everybody who uses the role has to get new credentials." }
    return role.runs.isEmpty
      ? "Whoever has a session of \(role.names.count == 1 ? "that name" : "these names") has to get a new one."
      : "It refuses these sessions of the run, and no others."
  }

  private func printCommands() throws {
    let now = SystemClock().now()
    var output = Output()
    for role in roles {
      let policy = RevocationPolicy(role.reach, before: now)
      guard let document = try? policy.document(at: now) else {
        throw Failure("\(role.arn.name) has too many sessions for one policy", exitStatus: .badData)
      }
      // The policy of that name may hold the sessions of earlier revocations, which only a profile of the account can read.
      let name = role.names.isEmpty ? policy.name : "\(policy.name)-\(policy.before.seconds)"
      output.line("# \(role.arn.text): what it issued before \(policy.before.iso8601)")
      output.line(
        "aws iam put-role-policy --role-name \(ShellText.word(role.arn.name)) --policy-name \(ShellText.word(name)) "
          + "--policy-document \(ShellText.quoted(document.pretty()))"
      )
    }
    output.flush()
    Diagnostics.notice("printed only: nothing was changed, here or in AWS")
  }
}
