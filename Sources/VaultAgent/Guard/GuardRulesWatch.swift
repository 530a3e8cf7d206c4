import Glibc
import Synchronization
import VaultConcurrency
import VaultModel

/// Notices that the guard rules change, for programs and files that are being served and ask nothing. The kernel reports it
/// (inotify(7)), so that nothing wakes up otherwise.
final class GuardRulesWatch: Sendable {
  /// Milliseconds for the steps in which an editor replaces a file.
  private static let delay: Int64 = 50
  private static let events = UInt32(
    IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

  private struct State {
    /// For each watched folder, by its number, the names in it that matter.
    var folders: [Int32: Set<String>] = [:]
    var rules: GuardRules
    var isWaiting = false
  }

  private let rules: LiveGuardRules
  private let loop: EventLoop
  private let changed: @Sendable (GuardRules) -> Void
  private let descriptor: Int32
  private let state: Mutex<State>

  /// - Parameter changed: called with the rules of before.
  init(_ rules: LiveGuardRules, loop: EventLoop, changed: @escaping @Sendable (GuardRules) -> Void) {
    (self.rules, self.loop, self.changed) = (rules, loop, changed)
    descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    state = Mutex(State(rules: rules.current))
    guard descriptor >= 0 else {
      AgentLog.write(
        "changed guard rules reach programs that are being served with their next session only (inotify: errno \(errno))")
      return
    }
    look()
    // As long as the loop runs.
    loop.watch(descriptor) { self.read() }
  }

  /// Reads what has changed.
  private func read() {
    var isMeant = false
    withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
      while case let length = Glibc.read(descriptor, buffer.baseAddress!, buffer.count), length > 0 {
        var place = 0
        // A number, a mask, a cookie, the length of the name, and the name, which zeros fill up.
        while place + 16 <= length {
          let folder = buffer.loadUnaligned(fromByteOffset: place, as: Int32.self)
          let mask = buffer.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)
          let size = Int(buffer.loadUnaligned(fromByteOffset: place + 12, as: UInt32.self))
          let name = String(decoding: buffer[place + 16..<min(length, place + 16 + size)].prefix { $0 != 0 }, as: UTF8.self)
          isMeant = isMeant || self.isMeant(folder, mask, name: name)
          place += 16 + size
        }
      }
    }
    guard isMeant else { return }
    let isFirst = state.withLock { state in
      defer { state.isWaiting = true }
      return !state.isWaiting
    }
    if isFirst { loop.after(milliseconds: Self.delay) { self.compare() } }
  }

  private func isMeant(_ folder: Int32, _ mask: UInt32, name: String) -> Bool {
    if mask & UInt32(IN_Q_OVERFLOW) != 0 { return true }
    // Without a name it is about the folder itself.
    return state.withLock { $0.folders[folder].map { name.isEmpty || $0.contains(name) } ?? false }
  }

  private func compare() {
    state.withLock { $0.isWaiting = false }
    look()
    let now = rules.current
    let before = state.withLock { state -> GuardRules? in
      guard state.rules != now else { return nil }
      defer { state.rules = now }
      return state.rules
    }
    if let before { changed(before) }
  }

  /// Watches the folders of the files, and of those to which links lead; of a folder that is missing, the one above it.
  private func look() {
    var wanted: [String: Set<String>] = [:]
    for file in rules.files {
      for path in Set([file, AskingProgram.resolved(file) ?? file]) {
        var parts = path.split(separator: "/").map { String($0) }
        var folder = ""
        while let name = parts.popLast() {
          folder = "/" + parts.joined(separator: "/")
          if access(folder, F_OK) == 0 {
            wanted[folder, default: []].insert(name)
            break
          }
        }
      }
    }
    var folders: [Int32: Set<String>] = [:]
    for (folder, names) in wanted {
      let number = inotify_add_watch(descriptor, folder, Self.events)
      if number >= 0 { folders[number, default: []].formUnion(names) }
    }
    let old = state.withLock { state in
      defer { state.folders = folders }
      return state.folders
    }
    for number in old.keys where folders[number] == nil { inotify_rm_watch(descriptor, number) }
  }
}
