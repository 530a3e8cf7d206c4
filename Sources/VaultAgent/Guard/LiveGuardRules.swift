import AWSConfig
import Glibc
import Synchronization
import VaultModel

/// The guard rules of the settings files, which are read again once a file changes.
final class LiveGuardRules: Sendable {
  /// What tells a file from its next version.
  private struct Stamp: Equatable {
    var device: UInt = 0
    var inode: UInt = 0
    var size = 0
    var changed = 0
    var changedFraction = 0
    var modified = 0
    var modifiedFraction = 0
    /// Nil for a file that is there.
    var fault: Int32?

    init(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else {
        fault = errno
        return
      }
      (device, inode, size) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
      (changed, changedFraction) = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
      (modified, modifiedFraction) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }

    /// Whether another change could leave the same times: those of file systems advance by up to ten milliseconds.
    func isYoung(at now: timespec) -> Bool {
      fault == nil && (now.tv_sec - changed) * 1_000_000_000 + now.tv_nsec - changedFraction < 100_000_000
    }
  }

  let files: [String]
  private let home: String?
  private let state = Mutex<(stamps: [Stamp], rules: GuardRules)>(([], GuardRules()))

  /// - Parameters:
  ///   - files: absolute paths.
  ///   - home: the folder that is shown as `~`.
  init(_ files: [String], home: String?) {
    self.files = files
    self.home = home
  }

  /// The rules now. Without a change, this costs one look at each file's times.
  var current: GuardRules {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let stamps = files.map { Stamp($0) }
    if let known = state.withLock({ $0.stamps == stamps ? $0.rules : nil }) { return known }
    let rules = GuardRules.read(files, home: home)
    // The stamps were taken first: a file that changed since has others.
    if !stamps.contains(where: { $0.isYoung(at: now) }) { state.withLock { $0 = (stamps, rules) } }
    return rules
  }
}
