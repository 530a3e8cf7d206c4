import CSystem
import Glibc
import VaultConcurrency
import VaultModel
import VaultSecrets

/// Runs a program that a profile names (`credential_process`, `mfa_process`, …) and returns its output.
///
/// The program runs without a shell, in its own session without a terminal, and with nothing on its standard input. It has a
/// timeout of `limit` seconds and may print 128 KiB; beyond either limit it and its children are killed.
///
/// The requester supplies the environment, and the `PATH` in which the program is looked up (``ClientEnvironments``).
struct ProgramRunner: Sendable {
  /// Seconds.
  var limit = 60.0
  let environments = ClientEnvironments()
  let waits = ProgramWaits()
  let children = ProgramChildren()
  /// An assertion may have 100,000 bytes (STS API, `AssumeRoleWithSAML`), plus line ends.
  static let maxOutputBytes = 128 * 1_024
  /// The part of its standard error that reaches the person.
  static let maxErrorBytes = 4 * 1_024

  init(limit: Double = 60) { self.limit = limit }

  /// - Parameters:
  ///   - setting: the setting that names the program, for errors.
  ///   - chain: the profiles for which it runs, the outermost first.
  ///   - prompter: the requester, who also gets its standard error.
  ///   - automation: the run that the requester belongs to.
  /// - Returns: its output, in guarded memory.
  func run(
    _ command: String, setting: String, chain: [String] = [], for prompter: any Prompter, in automation: AutomationRun? = nil
  ) async throws -> SecretBytes {
    let words: [String]
    do { words = try ShellWords.split(command) } catch {
      throw ProgramError.malformed(setting: setting, why: error == .empty ? "names no program" : "has an unterminated quote")
    }
    let environment = try await environments.answer(to: .environment, for: command, prompter)
    func run() async throws -> SecretBytes {
      try await self.run(words: words, setting: setting, in: environment, chain: chain, automation: automation) {
        prompter.notice($0)
      }
    }
    guard let profile = chain.last else { return try await run() }
    return try await waits.run(for: profile) { try await run() }
  }

  /// - Parameters:
  ///   - words: the program and its arguments.
  ///   - environment: entries, each followed by a zero; nil for the agent's own.
  ///   - limit: seconds, instead of the runner's own.
  ///   - complain: called with each line of its standard error.
  func run(
    words: [String], setting: String, in environment: SecretBytes?, chain: [String] = [], automation: AutomationRun? = nil,
    limit: Double? = nil, complain: @escaping @Sendable (String) -> Void
  ) async throws -> SecretBytes {
    let limit = limit ?? self.limit
    let family = (children, automation)
    // A thread per program: it waits for the program, and programs are few.
    let result = await BlockingPool.shared.run {
      Result { try Self.wait(words, setting: setting, in: environment, chain: chain, of: family, limit: limit) }
    }
    let (output, errors) = try result.get()
    for line in errors.split(separator: "\n").prefix(20) {
      // Most programs print their name themselves.
      let name = words[0].split(separator: "/").last ?? ""
      complain(line.hasPrefix("\(name): ") ? String(line) : "\(words[0]): \(line)")
    }
    guard case .success(let printed) = output else {
      if case .failure(let error) = output { throw error }
      throw CancellationError()
    }
    return printed
  }

  private static func wait(
    _ words: [String], setting: String, in environment: SecretBytes?, chain: [String],
    of family: (ProgramChildren, AutomationRun?), limit: Double
  ) throws -> (output: Result<SecretBytes, ProgramError>, errors: String) {
    var running = try Running(words, setting: setting, in: environment, chain: chain, of: family)
    var errors: [UInt8] = []
    var end = End.closed
    let buffer = SecretBytes(count: maxOutputBytes + 1) { output in
      end = running.pump(into: output, errors: &errors, seconds: limit)
    }
    let text = String(decoding: errors, as: UTF8.self)
    let program = words[0]
    switch end {
    case .closed: break
    case .deferred: return (.failure(.deferred(program: program, seconds: Int(limit))), text)
    case .flooded: return (.failure(.flooded(program: program)), text)
    }
    let status = running.status
    guard status & 0x7F == 0 else { return (.failure(.killed(program: program, signal: status & 0x7F)), text) }
    guard status == 0 else { return (.failure(.failed(program: program, status: status >> 8 & 0xFF)), text) }
    return (.success(buffer.part(0..<running.printed)), text)
  }

  enum End { case closed, deferred, flooded }
}

/// A running program.
private struct Running: ~Copyable {
  private let pid: Int32
  private let output: Int32
  private let errors: Int32
  private let children: ProgramChildren
  /// As of `waitpid(2)`.
  private(set) var status: Int32 = 0
  private(set) var printed = 0
  private var isReaped = false
  private var outputEnded = false
  private var errorsEnded = false

