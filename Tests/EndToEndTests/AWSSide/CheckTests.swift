import Foundation
import TestSupport
import Testing

/// `vault iam check`: an account that is set up well, and many that are not.
@Suite(.endToEnd) struct CheckTests {
  @Test("an account that has what the profile needs: every check is ok")
  func good() async throws {
    let (vault, simulator) = try await CheckWorld().vault()
    let result = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(result.end == .exit(0), "\(result.errors)")
    let findings = try CheckedFinding.read(result).findings
    #expect(findings.allSatisfy { $0.state == "ok" && $0.missingPermission == nil }, "\(findings)")
    #expect(
      findings.map(\.check) == [
        "identity", "assume-policy", "trust-policy", "role", "max-session-duration", "application-policy", "permission-set",
        "assignment", "assume-role", "direct-access",
      ])
    #expect(findings.first { $0.check == "assignment" }?.detail == "Developer in account 123456789012: group My Devs")
    // The trial is in the log like any other session, and is not kept.
    let call = try #require(try await simulator.requests("AssumeRole").last)
    #expect(call.parameters["DurationSeconds"] == "900")
    let row = try #require(try await vault.rows("audit").first { $0["action"] as? String == "AssumeRole" })
    #expect(row["outcome"] as? String == "success" && (row["detail"] as? String)?.contains("dropped") == true)
    #expect(try await vault.rows("sessions").allSatisfy { $0["roleArn"] as? String != CheckWorld.role })
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("the table has a line for each check, and the change below it")
  func table() async throws {
    var world = CheckWorld()
    world.settings = "source_identity = alice"
    world.trust = CheckWorld.trust(actions: #""sts:AssumeRole""#)
    let (vault, simulator) = try await world.vault()
    defer { withExtendedLifetime(simulator) {} }
    let result = try await vault.run("iam", "check", "app")
    #expect(result.end == .exit(65))
    #expect(result.output.contains("differs\ttrust-policy\tit does not allow sts:SetSourceIdentity"))
    #expect(result.output.contains("ok\trole\t\(CheckWorld.role) exists"))
    #expect(result.output.contains("\n        \"Action\": [\n"))
    #expect(
      result.output.contains("  resource \"aws_iam_role\" \"app\" {\n    name = \"app\"\n    assume_role_policy = jsonencode({"))
    #expect(result.errors.contains("vault: app: 10 checks, 2 differ"))
  }

  // MARK: broken accounts

  enum Broken: String, CaseIterable, CustomTestStringConvertible {
    case namesSession, deletedId, wildcard, otherAccount, service, noSourceIdentity, noTags, demandsMFA, otherExternalId
    case noExternalId, notProvisioned, outdated, noAssignment, unusedService, everything, directAccess, managedAccess, otherRole
    case noPolicy, denied, noRole, noRegion, otherSet, organization, openJobs, boundary, otherPath, everyRole, noApplication
    case demandsSourceIdentity, mayNotSetSourceIdentity

    var testDescription: String { rawValue }

