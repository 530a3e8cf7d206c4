import CSystem
import Glibc
import Synchronization
import Testing
import VaultConcurrency
import VaultModel

/// What happened, in order.
final class Log: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// The test's own thread turns the loop, so that nothing happens in between.
@Suite struct EventLoopTests {
  private let loop = EventLoop()
  private let log = Log()

  /// Turns the loop until so much has happened.
  private func turn(until count: Int) { while log.all.count < count { loop.turn(mayWait: true) } }

  @Test("timers go off by their time and not by the order in which they were set, equal ones in that order")
  func timers() {
    let log = log
    for (name, time) in [("later", Int64(60)), ("first", 1), ("second", 1), ("soon", 30)] {
      loop.after(milliseconds: time) { log.add(name) }
    }
    let began = monotonicNanoseconds()
    turn(until: 4)
    #expect(log.all == ["first", "second", "soon", "later"])
    #expect(monotonicNanoseconds() - began >= 59_000_000)
  }

  @Test("a process is reported once when it has ended, and not before; one that is gone, at once")
  func processes() throws {
    let log = log
    var input: [Int32] = [0, 0]
    #expect(sys_pipe(&input) == 0)
    var words: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup("read line <&1"), nil]
    defer { words.forEach { free($0) } }
    let child = sys_spawn("sh", &words, sys_environment(), nil, input[0], 2)
    try #require(child > 0)
    close(input[0])
    loop.onExit(of: child) { log.add("ended") }
    loop.turn(mayWait: false)
    #expect(log.all.isEmpty)
    close(input[1])
    turn(until: 1)
    var status: Int32 = 0
    #expect(waitpid(child, &status, 0) == child)
    loop.onExit(of: child) { log.add("gone") }
    turn(until: 2)
    for _ in 0..<3 { loop.turn(mayWait: false) }
    #expect(log.all == ["ended", "gone"])
  }

  @Test("a blocked signal is reported by its number")
  func signals() {
    let log = log
    var set = sigset_t()
    sigemptyset(&set)
    for signal in [SIGWINCH, SIGURG] { sigaddset(&set, signal) }
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &set, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    loop.onSignals([SIGWINCH, SIGURG]) { log.add("\($0)") }
    loop.turn(mayWait: false)
    // To this thread alone: the others have not blocked them.
    pthread_kill(pthread_self(), SIGWINCH)
    pthread_kill(pthread_self(), SIGURG)
    turn(until: 2)
    #expect(log.all.sorted() == ["\(SIGURG)", "\(SIGWINCH)"])
  }

  @Test("a socket is reported while it can be read and when its other end has gone, until it is forgotten")
  func sockets() {
    let log = log
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let here = ends[0]
    loop.watch(here) {
      var byte: UInt8 = 0
      log.add(read(here, &byte, 1) == 1 ? "\(byte)" : "gone")
    }
    loop.turn(mayWait: false)
    #expect(log.all.isEmpty)
    #expect(write(ends[1], [1, 2] as [UInt8], 2) == 2)
    turn(until: 2)
    close(ends[1])
    turn(until: 3)
    #expect(log.all == ["1", "2", "gone"])
    loop.forget(here)
    loop.turn(mayWait: false)
    #expect(log.all.count == 3)
    close(here)
  }

  @Test("what other threads give it to do ends its wait, and nothing is lost")
  func performing() async {
    let (loop, log) = (loop, log)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await BlockingPool.shared.run { while log.all.count < 1_000 { loop.turn(mayWait: true) } } }
      for number in 0..<1_000 { group.addTask { loop.perform { log.add("\(number)") } } }
    }
    #expect(Set(log.all).count == 1_000)
  }

  @Test("a sleeper wakes at its moment, and a cancelled one at once, whether it slept already or not")
  func sleeping() async {
    let executor = ThreadExecutor()
    executor.start()
    defer { executor.end() }
    let loop = executor.loop
    let began = loop.now()
    await #expect(throws: Never.self) { try await loop.sleep(until: began.adding(milliseconds: 20)) }
    #expect(loop.now().since(began) >= 20)
    await #expect(throws: Never.self) { try await loop.sleep(until: Timestamp(milliseconds: 0)) }
    for turns in [0, 1, 100] {
      let task = Task { try await loop.sleep(until: began.adding(seconds: 86_400)) }
      for _ in 0..<turns { await Task.yield() }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }
}

@Suite struct ThreadExecutorTests {
  private actor Counter {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private(set) var count = 0
    init(_ executor: ThreadExecutor) { self.executor = executor }
    func add() { count += 1 }
  }

  @Test("jobs and the loop's handlers share one thread, also while there are always jobs")
  func sharing() async {
    let executor = ThreadExecutor()
    executor.start()
    defer { executor.end() }
    let counter = Counter(executor)
    let isRung = Mutex(false)
    executor.loop.after(milliseconds: 5) { isRung.withLock { $0 = true } }
    var calls = 0
    while !isRung.withLock({ $0 }) {
      await counter.add()
      calls += 1
    }
    #expect(await counter.count == calls)
  }
}
