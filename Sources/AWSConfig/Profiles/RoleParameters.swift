import VaultModel

/// Reads a profile's settings for its role, within the limits of the STS API (`AssumeRole`).
struct RoleParameters {
  let profile: ProfileSettings

  func link(region: String?, endpoint: EndpointSettings) throws(ConfigError) -> RoleLink {
    let link = RoleLink(
      profile: profile.name, roleARN: try roleARN(), roleSessionName: try sessionName(),
      externalId: try text("external_id", length: 2...1_224, also: "_+=,.@:/-"),
      mfaSerial: try mfaSerial(), mfaProcess: profile.text("mfa_process"), duration: try duration(),
      sourceIdentity: try text("source_identity", length: 2...256, also: "_+=,.@-"),
      tags: try tags(), transitiveTagKeys: try transitiveTagKeys(), policy: try policy(), policyARNs: try policyARNs(),
      region: region, endpoint: endpoint)
    if let policy = link.policy, let setting = profile["policy_arns"] {
      let length = link.policyARNs.reduce(policy.unicodeScalars.count) { $0 + $1.unicodeScalars.count }
      guard length <= 2_048 else {
        throw ConfigError.invalid(
          setting: "policy_arns", origin: setting.origin, expected: "at most 2048 characters together with policy")
      }
    }
    return link
  }

  func roleARN() throws(ConfigError) -> RoleARN {
    try read("role_arn", expected: "the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME") { RoleARN($0) }
      .orThrow(.incomplete(profile: profile.name, origin: profile.origin(), problem: "has no role_arn", expected: "add role_arn"))
  }

  func sessionName() throws(ConfigError) -> RoleSessionName? {
    try read("role_session_name", expected: "2 to 64 letters, digits or _ + = , . @ -") { RoleSessionName($0) }
  }

  func mfaSerial() throws(ConfigError) -> String? {
    let serial = try text("mfa_serial", length: 9...256, also: "_+=/:,.@-")
    if let serial, serial.contains(":u2f/"), let setting = profile["mfa_serial"] {
      throw ConfigError.invalid(
        setting: "mfa_serial", origin: setting.origin,
        expected: "a device that generates codes, such as arn:aws:iam::ACCOUNT:mfa/NAME: STS does not accept FIDO security keys")
    }
    return serial
  }

  private func duration() throws(ConfigError) -> SessionDuration? {
    try read("duration_seconds", expected: "a number of seconds from 900 to 43200") { text in
      guard text.utf8.count <= 9, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
      return Int(text).flatMap { SessionDuration(seconds: $0) }
    }
  }

  private func policy() throws(ConfigError) -> String? {
    try read("policy", expected: "a JSON object of at most 2048 characters") { text in
      (2...2_048).contains(text.unicodeScalars.count) && text.hasPrefix("{") && text.hasSuffix("}") ? text : nil
    }
  }

  private func policyARNs() throws(ConfigError) -> [String] {
    try read("policy_arns", expected: "at most 10 policy ARNs, separated by commas") { text in
      let list = Self.list(text)
      let allAreARNs = list.allSatisfy { arn in
        arn.hasPrefix("arn:") && (20...2_048).contains(arn.utf8.count) && arn.utf8.allSatisfy { (33...126).contains($0) }
      }
      return allAreARNs && list.count <= 10 ? list : nil
    } ?? []
  }

  private func tags() throws(ConfigError) -> [SessionTag] {
    try read(first("session_tags", "tags"), expected: "at most 50 tags, name=value, separated by commas, with unique names") {
      text in
      var tags: [SessionTag] = []
      var names: Set<String> = []
      for item in Self.list(text) {
        guard let equals = item.firstIndex(of: "=") else { return nil }
        let key = Self.trimmed(item[..<equals])
        let value = Self.trimmed(item[item.index(after: equals)...])
        let tag = SessionTag(key: key, value: value)
        // Tag names are case-insensitive (IAM User Guide, "Passing session tags").
        guard tag.hasValidKey, tag.hasValidValue, names.insert(key.lowercased()).inserted else { return nil }
        tags.append(tag)
      }
      return tags.count <= 50 ? tags : nil
    } ?? []
  }

  private func transitiveTagKeys() throws(ConfigError) -> [String] {
    let name = first("transitive_session_tags", "transitive_tag_keys")
    return try read(name, expected: "at most 50 tag names, separated by commas") { text in
      let list = Self.list(text)
      return list.count <= 50 && list.allSatisfy { SessionTag(key: $0, value: "").hasValidKey } ? list : nil
    } ?? []
  }

  private func first(_ name: String, _ other: String) -> String { profile[name] == nil ? other : name }

  private func text(_ name: String, length: ClosedRange<Int>, also: String) throws(ConfigError) -> String? {
    try read(name, expected: Self.expected(length, also)) { text in
      let isLegal = text.utf8.allSatisfy { byte in
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: also.utf8.contains(byte)
        }
      }
      return isLegal && length.contains(text.utf8.count) ? text : nil
    }
  }

  private static func expected(_ length: ClosedRange<Int>, _ also: String) -> String {
    let signs = also.map(String.init).joined(separator: " ")
    return "\(length.lowerBound) to \(length.upperBound) letters, digits or \(signs)"
  }

  private func read<Value>(
    _ name: String, expected: @autoclosure () -> String, _ parse: (String) -> Value?
  ) throws(ConfigError) -> Value? {
    guard let setting = profile[name] else { return nil }
    guard let text = setting.text, text.utf8.count <= ConfigLimits.parameterBytes, let value = parse(text) else {
      throw ConfigError.invalid(setting: name, origin: setting.origin, expected: expected())
    }
    return value
  }

  private static func list(_ text: String) -> [String] {
    text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}

extension Optional {
  func orThrow(_ error: @autoclosure () -> ConfigError) throws(ConfigError) -> Wrapped {
    guard let value = self else { throw error() }
    return value
  }
}
