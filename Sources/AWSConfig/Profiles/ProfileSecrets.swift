import VaultModel
import VaultSecrets

/// The access keys that the files hold for one profile. Empty values are nil here.
public struct ProfileSecrets: Sendable {
  public var accessKeyId: String?
  public var secretAccessKey: SecretBytes?
  public var sessionToken: SecretBytes?
  /// The origin of the secret key, or of the token if there is no secret key.
  public var origin: SettingOrigin

  public init(accessKeyId: String?, secretAccessKey: SecretBytes?, sessionToken: SecretBytes?, origin: SettingOrigin) {
    self.accessKeyId = accessKeyId
    self.secretAccessKey = secretAccessKey
    self.sessionToken = sessionToken
    self.origin = origin
  }

  /// The fault of the access key, which is then not read from the file; nil if it is valid, or there is none.
  public func fault(of profile: String) -> ConfigWarning? {
    guard let accessKeyId, !accessKeyId.isEmpty, let secretAccessKey, secretAccessKey.count > 0,
      !secretAccessKey.withBytes({ AccessKeyForm.isPlain(id: accessKeyId.utf8, secret: $0) })
    else { return nil }
    return ConfigWarning(
      file: origin.file, line: origin.line,
      text: "the access key of \"\(profile)\" is invalid (a placeholder, or in quotes?) and is not imported")
  }
}

/// The settings whose values are secrets.
enum SecretName {
  /// Stands in a setting for the bytes that are kept in the side table.
  static let mask = "‹secret›"
  /// `aws_security_token` is botocore's older name for the session token.
  static let all = ["aws_secret_access_key", "aws_session_token", "aws_security_token"]

  static func contains(_ name: String) -> Bool { all.contains(name) }

  /// Whether a text, in lower case, contains the name of a secret: what follows must not be shown.
  static func isMentioned(in text: String) -> Bool {
    // The shortest name has 17 characters; most texts are shorter.
    text.utf8.count >= 17 && all.contains { text.contains($0) }
  }
}
