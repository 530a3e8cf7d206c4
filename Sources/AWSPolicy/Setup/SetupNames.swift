import VaultBytes
import VaultModel

/// What AWS accepts as a name, so that nothing is printed that it would refuse.
enum SetupNames {
  /// A name of a role (64), a policy (128) or a permission set (32): letters, digits and `_ + = , . @ -` (IAM API, `RoleName` and
  /// `PolicyName`; SSO Admin API, `PermissionSetName`).
  static func check(_ name: String, _ what: String, max: Int) throws(Failure) {
    guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else {
      throw Failure(
        "invalid name of \(what): \"\(name.prefix(128))\"", hint: "use letters, digits and _ + = , . @ -", exitStatus: .usage)
    }
    let length = name.utf8.count
    guard length <= max else {
      throw Failure("the name of \(what) has \(length) characters; AWS accepts \(max)", hint: name, exitStatus: .usage)
    }
  }

  static func isNameByte(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...122).contains(byte | 0x20) || "_+=,.@-".utf8.contains(byte)
  }

  /// A name for people, of a group or a user (Identity Store API, `GroupDisplayName` and `UserName`).
  static func checkText(_ name: String, _ what: String, max: Int) throws(Failure) {
    guard !name.isEmpty, name.unicodeScalars.allSatisfy({ !$0.isUnsafeToShow }), name != " " else {
      throw Failure(
        "invalid name of \(what): \"\(name.prefix(128))\"", hint: "control characters are not allowed", exitStatus: .usage)
    }
    let length = name.unicodeScalars.count
    guard length <= max else {
      throw Failure("the name of \(what) has \(length) characters; AWS accepts \(max)", exitStatus: .usage)
    }
  }

  /// Twelve digits.
  static func isAccount(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 12 && text.utf8.allSatisfy { (48...57).contains($0) }
  }

  /// The parts of an ARN, of which the sixth may hold colons: `arn`, partition, service, region, account, resource.
  static func arnParts(_ text: String) -> [String]? {
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 6, parts[0] == "arn", Partition(rawValue: parts[1]) != nil, (20...2_048).contains(text.utf8.count),
      text.utf8.allSatisfy({ (33...126).contains($0) && !"*?$\"'`\\".utf8.contains($0) })
    else { return nil }
    return parts
  }
}
