import VaultModel
import VaultSecrets

/// The chain that binds each row of the audit log to the one before it.
///
/// hash = SHA-256(previous hash ‖ sequence, 8 bytes big-endian ‖ canonical form). The canonical form is a version and then every field
/// in a fixed order, each with a byte that says whether it is there and, if so, 8 bytes of length and its bytes: no two rows have the
/// same form. The first row's previous hash is SHA-256 of the vault's id, so that a log belongs to one vault.
public enum AuditChain {
  static let version: UInt8 = 1

  /// What stands before the first row of a vault's log.
  public static func root(vaultId: String) -> [UInt8] { sha256(Array("vault-audit-1\n".utf8), Array(vaultId.utf8)) }

  /// A row's hash. `record.hash` is not looked at.
  public static func hash(of record: AuditRecord, after previous: [UInt8]) -> [UInt8] {
    sha256(previous, bigEndian(UInt64(bitPattern: record.sequence)), canonical(record))
  }

  private static func canonical(_ record: AuditRecord) -> [UInt8] {
    let event = record.event
    var form = CanonicalForm()
    form.put(record.id)
    form.put(record.time.milliseconds)
    form.put(event.action.rawValue)
    form.put(event.outcome.rawValue)
    form.put(event.trigger.rawValue)
    for text in [
      event.profile, event.roleARN, event.roleSessionName, event.sourceIdentity, event.sourceAccessKeyId, event.accessKeyId,
    ] { form.put(text) }
    form.put(event.issuedAt?.milliseconds)
    form.put(event.expiresAt?.milliseconds)
    form.put(event.durationSeconds.map { Int64($0) })
    form.put(event.mfa ? 1 : 0)
    for text in [event.requestId, event.endpoint, event.reason, event.error, event.detail, event.sessionId, event.intentId] {
      form.put(text)
    }
    let who = event.requester
    form.put(who.user)
    form.put(Int64(who.uid))
    form.put(Int64(who.pid))
    for text in [who.program, who.executable, who.directory, who.parent, who.host] { form.put(text) }
    form.put(record.subject)
    form.put(record.subjectVersion)
    return form.bytes
  }

  private struct CanonicalForm {
    var bytes: [UInt8] = [AuditChain.version]

    init() { bytes.reserveCapacity(1_024) }

    mutating func put(_ text: String?) {
      guard let text else { return bytes.append(0) }
      bytes.append(1)
      bytes += bigEndian(UInt64(text.utf8.count))
      bytes += text.utf8
    }

    mutating func put(_ number: Int64?) {
      guard let number else { return bytes.append(0) }
      bytes.append(2)
      bytes += bigEndian(UInt64(bitPattern: number))
    }
  }

  private static func bigEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
  }

  /// What is wrong with a log.
  public enum Fault: Sendable, Hashable, CustomStringConvertible {
    case changed(sequence: Int64)
    case missing(sequence: Int64)
    case unbound(sequence: Int64)
    case unreadable(sequence: Int64)

    public var description: String {
      switch self {
      case .changed(let sequence): "row \(sequence) was changed"
      case .missing(let sequence): "row \(sequence) is missing"
      case .unbound(let sequence): "row \(sequence) does not follow the one before it"
      case .unreadable(let sequence): "the row after \(sequence) cannot be read"
      }
    }
  }

  public enum Verdict: Sendable, Hashable {
    case whole(rows: Int64)
    case broken(Fault)
  }

  /// Goes over the whole log and names the first row that is wrong.
  public static func verify(_ reader: VaultReader) throws -> Verdict {
    guard let vaultId = try reader.vaultId() else { return .whole(rows: 0) }
    var previous = root(vaultId: vaultId)
    var sequence: Int64 = 0
    var fault: Fault?
    do {
      try reader.forEachAuditRow { record, previousHash in
        sequence += 1
        if record.sequence != sequence {
          fault = .missing(sequence: sequence)
        } else if hash(of: record, after: previousHash) != record.hash {
          fault = .changed(sequence: sequence)
        } else if previousHash != previous {
          fault = .unbound(sequence: sequence)
        }
        previous = record.hash
        return fault == nil
      }
    } catch DatabaseError.badRow {
      fault = .unreadable(sequence: sequence)
    }
    return fault.map { .broken($0) } ?? .whole(rows: sequence)
  }
}
