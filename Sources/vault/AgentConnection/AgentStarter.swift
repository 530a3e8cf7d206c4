import CSystem
import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// Starts the agent installed beside this program, once for all clients that want it.
struct AgentStarter {
  let paths: VaultPaths
  /// A hundredth of a second each.
  private static let maxAttempts = 3_000

  /// - Returns: a connection to the agent, which is listening.
  /// - Throws: the agent's own message of why it could not start.
  func start() throws -> Channel {
    guard variable(profileChainVariable) == nil else {
      throw Failure(
        "the agent that runs this program has ended", hint: "a program that a profile names cannot start an agent",
        exitStatus: .unavailable)
    }
    // It would be one of the tree's processes, and be locked: only a person can unlock it.
    guard variable(AgentVariables.run) == nil else {
      throw Failure(
        "no agent is running, and an automation run cannot start one", hint: "run `vault unlock` in a terminal outside of it",
        exitStatus: .refused)
    }
    for folder in [paths.dataDirectory, paths.stateDirectory, paths.runtimeDirectory] { try PrivateDirectory.ensure(folder) }
    for file in [paths.startLock, paths.agentLock, paths.log] { try PrivateDirectory.check(file: file) }
    let lock = sys_open(paths.startLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw Self.failure("create \(paths.startLock)", code: errno, otherwise: .cannotCreate) }
    defer { close(lock) }
    // Clients that arrive while another starts the agent wait here, and then find it running. The wait is limited, in case the
    // other client was stopped.
    var tries = 0
    while sys_flock(lock, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw Self.failure("lock \(paths.startLock)", code: errno, otherwise: .inputOutput)
      }
      tries += 1
      guard tries < Self.maxAttempts else {
        throw Failure(
          "another command has been starting the agent for more than 30 seconds", hint: "is it stopped?  `ps -C vault`",
          exitStatus: .temporary)
      }
      usleep(10_000)
    }
    if let channel = Channel.connect(to: paths.socket) { return channel }
    do {
      try launch()
    } catch WireError.closed {
      // Killed during start, by a user or for lack of memory: retry once, since it may be chance.
      do {
        try launch()
      } catch WireError.closed {
        throw Failure("the agent exited before it was ready", hint: "see `vault agent log`", exitStatus: .software)
      }
    }
    guard let channel = Channel.connect(to: paths.socket) else {
      throw Failure(
        "the agent started but does not listen at \(paths.socket)", hint: "see `vault agent log`", exitStatus: .software)
    }
    return channel
  }

  /// - Throws: `WireError.closed` if the agent ended silently before it was ready.
  private func launch() throws {
    let program = try Self.program()
    var ends: [Int32] = [0, 0]
    guard sys_pipe(&ends) == 0 else { throw Failure("cannot create a pipe (errno \(errno))", exitStatus: .software) }
    let ready = Channel(descriptor: ends[0])
    let child = try spawn(program, readyDescriptor: ends[1])
    close(ends[1])
    // The agent continues in the background. The process started here ends at once, so that the command that replaces this program
    // has no extra child.
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    guard let said = try ready.receive(within: 20_000) else { throw WireError.timedOut }
    if said.kind == .failure { throw Failure(said) }
  }

  private func spawn(_ program: String, readyDescriptor: Int32) throws(Failure) -> pid_t {
    let log = sys_open(paths.log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
    guard log >= 0 else { throw Self.failure("write \(paths.log)", code: errno, otherwise: .cannotCreate) }
    defer { close(log) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, log, 1)
    posix_spawn_file_actions_adddup2(&actions, log, 2)
    posix_spawn_file_actions_adddup2(&actions, readyDescriptor, 3)
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program), strdup("--background"), strdup("--ready-fd=3"), nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    var environment = AgentEnvironment.cleaned(sys_environment()).entries
    if let file = ForwardedEnvironment.passphraseFileEntry { environment.insert(strdup(file), at: 0) }
    let code = posix_spawn(&child, program, &actions, nil, &arguments, &environment)
    guard code == 0 else {
      throw Failure(
        "cannot start the agent \(program) (errno \(code))",
        hint: code == EAGAIN ? "too many processes: see `ulimit -u`" : "is the installation complete?", exitStatus: .software)
    }
    return child
  }

  /// A full or read-only disk is reported as such, not as a missing permission.
  private static func failure(_ what: String, code: Int32, otherwise: ExitStatus) -> Failure {
    let isDisk = code == ENOSPC || code == EDQUOT || code == EROFS || code == EIO
    return Failure("cannot \(what): \(String(cString: strerror(code)))", exitStatus: isDisk ? .inputOutput : otherwise)
  }

  /// A program beside this one, which is named after it.
  enum Companion: String {
    case agent = "d"
    case team = "-team"
  }

  /// The companion under this program's own name (`awsvd` for `awsv`), or under vault's where a package renamed the command alone.
  static func program(_ companion: Companion = .agent) throws(Failure) -> String {
    guard let own = realpath("/proc/self/exe", nil) else {
      throw Failure("cannot find vault's own program file", exitStatus: .software)
    }
    defer { free(own) }
    let path = String(cString: own)
    let named = path + companion.rawValue
    if access(named, X_OK) == 0 { return named }
    return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/vault" + companion.rawValue
  }
}
