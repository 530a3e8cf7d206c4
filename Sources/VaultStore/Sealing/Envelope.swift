import VaultDatabase
import VaultModel
import VaultSecrets

/// The row that a secret belongs to, with everything in it that says what the secret is and how long it is valid.
struct SecretIdentity: Sendable, Hashable {
  var table: String
  var row: String
  var profile: String
  /// The other values beside the secret, in plain text, that are trusted when it is delivered.
  var facts: [String]

  var name: String { "\(table) \(row)" }

  init(table: String, row: String, profile: String, facts: [String]) {
    self.table = table
    self.row = row
    self.profile = profile
    self.facts = facts
  }

  /// The fingerprint is among the facts, so that a session requested with a narrow policy cannot be exchanged for a wide one.
  init(_ session: SessionRecord) {
    self.init(
      table: "session", row: session.id, profile: session.profile,
      facts: [
        session.kind.rawValue, session.roleARN ?? "", session.fingerprint, session.accessKeyId,
        String(session.issuedAt.milliseconds), String(session.expiresAt.milliseconds),
      ])
  }

  init(_ key: AccessKeyRecord) {
    self.init(table: "access_key", row: key.id, profile: key.name, facts: [key.accessKeyId])
  }

  /// The start URL and region are among the facts, since they decide where the tokens are sent.
  init(_ signIn: SignInRecord) {
    self.init(
      table: "sign_in", row: signIn.id, profile: signIn.name,
      facts: [signIn.startURL, signIn.region, signIn.scopes, String(signIn.expiresAt.milliseconds)])
  }

  init(_ client: SSOClientRecord) {
    self.init(
      table: "sso_client", row: client.id, profile: "",
      facts: [client.startURL, client.region, client.scopes, client.flow.rawValue, client.clientId])
  }

  init(_ device: MFASecretRecord) {
    self.init(table: "totp", row: device.id, profile: "", facts: [device.mfaSerial])
  }
}

/// Binds a sealed secret to its place. Every field is part of the associated data, so that a ciphertext moved to another table,
/// row, column or profile, beside other facts, or to another version or time does not open.
struct AssociatedData: Sendable, Hashable {
  var owner: SecretIdentity
  var column = "credential"
  var version: Int64
  var createdAt: Timestamp

  /// Lends the associated data: the pre-authentication encoding of the fields, which is the number of pieces, then each one's
  /// length and bytes, so that no two are the same (PASETO, "PAE").
  func withAssociatedData<Result>(key: KeyID, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var version = String(version)
    var time = String(createdAt.milliseconds)
    var (table, row, column, profile) = (owner.table, owner.row, column, owner.profile)
    let texts = Self.label.utf8CodeUnitCount + table.utf8.count + row.utf8.count + column.utf8.count + profile.utf8.count
    let pieces = 8 + owner.facts.count
    let length = owner.facts.reduce(8 * (pieces + 1) + texts + key.bytes.count + version.utf8.count + time.utf8.count) {
      $0 + $1.utf8.count
    }
    return withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { data in
      var end = 0
      func put(number: Int) {
        data.storeBytes(of: number.littleEndian, toByteOffset: end, as: Int.self)
        end += 8
      }
      func put(_ bytes: UnsafeRawBufferPointer) {
        put(number: bytes.count)
        UnsafeMutableRawBufferPointer(rebasing: data[end...]).copyMemory(from: bytes)
        end += bytes.count
      }
      func put(_ text: inout String) { text.withUTF8 { put(UnsafeRawBufferPointer($0)) } }
      put(number: pieces)
      put(UnsafeRawBufferPointer(start: Self.label.utf8Start, count: Self.label.utf8CodeUnitCount))
      put(&table)
      put(&row)
      put(&column)
      put(&profile)
      for var fact in owner.facts { put(&fact) }
      key.bytes.withUnsafeBytes { put($0) }
      put(&version)
      put(&time)
      return body(UnsafeRawBufferPointer(rebasing: data[..<end]))
    }
  }

  private static let label: StaticString = "vault-record-1"
}

