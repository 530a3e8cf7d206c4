import Foundation

/// `moto_server`, AWS as others imagine it: it checks little, but it was not written by us. It ends with its last reference, or
/// with the tests, however those end.
public final class MotoServer: Sendable {
  public let port: UInt16
  private let process: RunningProgram

  public var url: String { "http://127.0.0.1:\(port)" }

  /// moto's own server, which goes when its standard input ends.
  private static let script = """
    import os, sys, threading
    def end_with_input():
        sys.stdin.buffer.read()
        os._exit(0)
    threading.Thread(target=end_with_input, daemon=True).start()
    from moto.server import main
    main(sys.argv[1:])
    """

  /// Starts the server on a free port and waits until it answers.
  public init() async throws {
    let home = NSTemporaryDirectory()
    process = try RunningProgram(
      Programs.python, ["-u", "-c", Self.script, "-H", "127.0.0.1", "-p", "0"],
      environment: ["HOME": home, "PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "us-east-1", "PYTHONUNBUFFERED": "1"])
    // The server names its port on standard error; it listens by then (werkzeug binds before it says so).
    let marker = "Running on http://127.0.0.1:"
    port = try await onOwnThread { [process] in
      let limit = Date(timeIntervalSinceNow: 60)
      return try process.waitForErrors(until: limit) { text in
        guard let range = text.range(of: marker) else { return nil }
        let rest = text[range.upperBound...]
        guard let end = rest.firstIndex(where: \.isNewline) else { return nil }
        return UInt16(rest[..<end].trimmingCharacters(in: .whitespaces))
      }
    }
    let answer = try await LoopbackHTTP.send("GET", "/moto-api/data.json", port: port)
    guard answer.status == 200 else { throw LoopbackHTTP.Failure.notHTTP(answer.text) }
  }
}
