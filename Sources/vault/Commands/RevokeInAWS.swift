import AWSPolicy
import VaultAudit
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `vault revoke --in-aws`: each role denies what it issued until now.
struct RevokeInAWS {
  /// A role, and the names of its sessions; none for all of them.
  struct Role {
    let arn: RoleARN
    var names: [RoleSessionName] = []
  }

  private let paths: VaultPaths
  /// The profile that puts the policies; nil to print them.
  private let profile: String?
  private let agrees: Bool
  private let mfaCode: WireBytes?
  private let reason: String?
  private(set) var roles: [Role] = []
  /// What no policy reaches, and who does.
  private var others: Set<String> = []

  /// - Throws: usage, before anything is revoked.
  init(_ arguments: Arguments, for request: RevokeRequest, _ paths: VaultPaths) throws {
    self.paths = paths
    let prints = arguments.has("print")
    profile = arguments["with"]
    guard prints != (profile != nil) else {
      throw Failure(
        prints ? "--print and --with cannot be combined" : "--in-aws needs a profile that may put the policy",
        hint: "--with PROFILE, such as an administrator's; or --print", exitStatus: .usage)
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
  }

  /// The roles of all that AWS may still accept, however it ended here.
  private mutating func find(_ request: RevokeRequest, _ reader: VaultReader) throws {
    let isWhole = request.all || request.profile != nil
    var found: [String: [RoleSessionName]] = [:]
    for session in try reader.unexpiredSessions(at: SystemClock().now()) where try isMeant(session, by: request, reader) {
      guard let arn = session.roleARN, session.kind == .role || !isReserved(arn) else {
        others.insert(other(session))
        continue
      }
      if isReserved(arn) {
        others.insert(other(session))
      } else {
        found[arn, default: []] += session.roleSessionName.flatMap { RoleSessionName($0) }.map { [$0] } ?? []
      }
    }
    // A profile's role may have sessions that only other machines know.
    if let name = request.profile, let arn = try reader.profileRole(name), !isReserved(arn) { found[arn, default: []] += [] }
    for (text, names) in found.sorted(by: { $0.key < $1.key }) {
      guard let arn = RoleARN(text) else { continue }
      let unique = Set(names).sorted { $0.text < $1.text }
      // Without its name, a session cannot be told from others.
      if isWhole || !unique.isEmpty { roles.append(Role(arn: arn, names: isWhole ? [] : unique)) }
    }
  }

  private func isMeant(_ session: SessionRecord, by request: RevokeRequest, _ reader: VaultReader) throws -> Bool {
    if request.all { return true }
    if let profile = request.profile { return session.profile == profile }
    if let id = request.session { return session.id == id || session.accessKeyId == id }
    return try reader.deliveries(of: session).contains { delivery in
      let who = delivery.row.event.requester
      return request.pid.map { Int(who.pid) == $0 } ?? (who.automation?.name == request.automation)
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
      ($0.profile, $0.roleARN, $0.sessionNames) = (profile, role.arn.text, role.names.map(\.text))
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
    role.names.isEmpty
      ? "Everybody who uses the role has to get new credentials."
      : "Whoever has a session of that name has to get a new one."
  }

  private func printCommands() throws {
    let now = SystemClock().now()
    var output = Output()
    for role in roles {
      let policy = RevocationPolicy(role.names.isEmpty ? .all : .sessions(role.names), before: now)
      guard let document = try? policy.document(at: now) else {
        throw Failure("\(role.arn.name) has too many sessions for one policy", exitStatus: .badData)
      }
      output.line("# \(role.arn.text)")
      output.line(
        "aws iam put-role-policy --role-name \(role.arn.name) --policy-name \(policy.name) --policy-document '\(document.pretty())'"
      )
      if case .sessions = policy.reach {
        Diagnostics.notice("this replaces a policy \(policy.name) that \(role.arn.name) may have from earlier")
      }
    }
    output.flush()
  }
}
