import Foundation
import Glibc
import SimulatorModel

/// The calls so far: in memory for the control interface, and as JSON Lines in a file where one was asked for.
struct RequestLog: Sendable {
  private var requests: [STSRequest] = []
  private var connections: Set<Int> = []
  private var peakConcurrency = 0
  private let file: Int32?

  init(file: Int32?) { self.file = file }

  mutating func sawConcurrency(_ working: Int) { peakConcurrency = max(peakConcurrency, working) }

  /// Numbers the call and keeps it.
  mutating func append(_ request: STSRequest) {
    var request = request
    request.number = requests.count + 1
    requests.append(request)
    connections.insert(request.connection)
    guard let file else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard var line = try? encoder.encode(request) else { return }
    line.append(UInt8(ascii: "\n"))
    // One write a line to a file that is only appended to: a reader never sees half of one.
    let written = line.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    if written != line.count {
      FileHandle.standardError.write(Data("sts-simulator: cannot write the log: errno \(errno)\n".utf8))
    }
  }

  mutating func clear() { self = RequestLog(file: file) }

  func report(faults: [STSFault]) -> STSReport {
    STSReport(requests: requests, peakConcurrency: peakConcurrency, connections: connections.count, faults: faults)
  }
}