    /// What is wrong, the check that finds it, and words of its detail; whether AWS refuses the call; and whether the documents that
    /// the findings have repair it.
    func apply(_ world: inout CheckWorld) -> (check: String, detail: String, refuses: Bool, repairs: Bool) {
      typealias W = CheckWorld
      let session = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Developer_0123456789abcdef/alice@example.com"
      switch self {
      case .namesSession:
        world.trust = W.trust(principal: #"{"AWS":"\#(session)"}"#, conditions: nil)
        return ("trust-policy", "it names one session, \(session)", false, true)
      case .deletedId:
        world.trust = W.trust(principal: #"{"AWS":"AROADBQP57FF2AEXAMPLE"}"#, conditions: nil)
        return ("trust-policy", "AROADBQP57FF2AEXAMPLE, the id of a role that was deleted", true, true)
      case .wildcard:
        world.trust = W.trust(principal: #"{"AWS":"*"}"#, conditions: nil)
        return ("trust-policy", "trusts everyone", false, true)
      case .otherAccount:
        world.trust = W.trust(
          more: #",{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"sts:AssumeRole"}"#)
        return ("trust-policy", "another account, 999988887777, without an external ID", false, true)
      case .service:
        world.trust = W.trust(
          more: #",{"Effect":"Allow","Principal":{"Service":"account-access.amazonaws.com"},"Action":"sts:AssumeRole"}"#)
        return ("trust-policy", "account-access.amazonaws.com on behalf of any account", false, true)
      case .openJobs:
        let provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
        world.trust = W.trust(
          more: #",{"Effect":"Allow","Principal":{"Federated":"\#(provider)"},"Action":"sts:AssumeRoleWithWebIdentity"}"#)
        return ("trust-policy", "every job of token.actions.githubusercontent.com", false, false)
      case .noSourceIdentity:
        world.settings = "source_identity = alice"
        world.trust = W.trust(actions: #""sts:AssumeRole","sts:TagSession""#)
        return ("trust-policy", "sts:SetSourceIdentity, which is needed because the profile sends a source identity", true, true)
      case .mayNotSetSourceIdentity:
        world.settings = "source_identity = alice"
        world.inline = W.policy(#""sts:AssumeRole""#, W.role)
        return ("assume-policy", "do not allow sts:SetSourceIdentity on \(W.role)", true, true)
      case .noTags:
        world.settings = "session_tags = team=blue"
        world.trust = W.trust(actions: #""sts:AssumeRole","sts:SetSourceIdentity""#)
        return ("trust-policy", "sts:TagSession, which is needed because the profile sends tags", true, true)
      case .demandsMFA:
        world.trust = W.trust(conditions: W.person + #","Bool":{"aws:MultiFactorAuthPresent":"true"}"#)
        return ("trust-policy", "demands MFA, which this call can never carry", true, true)
      case .otherExternalId:
        world.settings = "external_id = mine"
        world.trust = W.trust(conditions: W.person + #","StringEquals":{"sts:ExternalId":"theirs"}"#)
        return ("trust-policy", #"wants the external ID "theirs"; the profile sends "mine""#, true, true)
      case .noExternalId:
        world.trust = W.trust(conditions: W.person + #","StringEquals":{"sts:ExternalId":"theirs"}"#)
        return ("trust-policy", "the profile has no external_id", true, false)
      case .demandsSourceIdentity:
        world.trust = W.trust(conditions: W.person + #","StringLike":{"sts:SourceIdentity":"*"}"#)
        return ("trust-policy", "the profile has no source_identity", true, false)
      case .denied:
        world.trust = W.trust(more: #",{"Sid":"Stop","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}"#)
        return ("trust-policy", "the statement Stop denies sts:AssumeRole", true, false)
      case .noRegion:
        world.trust = W.trust(conditions: #""ArnLike":{"aws:PrincipalArn":"\#(W.path)AWSReservedSSO_Developer_*"}"#)
        return ("trust-policy", "this one is \"\(W.path)eu-central-1/AWSReservedSSO_Developer_0123456789abcdef\"", true, true)
      case .otherSet:
        world.trust = W.trust(principal: #"{"AWS":"\#(W.path)AWSReservedSSO_Other_0123456789abcdef"}"#, conditions: nil)
        return ("trust-policy", "not the permission set Developer", true, true)
      case .notProvisioned:
        world.world.account?.unprovisioned = ["Developer"]
        return ("permission-set", "not provisioned in account 123456789012", false, false)
      case .outdated:
        world.world.account?.outdated = ["Developer"]
        return ("permission-set", "an earlier version of Developer", false, false)
      case .noAssignment:
        world.world.account?.assignments = []
        return ("assignment", "nobody has Developer in account 123456789012", false, false)
      case .unusedService:
        world.world[role: W.role]?.policies = [W.policy(#""dynamodb:*","ssm:*""#, "*")]
        return ("application-policy", "allows dynamodb:* on every resource, and the role never used it", false, true)
      case .everything:
        world.world.managedPolicies = ["arn:aws:iam::aws:policy/AdministratorAccess": W.policy(#""*""#, "*")]
        world.world.account?.attached = [W.role: ["arn:aws:iam::aws:policy/AdministratorAccess"]]
        return ("application-policy", "every action of every service; the role used only ssm", false, false)
      case .noApplication:
        world.world[role: W.role]?.policies = []
        return ("application-policy", "has no policy", false, false)
      case .directAccess:
        world.inline = W.inlineWith(#","s3:GetObject""#)
        return ("direct-access", "direct access beyond sts:AssumeRole: s3:GetObject", false, true)
      case .managedAccess:
        world.world.account?.managed = ["Developer": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]]
        return ("direct-access", "arn:aws:iam::aws:policy/ReadOnlyAccess", false, false)
      case .everyRole:
        world.inline = W.assume("*")
        return ("direct-access", "may assume every role that trusts its account", false, true)
      case .otherRole:
        world.inline = W.assume("arn:aws:iam::123456789012:role/other")
        return ("assume-policy", "on arn:aws:iam::123456789012:role/other, not on \(W.role)", true, true)
      case .noPolicy:
        world.inline = W.policy(#""sts:GetCallerIdentity""#, "*")
        return ("assume-policy", "do not allow sts:AssumeRole on \(W.role)", true, true)
      case .organization:
        world.world.serviceControlPolicies = [W.policy(#""s3:*""#, "*")]
        return ("assume-policy", "a service control policy of the organization", true, false)
      case .boundary:
        world.world.identityCenter?.permissionsBoundaries = ["Developer": W.policy(#""s3:*""#, "*")]
        return ("assume-policy", "the permissions boundary", true, false)
      case .noRole:
        world.world[role: W.role] = nil
        return ("role", "account 123456789012 has no role app", true, false)
      case .otherPath:
        world.world[role: W.role]?.arn = "arn:aws:iam::123456789012:role/team/app"
        return ("role", "the profile names \(W.role)", true, false)
      }
    }
  }

  @Test("a broken account: the check that is about it finds it, and its change repairs it", arguments: Broken.allCases)
  func broken(_ broken: Broken) async throws {
    var world = CheckWorld()
    let expected = broken.apply(&world)
    let (vault, simulator) = try await world.vault()
    let result = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(result.end == .exit(65), "\(result.errors)")
    let (findings, fixes) = try CheckedFinding.read(result)
    let found = findings.filter { $0.state == "differs" && $0.check == expected.check }
    #expect(found.contains { $0.detail.contains(expected.detail) }, "\(findings)")
    // Nothing else is blamed, except the call that AWS refuses.
    let others = findings.filter { $0.state != "ok" && $0.check != expected.check && $0.check != "assume-role" }
    #expect(others.isEmpty, "\(others)")
    #expect(findings.contains { $0.check == "assume-role" && ($0.state == "differs") == expected.refuses }, "\(findings)")
    guard expected.repairs else { return }
    let fix = try #require(fixes.first { $0.check == expected.check })
    switch fix.check {
    case "trust-policy": world.trust = fix.document
    case "application-policy": world.world[role: CheckWorld.role]?.policies = [fix.document]
    default: world.inline = fix.document
    }
    try await simulator.change(to: world.world)
    let again = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(again.end == .exit(0), "\(again.output)")
  }

  @Test("a role whose sessions are shorter than what the profile asks for")
  func duration() async throws {
    var world = CheckWorld()
    world.trust = CheckWorld.trust(conditions: nil)
    world.world[role: CheckWorld.role]?.maxSessionDuration = 3_600
    let (vault, simulator) = try await world.vault()
    defer { withExtendedLifetime(simulator) {} }
    let result = try await vault.run("iam", "check", "keys", "--format", "json")
    #expect(result.end == .exit(65))
    let findings = try CheckedFinding.read(result).findings
    #expect(findings.filter { $0.state == "differs" }.map(\.check) == ["max-session-duration"], "\(findings)")
    #expect(findings.first { $0.check == "max-session-duration" }?.detail.contains("asks for 14400 s") == true)
    // An access key has no permission set.
    #expect(!findings.contains { ["permission-set", "assignment", "direct-access"].contains($0.check) })
  }

  // MARK: who may look

  @Test("a caller who may not look: what is not known is said, with the permission that is missing")
  func refused() async throws {
    var world = CheckWorld()
    world.world.account?.readers = [:]
    let (vault, simulator) = try await world.vault()
    defer { withExtendedLifetime(simulator) {} }
    let result = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(result.end == .exit(0), "\(result.errors)")
    #expect(result.errors.contains("unknown; not allowed to look without iam:"))
    let findings = try CheckedFinding.read(result).findings
    #expect(
      findings.filter { $0.state == "ok" }.map(\.check) == ["identity", "assume-role"], "\(findings)")
    #expect(findings.allSatisfy { $0.state != "differs" && ($0.state == "ok") == ($0.missingPermission == nil) }, "\(findings)")
    let missing = Dictionary(findings.map { ($0.check, $0.missingPermission) }) { first, _ in first }
    #expect(missing["trust-policy"] == "iam:GetRole" && missing["permission-set"] == "sso:ListInstances")
    #expect(missing["assume-policy"] == "iam:SimulatePrincipalPolicy")
  }

  @Test("another profile looks where the profile's own may not")
  func with() async throws {
    var world = CheckWorld()
    world.world.account?.readers = [STSWorld.aliceARN: ["iam:*", "sso:*", "identitystore:*"]]
    let (vault, simulator) = try await world.vault()
    let own = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(own.end == .exit(0) && own.errors.contains("unknown"))
    let result = try await vault.run("iam", "check", "app", "--with", "admin", "--format", "json")
    #expect(result.end == .exit(0), "\(result.errors)")
    #expect(try CheckedFinding.read(result).findings.allSatisfy { $0.state == "ok" }, "\(result.output)")
    let read = try #require(try await vault.rows("audit", "--action", "ReadAccount").last)
    #expect(read["profile"] as? String == "admin" && read["outcome"] as? String == "success")
    #expect((read["detail"] as? String)?.hasSuffix("for app") == true)
    // The call itself is the person's all the same.
    #expect(try await simulator.requests("AssumeRole").allSatisfy { $0.callerARN?.contains("AWSReservedSSO_Developer") == true })
    #expect(try await vault.run("iam", "check", "app", "--with", "nobody").end == .exit(66))
  }

  @Test("a person without the permission set: an administrator sees that the assignment is missing")
  func unassigned() async throws {
    var world = CheckWorld()
    world.world.account?.readers = [STSWorld.aliceARN: ["iam:*", "sso:*", "identitystore:*"]]
    let (vault, simulator) = try await world.vault()
    world.world.account?.assignments = []
    world.world.identityCenter?.accounts = [STSWorld.IdentityCenter.Account(id: CheckWorld.account, name: "Dev", roles: [])]
    try await simulator.change(to: world.world)
    let result = try await vault.run("iam", "check", "app", "--with", "admin", "--format", "json")
    #expect(result.end == .exit(65), "\(result.errors)")
    let findings = try CheckedFinding.read(result).findings
    #expect(findings.filter { $0.state == "differs" }.map(\.check) == ["identity", "assignment"], "\(findings)")
    #expect(findings.first { $0.check == "assume-role" }?.state == "unknown")
    #expect(findings.first { $0.check == "trust-policy" }?.state == "ok")
  }

  @Test("a role behind a role: each call is compared, up to the first that AWS refuses")
  func chained() async throws {
    let deep = "arn:aws:iam::123456789012:role/deep"
    var world = CheckWorld()
    world.world.roles.append(
      STSWorld.Role(
        arn: deep, trustPolicy: CheckWorld.trust(principal: #"{"AWS":"\#(CheckWorld.role)"}"#, conditions: nil),
        policies: [CheckWorld.policy(#""s3:GetObject""#, "arn:aws:s3:::data/*")]))
    world.world[role: CheckWorld.role]?.policies = [CheckWorld.assume(deep)]
    world.settings = "\n[profile deep]\nrole_arn = \(deep)\nsource_profile = app\n"
    let (vault, simulator) = try await world.vault()
    let result = try await vault.run("iam", "check", "deep", "--format", "json")
    #expect(result.end == .exit(0), "\(result.output)")
    let findings = try CheckedFinding.read(result).findings
    #expect(
      findings.filter { $0.check == "assume-role" }.map(\.detail) == [
        "sts:AssumeRole of app succeeds", "sts:AssumeRole of deep succeeds",
      ])
    #expect(findings.filter { $0.check == "identity" }.last?.detail.contains(":assumed-role/app/") == true)
    world.world[role: deep]?.trustPolicy = CheckWorld.trust(principal: #"{"AWS":"\#(CheckWorld.role)-other"}"#, conditions: nil)
    try await simulator.change(to: world.world)
    let second = try CheckedFinding.read(try await vault.run("iam", "check", "deep", "--format", "json"))
    #expect(
      second.findings.filter { $0.state == "differs" }.map(\.check) == ["trust-policy", "assume-role"], "\(second.findings)")
    let fix = try #require(second.fixes.first { $0.check == "trust-policy" })
    world.world[role: deep]?.trustPolicy = fix.document
    try await simulator.change(to: world.world)
    #expect(try await vault.run("iam", "check", "deep").end == .exit(0))
    world.trust = CheckWorld.trust(conditions: #""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/no"}"#)
    try await simulator.change(to: world.world)
    let first = try CheckedFinding.read(try await vault.run("iam", "check", "deep", "--format", "json")).findings
    #expect(first.last?.detail == "sts:AssumeRole of deep: not tried, since app could not be assumed", "\(first)")
  }

  @Test("a user's MFA: one code is enough for the session and the call")
  func userWithMFA() async throws {
    var world = CheckWorld()
    world.trust = CheckWorld.trust(conditions: #""Bool":{"aws:MultiFactorAuthPresent":"true"}"#)
    world.world.users[0].mfaDevices = [STSWorld.MFADevice(serial: STSWorld.aliceMFASerial, codes: STSWorld.aliceMFACodes)]
    world.settings = """

      [profile mfa]
      role_arn = \(CheckWorld.role)
      source_profile = admin
      mfa_serial = \(STSWorld.aliceMFASerial)

      """
    let (vault, simulator) = try await world.vault()
    defer { withExtendedLifetime(simulator) {} }
    let code = STSWorld.aliceMFACodes[0]
    let result = try await vault.run("iam", "check", "mfa", "--mfa-code", code, "--format", "json")
    #expect(result.end == .exit(0), "\(result.output)\(result.errors)")
    #expect(try CheckedFinding.read(result).findings.allSatisfy { $0.state == "ok" })
    // Without the device, the trust policy is what refuses.
    let keys = try CheckedFinding.read(try await vault.run("iam", "check", "keys", "--format", "json")).findings
    #expect(
      keys.contains { $0.check == "trust-policy" && $0.detail == "it demands MFA; the profile has no mfa_serial" }, "\(keys)")
  }

  @Test("a job's token: its role is compared without policies of a caller's own")
  func token() async throws {
    let ci = "arn:aws:iam::123456789012:role/ci"
    let host = "token.actions.githubusercontent.com"
    var world = CheckWorld()
    func trust(_ conditions: String) -> String {
      CheckWorld.trust(
        principal: #"{"Federated":"arn:aws:iam::123456789012:oidc-provider/\#(host)"}"#, conditions: conditions,
        actions: #""sts:AssumeRoleWithWebIdentity""#)
    }
    world.world.roles.append(
      STSWorld.Role(
        arn: ci, trustPolicy: trust(#""StringEquals":{"\#(host):sub":"repo:org/app:ref:refs/heads/main"}"#),
        policies: [CheckWorld.policy(#""s3:PutObject""#, "arn:aws:s3:::builds/*")]))
    world.world.webIdentities = [
      STSWorld.WebIdentity(token: STSWorld.webToken, subject: "repo:org/app:ref:refs/heads/main", roles: [], provider: host)
    ]
    world.settings = "\n[profile ci]\nrole_arn = \(ci)\nweb_identity_token_process = printf %s \(STSWorld.webToken)\n"
    let (vault, simulator) = try await world.vault()
    let result = try await vault.run("iam", "check", "ci", "--format", "json")
    #expect(result.end == .exit(0), "\(result.output)\(result.errors)")
    #expect(
      try CheckedFinding.read(result).findings.map(\.check) == [
        "trust-policy", "role", "max-session-duration", "application-policy", "assume-role",
      ])
    world.world[role: ci]?.trustPolicy = trust(#""StringLike":{"\#(host):sub":"*"}"#)
    try await simulator.change(to: world.world)
    let open = try await vault.run("iam", "check", "ci")
    #expect(open.end == .exit(65) && open.output.contains("it trusts every job of \(host)"), "\(open.output)")
  }

  @Test(
    "an endpoint that only the environment names gets nothing",
    arguments: ["AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_SSO_ADMIN", "AWS_ENDPOINT_URL_IDENTITYSTORE"])
  func untrusted(_ variable: String) async throws {
    let (vault, simulator) = try await CheckWorld().vault()
    defer { withExtendedLifetime(simulator) {} }
    let stranger = try await STSSimulatorProcess(CheckWorld().world)
    let result = try await vault.run("iam", "check", "app", environment: [variable: stranger.url])
    #expect(
      result.end == .exit(77) && result.errors.contains("named by \(variable), is not a trusted endpoint"), "\(result.errors)")
    #expect(try await stranger.report().requests.isEmpty)
  }

  @Test("a service that does not answer leaves its part unknown, and without AWS there is an error and no finding")
  func unreachable() async throws {
    let (vault, simulator) = try await CheckWorld().vault()
    try await simulator.queue(.http503, count: 20, action: "GetRole")
    let result = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(result.end == .exit(0) && result.errors.contains("unknown"), "\(result.errors)")
    let findings = try CheckedFinding.read(result).findings
    #expect(
      findings.contains { $0.check == "role" && $0.state == "unknown" && $0.detail.contains("GetRole: ServiceUnavailable") })
    #expect(
      findings.contains { $0.check == "assignment" && $0.state == "ok" } && findings.allSatisfy { $0.missingPermission == nil })
    try await simulator.stop()
    let gone = try await vault.run("iam", "check", "app", "--format", "json")
    #expect(gone.end == .exit(69) && gone.output.isEmpty, "\(gone.output)\(gone.errors)")
  }

  @Test("a dead session of the permission set is asked for again, as exec does")
  func dead() async throws {
    let (vault, simulator) = try await CheckWorld().vault()
    let key = try await vault.mustRun("exec", "developer", "--", "sh", "-c", "echo $AWS_ACCESS_KEY_ID")
    try await simulator.revoke(accessKeyId: key.trimmingCharacters(in: .whitespacesAndNewlines))
    let result = try await vault.run("iam", "check", "app")
    #expect(result.end == .exit(0), "\(result.output)\(result.errors)")
  }

  @Test("a caller without credentials: nothing else is blamed for what nobody could read")
  func noCaller() async throws {
    let (vault, simulator) = try await CheckWorld().vault()
    try await simulator.queue(STSFault(.error, count: 20, action: "GetRoleCredentials", status: 403, code: "ForbiddenException"))
    let result = try await vault.run("iam", "check", "app", "--format", "json")
    let findings = try CheckedFinding.read(result).findings
    #expect(findings.first { $0.check == "identity" }?.state == "differs", "\(findings)")
    #expect(findings.allSatisfy { $0.missingPermission == nil }, "\(findings)")
  }

  // MARK: what is kept

  @Test("show says that no check has run, and afterwards what it found and when")
  func shown() async throws {
    var world = CheckWorld()
    let (vault, simulator) = try await world.vault()
    #expect(try await vault.mustRun("show", "app").contains("AWS side  `vault iam check` has not been run\n"))
    #expect(try await !vault.mustRun("show", "developer").contains("AWS side"))
    let none = try await vault.json("show", "app") as? [String: Any]
    #expect(none?["iamCheck"] is NSNull)
    try await vault.mustRun("iam", "check", "app")
    #expect(try await vault.mustRun("show", "app").contains("AWS side  10 checks  checked 20"))
    world.trust = CheckWorld.trust(principal: #"{"AWS":"*"}"#, conditions: nil)
    try await simulator.change(to: world.world)
    #expect(try await vault.run("iam", "check", "app").end == .exit(65))
    let shown = try await vault.mustRun("show", "app")
    #expect(shown.contains("AWS side  10 checks, 1 differs  checked ") && shown.contains("trust-policy: it trusts everyone"))
    let json = try await vault.json("show", "app") as? [String: Any]
    let check = try #require(json?["iamCheck"] as? [String: Any])
    let findings = try #require(check["findings"] as? [[String: Any]])
    #expect(findings.count == 10 && (check["checkedAt"] as? String)?.hasSuffix("Z") == true)
    #expect(findings.contains { $0["check"] as? String == "trust-policy" && $0["state"] as? String == "differs" })
  }

  @Test("a profile without a role has nothing to check")
  func nothing() async throws {
    let (vault, simulator) = try await CheckWorld().vault()
    defer { withExtendedLifetime(simulator) {} }
    let result = try await vault.run("iam", "check", "developer")
    #expect(result.end == .exit(78) && result.errors.contains("assumes no role"))
  }
}

extension CheckWorld {
  /// The permission set's policy with more actions.
  static func inlineWith(_ actions: String) -> String {
    policy(#""sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"\#(actions)"#, "*").replacingOccurrences(
      of: #""Resource":"*""#, with: #""Resource":"\#(role)""#)
  }
}

// moto, which we did not write, has the account.
extension CheckTests {
  private func moto(_ moto: MotoServer, _ act: String) async throws -> [String] {
    let script = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures/iam_check_moto.py").path
    let result = try await Subprocess.run(try Programs.python, [script, moto.url, act], environment: ["PATH": "/usr/bin:/bin"])
    try #require(result.succeeded, "\(result.errors)")
    return result.output.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  @Test("an account that moto has is read like one of our own simulator")
  func moto() async throws {
    // moto has no sign-in of IAM Identity Center.
    let simulator = try await STSSimulatorProcess(CheckWorld().world)
    let moto = try await MotoServer()
    let key = try await self.moto(moto, "make")
    var environment = simulator.environment
    for service in ["STS", "IAM", "SSO_ADMIN", "IDENTITYSTORE"] { environment["AWS_ENDPOINT_URL_" + service] = moto.url }
    let vault = TestVault(environment: environment)
    vault.config(CheckWorld().config)
    vault.credentials("[admin]\naws_access_key_id = \(key[0])\naws_secret_access_key = \(key[1])\n")
    try await vault.mustRun("import")
    try await vault.mustRun("login", "--device", "corp")

    func states(_ profile: String) async throws -> [String: String] {
      let result = try await vault.run("iam", "check", profile, "--format", "json")
      let findings = try CheckedFinding.read(result).findings
      return Dictionary(findings.map { ($0.check, "\($0.state): \($0.detail)") }) { $0 + "; " + $1 }
    }
    let app = try await states("app")
    for check in [
      "role", "max-session-duration", "application-policy", "permission-set", "assignment", "trust-policy", "direct-access",
    ] {
      #expect(app[check]?.hasPrefix("ok: ") == true, "\(check): \(app[check] ?? "-")")
    }
    #expect(app["assignment"] == "ok: Developer in account 123456789012: group My Devs")
    let keys = try await states("keys")
    #expect(keys["identity"] == "ok: arn:aws:iam::123456789012:user/ann makes the call")
    #expect(keys["assume-policy"]?.hasPrefix("ok: the policies of arn:aws:iam::123456789012:user/ann allow") == true, "\(keys)")
    #expect(keys["max-session-duration"] == "differs: the role's sessions last 7200 s at most; the profile asks for 14400 s")

    _ = try await self.moto(moto, "unassign")
    #expect(try await states("app")["assignment"]?.hasPrefix("differs: nobody has Developer") == true)
    #expect(
      try await states("keys")["assume-policy"]?.hasPrefix(
        "differs: the policies of arn:aws:iam::123456789012:user/ann allow sts:AssumeRole on \(CheckWorld.role)-other") == true)
  }
}