/// The keys derived from a master key, and sealing with them.
///
/// An envelope is `VLT1`, 1 byte of algorithm, 8 of key id, 16 of key check, 24 of nonce, then the ciphertext with its tag. The key
/// check commits to the key, since XChaCha20-Poly1305 alone does not; a nonce is random for each seal and never reused.
struct EnvelopeCipher: Sendable {
  static let magic = Array("VLT1".utf8)
  /// XChaCha20-Poly1305
  static let algorithm: UInt8 = 1
  static let headerLength = 4 + 1 + 8 + 16 + XChaCha20Poly1305.nonceLength
  private static let nonce = 29..<headerLength

  let id: KeyID
  /// The epoch that the sub-keys were derived under; nil for a vault from before rows had MACs. A secret sealed in one epoch does
  /// not open in another, nor is a row's MAC valid there.
  let epoch: Int64?
  /// Commits to the key and the epoch: 16 bytes.
  let check: [UInt8]
  private let recordKey: SecretBytes
  /// Authenticates rows in plain text (``RowMACs``).
  let rowKey: SecretBytes
  /// The beginning of every envelope, up to the nonce.
  private let header: [UInt8]

  init(master: SecretBytes, id: KeyID, epoch: Int64? = nil) {
    self.id = id
    self.epoch = epoch
    let root = epoch.map { deriveKey(from: master, id: UInt64(bitPattern: $0), context: "vltepoch") } ?? master
    recordKey = deriveKey(from: root, id: 1, context: "vltrec01")
    rowKey = deriveKey(from: root, id: 2, context: "vltrow01")
    check = blake2b(Array("commit".utf8), key: recordKey, length: 16)
    header = Self.magic + [Self.algorithm] + id.bytes + check
  }

  /// A new epoch.
  static func randomEpoch() -> Int64 { randomBytes(8).withUnsafeBytes { $0.loadUnaligned(as: Int64.self) } }

  func seal(_ secret: SecretBytes, at place: AssociatedData) -> [UInt8] {
    let length = Self.headerLength + secret.count + XChaCha20Poly1305.tagLength
    return [UInt8](unsafeUninitializedCapacity: length) { output, count in
      let envelope = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(output)[..<length])
      let nonce = UnsafeMutableRawBufferPointer(rebasing: envelope[Self.nonce])
      envelope.copyBytes(from: header)
      XChaCha20Poly1305.makeNonce(nonce)
      secret.withBytes { secret in
        place.withAssociatedData(key: id) {
          XChaCha20Poly1305.seal(
            secret, associatedData: $0, nonce: UnsafeRawBufferPointer(nonce), key: recordKey,
            into: UnsafeMutableRawBufferPointer(rebasing: envelope[Self.headerLength...]))
        }
      }
      count = length
    }
  }

  /// - Throws: `SealError`, naming the row.
  func open(_ envelope: [UInt8], at place: AssociatedData) throws(SealError) -> SecretBytes {
    guard envelope.count >= Self.headerLength + XChaCha20Poly1305.tagLength,
      isSame(envelope, 0..<5)
    else { throw .malformed(row: place.owner.name) }
    guard isSame(envelope, 5..<13) else { throw .unknownKey(row: place.owner.name) }
    guard isSame(envelope, 13..<29) else { throw .notAuthentic(row: place.owner.name) }
    let secret = envelope.withUnsafeBytes { envelope in
      place.withAssociatedData(key: id) {
        XChaCha20Poly1305.open(
          UnsafeRawBufferPointer(rebasing: envelope[Self.headerLength...]), associatedData: $0,
          nonce: UnsafeRawBufferPointer(rebasing: envelope[Self.nonce]), key: recordKey)
      }
    }
    guard let secret else { throw .notAuthentic(row: place.owner.name) }
    return secret
  }

  /// Whether a part of an envelope's header is what this key writes.
  private func isSame(_ envelope: [UInt8], _ part: Range<Int>) -> Bool {
    for place in part where envelope[place] != header[place] { return false }
    return true
  }
}
