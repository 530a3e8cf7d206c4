import VaultSecrets

/// Authenticates rows that lead to a secret: what a code was not made for, by this vault under its master key, is somebody else's word.
///
/// A code is BLAKE2b-256, keyed with a sub-key of the master key, over a label, the vault's id, the table's name and the row's pieces.
/// Before each piece stands its length in 8 bytes, all ones for one that is not there, so that no two rows look alike.
public struct RowCodes: Sendable {
  /// Bytes of a code.
  public static let length = 32
  private static let label = "vault-row-1"

  private let key: SecretBytes
  private let vaultId: String

  init(key: SecretBytes, vaultId: String) {
    self.key = key
    self.vaultId = vaultId
  }

  /// The code of a row.
  ///
  /// - Parameter pieces: everything in the row that is believed, in an order of the table's own; nil for NULL.
  public func code(_ table: StaticString, _ pieces: [String?]) -> [UInt8] {
    var message: [UInt8] = []
    message.reserveCapacity(pieces.reduce(128) { $0 + 8 + ($1?.utf8.count ?? 0) })
    func put(number: Int) { withUnsafeBytes(of: number.littleEndian) { message.append(contentsOf: $0) } }
    func put(_ text: String) {
      put(number: text.utf8.count)
      message.append(contentsOf: text.utf8)
    }
    put(number: pieces.count + 3)
    put(Self.label)
    put(vaultId)
    put(number: table.utf8CodeUnitCount)
    message.append(contentsOf: UnsafeBufferPointer(start: table.utf8Start, count: table.utf8CodeUnitCount))
    for piece in pieces { if let piece { put(piece) } else { put(number: -1) } }
    return blake2b(message, key: key, length: Self.length)
  }

  /// Whether a code is the row's. A row without a code is nobody's.
  public func fits(_ code: [UInt8]?, _ table: StaticString, _ pieces: [String?]) -> Bool {
    guard let code else { return false }
    return self.code(table, pieces).withUnsafeBytes { right in code.withUnsafeBytes { constantTimeEqual(right, $0) } }
  }
}

extension VaultStore {
  /// What authenticates rows, while the vault is unlocked. Whoever is given it lets go of it with the request that it was for.
  ///
  /// - Throws: `StoreError.locked`.
  public func rowCodes() throws -> RowCodes {
    guard let sealer else { throw StoreError.locked }
    return RowCodes(key: sealer.rowKey, vaultId: vaultId)
  }

  /// The code of a row; see ``RowCodes/code(_:_:)``.
  ///
  /// - Throws: `StoreError.locked`.
  func mac(_ table: StaticString, _ pieces: [String?]) throws -> [UInt8] { try rowCodes().code(table, pieces) }
}
