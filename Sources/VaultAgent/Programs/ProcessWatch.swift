import CSystem
import Glibc
import Synchronization
import VaultConcurrency

/// Reports when a process ends, by its descriptor (`pidfd_open(2)`), which unlike a process ID is never reused.
final class ProcessWatch: Sendable {
  private struct State {
    var endings: [Int32: @Sendable () -> Void] = [:]
    var isRunning = false
  }
  private let poller: Int32
  private let state = Mutex(State())

  init() throws(AgentError) {
    poller = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poller >= 0 else { throw .system(what: "watch processes", code: sys_errno()) }
  }

  /// - Parameter ended: called once, on the watch's own thread; at once if the process has already ended.
  func watch(_ pid: Int32, ended: @escaping @Sendable () -> Void) {
    let process = sys_pidfd_open(pid)
    guard process >= 0 else { return ended() }
    let starts = state.withLock { state in
      state.endings[process] = ended
      defer { state.isRunning = true }
      return !state.isRunning
    }
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | EPOLLONESHOT.rawValue
    event.data.fd = process
    epoll_ctl(poller, EPOLL_CTL_ADD, process, &event)
    if starts { _ = BlockingPool.shared.begin { [self] in run() } }
  }

  private func run() {
    var events = [epoll_event](repeating: epoll_event(), count: 16)
    while true {
      let ready = epoll_wait(poller, &events, Int32(events.count), -1)
      for event in events.prefix(max(0, Int(ready))) {
        let process = event.data.fd
        let ended = state.withLock { $0.endings.removeValue(forKey: process) }
        epoll_ctl(poller, EPOLL_CTL_DEL, process, nil)
        close(process)
        ended?()
      }
    }
  }
}
