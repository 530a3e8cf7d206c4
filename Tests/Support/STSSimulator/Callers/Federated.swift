import AWSPolicy
import Foundation
import SimulatorModel
import VaultModel

// The calls of STS that take a token or an assertion in place of a signature.
extension Simulator {
  func federated(_ action: String, _ parameters: CallParameters, now: Timestamp, entry: inout STSRequest) throws(AWSError)
    -> HTTPResponse
  {
    let isWeb = action == "AssumeRoleWithWebIdentity"
    let proof = isWeb ? "WebIdentityToken" : "SAMLAssertion"
    try parameters.requireOnly(
      ["RoleArn", "DurationSeconds", "Policy", proof] + (isWeb ? ["RoleSessionName", "ProviderId"] : ["PrincipalArn"]),
      lists: [("PolicyArns", ["arn"])])
    entry.parameters[proof] = "‹secret›"
    var validation = Validation()
    validation.text(parameters["RoleArn"], at: "roleArn", length: 20...2_048, pattern: .arn)
    let seconds = validation.number(
      parameters["DurationSeconds"], at: "durationSeconds", range: 900...43_200, defaultValue: 3_600)
    validation.text(parameters[proof], at: isWeb ? "webIdentityToken" : "sAMLAssertion", length: 4...(isWeb ? 20_000 : 100_000))
    let arns = parameters.list("PolicyArns", ["arn"]).compactMap { $0["arn"] }
    validation.text(parameters["Policy"], at: "policy", length: 1...2_048)
    validation.check(policyARNs: arns)
    if isWeb { validation.text(parameters["RoleSessionName"], at: "roleSessionName", length: 2...64, pattern: .name) }
    try validation.finish()
    guard let arn = parameters["RoleArn"].flatMap({ RoleARN($0) }), let token = parameters[proof] else { throw .missingAction }
    try AssumeRoleParameters.check(policy: parameters["Policy"], arns: arns, account: arn.account)
    guard let role = role(arn.text) else { throw Self.notAuthorized(action) }
    guard seconds <= role.maxSessionDuration else { throw .longerThanRoleAllows }
    var name = parameters["RoleSessionName"] ?? ""
    var more: [XMLElement] = []
    if isWeb {
      guard let known = webIdentities.first(where: { $0.token == token }) else {
        throw AWSError(400, "InvalidIdentityToken", "The web identity token that was passed could not be validated by AWS.")
      }
      let host = known.provider ?? "token.example.com"
      let provider = "arn:\(arn.partition):iam::\(arn.account):oidc-provider/\(host)"
      var claims: ContextKeys = ["\(host):sub": [known.subject]]
      claims["\(host):aud"] = known.audience.map { [$0] }
      let isTrusted = try trusts(role, provider, claims, name, now: now) ?? known.roles.contains(arn.text)
      guard isTrusted else { throw Self.notAuthorized(action) }
      more = [
        XMLElement("SubjectFromWebIdentityToken", text: known.subject),
        XMLElement("Provider", text: known.provider == nil ? host : provider),
      ]
    } else {
      guard let document = Data(base64Encoded: token).map({ String(decoding: $0, as: UTF8.self) }), document.contains("<") else {
        throw AWSError(400, "InvalidIdentityToken", "Invalid base64 SAMLResponse")
      }
      name = "saml-user"
      guard let provider = parameters["PrincipalArn"], samlProviders.contains(provider),
        try trusts(role, provider, ["SAML:aud": ["https://signin.aws.amazon.com/saml"]], name, now: now)
          ?? role.trusts.contains(provider),
        document.contains(arn.text), document.contains(provider)
      else { throw Self.notAuthorized(action) }
    }
    let session = issue(arn, as: name, seconds: seconds, now: now)
    entry.issuedAccessKeyId = session.accessKeyId
    entry.expiresAt = session.expiresAt.milliseconds
    let user = XMLElement(
      "AssumedRoleUser",
      [
        XMLElement("AssumedRoleId", text: "\(Identity.roleId(arn.text)):\(name)"),
        XMLElement("Arn", text: Identity.sessionARN(arn, name)),
      ])
    return XMLAnswer.success(
      action, XMLElement("", [user, XMLAnswer.credentials(session)] + more), requestId: entry.requestId)
  }

  /// Whether the role's trust policy allows somebody with a token; nil for a role without one.
  private func trusts(_ role: STSWorld.Role, _ provider: String, _ claims: ContextKeys, _ name: String, now: Timestamp)
    throws(AWSError) -> Bool?
  {
    guard let policy = role.trustPolicy, let arn = RoleARN(role.arn) else { return nil }
    return try PolicyTrust(world: STSWorld(), settings: STSSettings(), now: now)
      .allows(provider: provider, claims: claims, arn, sessionName: name, policy)
  }

  private static func notAuthorized(_ action: String) -> AWSError {
    AWSError(403, "AccessDenied", "Not authorized to perform sts:\(action)")
  }

  // MARK: IAM's calls for one's own access keys

  func iam(_ action: String, _ parameters: CallParameters, _ caller: Caller, _ entry: inout STSRequest) throws(AWSError)
    -> HTTPResponse
  {
    guard parameters["Version"] == "2010-05-08" else { throw .unknownOperation(action, version: parameters["Version"] ?? "") }
    guard !caller.isRole else {
      throw AWSError(400, "ValidationError", "Must specify userName when calling with non-User credentials")
    }
    guard !caller.isFederated, !caller.isTemporary || caller.mfa else {
      throw AWSError(403, "InvalidClientTokenId", "The security token included in the request is invalid")
    }
    let arn = caller.principal
    let result: XMLElement = try withService { service throws(AWSError) in
      guard let index = service.world.users.firstIndex(where: { $0.arn == arn }) else { throw .invalidClientTokenId }
      switch action {
      case "ListAccessKeys":
        let members = service.world.users[index].accessKeys.map { key in
          XMLElement(
            "member",
            [
              XMLElement("UserName", text: service.world.users[index].name), XMLElement("AccessKeyId", text: key.id),
              XMLElement("Status", text: key.active ? "Active" : "Inactive"),
            ])
        }
        return XMLElement("", [XMLElement("AccessKeyMetadata", members), XMLElement("IsTruncated", text: "false")])
      case "CreateAccessKey":
        guard service.world.users[index].accessKeys.count < 2 else {
          throw AWSError(409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
        }
        let key = STSWorld.AccessKey(
          id: "AKIA" + Identity.temporaryAccessKeyId().dropFirst(4), secret: Identity.secretAccessKey())
        service.world.users[index].accessKeys.append(key)
        return XMLElement(
          "",
          [
            XMLElement(
              "AccessKey",
              [
                XMLElement("UserName", text: service.world.users[index].name), XMLElement("AccessKeyId", text: key.id),
                XMLElement("Status", text: "Active"), XMLElement("SecretAccessKey", text: key.secret),
              ])
          ])
      case "DeleteAccessKey":
        let before = service.world.users[index].accessKeys.count
        service.world.users[index].accessKeys.removeAll { $0.id == parameters["AccessKeyId"] }
        guard service.world.users[index].accessKeys.count < before else {
          throw AWSError(404, "NoSuchEntity", "The Access Key with id \(parameters["AccessKeyId"] ?? "") cannot be found.")
        }
        return XMLElement("", [])
      default: throw .unknownOperation(action, version: "2010-05-08")
      }
    }
    return XMLAnswer.success(action, result, requestId: entry.requestId)
  }
}
