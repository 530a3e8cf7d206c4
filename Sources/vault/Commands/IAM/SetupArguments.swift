import AWSConfig
import AWSPolicy
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// What `vault iam generate` and `vault iam trust` are asked for: a profile's call, and who is to be trusted.
struct SetupArguments {
  var request: SetupRequest
  /// What the person should know, beside the result.
  var notes: [String] = []
  /// The profile that a new external ID belongs to.
  private var externalId: (profile: String, id: String)?

  /// What the help says after the options.
  static let note = "WHO, the caller of --principal, is one of:" + TrustedCaller.forms.map { "\n- " + $0 }.joined()

  static let options = [
    OptionSpec(
      "permission-set", value: "NAME", "trust everyone with this permission set (default: the one that the profile signs in with)"
    ),
    OptionSpec("sso-region", value: "REGION", kind: .region, "IAM Identity Center's region (default: the profile's)"),
    OptionSpec("principal", value: "WHO", "trust another caller (below)"),
    OptionSpec(
      "audience", value: "TEXT", "the audience of a job's token (default: sts.amazonaws.com, for gitlab: https://gitlab.com)"),
    OptionSpec("external-id", value: "ID", "demand this external ID (for another account: a new one, which the profile keeps)"),
    OptionSpec("require-mfa", "demand MFA; only for IAM users and accounts"),
    OptionSpec("require-source-identity", "demand a source identity"),
    OptionSpec("require-session-name", "demand the user's name as the session name; only for IAM users and accounts"),
    OptionSpec("source-address", value: "CIDR", "demand calls from this network; can be repeated"),
    OptionSpec("role-arn", value: "ARN", "the role, if there is no profile yet"),
    OptionSpec("region", value: "REGION", kind: .region, "the region of the application's resources (default: the profile's)"),
  ]

  /// - Throws: no input, without such a profile; usage or configuration, if nothing says who calls.
  static func read(_ arguments: Arguments, _ paths: VaultPaths) throws -> SetupArguments {
    guard let arn = arguments["role-arn"] else { return try read(profile: arguments.profile(paths), arguments, paths) }
    if let profile = arguments.positional.first {
      throw Failure("--role-arn and the profile \(profile) cannot be combined", exitStatus: .usage)
    }
    guard let role = RoleARN(arn) else {
      throw Failure("--role-arn: \"\(arn)\" is not the ARN of a role", hint: "arn:aws:iam::ACCOUNT:role/NAME", exitStatus: .usage)
    }
    let caller: TrustedCaller
    if let name = arguments["permission-set"] {
      guard let region = arguments["sso-region"] else {
        throw Failure("--permission-set without a profile needs --sso-region REGION", exitStatus: .usage)
      }
      caller = .permissionSet(name: name, account: role.account, region: region)
    } else if let text = arguments["principal"] {
      caller = try TrustedCaller(text, audience: arguments["audience"])
    } else {
      throw Failure(
        "nothing says who may assume the role", hint: "add --permission-set NAME or --principal WHO", exitStatus: .usage)
    }
    var plan = SetupArguments(request: SetupRequest(role: role, caller: caller))
    try plan.add(arguments, region: nil)
    return plan
  }

  private static func read(profile name: String, _ arguments: Arguments, _ paths: VaultPaths) throws -> SetupArguments {
    let reader = try ReportCommands.reader(paths)
    try ShowReport.requireProfile(name, reader)
    let resolver = ChainResolver(lookup: { kind, name in try? reader.section(kind, name) }, environment: variable)
    let chain = try resolver.chain(for: name)
    guard let needs = AccessNeeds(chain) else {
      throw Failure(
        "profile \"\(name)\" assumes no role: it has the credentials of its identity", hint: "name a profile with a role_arn",
        exitStatus: .configuration)
    }
    var notes: [String] = []
    // An application in production is called by its service.
    let caller =
      arguments.has("environment") && arguments["environment"]?.hasPrefix("prod") == true
      ? TrustedCaller.service(.ecsTasks) : try caller(needs, arguments, notes: &notes)
    var plan = SetupArguments(request: SetupRequest(role: needs.role, caller: caller, sent: needs.sent), notes: notes)
    try plan.add(arguments, region: chain.region)
    if case .account = caller, plan.request.conditions.externalId == nil, needs.sent.externalId == nil {
      let id = Identifier.externalId()
      guard try reader.origin(of: name) == SettingOrigin.vault.file else {
        let file = try reader.section(.profile, name)?.settings.first?.origin.description ?? "its file"
        throw Failure(
          "profile \"\(name)\" has no external ID, and comes from \(file)", hint: "add this line to it: external_id = \(id)",
          exitStatus: .configuration)
      }
      plan.externalId = (name, id)
      plan.request.conditions.externalId = id
      plan.notes.append("the profile \(name) now sends the external ID \(id)")
    }
    return plan
  }

