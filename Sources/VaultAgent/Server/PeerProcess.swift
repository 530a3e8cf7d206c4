import CSystem
import Glibc

/// The file of a program, distinct from every other file that is or was at its path.
struct ProgramFile: Hashable, Sendable {
  private let device: UInt64
  private let number: UInt64

  /// Nil if there is none, or it cannot be read.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}

/// The process at the other end of a connection, as the kernel reports it. It is held so that its ID cannot be reused: it is read
/// when a request arrives, and checked again before the response.
final class PeerProcess: Sendable {
  enum Fault: Equatable {
    /// Another process than the one that connected has sent the request.
    case sender(pid: Int32)
    case ended
    /// It runs another program than at the time of the request.
    case program

    var text: String {
      switch self {
      case .sender(let pid): "process \(pid) used another process's connection"
      case .ended: "the process that asked has ended"
      case .program: "the process that asked has become another program"
      }
    }
  }

  /// 0 for a process that has no ID here: it is in another namespace.
  let pid: Int32
  private let connection: ClientConnection
  /// Its descriptor; `SYS_UNKNOWN` if the kernel gives none, `SYS_GONE` if it had ended.
  private let process: Int32
  private let program: ProgramFile?

  init(_ connection: ClientConnection) {
    self.connection = connection
    pid = connection.pid
    process = pid > 0 ? connection.peerProcess() : SYS_UNKNOWN
    program = pid > 0 ? ProgramFile("/proc/\(pid)/exe") : nil
  }

  deinit { if process >= 0 { close(process) } }

  /// The file that it runs, if that can be proven: the process is held, and the agent sees the same file at that path, so the path
  /// is not one in a namespace of the requester's making.
  var provenExecutable: String? {
    guard process >= 0, connection.namesSenders, let program else { return nil }
    let path = PeerInspector.link("/proc/\(pid)/exe")
    return ProgramFile(path) == program ? path : nil
  }

  /// Checks the process again.
  ///
  /// - Returns: why it must not be answered; nil also if its end of the connection is closed, and nobody is left to be answered.
  var fault: Fault? {
    if let sender = connection.stranger { return .sender(pid: sender) }
    guard pid > 0, process != SYS_UNKNOWN else { return nil }
    if connection.isHungUp { return nil }
    if process == SYS_GONE || Self.hasEnded(process) { return .ended }
    return ProgramFile("/proc/\(pid)/exe") == program ? nil : .program
  }

  private static func hasEnded(_ process: Int32) -> Bool {
    var end = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
    return poll(&end, 1, 0) > 0
  }
}
