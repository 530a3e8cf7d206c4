import Foundation
import Glibc

/// How a program ended.
public enum ProgramEnd: Sendable, Hashable {
  case exit(Int32)
  case signal(Int32)

  init(waitStatus: Int32) {
    // wait(2): the low seven bits are the signal, the next byte the exit status.
    self = waitStatus & 0x7f == 0 ? .exit((waitStatus >> 8) & 0xff) : .signal(waitStatus & 0x7f)
  }
}

/// Runs real programs, as a shell would, with exactly the environment that is given.
public enum Subprocess {
  /// What a program that has ended left behind.
  public struct Result: Sendable {
    public let end: ProgramEnd
    public let outputBytes: [UInt8]
    public let errorBytes: [UInt8]
    /// Something that the program started still holds its output or its standard error: a `| cat` would hang.
    public let outputLeftOpen: Bool

    public var output: String { String(decoding: outputBytes, as: UTF8.self) }
    public var errors: String { String(decoding: errorBytes, as: UTF8.self) }
    public var succeeded: Bool { end == .exit(0) }
  }

  /// Runs a program to its end.
  ///
  /// It has a process group of its own, no signal blocked or ignored, and no descriptors but the three standard ones and those of
  /// `descriptors` (the child's number: ours). What it leaves running is not waited for.
  ///
  /// - Parameters:
  ///   - program: an absolute path.
  ///   - environment: all of it.
  ///   - input: what it can read from its standard input, which then ends.
  ///   - seconds: after these the whole process group is killed.
  /// - Throws: ``SubprocessError``: it could not be started, or the time was up.
  public static func run(
    _ program: String, _ arguments: [String] = [], environment: [String: String], directory: String? = nil, input: [UInt8] = [],
    descriptors: [Int32: Int32] = [:], timeout seconds: Double = 60
  ) async throws -> Result {
    try await onOwnThread {
      let running = try RunningProgram(
        program, arguments, environment: environment, directory: directory, descriptors: descriptors)
      running.send(input, end: true)
      return try running.waitBlocking(timeout: seconds)
    }
  }

  /// The same, with a text for its standard input.
  public static func run(
    _ program: String, _ arguments: [String] = [], environment: [String: String], directory: String? = nil, input: String,
    timeout seconds: Double = 60
  ) async throws -> Result {
    try await run(
      program, arguments, environment: environment, directory: directory, input: Array(input.utf8), timeout: seconds)
  }
}

/// A program that goes on while the test does other things. With its last reference its whole process group is killed.
public final class RunningProgram: Sendable {
  public let program: String
  private let pump: ProgramPump

  public var pid: pid_t { pump.process.pid }
  public var isRunning: Bool { pump.state.ended == nil }
  /// What it has written so far.
  public var output: String { String(decoding: pump.state.output, as: UTF8.self) }
  public var errors: String { String(decoding: pump.state.errors, as: UTF8.self) }

  /// Starts a program, as ``Subprocess/run(_:_:environment:directory:input:descriptors:timeout:)`` does. Its standard input
  /// stays open.
  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String], directory: String? = nil,
    descriptors: [Int32: Int32] = [:]
  ) throws {
    self.program = program
    pump = ProgramPump(
      try SpawnedProcess(
        program: program, arguments: arguments, environment: environment, directory: directory, descriptors: descriptors))
  }

  deinit { pump.signal(SIGKILL, group: true) }

  /// Writes to its standard input, and ends that if told to. Returns at once.
  public func send(_ bytes: [UInt8], end: Bool = false) { pump.feed(bytes, end: end) }
  public func send(_ text: String, end: Bool = false) { send(Array(text.utf8), end: end) }

  /// Sends a signal to the program alone.
  public func signal(_ number: Int32) { pump.signal(number, group: false) }
  public func terminate() { signal(SIGTERM) }
  /// Kills the program and what it started in its process group.
  public func kill() { pump.signal(SIGKILL, group: true) }

  /// The next line of its output, without the line break.
  ///
  /// - Throws: ``SubprocessError`` when the program has ended, or after `timeout` seconds, without one.
  public func readLine(timeout seconds: Double = 30) async throws -> String {
    try await onOwnThread { [pump, program] in
      switch pump.nextLine(until: Date(timeIntervalSinceNow: seconds)) {
      case .line(let line): return line
      case .end: throw SubprocessError.noMoreOutput(program: program, errors: String(decoding: pump.state.errors, as: UTF8.self))
      case .timedOut: throw Self.timedOut(program, pump, seconds)
      }
    }
  }

  /// Blocks until `find` finds what it looks for in the standard error so far.
  func waitForErrors<Found>(until limit: Date, _ find: (String) -> Found?) throws -> Found {
    while true {
      let seen = pump.state
      let text = String(decoding: seen.errors, as: UTF8.self)
      if let found = find(text) { return found }
      if seen.ended != nil { throw SubprocessError.noMoreOutput(program: program, errors: text) }
      guard pump.waitForErrors(beyond: seen.errors.count, until: limit) else {
        throw Self.timedOut(program, pump, -limit.timeIntervalSinceNow)
      }
    }
  }

  /// Waits for the program's end.
  ///
  /// - Throws: ``SubprocessError/timedOut(program:seconds:output:errors:)``, after killing it.
  @discardableResult
  public func wait(timeout seconds: Double = 60) async throws -> Subprocess.Result {
    try await onOwnThread { try self.waitBlocking(timeout: seconds) }
  }

  func waitBlocking(timeout seconds: Double) throws -> Subprocess.Result {
    guard pump.waitForEnd(until: Date(timeIntervalSinceNow: seconds)) else {
      kill()
      throw Self.timedOut(program, pump, seconds)
    }
    let state = pump.state
    return Subprocess.Result(
      end: state.ended ?? .exit(-1), outputBytes: state.output, errorBytes: state.errors, outputLeftOpen: state.outputLeftOpen)
  }

  private static func timedOut(_ program: String, _ pump: ProgramPump, _ seconds: Double) -> SubprocessError {
    let state = pump.state
    return .timedOut(
      program: program, seconds: seconds, output: String(decoding: state.output, as: UTF8.self),
      errors: String(decoding: state.errors, as: UTF8.self))
  }
}