  /// Who calls, as the options or the profile say.
  private static func caller(_ needs: AccessNeeds, _ arguments: Arguments, notes: inout [String]) throws(Failure)
    -> TrustedCaller
  {
    if let text = arguments["principal"] {
      guard arguments["permission-set"] == nil else {
        throw Failure("--principal and --permission-set cannot be combined", exitStatus: .usage)
      }
      var audience = arguments["audience"]
      if case .webIdentity(.gitHubActions(let own)) = needs.door { audience = audience ?? own }
      let caller = try TrustedCaller(text, audience: audience)
      if case .job(let job) = caller {
        notes.append("account \(needs.role.account) needs the OpenID Connect provider \(job.host), once for all roles")
        if job.subject.hasSuffix(":*") {
          notes.append("every branch and pull request is trusted: add one, as in \(text):ref:refs/heads/main")
        }
      }
      return caller
    }
    if let name = arguments["permission-set"] {
      if case .permissionSet(let own, let account, let region) = needs.door {
        if own != name {
          notes.append("the profile signs in with the permission set \(own): set sso_role_name = \(name) in it")
        }
        return .permissionSet(name: name, account: account, region: arguments["sso-region"] ?? region)
      }
      guard let region = arguments["sso-region"] else {
        throw Failure(
          "the profile does not sign in to IAM Identity Center", hint: "with --permission-set, add --sso-region REGION",
          exitStatus: .usage)
      }
      return .permissionSet(name: name, account: needs.role.account, region: region)
    }
    func unnamed(_ what: String, _ hint: String) -> Failure {
      Failure("the profile does not say who calls: \(what)", hint: hint, exitStatus: .configuration)
    }
    switch needs.door {
    case .permissionSet(let name, let account, let region):
      return .permissionSet(name: name, account: account, region: arguments["sso-region"] ?? region)
    case .role(let role): return .role(role)
    case .accessKey:
      throw unnamed(
        "an access key belongs to an IAM user whom only AWS can name",
        "add --principal ARN, which `vault exec \(ShellText.word(needs.profile)) --no-session -- aws sts get-caller-identity` shows for its source"
      )
    case .webIdentity(.gitHubActions):
      throw unnamed("its token is that of any job of GitHub Actions", "add --principal github:ORG/REPO:ref:refs/heads/BRANCH")
    case .webIdentity:
      throw unnamed(
        "its token is in a file", "add --principal gitlab:GROUP/PROJECT:ref_type:branch:ref:BRANCH, or github:ORG/REPO:…")
    case .saml: throw unnamed("SAML providers are set up with their own documents", "use --principal for another caller")
    case .instance, .container, .environment, .process:
      throw unnamed("its credentials come from elsewhere", "add --principal with the ARN of the role or user that they are of")
    }
  }

  private mutating func add(_ arguments: Arguments, region: String?) throws(Failure) {
    request.region = arguments["region"] ?? region
    if let region = request.region, !Partition.isRegion(region) {
      throw Failure("--region: \"\(region)\" is not a region", hint: "for example eu-west-1", exitStatus: .usage)
    }
    request.conditions.externalId = arguments["external-id"]
    request.conditions.requiresMFA = arguments.has("require-mfa")
    request.conditions.requiresSourceIdentity = arguments.has("require-source-identity")
    request.conditions.requiresSessionName = arguments.has("require-session-name")
    request.conditions.sourceAddresses = arguments.all("source-address")
  }

  /// Lets the profile keep an external ID that was made for it.
  func storeExternalId(_ paths: VaultPaths) throws {
    guard let externalId else { return }
    let change = ProfileChange {
      ($0.name, $0.set, $0.mustExist) = (externalId.profile, ["external_id=\(externalId.id)"], true)
    }
    _ = try AgentClient(paths: paths).ask(.putProfiles([change]))
  }
}
