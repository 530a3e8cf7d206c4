import VaultDatabase
import VaultModel
import VaultSecrets

/// The content of a row in the only form that its MAC is made of: the table's name, then the pieces. Each piece is preceded by its
/// length in 8 bytes, all ones for a missing one, so that no two rows have the same form.
struct RowForm: Sendable {
  private(set) var bytes: [UInt8] = []

  init(_ table: StaticString) {
    bytes.reserveCapacity(512)
    add(number: table.utf8CodeUnitCount)
    bytes.append(contentsOf: UnsafeBufferPointer(start: table.utf8Start, count: table.utf8CodeUnitCount))
  }

  init(_ table: StaticString, _ pieces: [String?]) {
    self.init(table)
    for piece in pieces { add(piece) }
  }

  private mutating func add(number: Int) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }

  mutating func add(_ text: String?) {
    guard let text else { return add(number: -1) }
    add(number: text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ blob: [UInt8]) {
    add(number: blob.count)
    bytes += blob
  }

  /// A column that came later: rows without a value keep the form that they had before.
  mutating func add(optional name: String, _ text: String?) {
    guard let text else { return }
    add(name)
    add(text)
  }

  mutating func add(_ number: Int64?) { add(number.map { String($0) }) }
}

/// Authenticates rows that lead to a secret: without a valid MAC by this vault under its master key, a row is somebody else's.
///
/// A MAC is BLAKE2b-256, keyed with a sub-key of the master key, over a label, the vault's id and the row's form.
public struct RowMACs: Sendable {
  private static let length = 32

  private let key: SecretBytes
  private let start: [UInt8]

  init(key: SecretBytes, vaultId: String) {
    self.key = key
    start = RowForm("vault-row-1", [vaultId]).bytes
  }

  func code(_ form: RowForm) -> [UInt8] { blake2b(start + form.bytes, key: key, length: Self.length) }

  func fits(_ code: [UInt8]?, _ form: RowForm) -> Bool {
    guard let code else { return false }
    return self.code(form).withUnsafeBytes { right in code.withUnsafeBytes { constantTimeEqual(right, $0) } }
  }

  /// The MAC of a row.
  ///
  /// - Parameter pieces: everything in the row that is trusted, in the table's order; nil for NULL.
  public func code(_ table: StaticString, _ pieces: [String?]) -> [UInt8] { code(RowForm(table, pieces)) }

  /// Whether a MAC is valid for the row. A row without a MAC is never valid.
  public func fits(_ code: [UInt8]?, table: StaticString, pieces: [String?]) -> Bool { fits(code, RowForm(table, pieces)) }

  /// Whether the vault itself wrote the section in this form.
  public func vouch(for stored: StoredSection) -> Bool {
    fits(stored.code, RowForm(stored.section, isOwn: stored.isOwn, origin: stored.origin))
  }
}

extension RowForm {
  /// A profile, or a section that profiles refer to: its settings in order, each with its file and line.
  init(_ section: ConfigSection, isOwn: Bool, origin: String?) {
    self.init(section.kind == .profile ? "profile" : "shared_section")
    add(section.kind.rawValue)
    add(section.name)
    add(isOwn ? "1" : "0")
    add(origin)
    for setting in section.settings {
      for line in setting.lines {
        add(setting.name)
        add(line.nested)
        add(line.value)
        add(setting.origin.file)
        add(Int64(setting.origin.line))
      }
    }
  }

  init(_ file: WatchedFile, position: Int64) {
    self.init("followed_file", [file.path, String(position), file.role.rawValue, file.home])
  }

  init(_ link: CredentialsLink) {
    self.init("credentials_link", [link.path, link.section, link.profile])
    add(optional: "scope", link.scopeText)
  }

  init(setting name: String, _ value: String) { self.init("setting", [name, value]) }
}

extension SessionScope {
  /// What a row's MAC covers of its scope. A scope that cannot be read is never that of a row with a valid MAC, so that nobody gets the
  /// profile's own session in its place.
  static func covered(_ stored: String?) -> String? {
    stored.map { SessionScope(stored: $0) == nil ? "unreadable: " + $0 : $0 }
  }
}

extension Setting {
  /// Its rows: one for plain text, one for each line of a nested value.
  var lines: [(nested: String?, value: String)] {
    switch value {
    case .text(let text): [(nil, text)]
    case .nested(let lines) where lines.isEmpty: [("", "")]
    case .nested(let lines): lines.map { ($0.name, $0.value) }
    }
  }
}

extension VaultStore {
  /// The row MACs, while the vault is unlocked.
  ///
  /// - Throws: `StoreError.locked`.
  func rowMACs() throws -> RowMACs {
    guard let cipher else { throw StoreError.locked }
    return RowMACs(key: cipher.rowKey, vaultId: vaultId)
  }

  /// The MAC of a row; see ``RowMACs/code(_:_:)``.
  ///
  /// - Throws: `StoreError.locked`.
  func mac(_ table: StaticString, _ pieces: [String?]) throws -> [UInt8] { try rowMACs().code(table, pieces) }
}
