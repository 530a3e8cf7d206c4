import Glibc
import VaultDatabase
import VaultModel

/// A thread beside the store's lane, for what takes seconds; it ends with the last reference.
actor SideThread {
  private let executor = ThreadExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  deinit { executor.end() }

  /// Leaves the lane to others for a moment, at least until its queue is empty.
  func pause(microseconds: UInt32) { usleep(microseconds) }

  /// Copies the rows that may go into a draft, each proven, and makes a file of it that is proven again.
  ///
  /// - Parameter sign: makes the head for the last of them.
  func writeArchive(
    _ order: ArchiveOrder, signedBy key: [UInt8], step: ArchiveStep.Listener,
    sign: @Sendable (ChainPosition) async throws -> AuditCheckpoint
  ) async throws -> (segment: AuditKeyRows.Segment, left: Int64) {
    let draft = try ArchiveDraft(of: order.vault, at: order.file + ".new", now: order.now)
    let last = try draft.lastToArchive(before: order.time, through: order.known)
    guard last >= draft.first else { throw StoreError.nothingToArchive }
    try draft.makeRoom(for: order.file, signedBy: key)
    do {
      repeat { await step(.copying) } while try draft.copy(through: last, atMost: order.most)
      let head = try await sign(draft.place)
      await step(.copied)
      return (try draft.finish(head, as: order.file, at: order.now), last - draft.place.sequence)
    } catch let fault as AuditChain.Fault {
      throw StoreError.chainBroken(fault.description)
    }
  }
}

/// What is to be archived, and where to.
struct ArchiveOrder: Sendable {
  /// The path of the vault's database.
  var vault: String
  var file: String
  var time: Timestamp
  /// No row after this one goes.
  var known: Int64
  /// How many bytes the file may have, unpacked.
  var most: Int
  var now: Timestamp
}

/// How far an archiving is.
enum ArchiveStep: Sendable {
  /// Some rows were copied, and more are to come.
  case copying
  case copied
  /// The file is there, proven, and nothing says so yet.
  case written
  /// The log names it.
  case named
  /// Some of its rows were taken out of the table.
  case clearing

  typealias Listener = @Sendable (ArchiveStep) async -> Void
}
