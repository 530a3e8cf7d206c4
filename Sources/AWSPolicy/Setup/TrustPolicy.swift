import VaultModel

/// The trust policy of a role: who may assume it, in a form that lasts.
public struct TrustPolicy: Sendable, Hashable {
  public let document: PolicyDocument
  /// Who is meant, as a sentence without a full stop.
  public let meaning: String

  /// - Parameters:
  ///   - actions: what the caller must be allowed beside the call itself: `sts:SetSourceIdentity`, `sts:TagSession`.
  ///   - region: where a service's resources are.
  init(_ caller: TrustedCaller, of role: RoleARN, actions: [String], conditions: TrustConditions, region: String?) {
    let partition = Partition(rawValue: role.partition) ?? .aws
    var actions = actions
    func all(of account: String) -> Principal { .aws("arn:\(role.partition):iam::\(account):root") }
    func equal(_ key: String, _ value: String, like: Bool = false) -> PolicyCondition {
      PolicyCondition(ConditionOperator(like ? .stringLike : .stringEquals), key: key, values: [value])
    }
    func arn(_ key: String, _ values: [String], like: Bool = false) -> PolicyCondition {
      PolicyCondition(ConditionOperator(like ? .arnLike : .arnEquals), key: key, values: values)
    }

    let (principal, who): (Principal, String)
    var call = "sts:AssumeRole"
    var whose: [PolicyCondition] = []
    switch caller {
    case .permissionSet(let name, let account, let home):
      principal = all(of: account)
      // The role of a permission set is made again, with another suffix of 16 hexadecimal digits, when its assignments are. Its path
      // has the region of IAM Identity Center, except in us-east-1 (IAM Identity Center User Guide, "Referencing permission sets in
      // resource policies"). A role that `Principal` names becomes an id when it is saved, which the next role does not have.
      let path = "arn:\(role.partition):iam::\(account):role/aws-reserved/sso.amazonaws.com/"
      let pattern = "AWSReservedSSO_\(name)_" + String(repeating: "?", count: 16)
      whose = [arn("aws:PrincipalArn", ["\(path)\(pattern)", "\(path)\(home)/\(pattern)"], like: true)]
      who = "everyone with the permission set \(name) in account \(account)"
    case .user(let user):
      principal = all(of: user.account)
      whose = [arn("aws:PrincipalArn", [user.arn])]
      who = "the IAM user \(user.name) of account \(user.account)"
    case .role(let trusted):
      principal = all(of: trusted.account)
      whose = [arn("aws:PrincipalArn", [trusted.text])]
      who = "the role \(trusted.name) of account \(trusted.account)"
    case .account(let account):
      principal = all(of: account)
      who = "everyone to whom account \(account) allows it"
    case .job(let job):
      principal = .federated("arn:\(role.partition):iam::\(role.account):oidc-provider/\(job.host)")
      call = "sts:AssumeRoleWithWebIdentity"
      actions = []
      whose = [equal("\(job.host):aud", job.audience), equal("\(job.host):sub", job.subject, like: job.isPattern)]
      who = "every job of \(job.host) whose token has the subject \(job.subject)"
    case .certificate(let anchor, let name):
      // Roles Anywhere always sets a source identity and tags (IAM Roles Anywhere User Guide, "Trust model").
      principal = .service("rolesanywhere.amazonaws.com")
      actions = ["sts:SetSourceIdentity", "sts:TagSession"]
      whose = [arn("aws:SourceArn", [anchor])] + (name.map { [equal("aws:PrincipalTag/x509Subject/CN", $0)] } ?? [])
      who = "every machine with a certificate of \(anchor)" + (name.map { " and the common name \($0)" } ?? "")
    case .identityCenter(let application):
      // IAM User Guide, "Prepare roles for account access manager".
      principal = .service("account-access.amazonaws.com")
      actions = ["sts:SetContext", "sts:TagSession"]
      let account = SetupNames.arnParts(application)?[4] ?? ""
      whose = [equal("aws:SourceAccount", account), equal("aws:SourceArn", application)]
      who = "the users of IAM Identity Center whom \(application) entitles"
    case .service(let service):
      principal = .service(service.principal(in: partition))
      actions = []
      if service == .ecsTasks {
        // Amazon ECS Developer Guide, "Amazon ECS task IAM role": without them, another account's tasks could be the deputy.
        whose = [
          arn("aws:SourceArn", ["arn:\(role.partition):ecs:\(region ?? "*"):\(role.account):*"], like: true),
          equal("aws:SourceAccount", role.account),
        ]
      }
      who = "\(service.noun) of account \(role.account)"
    }
    let demanded = conditions.elements
    func statement(_ actions: [String], _ conditions: [PolicyCondition]) -> Statement {
      Statement(.allow, principals: PrincipalElement([principal]), actions: PatternElement(actions), conditions: conditions)
    }
    // AWS has the keys of AssumeRole's own parameters for that action, and documents them for no other. What the call is refused for
    // need not be said again for the actions that go with it.
    if !actions.isEmpty, demanded.contains(where: { ["sts:ExternalId", "sts:RoleSessionName"].contains($0.key) }) {
      document = PolicyDocument([statement([call], whose + demanded), statement(actions, whose)])
    } else {
      document = PolicyDocument([statement([call] + actions, whose + demanded)])
    }
    let words = conditions.words
    meaning = "\(who) may assume \(role.name)" + (words.isEmpty ? "" : " " + words.joined(separator: ", "))
  }
}
