import CSystem
import Glibc
import Synchronization
import VaultModel

/// Waits for descriptors, moments, processes and signals with one epoll descriptor (epoll(7)), and is the clock by which to wait.
///
/// One thread calls ``turn(mayWait:)`` over and over: an executor's, between its jobs. Handlers run on that thread. Any thread may
/// change what the loop waits for.
package final class EventLoop: Sendable {
  private struct State {
    var handlers: [Int32: @Sendable () -> Void] = [:]
    var work: [@Sendable () -> Void] = []
    var beforeWait: (@Sendable () -> Void)?
  }
  private static let maxEvents = 64

  private let poller = epoll_create1(Int32(EPOLL_CLOEXEC))
  private let wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
  /// By the wall clock, in milliseconds since 1970: also fires after a suspend and when the clock is set.
  private let wall = LoopTimers(isWall: true)
  /// By a clock that nobody sets and that stands still during a suspend, in milliseconds.
  private let steady = LoopTimers(isWall: false)
  private let state = Mutex(State())

  package init() {
    precondition(poller >= 0 && wakeUp >= 0, "cannot create an epoll descriptor (errno \(sys_errno()))")
    watch(wakeUp) { [wakeUp] in
      var count: UInt64 = 0
      _ = read(wakeUp, &count, 8)
    }
    for timers in [wall, steady] { watch(timers.descriptor) { timers.fire() } }
  }

  deinit {
    close(poller)
    close(wakeUp)
  }

  // MARK: the loop's thread

  /// Waits for events, and runs their handlers.
  ///
  /// - Parameter mayWait: false to check without waiting.
  package func turn(mayWait: Bool) {
    state.withLock { $0.beforeWait }?()
    withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.maxEvents) { events in
      let ready = epoll_wait(poller, events.baseAddress, Int32(Self.maxEvents), mayWait ? -1 : 0)
      for event in events.prefix(max(0, Int(ready))) { state.withLock { $0.handlers[event.data.fd] }?() }
    }
    let work = state.withLock { state in
      guard !state.work.isEmpty else { return [@Sendable () -> Void]() }
      defer { state.work = [] }
      return state.work
    }
    for body in work { body() }
  }

  /// Sets what to do before each wait; nil for nothing.
  package func beforeWait(_ body: (@Sendable () -> Void)?) { state.withLock { $0.beforeWait = body } }

  // MARK: any thread

  /// Ends the current wait, or the next one.
  package func wake() {
    var one: UInt64 = 1
    var attempts = 0
    // A loop that is not woken sleeps for good, and everybody waits for it. A full counter (EAGAIN) wakes it as well.
    while write(wakeUp, &one, 8) != 8, errno != EAGAIN, attempts < 3 { attempts += 1 }
  }

  /// Runs `body` on the loop's thread.
  package func perform(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.work.append(body) }
    wake()
  }

  /// Calls `handler` whenever a descriptor is readable or its other end has gone.
  package func watch(_ descriptor: Int32, _ handler: @escaping @Sendable () -> Void) {
    state.withLock { $0.handlers[descriptor] = handler }
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    event.data.fd = descriptor
    epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)
  }

  /// Stops watching a descriptor. Call it before the descriptor is closed.
  package func forget(_ descriptor: Int32) {
    epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, nil)
    state.withLock { $0.handlers[descriptor] = nil }
  }

  /// Calls `body` once when a process has ended, by its descriptor (`pidfd_open(2)`), which unlike a process ID is never reused.
  package func onExit(of pid: Int32, _ body: @escaping @Sendable () -> Void) {
    let process = sys_pidfd_open(pid)
    guard process >= 0 else { return perform(body) }
    watch(process) { [unowned self] in
      forget(process)
      close(process)
      body()
    }
  }

  /// Blocks signals in this thread and in every one that it makes afterwards.
  package static func block(_ signals: [Int32]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Calls `body` for each of these signals, which must be blocked in every thread (signalfd(2)).
  package func onSignals(_ signals: [Int32], _ body: @escaping @Sendable (Int32) -> Void) {
    let descriptor = sys_signals_open(signals, Int32(signals.count))
    precondition(descriptor >= 0, "cannot wait for signals (errno \(sys_errno()))")
    watch(descriptor) {
      while case let signal = sys_signal_next(descriptor), signal > 0 { body(signal) }
    }
  }

  /// Calls `body` after a time, which does not pass while the machine is suspended.
  package func after(milliseconds: Int64, _ body: @escaping @Sendable () -> Void) {
    steady.set(steady.reserve(), at: steady.now() + milliseconds) { _ in body() }
  }
}

extension EventLoop: WallClock {
  package func now() -> Timestamp { SystemClock().now() }

  package func sleep(until moment: Timestamp) async throws {
    let timer = wall.reserve()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (sleeper: CheckedContinuation<Void, any Error>) in
        wall.set(timer, at: moment.milliseconds) { hasPassed in
          if hasPassed { sleeper.resume() } else { sleeper.resume(throwing: CancellationError()) }
        }
        // A cancellation from before found nothing to cancel.
        if Task.isCancelled { wall.cancel(timer) }
      }
    } onCancel: {
      wall.cancel(timer)
    }
  }
}

/// The moments of one clock at which something is to be done, with one of the kernel's timers (timerfd_create(2)). Nothing wakes up
/// in between.
private final class LoopTimers: Sendable {
  private struct State {
    /// Each timer's moment and action, keyed by the order in which the timers were reserved.
    var waiting: [Int: (moment: Int64, body: @Sendable (_ hasPassed: Bool) -> Void)] = [:]
    var latest = 0
    /// The moment for which the kernel's timer is set.
    var isSetFor: Int64?
  }
  let descriptor: Int32
  private let isWall: Bool
  private let state = Mutex(State())

  init(isWall: Bool) {
    self.isWall = isWall
    descriptor = sys_timer_create(isWall ? 1 : 0)
    precondition(descriptor >= 0, "cannot create a timer (errno \(sys_errno()))")
  }

  deinit { close(descriptor) }

  func now() -> Int64 { isWall ? SystemClock().now().milliseconds : monotonicNanoseconds() / 1_000_000 }

  /// A number for a timer, by which it can be cancelled.
  func reserve() -> Int {
    state.withLock { state in
      state.latest += 1
      return state.latest
    }
  }

  /// Calls `body` once: with true at the moment, or with false when the timer is cancelled.
  func set(_ timer: Int, at moment: Int64, _ body: @escaping @Sendable (_ hasPassed: Bool) -> Void) {
    state.withLock { state in
      state.waiting[timer] = (moment, body)
      if moment < state.isSetFor ?? .max { arm(&state, for: moment) }
    }
  }

  func cancel(_ timer: Int) { state.withLock { $0.waiting.removeValue(forKey: timer) }?.body(false) }

  /// The kernel's timer has gone off, or the clock was set.
  func fire() {
    sys_timer_clear(descriptor)
    let now = now()
    let due = state.withLock { state in
      let due = state.waiting.filter { $0.value.moment <= now }
      for timer in due.keys { state.waiting[timer] = nil }
      state.isSetFor = nil
      if let next = state.waiting.values.lazy.map(\.moment).min() { arm(&state, for: next) }
      return due.sorted { ($0.value.moment, $0.key) < ($1.value.moment, $1.key) }
    }
    for timer in due { timer.value.body(true) }
  }

  private func arm(_ state: inout State, for moment: Int64) {
    state.isSetFor = moment
    _ = sys_timer_set(descriptor, isWall ? 1 : 0, moment)
  }
}
