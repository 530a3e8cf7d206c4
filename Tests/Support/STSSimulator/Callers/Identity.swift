import Foundation
import VaultModel
import VaultSecrets

/// The ids and names that AWS gives to things.
enum Identity {
  private static let base32 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

  static func userId(_ arn: String) -> String { "AIDA" + stable(arn) }
  static func roleId(_ arn: String) -> String { "AROA" + stable(arn) }

  /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`: without the role's path.
  static func sessionARN(_ role: RoleARN, _ sessionName: String) -> String {
    "arn:\(role.partition):sts::\(role.account):assumed-role/\(role.name)/\(sessionName)"
  }

  /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
  static func federatedARN(_ name: String, account: String) -> String { "arn:aws:sts::\(account):federated-user/\(name)" }

  /// `ASIA` and 16 random letters.
  static func temporaryAccessKeyId() -> String { "ASIA" + letters(randomBytes(16)) }
  /// 40 letters, as AWS's.
  static func secretAccessKey() -> String { Data(randomBytes(30)).base64EncodedString() }
  /// Some hundreds of letters, as AWS's, which begin like this too; with a `+` or `/` among them nearly always.
  static func sessionToken() -> String { "IQoJb3JpZ2luX2VjE" + Data(randomBytes(300)).base64EncodedString() + "==" }

  /// A UUID, version 4.
  static func requestId() -> String { UUID().uuidString.lowercased() }

  /// 17 letters that are the same in every run.
  private static func stable(_ text: String) -> String { letters(Array(sha256(Array(text.utf8)).prefix(17))) }

  private static func letters(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.map { base32[Int($0 & 31)] }, as: UTF8.self)
  }
}
