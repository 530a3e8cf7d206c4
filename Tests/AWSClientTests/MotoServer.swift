import Foundation
import Synchronization

/// moto's server (`moto_server`): a stranger's idea of AWS.
final class MotoServer: Sendable {
  struct DidNotStart: Error {}

  let url: String
  private let process: Mutex<Process>

  /// Where the program is; nil where moto is not installed.
  static let program: String? = {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/moto_server" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// Returns when it listens: it says so itself, with the port that it was given.
  init(_ program: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["-H", "127.0.0.1", "-p", "0"]
    let output = Pipe()
    process.standardError = output
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    var said = ""
    var found: String?
    while found == nil {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw DidNotStart() }
      said += String(decoding: more, as: UTF8.self)
      guard let range = said.range(of: #"http://127\.0\.0\.1:\d+\s"#, options: .regularExpression) else { continue }
      found = said[range].trimmingCharacters(in: .whitespaces.union(.newlines))
    }
    guard let found else { throw DidNotStart() }
    url = found
    // What it logs is read on, so that it never waits for us.
    output.fileHandleForReading.readabilityHandler = { if $0.availableData.isEmpty { $0.readabilityHandler = nil } }
    self.process = Mutex(process)
  }

  func stop() { process.withLock { $0.terminate() } }
}
