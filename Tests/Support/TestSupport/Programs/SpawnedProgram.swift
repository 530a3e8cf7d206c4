import Glibc
import Synchronization

/// A process with pipes at its standard input and output. Its signals are as a login shell leaves them; the threads of a
/// test block most, which a child would inherit.
package final class SpawnedProgram: Sendable {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
  }

  package let pid: pid_t
  private let input: Mutex<Int32>
  private let output: Int32
  private let status = Mutex<Int32?>(nil)

  /// - Parameter errorsToo: whether its standard error goes with its output. One that goes on running must not: once nobody reads
  ///   what it and its children write there, they stand still.
  package init(_ path: String, _ arguments: [String], _ environment: [String: String], errorsToo: Bool = false) throws {
    var typed: [Int32] = [-1, -1]
    var printed: [Int32] = [-1, -1]
    // Sockets, since they can be close-on-exec from the start: another child must not hold them open.
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &typed) == 0, socketpair(AF_UNIX, kind, 0, &printed) == 0 else {
      throw Failure(description: "socketpair: errno \(errno)")
    }
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    posix_spawn_file_actions_adddup2(&files, typed[0], 0)
    posix_spawn_file_actions_adddup2(&files, printed[1], 1)
    if errorsToo {
      posix_spawn_file_actions_adddup2(&files, printed[1], 2)
    } else {
      posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, path, &files, &attributes, &words, &variables)
    for word in words + variables { free(word) }
    posix_spawn_file_actions_destroy(&files)
    posix_spawnattr_destroy(&attributes)
    close(typed[0])
    close(printed[1])
    self.pid = pid
    input = Mutex(typed[1])
    output = printed[0]
    guard failure == 0 else { throw Failure(description: "\(path): errno \(failure)") }
  }

  deinit {
    kill()
    close(output)
  }

  /// Writes to its standard input, and ends that.
  package func type(_ text: String) {
    input.withLock { input in
      guard input >= 0 else { return }
      _ = text.withCString { send(input, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
      close(input)
      input = -1
    }
  }

  /// Reads one line, or to the end. False where there was nothing.
  package func readLine() -> Bool {
    var byte: UInt8 = 0
    var count = 0
    while read(output, &byte, 1) == 1, byte != 0x0A { count += 1 }
    return count > 0
  }

  package func readAll() -> String {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while case let count = read(output, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
    return String(decoding: text, as: UTF8.self)
  }

  /// Its exit status; 256 and more where a signal ended it.
  @discardableResult
  package func wait() -> Int32 {
    status.withLock { status in
      if let status { return status }
      var word: Int32 = 0
      while waitpid(pid, &word, 0) < 0, errno == EINTR {}
      let result = word & 0x7F == 0 ? word >> 8 & 0xFF : 256 + (word & 0x7F)
      status = result
      return result
    }
  }

  package func kill() {
    type("")
    if status.withLock({ $0 == nil }) { Glibc.kill(pid, SIGKILL) }
    wait()
  }
}

/// The path of a program that a test needs.
package func programPath(_ name: String) throws -> String {
  for folder in ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"] where access("\(folder)/\(name)", X_OK) == 0 {
    return "\(folder)/\(name)"
  }
  throw SpawnedProgram.Failure(
    description: "\(name) is missing: apt-get install dbus-daemon gnome-keyring libglib2.0-bin libsecret-tools strace util-linux")
}
