import Glibc
import VaultModel

/// Whether a program on this machine can reach what is opened for it: it may have its own namespaces, as in a container.
enum PeerReach {
  /// - Parameter folder: the folder of its token; nil if the token is not in a file.
  static func require(_ requester: Requester, folder: String?) throws(AgentError) {
    // The process has no ID in the agent's namespace, so its end would never be seen.
    guard requester.pid > 0 else {
      throw .outOfReach(why: "in another process namespace, where the agent cannot see it end")
    }
    let process = "/proc/\(requester.pid)"
    // A namespace that cannot be read is no reason to refuse.
    if let own = namespace("/proc/self"), let theirs = namespace(process), own != theirs {
      throw .outOfReach(why: "in another network namespace, from which it cannot reach the agent's loopback")
    }
    guard let folder, let own = place(folder), access(process + "/root", X_OK) == 0 else { return }
    if place(process + "/root" + folder) != own {
      throw .outOfReach(why: "in another mount namespace, where it cannot see \(folder)")
    }
  }

  private static func namespace(_ process: String) -> [UInt64]? { place(process + "/ns/net") }

  private static func place(_ path: String) -> [UInt64]? {
    var status = stat()
    return stat(path, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
  }
}
