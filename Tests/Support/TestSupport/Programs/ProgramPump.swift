import Foundation
import Glibc

/// Carries a program's input and output, on a thread of its own, until the program has ended and its output is read.
///
/// Never more than the pipes hold is waited for on either side, so that large output and large input can't lock each other.
///
/// `@unchecked Sendable`: everything that changes is behind `condition`; the descriptors belong to the pump's thread alone,
/// except the writing end of `wake`, which any thread may write to.
final class ProgramPump: @unchecked Sendable {
  let process: SpawnedProcess
  private let condition = NSCondition()
  /// A pipe, reading end first, by which other threads call the pump.
  private let wake: [Int32]
  private var pendingInput: [UInt8] = []
  private var inputEnds = false
  private var output: [UInt8] = []
  private var outputTaken = 0
  private var errors: [UInt8] = []
  /// The process has ended, and is not reaped yet.
  private var hasEnded = false
  private var ended: ProgramEnd?
  private var outputLeftOpen = false

  init(_ process: SpawnedProcess) {
    self.process = process
    var ends: [Int32] = [0, 0]
    precondition(closeOnExecPipe(&ends) == 0, "pipe: errno \(errno)")
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    wake = ends
    Thread.detachNewThread { self.run() }
    Thread.detachNewThread { self.watch() }
  }

  deinit {
    for end in wake { close(end) }
  }

  /// Hands over bytes for the program's standard input.
  func feed(_ bytes: [UInt8], end: Bool) {
    condition.lock()
    pendingInput += bytes
    if end { inputEnds = true }
    condition.unlock()
    poke()
  }

  private func poke() {
    // A full pipe is as good: the pump is called anyway.
    _ = write(wake[1], [1], 1)
  }

  /// Sends a signal to the program, or to its whole process group. Nothing happens once it has ended: the number may be
  /// another's.
  func signal(_ number: Int32, group: Bool) {
    condition.lock()
    defer { condition.unlock() }
    guard ended == nil else { return }
    _ = kill(group ? -process.pid : process.pid, number)
  }

  var state: (ended: ProgramEnd?, output: [UInt8], errors: [UInt8], outputLeftOpen: Bool) {
    condition.lock()
    defer { condition.unlock() }
    return (ended, output, errors, outputLeftOpen)
  }

  /// Blocks until the program has ended; false when the time was up before.
  func waitForEnd(until limit: Date) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while ended == nil {
      guard condition.wait(until: limit) else { return ended != nil }
    }
    return true
  }

  /// Blocks until more than `count` bytes are on the standard error, or the program has ended; false when the time was up before.
  func waitForErrors(beyond count: Int, until limit: Date) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while errors.count <= count, ended == nil {
      guard condition.wait(until: limit) else { return false }
    }
    return true
  }

  enum Line { case line(String), end, timedOut }

  /// Blocks until there is a whole line that was not taken yet, without its line break.
  func nextLine(until limit: Date) -> Line {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let end = output[outputTaken...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { outputTaken = end + 1 }
        return .line(String(decoding: output[outputTaken..<end], as: UTF8.self))
      }
      if ended != nil { return .end }
      guard condition.wait(until: limit) else { return .timedOut }
    }
  }

  /// Waits for the end, and leaves the process to be reaped by the pump.
  private func watch() {
    var info = siginfo_t()
    while waitid(P_PID, id_t(process.pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    condition.lock()
    hasEnded = true
    condition.unlock()
    poke()
  }

  private func run() {
    // A program that has closed its input must not end the tests: the write fails with EPIPE instead.
    var pipeSignal = sigset_t()
    sigemptyset(&pipeSignal)
    sigaddset(&pipeSignal, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipeSignal, nil)
    var inputOpen = true
    var outputOpen = true
    var errorsOpen = true
    while true {
      let (hasInput, ends, over) = inputState()
      if over { break }
      if inputOpen, !hasInput, ends {
        close(process.input)
        inputOpen = false
      }
      var polled = [
        pollfd(fd: wake[0], events: Int16(POLLIN), revents: 0),
        pollfd(fd: outputOpen ? process.output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: errorsOpen ? process.errors : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: inputOpen && hasInput ? process.input : -1, events: Int16(POLLOUT), revents: 0),
      ]
      guard poll(&polled, 4, -1) >= 0 else { continue }
      if polled[0].revents != 0 {
        var calls = [UInt8](repeating: 0, count: 64)
        while read(wake[0], &calls, calls.count) == calls.count {}
      }
      if polled[1].revents != 0 { outputOpen = drain(process.output, into: \.output) }
      if polled[2].revents != 0 { errorsOpen = drain(process.errors, into: \.errors) }
      if polled[3].revents != 0, !writeInput() {
        close(process.input)
        inputOpen = false
      }
    }
    // What the program wrote is in the pipes by now. Whoever else still holds them (an agent that it left behind) is not
    // waited for.
    if outputOpen { outputOpen = drainRest(process.output, into: \.output) }
    if errorsOpen { errorsOpen = drainRest(process.errors, into: \.errors) }
    var status: Int32 = 0
    condition.lock()
    // Reaped under the lock: until then the process number can be no other's.
    while waitpid(process.pid, &status, 0) < 0, errno == EINTR {}
    ended = ProgramEnd(waitStatus: status)
    outputLeftOpen = outputOpen || errorsOpen
    condition.broadcast()
    condition.unlock()
    if inputOpen { close(process.input) }
    for descriptor in [process.output, process.errors] { close(descriptor) }
  }

  private func inputState() -> (hasInput: Bool, ends: Bool, over: Bool) {
    condition.lock()
    defer { condition.unlock() }
    return (!pendingInput.isEmpty, inputEnds, hasEnded)
  }

  /// Reads all that is there, and gives the pipe's end a second to come: a program that another thread is starting at this moment has a
  /// copy of every descriptor until its `execve`.
  private func drainRest(_ descriptor: Int32, into buffer: ReferenceWritableKeyPath<ProgramPump, [UInt8]>) -> Bool {
    let limit = Date(timeIntervalSinceNow: 1)
    while drain(descriptor, into: buffer) {
      let left = limit.timeIntervalSinceNow
      guard left > 0 else { return true }
      var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&polled, 1, Int32(left * 1_000) + 1)
    }
    return false
  }

  /// Reads all that is there; false at the end of the pipe.
  private func drain(_ descriptor: Int32, into buffer: ReferenceWritableKeyPath<ProgramPump, [UInt8]>) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count == 0 { return false }
      if count < 0 { return errno == EAGAIN || errno == EINTR }
      condition.lock()
      self[keyPath: buffer] += chunk[..<count]
      condition.broadcast()
      condition.unlock()
    }
  }

  /// False when the program reads no more.
  private func writeInput() -> Bool {
    condition.lock()
    let bytes = Array(pendingInput.prefix(65_536))
    condition.unlock()
    let written = write(process.input, bytes, bytes.count)
    if written < 0 { return errno == EAGAIN || errno == EINTR }
    condition.lock()
    pendingInput.removeFirst(written)
    condition.unlock()
    return true
  }
}
