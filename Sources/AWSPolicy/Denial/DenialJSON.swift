// What is JSON: bodies of services, CloudTrail's events, decoded messages, and details of an authorization.
extension Denial {
  /// - Returns: nil if the value tells of no refusal. Of several, the last counts.
  init?(json: JSONValue, depth: Int = 0) {
    guard depth < 6 else { return nil }
    func inside(_ value: JSONValue?) -> Denial? { value.flatMap { Denial(json: $0, depth: depth + 1) } }
    var found: Denial?
    if let values = json.array ?? json["Records"]?.array ?? json["Events"]?.array ?? json["events"]?.array {
      // The newest is the last one of a file, and the first one of `cloudtrail lookup-events`.
      let all = values.compactMap { inside($0) }
      found = json["Events"] == nil ? all.last : all.first
      found?.others += max(all.count - 1, 0)
    } else if let text = (json["DecodedMessage"] ?? json["CloudTrailEvent"])?.string {
      found = (try? JSONText(Array(text.utf8), maxBytes: Self.maxBytes)).flatMap { inside($0.value) }
    } else if json["detail"]?["eventName"] != nil {
      found = inside(json["detail"])
    } else if json["eventName"] != nil {
      found = Self.event(json)
    } else if json["evaluations"] != nil {
      found = Self.details([json])
    } else if json["allowed"] != nil || json["explicitDeny"] != nil {
      found = Self.decoded(json)
    } else {
      found = Self.body(json)
    }
    guard let found else { return nil }
    self = found
  }

  /// The body of a service's error, or an entry of a log.
  private static func body(_ json: JSONValue) -> Denial? {
    let error = json["Error"] ?? json["error"]
    let holder = error?.members == nil ? json : error ?? json
    let code = (holder["Code"] ?? holder["__type"] ?? holder["code"] ?? holder["errorType"] ?? holder["errorCode"])?.string
    let message =
      (holder["Message"] ?? holder["message"] ?? holder["errorMessage"] ?? holder["error_description"] ?? holder["cause"])?.string
      ?? error?.string
    let name = code.map { String(($0.split(separator: ":").first?.split(separator: "#").last ?? "").prefix(128)) }
    return Denial(message ?? "", code: name.flatMap { $0.isEmpty ? nil : $0 })
  }

  /// An event of CloudTrail (its user guide, "CloudTrail record contents").
  private static func event(_ json: JSONValue) -> Denial? {
    guard let code = json["errorCode"]?.string else { return nil }
    let operation = json["eventName"]?.string
    let bare = code.split(separator: ".").last.map(String.init) ?? code
    guard var denial = Denial(json["errorMessage"]?.string ?? "", code: bare, operation: operation) else { return nil }
    denial.principal = denial.principal ?? json["userIdentity"]?["arn"]?.string
    let parameters = json["requestParameters"]
    denial.requestedRole = parameters?["roleArn"]?.string
    if denial.resource == nil { denial.resource = denial.requestedRole }
    if denial.action == nil, let service = json["eventSource"]?.string?.split(separator: ".").first, let operation {
      denial.action = "\(service):\(operation)"
    }
    denial.authorizationRegion = denial.authorizationRegion ?? json["awsRegion"]?.string
    return denial
  }

  /// `DecodedMessage` (STS API, `DecodeAuthorizationMessage`): it names the statement that denied, but no policy.
  private static func decoded(_ json: JSONValue) -> Denial? {
    guard json["allowed"] != .bool(true), let context = json["context"] else { return nil }
    var denial = Denial(code: "UnauthorizedOperation", message: "")
    denial.principal = context["principal"]?["arn"]?.string
    denial.action = context["action"]?.string
    denial.resource = context["resource"]?.string
    denial.isExplicit = json["explicitDeny"] == .bool(true)
    denial.isEvaluated = true
    let denying = json["matchedStatements"]?["items"]?.array?.first { $0["effect"]?.string == "DENY" }
    denial.sid = denying?["statementId"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    return denial
  }

  /// The pages of `GetRequestAuthorizationDetails` (IAM Toolbox API): the first evaluation that denied, and what denied in it.
  ///
  /// - Returns: nil if nothing in them denied.
  private static func details(_ pages: [JSONValue]) -> Denial? {
    let evaluations = pages.flatMap { $0["evaluations"]?.array ?? [] }
    func effect(_ value: JSONValue) -> String? { value["evaluatedEffect"]?.string }
    guard
      let evaluation = evaluations.first(where: { effect($0) == "EXPLICIT_DENY" })
        ?? evaluations.first(where: { effect($0) == "IMPLICIT_DENY" })
    else { return nil }
    var denial = Denial(code: "AccessDenied", message: "")
    denial.isEvaluated = true
    denial.isExplicit = effect(evaluation) == "EXPLICIT_DENY"
    denial.action = evaluation["action"]?.string
    denial.resource = evaluation["resource"]?.string
    let context = pages.lazy.compactMap { $0["requestContext"] }.first
    denial.principal = (context?["aws:PrincipalARN"] ?? context?["aws:PrincipalArn"])?.string
    let check = evaluation["checks"]?.array?.first { effect($0) == effect(evaluation) }
    denial.policyType = check?["checkType"]?.string.flatMap { checkTypes[$0] }
    for policy in (check ?? evaluation)["matchedPolicies"]?.array ?? [] {
      guard let statement = policy["matchedStatements"]?.array?.first(where: { effect($0) == "DENY" }) else { continue }
      let uri = policy["uri"]?.string
      denial.sid = statement["sid"]?.string
      denial.policyARN = uri.flatMap { $0.hasPrefix("arn:") ? $0 : nil }
      if denial.policyType == nil {
        let policies = pages.flatMap { $0["policies"]?.array ?? [] }
        denial.policyType = policies.first { $0["uri"]?.string == uri }?["type"]?.string.flatMap { policyTypes[$0] }
      }
      break
    }
    return denial
  }

  private static let checkTypes: [String: PolicyType] = [
    "SERVICE_CONTROL_POLICY": .serviceControl, "RESOURCE_CONTROL_POLICY": .resourceControl, "VPC_ENDPOINT": .endpoint,
    "RESOURCE": .resource, "PRINCIPAL": .identity, "PERMISSIONS_BOUNDARY": .boundary, "SESSION": .session,
  ]
  private static let policyTypes: [String: PolicyType] = [
    "SERVICE_CONTROL_POLICY": .serviceControl, "RESOURCE_CONTROL_POLICY": .resourceControl, "VPC_ENDPOINT_POLICY": .endpoint,
    "RESOURCE_BASED_POLICY": .resource, "IDENTITY_BASED_POLICY": .identity, "PERMISSIONS_BOUNDARY": .boundary,
    "SESSION_POLICY": .session,
  ]

  /// The pages of `GetRequestAuthorizationDetails`, or the one document of a decoded message.
  ///
  /// - Returns: nil if nothing in them denied.
  public init?(details pages: [JSONValue]) {
    guard let found = pages.first?["evaluations"] != nil ? Self.details(pages) : pages.first.flatMap(Self.decoded) else {
      return nil
    }
    self = found
  }

  /// What AWS told when asked, over what its first words said; the words keep what the answer leaves out.
  public func completed(by details: Denial) -> Denial {
    var whole = self
    whole.principal = principal ?? details.principal
    whole.action = details.action ?? action
    whole.resource = details.resource ?? resource
    whole.policyType = details.policyType ?? policyType
    whole.isExplicit = details.isExplicit || isExplicit
    whole.policyARN = details.policyARN ?? policyARN
    whole.sid = details.sid ?? sid
    whole.isEvaluated = true
    return whole
  }
}
