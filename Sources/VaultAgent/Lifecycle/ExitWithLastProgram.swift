import Synchronization

/// Ends the agent with the last program that it gave credentials (`VAULT_AGENT_LIFE=programs`): for CI, where nothing may stay behind.
final class ExitWithLastProgram: Sendable {
  private let watch: ProcessWatch
  private let stop: @Sendable () -> Void
  private let running = Mutex(0)

  init(watch: ProcessWatch, stop: @escaping @Sendable () -> Void) {
    self.watch = watch
    self.stop = stop
  }

  /// A program has credentials; it is the process that asked, which becomes it.
  func began(_ pid: Int32) {
    running.withLock { $0 += 1 }
    watch.watch(pid) { [self] in
      let isLast = running.withLock { running in
        running -= 1
        return running == 0
      }
      if isLast { stop() }
    }
  }
}
