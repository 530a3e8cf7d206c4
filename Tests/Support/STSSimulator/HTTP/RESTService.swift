import Foundation
import SimulatorModel
import VaultModel

// The services beside STS on the same port: told apart by their paths, since their hosts are one here.
extension Simulator {
  /// The operation that a path names; nil for STS's and IAM's.
  static func operation(_ request: HTTPRequest) -> String? {
    if let target = request["x-amz-target"] { return target.split(separator: ".").last.map(String.init) }
    return switch (request.method, request.path) {
    case ("POST", "/client/register"): "RegisterClient"
    case ("POST", "/device_authorization"): "StartDeviceAuthorization"
    case ("POST", "/token"): "CreateToken"
    case ("GET", "/authorize"): "Authorize"
    case ("GET", "/federation/credentials"): "GetRoleCredentials"
    case ("GET", "/assignment/accounts"): "ListAccounts"
    case ("GET", "/assignment/roles"): "ListAccountRoles"
    case ("POST", "/logout"): "Logout"
    case ("PUT", "/latest/api/token"): "MetadataToken"
    case ("GET", "/credentials"): "ContainerCredentials"
    case ("GET", let path) where path.hasPrefix("/latest/meta-data/iam/security-credentials/"): "InstanceCredentials"
    case ("GET", "/github/token"): "GitHubToken"
    case ("GET", let path) where path.hasPrefix("/vanity/"): "VanityURL"
    case ("GET", "/federation"): "Federation"
    case ("GET", let path) where path.hasPrefix("/authorization-details/"): "GetRequestAuthorizationDetails"
    default: nil
    }
  }

  /// Carries out one call of them.
  func rest(_ operation: String, _ request: HTTPRequest, now: Timestamp, entry: inout STSRequest) throws(AWSError) -> HTTPResponse
  {
    if let target = request["x-amz-target"] { return try ssoAdmin(target, request, now: now, entry: &entry) }
    let query = Self.query(request)
    entry.parameters = query.filter { !["code", "state", "Session", "SigninToken"].contains($0.key) }
    switch operation {
    case "RegisterClient", "StartDeviceAuthorization", "CreateToken", "Authorize":
      return try oidc(operation, request, query, now, &entry)
    case "GetRoleCredentials", "ListAccounts", "ListAccountRoles", "Logout":
      return try portal(operation, request, query, now, &entry)
    case "Federation": return try federation(query, now)
    case "VanityURL":
      // What came with the question is for the test to see.
      entry.parameters["headers"] = request.headers.map(\.name).sorted().joined(separator: " ")
      guard let location = identityWorld?.redirects?[request.path] else {
        return HTTPResponse(status: 200, contentType: "text/html", body: "<title>Intranet</title>")
      }
      var response = HTTPResponse(status: 302, contentType: "text/plain", body: "")
      response.headers = [("Location", location), ("Set-Cookie", "seen=1")]
      return response
    case "GetRequestAuthorizationDetails": return try authorizationDetails(request, now, &entry)
    default: return try machine(operation, request, query, now, &entry)
    }
  }

  static func restFailure(_ error: AWSError, requestId: String) -> HTTPResponse {
    // REST services name the error in a header, JSON 1.1 in `__type`; botocore reads both.
    var response = json(["message": error.message, "__type": error.code], status: error.status)
    response.headers = [("x-amzn-RequestId", requestId), ("x-amzn-ErrorType", error.code)]
    if let seconds = error.retryAfter { response.headers.append(("Retry-After", "\(seconds)")) }
    return response
  }

