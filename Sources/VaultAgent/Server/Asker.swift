import CSystem
import Glibc

/// The file of a program, told apart from every other that stands now or stood at its path.
struct ProgramFile: Hashable, Sendable {
  private let device: UInt64
  private let number: UInt64

  /// Nil where there is none, or it may not be looked at.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}

/// The process at the other end of a connection, by the kernel's word, held so that no other can take its number: read when it asks, and
/// looked at again before it is answered.
final class Asker: Sendable {
  enum Fault: Equatable {
    /// Another process than the one that connected has sent what came.
    case sender(pid: Int32)
    case ended
    /// It runs another program than when it asked.
    case program

    var text: String {
      switch self {
      case .sender(let pid): "process \(pid) asked over a connection that is another's"
      case .ended: "the process that asked has ended"
      case .program: "the process that asked has become another program"
      }
    }
  }

  /// 0 for one that this process has no number for: it lives in another namespace.
  let pid: Int32
  private let connection: ClientConnection
  /// Its descriptor; `SYS_UNKNOWN` where the kernel gives none, `SYS_GONE` where it had ended.
  private let process: Int32
  private let program: ProgramFile?

  init(_ connection: ClientConnection) {
    self.connection = connection
    pid = connection.pid
    process = pid > 0 ? connection.peerProcess() : SYS_UNKNOWN
    program = pid > 0 ? ProgramFile("/proc/\(pid)/exe") : nil
  }

  deinit { if process >= 0 { close(process) } }

  /// Its parent's number, where the kernel tells it of the process itself.
  var parent: Int32? {
    let parent = process >= 0 ? sys_process_parent(process) : -1
    return parent >= 0 ? parent : nil
  }

  /// The file that it runs, where that can be proven: the process is held, and the file is what stands at its path for the agent, too, and
  /// not only in a namespace of the asker's own making.
  var provenExecutable: String? {
    guard process >= 0, connection.namesSenders, let program else { return nil }
    let path = PeerInspector.link("/proc/\(pid)/exe")
    return ProgramFile(path) == program ? path : nil
  }

  /// Looks at it again.
  ///
  /// - Returns: why it is not to be answered; nil also where its end of the connection is closed, and nobody is there to be answered.
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
