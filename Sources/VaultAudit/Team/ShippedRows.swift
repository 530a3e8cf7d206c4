import VaultModel

/// The origin of a row in a team's log, according to the server; valid until the next row.
public struct RowOrigin {
  /// The vault's id.
  public let vault: UnsafeRawBufferPointer
  /// The login that shipped it.
  public let login: UnsafeRawBufferPointer
  /// By the server's clock, in milliseconds.
  public let receivedAt: Int64
  /// Whether the server's owner or the lead assigned this vault to this login.
  public let isEnrolled: Bool
  /// The number of milliseconds by which a laptop's clock may be ahead of the server's.
  public static let clockSkew: Int64 = 5 * 60_000

  public init(vault: UnsafeRawBufferPointer, login: UnsafeRawBufferPointer, receivedAt: Int64, isEnrolled: Bool) {
    self.vault = vault
    self.login = login
    self.receivedAt = receivedAt
    self.isEnrolled = isEnrolled
  }

  /// Whether a time is later than the row's arrival: its real time is then unknown.
  public func isAhead(_ time: Int64) -> Bool { time > receivedAt.addingReportingOverflow(Self.clockSkew).partialValue }
}

/// A row whose columns are in its form; valid until the next row.
private final class ShippedRow: AuditRowView {
  private let sequence: Int64
  private let fields: CanonicalRowFields
  private let form: UnsafeRawBufferPointer
  private let hash: UnsafeRawBufferPointer
  private let source: RowOrigin

  init(
    sequence: Int64, _ fields: CanonicalRowFields, of form: UnsafeRawBufferPointer, hash: UnsafeRawBufferPointer,
    from origin: RowOrigin
  ) {
    (self.sequence, self.fields, self.form, self.hash, source) = (sequence, fields, form, hash, origin)
  }

  override var origin: RowOrigin? { source }

  override func withBytes(_ field: AuditField, _ body: (UnsafeRawBufferPointer?) -> Void) {
    guard case .text(let range) = fields[field] else { return body(nil) }
    body(UnsafeRawBufferPointer(rebasing: form[range]))
  }

  override func withBlob(_ field: AuditField, _ body: (UnsafeRawBufferPointer) -> Void) {
    body(field == .hash ? hash : UnsafeRawBufferPointer(start: nil, count: 0))
  }

  override func optionalNumber(_ field: AuditField) -> Int64? { field == .sequence ? sequence : fields.number(field) }
}

/// Rows from elsewhere, of any number of vaults: nothing in them is trusted. They are renumbered in order of arrival.
public struct ShippedRows {
  private var fields = CanonicalRowFields()
  private var count: Int64 = 0
  /// Rows that were left out because this version does not understand them or they are invalid.
  public private(set) var leftOut = 0

  public init() {}

  /// Lends a row in the form for reports, if it is valid.
  ///
  /// - Parameters:
  ///   - form: the hashed form of the row, whatever it holds.
  ///   - hash: 32 bytes.
  public mutating func consume(
    _ form: UnsafeRawBufferPointer, hash: UnsafeRawBufferPointer, from origin: RowOrigin, _ body: (AuditRowView) throws -> Void
  ) rethrows {
    guard fields.read(form), makesSense(form) else {
      leftOut += 1
      return
    }
    count += 1
    try body(ShippedRow(sequence: count, fields, of: form, hash: hash, from: origin))
  }

  /// Whether the table of a vault accepts it.
  private func makesSense(_ form: UnsafeRawBufferPointer) -> Bool {
    guard fields.text(.action, of: form).flatMap({ AuditAction(rawValue: $0) }) != nil,
      fields.text(.outcome, of: form).flatMap({ AuditOutcome(rawValue: $0) }) != nil,
      fields.text(.trigger, of: form).flatMap({ AuditTrigger(rawValue: $0) }) != nil,
      fields.number(.uid).flatMap({ UInt32(exactly: $0) }) != nil, fields.number(.pid).flatMap({ Int32(exactly: $0) }) != nil,
      fields.number(.time) != nil
    else { return false }
    for field in [AuditField.id, .user, .program, .host, .executable, .directory, .parent] {
      guard case .text = fields[field] else { return false }
    }
    return true
  }
}

extension AuditRowView {
  /// Whether a column holds exactly this text.
  func isText(_ field: AuditField, _ text: StaticString) -> Bool {
    var isIt = false
    withBytes(field) { bytes in
      guard let bytes, bytes.count == text.utf8CodeUnitCount else { return }
      isIt = bytes.elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
    return isIt
  }
}
