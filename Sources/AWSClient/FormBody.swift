import VaultSecrets

/// The body of a query-protocol call: `Action=…&Name=value`, put together in memory that is wiped, since a value may be an MFA code.
struct FormBody: ~Copyable {
  private var bytes: [UInt8] = []

  /// - Parameter version: of the service's API; STS's where nothing is said.
  init(action: String, version: String = "2011-06-15") {
    bytes.reserveCapacity(4_096)
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
    if !bytes.isEmpty { bytes.append(UInt8(ascii: "&")) }
    for byte in name.utf8 { SigV4.encode(byte, into: &bytes) }
    bytes.append(UInt8(ascii: "="))
  }

  /// The whole body; what was written here is wiped.
  mutating func finish() -> SecretBytes {
    let body = bytes.withUnsafeBytes { SecretBytes(copying: $0) }
    wipe(&bytes)
    return body
  }
}
