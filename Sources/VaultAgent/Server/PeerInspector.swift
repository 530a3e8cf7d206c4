import CSystem
import Glibc
import VaultModel

/// Identifies the requester from the kernel: `/proc` of the process at the other end of the socket.
struct PeerInspector: Sendable {
  let user: String
  let host: String
  /// The agent itself, for its automatic work.
  let agent: Requester
  /// The client that is installed next to this agent: the only one whose word is accepted for the program that it becomes.
  let client: String

  init() {
    user = Self.userName(geteuid())
    host = Self.hostName()
    let own = Self.link("/proc/self/exe")
    client = Self.client(of: own)
    agent = Requester(
      user: user, uid: geteuid(), pid: getpid(), program: own, executable: own, directory: Self.link("/proc/self/cwd"),
      parent: Self.link("/proc/\(getppid())/exe"), host: host)
  }

  /// The client's file: the agent's own without the `d`, or Debian's name for it, beside which `vault` may be HashiCorp's.
  static func client(of agent: String) -> String {
    let packaged = String(agent[..<(agent.lastIndex(of: "/") ?? agent.startIndex)]) + "/vault-aws"
    if agent.hasSuffix("/vaultd"), access(packaged, X_OK) == 0 { return packaged }
    return agent.hasSuffix("d") ? String(agent.dropLast()) : agent
  }

  /// The requester. If the file that the process runs cannot be proven, the executable is empty, and the program is the process's
  /// own claim.
  ///
  /// - Parameter commandIndex: the index of the word, in the process's own command line, that names the program it is about to
  ///   become. It is only a position in the kernel's copy of the line, and only for the vault's own client: a process makes its own
  ///   line, and any process may write "terraform" there.
  func requester(_ asker: PeerProcess, uid: UInt32, ancestry: Ancestry, commandIndex: Int?) -> Requester {
    let process = "/proc/\(asker.pid)"
    let proven = asker.provenExecutable
    var program = proven ?? Self.link(process + "/exe")
    if proven == nil || proven == client, let commandIndex, commandIndex > 0,
      let word = Self.commandWord(process + "/cmdline", commandIndex)
    {
      program = word
    }
    let parents = Self.chain(ancestry)
    return Requester(
      user: user, uid: uid, pid: asker.pid, program: program, executable: proven ?? "", directory: Self.link(process + "/cwd"),
      parent: parents.first?.executable ?? "", host: host, parents: parents)
  }

  /// The shell in which a requester runs, which is served instead of it: a process above it, in its session and of its user. A process
  /// outside the session, such as the service manager, would keep what it is served for as long as the machine runs. A session whose
  /// leader is outside this PID namespace, as for a program that was started into a container, has the ID 0 (getsid(2)).
  ///
  /// - Returns: nil if the process is none of these.
  func shell(_ pid: Int32, of requester: Requester) -> Requester? {
    let process = "/proc/\(pid)"
    guard let identity = ProcessIdentity(running: pid), pid != 1 || getsid(1) == 1, getsid(pid) >= 0,
      getsid(pid) == getsid(requester.pid),
      Self.users(of: pid) == [requester.uid, requester.uid, requester.uid],
      Self.isAbove(pid, requester.pid)
    else { return nil }
    let parents = Self.chain(Ancestry(of: pid))
    let shell = Requester(
      user: user, uid: requester.uid, pid: pid, program: Self.link(process + "/exe"), executable: Self.executable(pid) ?? "",
      directory: Self.link(process + "/cwd"), parent: parents.first?.executable ?? "", host: host, parents: parents)
    // All that was read is of the process that is above the requester.
    return identity.isRunning && Self.isAbove(pid, requester.pid) ? shell : nil
  }

  private static func chain(_ ancestry: Ancestry) -> [Ancestor] {
    ancestry.parents.prefix(Ancestor.maxCount).map { Ancestor(pid: $0, executable: executable($0) ?? "") }
  }

  private static func isAbove(_ pid: Int32, _ requester: Int32) -> Bool {
    Ancestry(of: requester).parents.prefix(64).contains(pid)
  }

  /// The real, the effective and the saved user of a process (proc(5), "Uid").
  static func users(of pid: Int32) -> [UInt32] {
    ProcessFiles.read("/proc/\(pid)/status", limit: 16_384) { bytes in
      let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Uid:".utf8) }
      return line.map {
        String(decoding: $0, as: UTF8.self).split(separator: "\t").dropFirst().prefix(3).compactMap { UInt32($0) }
      }
    } ?? []
  }

  /// The process that sent something over another's connection: nothing about it is proven.
  func stranger(_ pid: Int32, uid: UInt32) -> Requester {
    let process = "/proc/\(pid)"
    return Requester(
      user: user, uid: uid, pid: pid, program: Self.link(process + "/exe"), executable: "",
      directory: Self.link(process + "/cwd"),
      parent: "", host: host)
  }

  /// The file that a process runs; nil if it is at its path only in the process's own namespace.
  private static func executable(_ pid: Int32) -> String? {
    let link = "/proc/\(pid)/exe"
    let path = Self.link(link)
    guard let file = ProgramFile(link), ProgramFile(path) == file else { return nil }
    return path
  }

  static func link(_ path: String) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      let length = readlink(path, buffer.baseAddress!, buffer.count)
      return length > 0 ? String(decoding: UnsafeRawBufferPointer(buffer)[..<length], as: UTF8.self) : ""
    }
  }

  private static func commandWord(_ path: String, _ index: Int) -> String? {
    ProcessFiles.read(path, limit: 16_384) { bytes in
      var start = 0
      for _ in 0..<min(index, 4_096) {
        guard let end = bytes[start...].firstIndex(of: 0) else { return nil }
        start = end + 1
      }
      guard start < bytes.count else { return nil }
      let end = bytes[start...].firstIndex(of: 0) ?? bytes.count
      return String(decoding: bytes[start..<min(end, start + 1_024)], as: UTF8.self)
    }
  }

  private static func userName(_ uid: UInt32) -> String { account(uid) { String(cString: $0.pw_name) } ?? String(uid) }

  /// The files with guard rules: those of the settings, and the user's own, since a variable of whoever starts the agent must not decide
  /// whether they hold. That is the one in the home that the password database names, for a vault without a folder of its own
  /// (`VAULT_HOME`), and the one in the home in which the vault itself lies, by whatever name it was reached.
  static func guardFiles(_ paths: VaultPaths) -> [String] {
    let own = "/.config/vault/config"
    var files = paths.guardFiles
    if paths.settingsFiles.contains(VaultPaths.machineSettings),
      let home = account(geteuid(), { String(cString: $0.pw_dir) })
    {
      files.append(home + own)
    }
    if let data = AskingProgram.resolved(paths.dataDirectory), data.hasSuffix("/.local/share/vault") {
      files.append(data.dropLast("/.local/share/vault".count) + own)
    }
    return files.reduce(into: []) { known, file in if !known.contains(file) { known.append(file) } }
  }

  /// Reads a user's entry in the password database.
  ///
  /// - Returns: nil if there is none.
  private static func account(_ uid: UInt32, _ read: (passwd) -> String) -> String? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
      guard getpwuid_r(uid, &entry, buffer.baseAddress!, buffer.count, &found) == 0, found != nil else { return nil }
      return read(entry)
    }
  }

  private static func hostName() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard gethostname(buffer.baseAddress!, 255) == 0 else { return "localhost" }
      buffer[255] = 0
      return String(cString: buffer.baseAddress!)
    }
  }
}