  private static func json(_ object: [String: Any], status: Int = 200) -> HTTPResponse {
    let data = (try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])) ?? Data()
    return HTTPResponse(status: status, contentType: "application/json", body: String(decoding: data, as: UTF8.self))
  }

  static func query(_ request: HTTPRequest) -> [String: String] {
    var values: [String: String] = [:]
    for pair in request.query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let decode = { (text: Substring) in
        PercentEncoding.decode(text, plusIsSpace: true).map { String(decoding: $0, as: UTF8.self) } ?? ""
      }
      values[decode(halves[0])] = decode(halves.count > 1 ? halves[1] : "")
    }
    return values
  }

  private func center() throws(AWSError) -> STSWorld.IdentityCenter {
    guard let world = identityWorld else { throw AWSError(404, "ResourceNotFoundException", "there is no IAM Identity Center") }
    return world
  }

  /// IAM's access troubleshooter, which knows the one refusal of its API's reference.
  private func authorizationDetails(_ request: HTTPRequest, _ now: Timestamp, _ entry: inout STSRequest) throws(AWSError)
    -> HTTPResponse
  {
    let signature = try SignatureV4(request)
    entry.accessKeyId = signature.accessKeyId
    let (caller, mayAct) = try withService { service throws(AWSError) in
      let caller = try service.identify(signature, request, service: "iam", now: now)
      return (caller, service.mayAct(caller))
    }
    guard mayAct else {
      throw AWSError(
        403, "AccessDeniedException",
        "User: \(caller.arn) is not authorized to perform: iam:GetRequestAuthorizationDetails because no identity-based "
          + "policy allows "
          + "the iam:GetRequestAuthorizationDetails action")
    }
    guard request.path == "/authorization-details/z9y8x7w6v5u4t3s2r1q0" else {
      throw AWSError(404, "ResourceNotFoundException", "The requested authorization details do not exist in this region")
    }
    let policy = "arn:aws:iam::aws:policy/AWSDenyAll"
    let evaluation: [String: Any] = [
      "action": "iam:GetUser", "resource": "arn:aws:iam::111122223333:user/ExampleUser", "evaluatedEffect": "EXPLICIT_DENY",
      "matchedPolicies": [["uri": policy, "matchedStatements": [["sid": "DenyAll", "evaluatedEffect": "DENY"]]]],
    ]
    return Self.json([
      "evaluations": [evaluation], "policies": [["type": "IDENTITY_BASED_POLICY", "uri": policy, "inline": false]],
      "requestContext": ["aws:PrincipalARN": "arn:aws:iam::111122223333:role/ExplicitDeny"],
    ])
  }

  // MARK: IAM Identity Center

  private func oidc(
    _ operation: String, _ request: HTTPRequest, _ query: [String: String], _ now: Timestamp, _ entry: inout STSRequest
  ) throws(AWSError) -> HTTPResponse {
    let world = try center()
    if operation == "Authorize" {
      guard let target = withCenter({ $0.authorize(query, world, now: now) }) else {
        throw AWSError(400, "InvalidRequestException", "no such client or redirect URI")
      }
      var response = HTTPResponse(status: 302, contentType: "text/plain", body: "")
      response.headers = [("Location", target)]
      return response
    }
    let body = (try? JSONSerialization.jsonObject(with: Data(request.body))) as? [String: Any] ?? [:]
    if let grant = body["grantType"] as? String { entry.parameters["grantType"] = grant }
    let base = "http://\(request["host"] ?? "127.0.0.1")"
    do throws(OIDCFailure) {
      let answer = try withCenter { center throws(OIDCFailure) in
        switch operation {
        case "RegisterClient": Self.bytes(try center.register(body, world, now: now))
        case "StartDeviceAuthorization": Self.bytes(try center.authorizeDevice(body, world, base: base, now: now))
        default: Self.bytes(try center.token(body, world, now: now))
        }
      }
      return HTTPResponse(status: 200, contentType: "application/json", body: answer)
    } catch {
      entry.outcome = .error
      entry.errorCode = error.error
      var response = Self.json(["error": error.error, "error_description": error.text], status: error.status)
      response.headers = [("x-amzn-RequestId", entry.requestId), ("x-amzn-ErrorType", error.type)]
      return response
    }
  }

  private static func bytes(_ object: [String: Any]) -> String {
    String(decoding: (try? JSONSerialization.data(withJSONObject: object)) ?? Data(), as: UTF8.self)
  }

  private func portal(
    _ operation: String, _ request: HTTPRequest, _ query: [String: String], _ now: Timestamp, _ entry: inout STSRequest
  ) throws(AWSError) -> HTTPResponse {
    let world = try center()
    let token = request["x-amz-sso_bearer_token"]
    try withCenter { center throws(AWSError) in try center.requireToken(token, world, now: now) }
    switch operation {
    case "Logout":
      withCenter { $0.logout(token ?? "") }
      return HTTPResponse(status: 200, contentType: "application/json", body: "")
    case "ListAccounts":
      let list = world.accounts.map { ["accountId": $0.id, "accountName": $0.name, "emailAddress": "\($0.id)@example.com"] }
      return try Self.page(list, "accountList", query)
    case "ListAccountRoles":
      guard let account = world.accounts.first(where: { $0.id == query["account_id"] }) else {
        throw AWSError(403, "ForbiddenException", "No access")
      }
      return try Self.page(account.roles.map { ["accountId": account.id, "roleName": $0] }, "roleList", query)
    default:
      guard let account = world.accounts.first(where: { $0.id == query["account_id"] }), let name = query["role_name"],
        account.roles.contains(name), let role = RoleARN(world.roleARN(account.id, name))
      else { throw AWSError(403, "ForbiddenException", "No access") }
      let session = issue(role, as: world.user, seconds: world.roleSeconds, now: now)
      entry.issuedAccessKeyId = session.accessKeyId
      entry.expiresAt = session.expiresAt.milliseconds
      var response = Self.json([
        "roleCredentials": [
          "accessKeyId": session.accessKeyId, "secretAccessKey": session.secretAccessKey, "sessionToken": session.sessionToken,
          "expiration": session.expiresAt.milliseconds,
        ]
      ])
      response.headers = [("x-amzn-RequestId", entry.requestId)]
      return response
    }
  }

  private static func page(_ list: [[String: String]], _ key: String, _ query: [String: String]) throws(AWSError) -> HTTPResponse
  {
    let size = query["max_result"].flatMap { Int($0) } ?? 20
    guard (1...100).contains(size) else { throw AWSError(400, "InvalidRequestException", "max_result is 1 to 100") }
    let start = query["next_token"].flatMap { Int($0) } ?? 0
    guard (0...list.count).contains(start) else { throw AWSError(400, "InvalidRequestException", "unknown next_token") }
    let end = min(list.count, start + size)
    var answer: [String: Any] = [key: Array(list[start..<end])]
    if end < list.count { answer["nextToken"] = "\(end)" }
    return json(answer)
  }

  // MARK: machines

  private func machine(
    _ operation: String, _ request: HTTPRequest, _ query: [String: String], _ now: Timestamp, _ entry: inout STSRequest
  ) throws(AWSError) -> HTTPResponse {
    if operation == "GitHubToken" {
      guard request["authorization"] == "bearer github-request-token", let token = webIdentities.first?.token else {
        throw AWSError(401, "Unauthorized", "no such job")
      }
      entry.parameters["audience"] = query["audience"]
      return Self.json(["value": token])
    }
    guard let machine = machineWorld, let role = RoleARN(machine.role) else {
      throw AWSError(404, "NotFound", "no machine's role")
    }
    let prefix = "/latest/meta-data/iam/security-credentials/"
    switch operation {
    case "MetadataToken":
      guard request["x-aws-ec2-metadata-token-ttl-seconds"].flatMap({ Int($0) }).map((1...21_600).contains) == true else {
        throw AWSError(400, "BadRequest", "no time to live")
      }
      return HTTPResponse(status: 200, contentType: "text/plain", body: Self.metadataToken)
    case "InstanceCredentials":
      guard request["x-aws-ec2-metadata-token"] == Self.metadataToken else { throw AWSError(401, "Unauthorized", "no token") }
      if request.path == prefix { return HTTPResponse(status: 200, contentType: "text/plain", body: role.name) }
      guard request.path == prefix + role.name else { throw AWSError(404, "NotFound", "no such role") }
    default:
      guard request["authorization"] == machine.containerToken else { throw AWSError(403, "AccessDenied", "wrong token") }
    }
    let session = issue(role, as: "i-0123456789abcdef0", seconds: machine.seconds, now: now)
    entry.issuedAccessKeyId = session.accessKeyId
    entry.expiresAt = session.expiresAt.milliseconds
    return Self.json([
      "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": now.iso8601, "AccessKeyId": session.accessKeyId,
      "SecretAccessKey": session.secretAccessKey, "Token": session.sessionToken, "Expiration": session.expiresAt.iso8601,
    ])
  }

  private static let metadataToken = "AQAEAmetadataTokenOfTheSimulator=="

  // MARK: the console's sign-in

  private func federation(_ query: [String: String], _ now: Timestamp) throws(AWSError) -> HTTPResponse {
    guard query["Action"] == "getSigninToken" else { return HTTPResponse(status: 200, contentType: "text/html", body: "console") }
    let session = query["Session"].flatMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) } as? [String: String] ?? [:]
    guard let id = session["sessionId"], let known = issued(id), known.secretAccessKey == session["sessionKey"],
      known.sessionToken == session["sessionToken"], now < known.expiresAt
    else { throw AWSError(400, "InvalidSession", "the session's credentials are not valid") }
    // "SSO to console is not allowed" for GetSessionToken (IAM User Guide, "Compare AWS STS credentials").
    if case .user = known.holder { throw AWSError(400, "InvalidSession", "the session's credentials are not for the console") }
    var isFederated: Bool { if case .federated = known.holder { true } else { false } }
    if query["SessionDuration"] != nil, known.isChained || isFederated {
      throw AWSError(400, "InvalidDuration", "SessionDuration is not taken")
    }
    return Self.json(["SigninToken": "token-of-\(id)"])
  }
}
