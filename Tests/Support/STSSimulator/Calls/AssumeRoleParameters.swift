import Foundation
import VaultModel

/// A session tag. Keys that differ in case alone are the same key.
struct SessionTag: Sendable, Hashable {
  let key: String
  let value: String
}

/// What `AssumeRole` was asked for, as far as it can be judged without knowing who asks (botocore, `sts/2011-06-15`).
struct AssumeRoleParameters: Sendable {
  let role: RoleARN
  let sessionName: String
  let duration: Int
  let externalId: String?
  let serialNumber: String?
  let tokenCode: String?
  let sourceIdentity: String?
  let tags: [SessionTag]
  let transitiveKeys: Set<String>
  let policy: String?
  let policyARNs: [String]

  init(_ parameters: CallParameters) throws(AWSError) {
    try parameters.requireOnly(
      ["RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "SerialNumber", "TokenCode", "SourceIdentity", "Policy"],
      lists: [("Tags", ["Key", "Value"]), ("TransitiveTagKeys", [""]), ("PolicyArns", ["arn"])])
    let arn = parameters["RoleArn"]
    let name = parameters["RoleSessionName"]
    externalId = parameters["ExternalId"]
    serialNumber = parameters["SerialNumber"]
    tokenCode = parameters["TokenCode"]
    sourceIdentity = parameters["SourceIdentity"]
    policy = parameters["Policy"]
    let tagMembers = parameters.list("Tags", ["Key", "Value"])
    let transitive = parameters.list("TransitiveTagKeys", [""]).compactMap { $0[""] }
    let arns = parameters.list("PolicyArns", ["arn"]).compactMap { $0["arn"] }

    var validation = Validation()
    validation.require(arn != nil, nil, at: "roleArn", "not be null")
    validation.text(arn, at: "roleArn", length: 20...2_048, pattern: .arn)
    validation.require(name != nil, nil, at: "roleSessionName", "not be null")
    validation.text(name, at: "roleSessionName", length: 2...64, pattern: .name)
    duration = validation.number(parameters["DurationSeconds"], at: "durationSeconds", range: 900...43_200, defaultValue: 3_600)
    validation.text(externalId, at: "externalId", length: 2...1_224, pattern: .externalId)
    validation.text(serialNumber, at: "serialNumber", length: 9...256, pattern: .serialNumber)
    validation.text(tokenCode, at: "tokenCode", length: 6...6, pattern: .digits)
    validation.text(sourceIdentity, at: "sourceIdentity", length: 2...256, pattern: .name)
    validation.text(policy, at: "policy", length: 1...2_048)
    validation.check(tags: tagMembers)
    validation.require(
      transitive.count <= 50, "\(transitive.count) keys", at: "transitiveTagKeys", "have length less than or equal to 50")
    for (index, key) in transitive.enumerated() {
      validation.text(key, at: "transitiveTagKeys.\(index + 1).member", length: 1...128, pattern: .tag)
    }
    validation.check(policyARNs: arns)
    try validation.finish()

    guard let arn, let name else { throw .missingAction }
    guard let role = RoleARN(arn) else { throw .validation("\(arn) is invalid") }
    self.role = role
    sessionName = name
    tags = tagMembers.map { SessionTag(key: $0["Key"] ?? "", value: $0["Value"] ?? "") }
    transitiveKeys = Set(transitive.map { $0.lowercased() })
    policyARNs = arns
    try Self.check(tags: tags, transitive: transitiveKeys)
    try Self.check(policy: policy, arns: arns, account: role.account)
  }

  /// Names may not come twice, `aws:` is AWS's own, and what is passed on must be there.
  static func check(tags: [SessionTag], transitive: Set<String>) throws(AWSError) {
    let keys = Set(tags.map { $0.key.lowercased() })
    guard keys.count == tags.count else {
      throw .validation("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    }
    guard !keys.contains(where: { $0.hasPrefix("aws:") }) else {
      throw .validation("Tag keys must not start with the reserved prefix aws:")
    }
    guard transitive.isSubset(of: keys) else {
      throw AWSError(
        400, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
    }
  }

  /// - Parameter account: that of the role or the user, in which a policy must exist that is not AWS's own.
  static func check(policy: String?, arns: [String], account: String) throws(AWSError) {
    for arn in arns {
      let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 6, parts[1].hasPrefix("aws"), parts[2] == "iam", ["aws", account].contains(String(parts[4])),
        parts[5].hasPrefix("policy/")
      else { throw .validation("ARN \(arn) is not valid.") }
    }
    // "The plaintext that you use for both inline and managed session policies can't exceed 2,048 characters" (STS API).
    let characters = (policy?.unicodeScalars.count ?? 0) + arns.reduce(0) { $0 + $1.unicodeScalars.count }
    guard characters <= 2_048 else { throw .packedPolicyTooLarge(percent: characters * 100 / 2_048) }
    guard let policy else { return }
    guard let json = try? JSONSerialization.jsonObject(with: Data(policy.utf8)), let document = json as? [String: Any] else {
      throw .malformedPolicy("This policy contains invalid Json")
    }
    let statements = document["Statement"].map { $0 as? [[String: Any]] ?? ($0 as? [String: Any]).map { [$0] } ?? [] } ?? []
    let whole = statements.allSatisfy {
      ["Allow", "Deny"].contains($0["Effect"] as? String) && ($0["Action"] ?? $0["NotAction"]) != nil && $0["Principal"] == nil
    }
    guard !statements.isEmpty, whole else { throw .malformedPolicy("Syntax errors in policy.") }
  }
}

extension Validation {
  mutating func check(policyARNs arns: [String]) {
    require(arns.count <= 10, "\(arns.count) ARNs", at: "policyArns", "have length less than or equal to 10")
    for (index, arn) in arns.enumerated() {
      text(arn, at: "policyArns.\(index + 1).member.arn", length: 20...2_048, pattern: .arn)
    }
  }

  mutating func check(tags: [[String: String]]) {
    require(tags.count <= 50, "\(tags.count) tags", at: "tags", "have length less than or equal to 50")
    for (index, tag) in tags.enumerated() {
      let place = "tags.\(index + 1).member"
      require(tag["Key"] != nil, nil, at: "\(place).key", "not be null")
      require(tag["Value"] != nil, nil, at: "\(place).value", "not be null")
      text(tag["Key"], at: "\(place).key", length: 1...128, pattern: .tag)
      text(tag["Value"], at: "\(place).value", length: 0...256, pattern: .tag)
    }
  }
}
