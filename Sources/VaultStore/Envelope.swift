import VaultDatabase
import VaultModel
import VaultSecrets

/// The row that a secret belongs to, with everything in it that says what the secret is and for how long.
struct SecretOwner: Sendable, Hashable {
  var table: String
  var row: String
  var profile: String
  /// What else stands in the clear beside the secret and is believed when it is handed out.
  var facts: [String]

  var name: String { "\(table) \(row)" }

  init(table: String, row: String, profile: String, facts: [String]) {
    self.table = table
    self.row = row
    self.profile = profile
    self.facts = facts
  }

  /// The fingerprint is among the facts, so that a session which was asked for with a narrow policy cannot be exchanged for a wide one.
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

  /// The start URL and region are among the facts, since they say where the tokens are sent.
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

/// What a sealed secret is nailed to: every field is part of the associated data, so that a ciphertext that is moved to another table, row,
/// column or profile, beside other facts, or to another version or time does not open.
struct SealedPlace: Sendable, Hashable {
  var owner: SecretOwner
  var column = "credential"
  var version: Int64
  var createdAt: Timestamp

  /// Pre-authentication encoding: the number of pieces, then each one's length and bytes, so that no two places look alike (PASETO, "PAE").
  func associatedData(key: KeyID) -> [UInt8] {
    var data: [UInt8] = []
    data.reserveCapacity(384)
    func put(number: Int) { withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) } }
    func put(_ bytes: some Collection<UInt8>) {
      put(number: bytes.count)
      data.append(contentsOf: bytes)
    }
    put(number: 8 + owner.facts.count)
    put("vault-record-1".utf8)
    for text in [owner.table, owner.row, column, owner.profile] { put(text.utf8) }
    for fact in owner.facts { put(fact.utf8) }
    put(key.bytes)
    put(String(version).utf8)
    put(String(createdAt.milliseconds).utf8)
    return data
  }
}

/// The keys that a master key gives, and what is sealed with them.
///
/// An envelope is `VLT1`, 1 byte of algorithm, 8 of key id, 16 of key check, 24 of nonce, then the ciphertext with its tag. The key check commits
/// to the key, since XChaCha20-Poly1305 alone does not; a nonce is random for each seal and never used again.
struct Sealer: Sendable {
  static let magic = Array("VLT1".utf8)
  /// XChaCha20-Poly1305
  static let algorithm: UInt8 = 1
  static let headerLength = 4 + 1 + 8 + 16 + XChaCha20Poly1305.nonceLength

  let id: KeyID
  /// Commits to the key: 16 bytes.
  let check: [UInt8]
  private let recordKey: SecretBytes

  init(master: SecretBytes, id: KeyID) {
    self.id = id
    recordKey = deriveKey(from: master, id: 1, context: "vltrec01")
    check = blake2b(Array("commit".utf8), key: recordKey, length: 16)
  }

  func seal(_ secret: SecretBytes, at place: SealedPlace) -> [UInt8] {
    let nonce = randomBytes(XChaCha20Poly1305.nonceLength)
    var envelope = Self.magic
    envelope.reserveCapacity(Self.headerLength + secret.count + XChaCha20Poly1305.tagLength)
    envelope.append(Self.algorithm)
    envelope += id.bytes
    envelope += check
    envelope += nonce
    envelope += secret.withBytes {
      XChaCha20Poly1305.seal($0, associatedData: place.associatedData(key: id), nonce: nonce, key: recordKey)
    }
    return envelope
  }

  /// - Throws: `SealError`, naming the row.
  func open(_ envelope: [UInt8], at place: SealedPlace) throws(SealError) -> SecretBytes {
    let name = place.owner.name
    guard envelope.count >= Self.headerLength + XChaCha20Poly1305.tagLength, envelope[0..<4].elementsEqual(Self.magic),
      envelope[4] == Self.algorithm
    else {
      throw .malformed(row: name)
    }
    guard envelope[5..<13].elementsEqual(id.bytes) else { throw .unknownKey(row: name) }
    guard envelope[13..<29].elementsEqual(check) else { throw .notAuthentic(row: name) }
    let nonce = Array(envelope[29..<Self.headerLength])
    guard
      let secret = XChaCha20Poly1305.open(
        Array(envelope[Self.headerLength...]), associatedData: place.associatedData(key: id), nonce: nonce, key: recordKey)
    else { throw .notAuthentic(row: name) }
    return secret
  }
}
