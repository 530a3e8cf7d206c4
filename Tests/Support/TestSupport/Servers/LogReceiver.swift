import Foundation
import Glibc

/// A receiver of log messages on a socket of its own, which can go away and come back.
public final class LogReceiver: @unchecked Sendable {
  // What makes it Sendable: `records`, `descriptors` and `isOpen` are touched only under `condition`.
  public enum Kind: Sendable, Equatable {
    case unix(String)
    case udp
    case tcp
  }

  public let kind: Kind
  /// Of UDP and TCP on 127.0.0.1; chosen at the first opening.
  public private(set) var port: UInt16 = 0
  private let condition = NSCondition()
  private var records: [[UInt8]] = []
  private var open: [Int32] = []
  private var wake: Int32 = -1
  private var isDeaf = false

  public init(_ kind: Kind) throws {
    self.kind = kind
    try comeBack()
  }

  deinit { goAway() }

  /// Listens again, at the same place.
  ///
  /// - Parameter deaf: of TCP: takes connections and never reads from them.
  public func comeBack(deaf: Bool = false) throws {
    condition.withLock { isDeaf = deaf }
    let descriptor: Int32
    switch kind {
    case .unix(let path):
      unlink(path)
      descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
      try bind(descriptor, &address)
    case .udp, .tcp:
      let type = kind == .tcp ? SOCK_STREAM : SOCK_DGRAM
      descriptor = socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, 4)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      try bind(descriptor, &address)
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
      }
      port = UInt16(bigEndian: address.sin_port)
      if kind == .tcp { listen(descriptor, 8) }
    }
    var large: Int32 = 4 << 20
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &large, 4)
    condition.withLock { open = [descriptor] }
    Thread.detachNewThread { [weak self] in
      if self?.kind == .tcp { Self.accept(descriptor, self) } else { Self.receive(descriptor, self) }
    }
  }

  private func bind<Address>(_ descriptor: Int32, _ address: inout Address) throws {
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) }
    }
    guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
  }

  /// Stops listening; what is connected is cut.
  public func goAway() {
    condition.withLock {
      for (number, descriptor) in open.enumerated() {
        // What was not read goes with its reader, as where a program dies.
        if isDeaf, number > 0 {
          _ = Glibc.close(descriptor)
          continue
        }
        shutdown(descriptor, Int32(SHUT_RDWR))
        // A datagram socket that is not connected does not wake up by that.
        if kind != .tcp { _ = Glibc.close(descriptor) }
      }
      open = []
    }
    if case .unix(let path) = kind { unlink(path) }
  }

  private static func receive(_ descriptor: Int32, _ receiver: LogReceiver?) {
    weak let weakly = receiver
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0, let receiver = weakly else { return }
      receiver.add([Array(buffer[..<count])])
    }
  }

  private static func accept(_ listener: Int32, _ receiver: LogReceiver?) {
    weak let weakly = receiver
    while true {
      let descriptor = Glibc.accept(listener, nil, nil)
      guard descriptor >= 0, let receiver = weakly else {
        close(listener)
        return
      }
      let isDeaf = receiver.condition.withLock {
        receiver.open.append(descriptor)
        return receiver.isDeaf
      }
      if isDeaf { continue }
      Thread.detachNewThread { [weak receiver] in read(descriptor, receiver) }
    }
  }

  private static func read(_ descriptor: Int32, _ receiver: LogReceiver?) {
    weak let weakly = receiver
    var pending: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0, let receiver = weakly, let split = SyslogRecord.split(pending + buffer[..<count]) else { break }
      pending = split.rest
      receiver.add(split.messages)
    }
    weakly?.condition.withLock { weakly?.open.removeAll { $0 == descriptor } }
    close(descriptor)
  }

  private func add(_ more: [[UInt8]]) {
    condition.withLock {
      records += more
      condition.broadcast()
    }
  }

  /// What has come so far.
  public var all: [[UInt8]] { condition.withLock { records } }

  /// Blocks until what has come is enough; what there is when the time is up.
  public func wait(seconds: Double = 60, until isEnough: ([[UInt8]]) -> Bool) -> [[UInt8]] {
    let limit = Date().addingTimeInterval(seconds)
    condition.lock()
    defer { condition.unlock() }
    while !isEnough(records) {
      guard condition.wait(until: limit) else { break }
    }
    return records
  }
}
