import Glibc
import VaultAudit
import VaultConcurrency
import VaultDatabase
import VaultModel

/// Work beside the store's executor that takes seconds.
actor SideThread {
  private let executor = BlockingQueue()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Leaves the executor to others for a moment, at least until its queue is empty.
  func delay(microseconds: UInt32) { usleep(microseconds) }

  /// Copies the rows to archive into a draft, proving each, and makes a file of it, which is verified again.
  ///
  /// - Parameter sign: signs the checkpoint for the last row.
  func writeArchive(
    _ order: ArchiveOrder, signedBy key: [UInt8], step: ArchiveStep.Listener,
    sign: @Sendable (ChainPosition) async throws -> AuditCheckpoint
  ) async throws -> (segment: AuditKeyRows.Segment, left: Int64) {
    let draft = try ArchiveDraft(of: order.vault, at: order.file + ".new", now: order.now)
    let last = try draft.lastToArchive(before: order.time, through: order.known)
    guard last >= draft.first else { throw StoreError.nothingToArchive }
    try draft.makeRoom(for: order.file, signedBy: key)
    do {
      repeat { await step(.copying) } while try draft.copy(through: last, atMost: order.maximum)
      let head = try await sign(draft.place)
      await step(.copied)
      return (try draft.finish(head, as: order.file, at: order.now), last - draft.place.sequence)
    } catch let fault as AuditChain.Fault {
      throw StoreError.chainBroken(fault.description)
    }
  }
}

/// The rows to archive, and the destination.
struct ArchiveOrder: Sendable {
  /// The path of the vault's database.
  var vault: String
  var file: String
  var time: Timestamp
  /// No row after this one is archived.
  var known: Int64
  /// The maximum size of the file in bytes, unpacked.
  var maximum: Int
  var now: Timestamp
}

/// The progress of an archiving.
enum ArchiveStep: Sendable {
  /// Some rows were copied; more follow.
  case copying
  case copied
  /// The file exists and is verified, but nothing refers to it yet.
  case written
  /// The log names it.
  case named
  /// Some of its rows were removed from the table.
  case clearing

  typealias Listener = @Sendable (ArchiveStep) async -> Void
}
