import VaultModel

/// A row of `vault list` as plain cells, valid until the next row.
public struct ProfileListRow {
  /// A cell, and its columns: the first one with a value counts.
  public enum Cell: Sendable {
    case name, kind, role, source

    var columns: (Int32, Int32) {
      switch self {
      case .name: (0, 0)
      case .kind: (1, 1)
      case .role: (2, 3)
      case .source: (4, 5)
      }
    }
  }
  private let row: Statement

  init(_ row: Statement) { self.row = row }

  private func column(_ cell: Cell) -> Int32 { row.isNull(cell.columns.0) ? cell.columns.1 : cell.columns.0 }

  /// Appends a cell as it is stored.
  public func append(_ cell: Cell, to bytes: inout [UInt8]) { row.append(column(cell), to: &bytes) }

  public func text(_ cell: Cell) -> String { row.text(column(cell)) }
  public func isEmpty(_ cell: Cell) -> Bool { row.isNull(column(cell)) }

  /// The state of the profile's session.
  public func state(at now: Timestamp) -> SessionState {
    if row.isNull(6) || now.milliseconds >= row.int(7) {
      if !row.isNull(8), let pendingAction = SessionState(rawValue: row.text(8)) { return pendingAction }
    }
    if row.isNull(6) { return .none }
    if now.milliseconds >= row.int(6) { return .expired }
    return now.milliseconds >= row.int(7) ? .due : .fresh
  }

  /// When the session expires or ended; nil if there is none.
  public var endsAt: Timestamp? { row.isNull(6) ? nil : Timestamp(milliseconds: row.int(6)) }
}
