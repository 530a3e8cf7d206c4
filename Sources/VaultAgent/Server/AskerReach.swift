import Glibc
import VaultModel

/// Whether what is opened for a program on this machine is there for that program: it may live in namespaces of its own, as in a container.
enum AskerReach {
  /// - Parameter folder: where its token is to be found; nil where that is not in a file.
  static func require(_ requester: Requester, folder: String?) throws(AgentError) {
    // The kernel has no number of it for us, so its end would never be seen.
    guard requester.pid > 0 else {
      throw .outOfReach(why: "in another process namespace than the agent, which could not see its end")
    }
    let process = "/proc/\(requester.pid)"
    // What may not be looked at is not held against anybody.
    if let own = namespace("/proc/self"), let theirs = namespace(process), own != theirs {
      throw .outOfReach(why: "in another network namespace than the agent, whose loopback it does not reach")
    }
    guard let folder, let own = place(folder), access(process + "/root", X_OK) == 0 else { return }
    if place(process + "/root" + folder) != own {
      throw .outOfReach(why: "in another mount namespace than the agent, and does not see \(folder)")
    }
  }

  private static func namespace(_ process: String) -> [UInt64]? { place(process + "/ns/net") }

  private static func place(_ path: String) -> [UInt64]? {
    var status = stat()
    return stat(path, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
  }
}
