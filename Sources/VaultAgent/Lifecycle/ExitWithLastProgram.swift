import Synchronization

/// Ends the agent with the last program that got credentials from it (`VAULT_AGENT_LIFE=programs`): for CI, where nothing may be
/// left running.
final class ExitWithLastProgram: Sendable {
  private let watch: ProcessWatch
  private let stop: @Sendable () -> Void
  private let running = Mutex(0)

  init(watch: ProcessWatch, stop: @escaping @Sendable () -> Void) {
    self.watch = watch
    self.stop = stop
  }

  /// A program has got credentials. It is the process that asked, since that process becomes the program.
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
