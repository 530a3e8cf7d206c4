import Foundation
import TestSupport

/// An account that is set up for one application role, and a person who reaches it through IAM Identity Center.
struct CheckWorld {
  static let account = STSWorld.ssoAccount
  static let role = "arn:aws:iam::123456789012:role/app"
  static let region = "eu-central-1"

  var world: STSWorld
  /// More settings of the profile `app`.
  var settings = ""

  init() {
    var center = STSWorld.IdentityCenter(
      region: Self.region, accounts: [STSWorld.IdentityCenter.Account(id: Self.account, name: "Dev", roles: ["Developer"])],
      policies: ["Developer": [Self.assume()]], roleRegion: Self.region)
    center.user = "alice@example.com"
    world = STSWorld(
      users: [
        STSWorld.User(
          arn: STSWorld.aliceARN,
          accessKeys: [STSWorld.AccessKey(id: STSWorld.aliceAccessKeyId, secret: STSWorld.aliceSecretAccessKey)],
          mayAssume: [Self.role])
      ],
      roles: [
        STSWorld.Role(
          arn: Self.role, maxSessionDuration: 43_200, trustPolicy: Self.trust(),
          policies: [Self.policy(#""ssm:GetParameter""#, "arn:aws:ssm:eu-central-1:123456789012:parameter/app/*")])
      ], identityCenter: center)
    world.account = STSWorld.Account(
      readers: ["*": ["iam:*", "sso:*", "identitystore:*"]], permissionSets: ["Developer"],
      assignments: [STSWorld.Account.Assignment("Developer", account: Self.account, group: "0123-devs")],
      groups: ["0123-devs": "My Devs"], used: [Self.role: ["ssm"]])
  }

  // MARK: documents

  static func policy(_ actions: String, _ resource: String, effect: String = "Allow") -> String {
    #"{"Version":"2012-10-17","Statement":[{"Effect":"\#(effect)","Action":[\#(actions)],"Resource":"\#(resource)"}]}"#
  }

  static func assume(_ role: String = CheckWorld.role) -> String {
    policy(#""sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession""#, role)
  }

  static let path = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"
  static let root = #"{"AWS":"arn:aws:iam::123456789012:root"}"#
  static let person =
    #""ArnLike":{"aws:PrincipalArn":["\#(path)AWSReservedSSO_Developer_*","\#(path)eu-central-1/AWSReservedSSO_Developer_*"]}"#

  static func trust(
    principal: String = root, conditions: String? = person,
    actions: String = #""sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession""#,
    more: String = ""
  ) -> String {
    let condition = conditions.map { #","Condition":{\#($0)}"# } ?? ""
    return
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":\#(principal),"Action":[\#(actions)]\#(condition)}\#(more)]}"#
  }

  var trust: String {
    get { world[role: Self.role]?.trustPolicy ?? "" }
    set { world[role: Self.role]?.trustPolicy = newValue }
  }

  /// The inline policy of the permission set.
  var inline: String {
    get { world.identityCenter?.policies?["Developer"]?.first ?? "" }
    set { world.identityCenter?.policies = ["Developer": [newValue]] }
  }

  // MARK: the programs

  var config: String {
    """
    [sso-session corp]
    sso_start_url = \(STSWorld.center.startURL)
    sso_region = \(Self.region)
    sso_registration_scopes = sso:account:access

    [profile developer]
    sso_session = corp
    sso_account_id = \(Self.account)
    sso_role_name = Developer
    region = \(Self.region)

    [profile app]
    role_arn = \(Self.role)
    source_profile = developer
    \(settings)

    [profile admin]
    region = \(Self.region)

    [profile keys]
    role_arn = \(Self.role)
    source_profile = admin
    duration_seconds = 14400

    """
  }

  /// A vault that has signed in, and the account that it looks at.
  func vault() async throws -> (vault: TestVault, simulator: STSSimulatorProcess) {
    let simulator = try await STSSimulatorProcess(world)
    let vault = TestVault(environment: simulator.environment)
    vault.config(config)
    vault.credentials(
      """
      [admin]
      aws_access_key_id = \(STSWorld.aliceAccessKeyId)
      aws_secret_access_key = \(STSWorld.aliceSecretAccessKey)

      """)
    try await vault.mustRun("import")
    if world.identityCenter?.accounts.first?.roles.isEmpty == false { try await vault.mustRun("login", "--device", "corp") }
    return (vault, simulator)
  }
}

/// A finding as `vault iam check --format json` prints it.
struct CheckedFinding: Decodable, Equatable {
  let check: String
  let state: String
  let detail: String
  let missingPermission: String?

  struct Report: Decodable {
    let profile: String
    let findings: [CheckedFinding]
  }

  /// The findings, in order, and the documents that would repair what differs.
  static func read(_ result: Subprocess.Result) throws -> (findings: [CheckedFinding], fixes: [(check: String, document: String)])
  {
    let data = Data(result.outputBytes)
    let report = try JSONDecoder().decode(Report.self, from: data)
    let tree = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    var fixes: [(check: String, document: String)] = []
    for finding in tree?["findings"] as? [[String: Any]] ?? [] {
      guard let check = finding["check"] as? String,
        let document = (finding["fix"] as? [String: Any])?["document"] as? [String: Any]
      else { continue }
      fixes.append((check, String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self)))
    }
    return (report.findings, fixes)
  }
}