  init(
    _ words: [String], setting: String, in environment: SecretBytes?, chain: [String],
    of family: (ProgramChildren, AutomationRun?)
  )
    throws(ProgramError)
  {
    let (children, automation) = family
    var out: [Int32] = [0, 0]
    var err: [Int32] = [0, 0]
    guard sys_pipe(&out) == 0 else { throw .cannotStart(program: words[0], setting: setting, code: errno) }
    guard sys_pipe(&err) == 0 else {
      let code = errno
      out.forEach { close($0) }
      throw .cannotStart(program: words[0], setting: setting, code: code)
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    let child = ProgramEnvironment.with(environment) { environment -> Int32 in
      guard let file = environment.file(of: words[0]) else { return -ENOENT }
      // Inserted before the nil at the end.
      var entries = ["\(profileChainVariable)=\(chain.joined(separator: "\n"))"]
      if let automation { entries.append("\(AgentVariables.run)=\(automation.run)") }
      let added = entries.map { strdup($0) }
      defer { added.forEach { free($0) } }
      environment.entries.insert(contentsOf: added, at: 0)
      children.willBegin(for: automation)
      return sys_spawn(file, &arguments, &environment.entries, nil, out[1], err[1])
    }
    arguments.forEach { free($0) }
    close(out[1])
    close(err[1])
    guard child > 0 else {
      close(out[0])
      close(err[0])
      throw .cannotStart(program: words[0], setting: setting, code: -child)
    }
    children.began(child, for: automation)
    self.children = children
    pid = child
    output = out[0]
    errors = err[0]
    _ = fcntl(output, F_SETFL, O_NONBLOCK)
    _ = fcntl(errors, F_SETFL, O_NONBLOCK)
  }

  deinit {
    // Kills the whole session, so that no child of the program is left behind.
    if !isReaped {
      kill(-pid, SIGKILL)
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0, errno == EINTR {}
      children.ended(pid)
    }
    close(output)
    close(errors)
  }

  /// Reads both pipes until the program has ended.
  mutating func pump(into buffer: UnsafeMutableRawBufferPointer, errors complaints: inout [UInt8], seconds: Double)
    -> ProgramRunner.End
  {
    let process = sys_pidfd_open(pid)
    defer { if process >= 0 { close(process) } }
    let deadline = Self.milliseconds() + Int64(seconds * 1_000)
    while true {
      let left = deadline - Self.milliseconds()
      guard left > 0 else { return .deferred }
      var waits = [
        pollfd(fd: outputEnded ? -1 : output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errorsEnded ? -1 : errors, events: Int16(POLLIN), revents: 0),
        pollfd(fd: process, events: Int16(POLLIN), revents: 0),
      ]
      _ = poll(&waits, 3, Int32(clamping: left))
      guard drain(into: buffer) else { return .flooded }
      drainErrors(into: &complaints)
      // Its background processes may hold the pipes open; only the program itself counts.
      if waits[2].revents != 0 || process < 0, waitpid(pid, &status, process < 0 ? 0 : WNOHANG) == pid {
        isReaped = true
        guard drain(into: buffer) else { return .flooded }
        drainErrors(into: &complaints)
        kill(-pid, SIGKILL)
        children.ended(pid)
        return .closed
      }
    }
  }

  /// - Returns: false if there is more than fits.
  private mutating func drain(into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    while printed < buffer.count {
      let got = read(output, buffer.baseAddress! + printed, buffer.count - printed)
      if got == 0 { outputEnded = true }
      guard got > 0 else { return true }
      printed += got
    }
    return false
  }

  private mutating func drainErrors(into complaints: inout [UInt8]) {
    var chunk = [UInt8](repeating: 0, count: 1_024)
    while true {
      let got = read(errors, &chunk, chunk.count)
      if got == 0 { errorsEnded = true }
      guard got > 0 else { return }
      let room = ProgramRunner.maxErrorBytes - complaints.count
      if room > 0 { complaints += chunk[..<min(got, room)] }
    }
  }

  private static func milliseconds() -> Int64 { monotonicNanoseconds() / 1_000_000 }
}

/// Errors of a program that a profile names.
enum ProgramError: ReportableError, Hashable {
  case malformed(setting: String, why: String)
  case cannotStart(program: String, setting: String, code: Int32)
  case failed(program: String, status: Int32)
  case killed(program: String, signal: Int32)
  case deferred(program: String, seconds: Int)
  case flooded(program: String)

  var message: String {
    switch self {
    case .malformed(let setting, let why): "\(setting) \(why)"
    case .cannotStart(let program, let setting, let code):
      "\(setting): cannot start \(program) (\(String(cString: strerror(code))))"
    case .failed(let program, let status): "\(program) exited with status \(status)"
    case .killed(let program, let signal): "\(program) was terminated by signal \(signal)"
    case .deferred(let program, let seconds): "\(program) timed out after \(seconds) s"
    case .flooded(let program): "\(program) printed more than \(ProgramRunner.maxOutputBytes / 1_024) KiB"
    }
  }

  var hint: String? {
    switch self {
    case .cannotStart(_, _, EAGAIN): "too many processes: see `ulimit -u`"
    case .cannotStart(let program, _, _) where !program.hasPrefix("/"):
      "it is looked up in the requester's PATH; use its full path"
    case .deferred: "it runs without a terminal; does it wait for input?"
    default: nil
    }
  }

  var exitStatus: ExitStatus {
    switch self {
    case .malformed, .cannotStart: .configuration
    case .deferred: .temporary
    case .failed, .killed: .unavailable
    case .flooded: .badData
    }
  }
}
