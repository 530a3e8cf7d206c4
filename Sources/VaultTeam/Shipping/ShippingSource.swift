import Glibc
import VaultAudit
import VaultDatabase
import VaultModel

/// The source of the rows to be shipped: the archive files, then the log.
final class ShippingSource {
  enum Next {
    case rows(Shipment)
    /// Archived rows whose file is missing.
    case gap(AuditKeyRows.Segment)
    case fault(AuditChain.Fault)
    case end
  }

  private let reader: VaultReader
  /// The archive that is currently being read.
  private var archive: (segment: AuditKeyRows.Segment, reader: VaultReader)?

  init(_ reader: VaultReader) { self.reader = reader }

  /// The rows after a position, each verified to follow the one before, as many as fit into a transaction.
  func next(after place: ChainPosition, through last: Int64, limit: Int, for columns: EventColumns) throws -> Next {
    guard place.sequence < last else { return .end }
    // Queried each time, and again if a row is missing: the log may be archived while it is shipped.
    let segment = try reader.auditSegments().first { $0.last > place.sequence }
    guard let segment else {
      let found = try rows(of: reader, after: place, through: last, limit, columns)
      guard case .fault(.missing) = found, try reader.auditSegments().contains(where: { $0.last > place.sequence }) else {
        return found
      }
      return try next(after: place, through: last, limit: limit, for: columns)
    }
    guard access(segment.file, R_OK) == 0 else { return .gap(segment) }
    if archive?.segment != segment { archive = (segment, try VaultReader(archive: segment.file, digest: segment.digest)) }
    guard let archive else { return .gap(segment) }
    return try rows(of: archive.reader, after: place, through: segment.last, limit, columns)
  }

  private func rows(
    of reader: VaultReader, after place: ChainPosition, through last: Int64, _ limit: Int, _ columns: EventColumns
  ) throws -> Next {
    var shipment = Shipment(after: place, columns: columns)
    let fault = try reader.forEachAuditForm(after: place, through: last, limit: limit) { row in
      try shipment.add(row)
      return !shipment.isFull
    }
    // The valid rows are shipped first; the next call then begins with the fault.
    if shipment.count > 0 { return .rows(shipment) }
    if let fault { return .fault(fault) }
    return .fault(.missing(sequence: place.sequence + 1))
  }
}
