import VaultModel

/// What a profile says about its `AssumeRole`, each value checked against what STS takes (STS API, `AssumeRole`).
enum RoleParameters {
  static func link(_ profile: ProfileSettings, region: String?, endpoint: EndpointSettings) throws(ConfigError) -> RoleLink {
    guard let arn = RoleARN(profile.text("role_arn") ?? "") else {
      throw profile.wrong("role_arn", "is no role's ARN, such as arn:aws:iam::123456789012:role/name")
    }
    var link = RoleLink(profile: profile.name, roleARN: arn, region: region, endpoint: endpoint)
    if let text = profile.text("role_session_name") {
      guard let name = RoleSessionName(text) else { throw profile.wrong("role_session_name", "must be 2 to 64 letters, digits or characters of _+=,.@-") }
      link.roleSessionName = name
    }
    if let text = profile.text("duration_seconds") {
      guard let seconds = Int(text), let duration = SessionDuration(seconds: seconds) else {
        throw profile.wrong("duration_seconds", "must be a number from 900 to 43200")
      }
      link.duration = duration
    }
    link.externalId = try checked(profile, "external_id", 2...1_224, "+=,.@:/-_\\")
    link.mfaSerial = try checked(profile, "mfa_serial", 9...256, "+=/:,.@-_")
    link.sourceIdentity = try checked(profile, "source_identity", 2...64, "+=,.@-_")
    if let policy = profile.text("policy") {
      guard policy.utf8.count <= 2_048 else { throw profile.wrong("policy", "has over 2048 characters") }
      link.policy = policy
    }
    if let setting = profile.first(of: "policy_arns"), let text = setting.text {
      link.policyARNs = list(text)
      guard link.policyARNs.count <= 10, link.policyARNs.allSatisfy({ $0.hasPrefix("arn:") && (20...2_048).contains($0.utf8.count) }) else {
        throw profile.wrong("policy_arns", "must be at most 10 ARNs of policies, parted by commas")
      }
    }
    try addTags(profile, &link)
    return link
  }

  private static func addTags(_ profile: ProfileSettings, _ link: inout RoleLink) throws(ConfigError) {
    if let setting = profile.first(of: "session_tags", "tags"), let text = setting.text {
      for pair in list(text) {
        guard let equals = pair.firstIndex(of: "=") else { throw profile.wrong(setting.name, "must be key=value pairs, parted by commas") }
        let tag = SessionTag(key: trim(pair[..<equals]), value: trim(pair[pair.index(after: equals)...]))
        guard (1...128).contains(tag.key.count), tag.value.count <= 256 else {
          throw profile.wrong(setting.name, "has a key of over 128 or a value of over 256 characters, or an empty key")
        }
        guard !link.tags.contains(where: { $0.key.lowercased() == tag.key.lowercased() }) else {
          throw profile.wrong(setting.name, "has the key \"\(tag.key)\" twice")
        }
        link.tags.append(tag)
      }
      guard link.tags.count <= 50 else { throw profile.wrong(setting.name, "has over 50 tags") }
    }
    if let setting = profile.first(of: "transitive_session_tags", "transitive_tag_keys"), let text = setting.text {
      link.transitiveTagKeys = list(text)
      for key in link.transitiveTagKeys where !link.tags.contains(where: { $0.key == key }) {
        throw profile.wrong(setting.name, "names \"\(key)\", which is not among the profile's tags")
      }
    }
  }

  private static func checked(
    _ profile: ProfileSettings, _ name: String, _ length: ClosedRange<Int>, _ others: String
  ) throws(ConfigError) -> String? {
    guard let text = profile.text(name) else { return nil }
    let allowed = Set(others.utf8)
    guard length.contains(text.utf8.count),
      text.utf8.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) || allowed.contains($0) })
    else { throw profile.wrong(name, "must be \(length.lowerBound) to \(length.upperBound) letters, digits or characters of \(others)") }
    return text
  }

  private static func list(_ text: String) -> [String] {
    text.split(whereSeparator: { $0 == "," || $0 == "\n" }).map { trim($0) }.filter { !$0.isEmpty }
  }

  private static func trim(_ text: Substring) -> String {
    var text = text
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
