import Synchronization
import VaultModel

/// The destination of a sink's rows.
enum ExporterTarget: Sendable, Hashable {
  case journald(JournalAddress)
  case syslog(SyslogAddress)

  /// Whether a receiver that goes away may leave rows unread that its kernel took.
  var isStream: Bool { if case .syslog(.tcp) = self { true } else { false } }

  /// The name of its setting and of its cursor.
  var name: String {
    switch self {
    case .journald: "journald"
    case .syslog: "syslog"
    }
  }
}

/// Sends rows to a sink, over a connection that is opened when there is something to send. For one thread at a time.
final class ExporterLink: Sendable {
  struct Outcome: Sendable {
    /// The number of rows that the sink has taken.
    var sent = 0
    /// Whether a new connection was opened.
    var isNew = false
    var failure: ExporterSocket.Broken?
  }

  private let target: ExporterTarget
  private let vaultId: String
  private let socket = Mutex<ExporterSocket?>(nil)

  init(_ target: ExporterTarget, vaultId: String) {
    self.target = target
    self.vaultId = vaultId
  }

  func send(_ records: [AuditRecord]) -> Outcome {
    socket.withLock { socket in
      var outcome = Outcome()
      do {
        // Receivers close an idle connection in good order; it is then opened again.
        if let known = socket, try !known.isOpen() { socket = nil }
        let link: ExporterSocket
        if let socket {
          link = socket
        } else {
          link = try connect()
          outcome.isNew = true
        }
        socket = link
        for record in records {
          try send(ExportFields(record, vaultId: vaultId), over: link)
          outcome.sent += 1
        }
        try link.resolve()
      } catch {
        socket = nil
        outcome.failure = error as? ExporterSocket.Broken ?? ExporterSocket.Broken(why: "\(error)", isDoubtful: true)
      }
      return outcome
    }
  }

  /// Ends the connection in order to learn whether everything sent over it has arrived.
  ///
  /// - Returns: nil if that cannot be known.
  func confirm() throws(ExporterSocket.Broken) -> Bool? {
    let link = socket.withLock { socket in
      defer { socket = nil }
      return socket
    }
    return try link?.end() ?? nil
  }

  /// Checks whether the connection, if there is one, has broken; returns false if the other side has ended it in good order.
  func check() throws(ExporterSocket.Broken) -> Bool {
    let link = socket.withLock { $0 }
    guard let link else { return true }
    do {
      let isOpen = try link.isOpen()
      if !isOpen { socket.withLock { $0 = nil } }
      return isOpen
    } catch {
      socket.withLock { $0 = nil }
      throw error
    }
  }

  private func connect() throws(ExporterSocket.Broken) -> ExporterSocket {
    switch target {
    case .journald(let address): try ExporterSocket(datagramsTo: address.path)
    case .syslog(let address): try ExporterSocket(address)
    }
  }

  private func send(_ row: ExportFields, over link: ExporterSocket) throws(ExporterSocket.Broken) {
    switch target {
    case .journald: try link.send(JournalEntry.bytes(of: row), inFile: true)
    case .syslog(.tcp): try link.send(SyslogMessage.counted(SyslogMessage.bytes(of: row)))
    case .syslog:
      try link.send(SyslogMessage.bytes(of: row))
      // A port without a listener is reported a moment after the message, and only at the next call (udp(7)).
      try link.resolve()
    }
  }
}
