import Glibc
import VaultDatabase
import VaultModel

/// Where the rows come from that are to be shipped: the log, and before it the files of archived rows.
final class ShippingSource {
  enum Next {
    case rows(Shipment)
    /// Archived rows whose file is not there.
    case gap(AuditKeyRows.Segment)
    case fault(AuditChain.Fault)
    case end
  }

  private let reader: VaultReader
  /// The archive that is read just now.
  private var archive: (segment: AuditKeyRows.Segment, reader: VaultReader)?

  init(_ reader: VaultReader) { self.reader = reader }

  /// The rows behind a place, each proven to follow the one before, as many as make a transaction.
  func next(after place: ChainPosition, through last: Int64, limit: Int) throws -> Next {
    guard place.sequence < last else { return .end }
    // Asked anew each time, and once more where a row is missing: the log may be archived while it is shipped.
    let segment = try reader.auditSegments().first { $0.last > place.sequence }
    guard let segment else {
      let found = try rows(of: reader, after: place, through: last, limit)
      guard case .fault(.missing) = found, try reader.auditSegments().contains(where: { $0.last > place.sequence }) else {
        return found
      }
      return try next(after: place, through: last, limit: limit)
    }
    guard access(segment.file, R_OK) == 0 else { return .gap(segment) }
    if archive?.segment != segment { archive = (segment, try VaultReader(archive: segment.file, digest: segment.digest)) }
    guard let archive else { return .gap(segment) }
    return try rows(of: archive.reader, after: place, through: segment.last, limit)
  }

  private func rows(of reader: VaultReader, after place: ChainPosition, through last: Int64, _ limit: Int) throws -> Next {
    var shipment = Shipment(after: place)
    let fault = try reader.forEachAuditForm(after: place, through: last, limit: limit) { row in
      try shipment.add(row)
      return !shipment.isFull
    }
    // What is good is shipped first; the next call then begins with the fault.
    if shipment.count > 0 { return .rows(shipment) }
    if let fault { return .fault(fault) }
    return .fault(.missing(sequence: place.sequence + 1))
  }
}
