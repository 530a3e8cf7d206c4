import VaultBytes
import VaultModel

/// What a role demands of a call, beside who makes it.
public struct TrustConditions: Sendable, Hashable {
  public var requiresMFA = false
  public var requiresSourceIdentity = false
  public var requiresSessionName = false
  /// Networks in CIDR notation.
  public var sourceAddresses: [String] = []
  public var externalId: String?

  public init() {}

  /// - Throws: configuration or usage, with the reason, if the caller could never meet one of them.
  func check(_ caller: TrustedCaller, sent: SentParameters?) throws(Failure) {
    if requiresMFA, let reason = caller.noMFA {
      throw Failure("--require-mfa: no call of this principal could succeed", hint: reason, exitStatus: .usage)
    }
    if requiresSourceIdentity {
      switch caller {
      case .permissionSet, .user, .role, .account, .certificate: break
      case .job, .identityCenter, .service:
        throw Failure(
          "--require-source-identity: no call of this principal could succeed", hint: "such a call carries no source identity",
          exitStatus: .usage)
      }
      if let sent, sent.sourceIdentity == nil, caller.account != nil {
        throw Failure(
          "--require-source-identity: the profile sends no source identity",
          hint: "set source_identity, for example with `vault edit PROFILE --source-identity NAME`", exitStatus: .configuration)
      }
    }
    if requiresSessionName { try checkSessionName(caller, sent: sent) }
    if !sourceAddresses.isEmpty {
      switch caller {
      case .certificate, .identityCenter, .service:
        throw Failure(
          "--source-address: no call of this principal could succeed",
          hint: "an AWS service makes the call, from AWS's own addresses",
          exitStatus: .usage)
      default: break
      }
    }
    for network in sourceAddresses where !NetworkRange.isValid(network) {
      throw Failure(
        "--source-address: \"\(network.prefix(64))\" is not a network", hint: "for example 203.0.113.0/24 or 2001:db8::/32",
        exitStatus: .usage)
    }
    if let externalId {
      try Self.check(externalId: externalId)
      guard caller.account != nil else {
        throw Failure(
          "--external-id: no call of this principal could succeed", hint: "such a call carries no external ID", exitStatus: .usage
        )
      }
    }
  }

  /// 2 to 1,224 characters (STS API, `AssumeRole`, `ExternalId`).
  private static func check(externalId text: String) throws(Failure) {
    guard (2...1_224).contains(text.utf8.count),
      text.utf8.allSatisfy({ SetupNames.isNameByte($0) || ":/".utf8.contains($0) })
    else {
      throw Failure(
        "--external-id: \"\(text.prefix(64))\" is not an external ID", hint: "2 to 1224 letters, digits or _ + = , . @ : / -",
        exitStatus: .usage)
    }
  }

  private func checkSessionName(_ caller: TrustedCaller, sent: SentParameters?) throws(Failure) {
    let option = "--require-session-name"
    switch caller {
    case .user(let user):
      guard let sent, sent.roleSessionName != user.name else { return }
      throw Failure(
        "\(option): the profile's session name is not the user's name",
        hint: "set role_session_name, for example with `vault edit PROFILE --session-name \(ShellText.word(user.name))`",
        exitStatus: .configuration)
    case .account:
      guard let sent, sent.roleSessionName == nil else { return }
      throw Failure(
        "\(option): the profile has no session name of its own",
        hint: "set role_session_name to the name of the IAM user who calls", exitStatus: .configuration)
    default:
      throw Failure(
        "\(option): no call of this principal could succeed",
        hint:
          "a session name can be compared with the caller's name for IAM users only (aws:username); use --require-source-identity",
        exitStatus: .usage)
    }
  }

  /// The conditions as a statement has them.
  var elements: [PolicyCondition] {
    var list: [PolicyCondition] = []
    if let externalId {
      list.append(PolicyCondition(ConditionOperator(.stringEquals), key: "sts:ExternalId", values: [externalId]))
    }
    if requiresMFA {
      list.append(PolicyCondition(ConditionOperator(.bool), key: "aws:MultiFactorAuthPresent", values: ["true"]))
    }
    if requiresSourceIdentity {
      list.append(PolicyCondition(ConditionOperator(.stringLike), key: "sts:SourceIdentity", values: ["*"]))
    }
    if requiresSessionName {
      list.append(PolicyCondition(ConditionOperator(.stringLike), key: "sts:RoleSessionName", values: ["${aws:username}"]))
    }
    if !sourceAddresses.isEmpty {
      list.append(PolicyCondition(ConditionOperator(.ipAddress), key: "aws:SourceIp", values: sourceAddresses))
    }
    return list
  }

  /// The conditions in words, each of which goes on a sentence: "with MFA".
  var words: [String] {
    var words: [String] = []
    if externalId != nil { words.append("with the external ID") }
    if requiresMFA { words.append("with MFA") }
    if requiresSourceIdentity { words.append("with a source identity") }
    if requiresSessionName { words.append("with the user's name as the session name") }
    if !sourceAddresses.isEmpty { words.append("from \(sourceAddresses.joined(separator: " or "))") }
    return words
  }
}

/// An IPv4 or IPv6 network in CIDR notation (RFC 4632, RFC 4291), as `aws:SourceIp` is compared with.
enum NetworkRange {
  static func isValid(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, text.utf8.count <= 64 else { return false }
    let isV6 = parts[0].contains(":")
    if parts.count == 2 {
      guard let length = Int(parts[1]), parts[1] == String(length), (0...(isV6 ? 128 : 32)).contains(length) else { return false }
    }
    return isV6 ? isV6Address(parts[0]) : isV4Address(parts[0])
  }

  private static func isV4Address(_ text: Substring) -> Bool {
    let bytes = text.split(separator: ".", omittingEmptySubsequences: false)
    return bytes.count == 4
      && bytes.allSatisfy { byte in Int(byte).map { (0...255).contains($0) && byte == String($0) } ?? false }
  }

  private static func isV6Address(_ text: Substring) -> Bool {
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    guard halves.count <= 2 else { return false }
    let groups = halves.flatMap { $0.isEmpty ? [] : $0.split(separator: ":", omittingEmptySubsequences: false) }
    return groups.allSatisfy { (1...4).contains($0.utf8.count) && $0.allSatisfy(\.isHexDigit) && $0.utf8.count == $0.count }
      && (halves.count == 2 ? groups.count <= 7 : groups.count == 8)
  }
}
