import VaultBytes
import VaultSecrets

/// `Name=value&…`, percent-encoded: the body of a query-protocol call, or the part after `?` in a URL.
///
/// Built in memory that is wiped, since a value may be an MFA code, an assertion or a credential.
struct FormBody: ~Copyable {
  private var bytes = ByteBuffer(capacity: 4_096, isWiped: true)

  init() {}

  /// - Parameter version: the version of the API; by default that of STS.
  init(action: String, version: String = "2011-06-15") {
    add("Action", action)
    add("Version", version)
  }

  mutating func add(_ name: String, _ value: String?) {
    guard let value else { return }
    begin(name)
    for byte in value.utf8 { SigV4.encode(byte, into: &bytes) }
  }

  mutating func add(_ name: String, _ value: SecretBytes?) {
    guard let value else { return }
    begin(name)
    value.withBytes { for byte in $0 { SigV4.encode(byte, into: &bytes) } }
  }

  private mutating func begin(_ name: String) {
    if bytes.count > 0 { bytes.append(UInt8(ascii: "&")) }
    for byte in name.utf8 { SigV4.encode(byte, into: &bytes) }
    bytes.append(UInt8(ascii: "="))
  }

  /// The complete body.
  consuming func finish() -> SecretBytes { bytes.secret }
}
