import Synchronization
import VaultKeys
import VaultModel

/// Locks the vault when its time has passed, or when the login manager reports that nobody is there.
///
/// The next request fetches the key again, if the key store gives it without a prompt; while the screen is locked, no request does.
actor AutoLock {
  private let clock: any WallClock
  private let executor: (any TaskExecutor)?
  /// Locks the vault; does nothing if it is locked.
  private let lock: @Sendable (LockCause) async -> Void
  private let isUnlocked: @Sendable () async -> Bool
  /// Withholds the key while the screen is locked.
  private let shutOut: @Sendable (Bool) async -> Void
  private var rule = LockRule.never
  private var events: Set<LockCause> = []
  private var login: LoginManager?
  private var unlockedAt: Timestamp
  private let usedAt: Mutex<Timestamp>
  private var alarm: (task: Task<Void, Never>, moment: Timestamp)?

  init(
    clock: any WallClock, executor: (any TaskExecutor)?, isUnlocked: @escaping @Sendable () async -> Bool,
    lock: @escaping @Sendable (LockCause) async -> Void,
    shutOut: @escaping @Sendable (Bool) async -> Void
  ) {
    self.clock = clock
    self.executor = executor
    self.isUnlocked = isUnlocked
    self.lock = lock
    self.shutOut = shutOut
    unlockedAt = clock.now()
    usedAt = Mutex(clock.now())
  }

  /// Applies other settings from now on.
  ///
  /// - Parameter bus: the address of the login manager's bus.
  func use(_ rule: LockRule, _ events: LockEvents, bus: String) async {
    self.rule = rule
    let hadScreen = self.events.contains(.screen)
    self.events = events.causes
    if events.causes.isEmpty {
      login = nil
    } else if login == nil {
      login = LoginManager(address: bus) { [weak self, executor] event in
        // Not awaited, so that the bus is not held up.
        Task(executorPreference: executor) { await self?.heard(event) }
      }
    }
    if hadScreen, !self.events.contains(.screen) { await shutOut(false) }
    arm()
  }

  /// Records a request. Cheap: no alarm is moved.
  nonisolated func recordUse() { usedAt.withLock { $0 = clock.now() } }

  /// The key has been fetched.
  func unlocked() {
    unlockedAt = clock.now()
    recordUse()
    arm()
  }

  /// When the vault will lock itself; nil if it will not, or is locked.
  func next() async -> (at: Timestamp, cause: LockCause)? {
    guard await isUnlocked() else { return nil }
    return rule.due(unlockedAt: unlockedAt, usedAt: usedAt.withLock { $0 })
  }

  private func arm() {
    alarm?.task.cancel()
    alarm = rule.due(unlockedAt: unlockedAt, usedAt: usedAt.withLock { $0 }).map { due in
      let task = Task(executorPreference: executor) { [clock] in
        do { try await clock.sleep(until: due.at) } catch { return }
        await self.ring(due.at)
      }
      return (task, due.at)
    }
  }

  private func ring(_ moment: Timestamp) async {
    guard alarm?.moment == moment else { return }
    alarm = nil
    // A request has arrived meanwhile: the lock is due later.
    guard let due = rule.due(unlockedAt: unlockedAt, usedAt: usedAt.withLock { $0 }), due.at <= clock.now() else { return arm() }
    await lock(due.cause)
  }

  private func heard(_ event: LoginManager.Event) async {
    switch event {
    case .screenLocked where events.contains(.screen):
      await shutOut(true)
      await lock(.screen)
    case .screenUnlocked: await shutOut(false)
    case .suspending where events.contains(.suspend): await lock(.suspend)
    case .loggedOut where events.contains(.logout): await lock(.logout)
    default: break
    }
  }
}
