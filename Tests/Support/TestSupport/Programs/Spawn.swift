import Glibc

/// Why a program could not be run to its end.
public enum SubprocessError: Error, CustomStringConvertible {
  case cannotStart(program: String, errno: Int32)
  case timedOut(program: String, seconds: Double, output: String, errors: String)
  /// A line was waited for, and the output ended.
  case noMoreOutput(program: String, errors: String)

  public var description: String {
    switch self {
    case .cannotStart(let program, let number): "cannot start \(program): \(String(cString: strerror(number)))"
    case .timedOut(let program, let seconds, let output, let errors):
      "\(program) had not ended after \(seconds) s; it wrote:\n\(output)\nand to standard error:\n\(errors)"
    case .noMoreOutput(let program, let errors): "\(program) wrote no further line; to standard error it wrote:\n\(errors)"
    }
  }
}

/// A program that has just been started: its process and our ends of its pipes.
struct SpawnedProcess {
  let pid: pid_t
  let input: Int32
  let output: Int32
  let errors: Int32

  /// Starts a program in a process group of its own, with no signal blocked or ignored, and with no descriptors but 0, 1, 2
  /// and those that `descriptors` names (the child's number: ours).
  init(
    program: String, arguments: [String], environment: [String: String], directory: String?, descriptors: [Int32: Int32]
  ) throws {
    var kept = OpenDescriptors()
    defer { kept.closeAll() }
    let (childInput, ourInput) = try kept.pipe()
    let (ourOutput, childOutput) = try kept.pipe()
    let (ourErrors, childErrors) = try kept.pipe()

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, childInput, 0)
    posix_spawn_file_actions_adddup2(&actions, childOutput, 1)
    posix_spawn_file_actions_adddup2(&actions, childErrors, 2)
    var next: Int32 = 3
    for (number, ours) in descriptors.sorted(by: { $0.key < $1.key }) {
      precondition((3..<100).contains(number), "a child's descriptor is 3 to 99")
      for unused in next..<number { posix_spawn_file_actions_addclose(&actions, unused) }
      posix_spawn_file_actions_adddup2(&actions, try kept.lift(ours), number)
      next = number + 1
    }
    addCloseFrom(&actions, next)
    if let directory { addChangeDirectory(&actions, directory) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    sigfillset(&all)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

    var child: pid_t = 0
    // By itself the child has a copy of every descriptor for a moment: a program that another thread has open to write could not be run
    // (ETXTBSY). posix_spawn comes back when that moment is over.
    let status = WholeFiles.alone {
      withCStrings([program] + arguments) { argv in
        withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
          posix_spawn(&child, program, &actions, &attributes, argv, envp)
        }
      }
    }
    guard status == 0 else { throw SubprocessError.cannotStart(program: program, errno: status) }
    pid = child
    (input, output, errors) = (ourInput, ourOutput, ourErrors)
    kept.release([ourInput, ourOutput, ourErrors])
    for descriptor in [input, output, errors] { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
  }
}

// glibc has these, but shows them with _GNU_SOURCE only, which Swift's Glibc module is built without.
private typealias Pipe2 = @convention(c) (UnsafeMutablePointer<Int32>, Int32) -> Int32
private typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
private typealias AddChangeDirectory =
  @convention(c) (
    UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>
  ) -> Int32

/// Both ends of a pipe, close-on-exec from their first moment: another thread may be starting a program. 0, or -1 with errno.
func closeOnExecPipe(_ ends: inout [Int32]) -> Int32 {
  precondition(ends.count == 2)
  let symbol = dlsym(nil, "pipe2")
  precondition(symbol != nil, "a C library without pipe2")
  return unsafeBitCast(symbol, to: Pipe2.self)(&ends, O_CLOEXEC)
}

private func addCloseFrom(_ actions: inout posix_spawn_file_actions_t, _ first: Int32) {
  let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
  precondition(symbol != nil, "glibc is older than 2.34")
  _ = unsafeBitCast(symbol, to: AddCloseFrom.self)(&actions, first)
}

private func addChangeDirectory(_ actions: inout posix_spawn_file_actions_t, _ path: String) {
  let symbol = dlsym(nil, "posix_spawn_file_actions_addchdir_np")
  precondition(symbol != nil, "glibc is older than 2.29")
  _ = unsafeBitCast(symbol, to: AddChangeDirectory.self)(&actions, path)
}

/// Descriptors that are closed again unless they are released. All are close-on-exec and above those that a child is given, so
/// that no `dup2` hits one that is still to be copied.
private struct OpenDescriptors {
  private var open: Set<Int32> = []

  mutating func lift(_ descriptor: Int32) throws -> Int32 {
    let lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, 100)
    guard lifted >= 0 else { throw SubprocessError.cannotStart(program: "dup", errno: errno) }
    open.insert(lifted)
    return lifted
  }

  mutating func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard closeOnExecPipe(&ends) == 0 else { throw SubprocessError.cannotStart(program: "pipe", errno: errno) }
    defer { for end in ends { close(end) } }
    return (try lift(ends[0]), try lift(ends[1]))
  }

  mutating func release(_ descriptors: [Int32]) { open.subtract(descriptors) }

  func closeAll() { for descriptor in open { close(descriptor) } }
}

/// Lends texts as C wants them: an array of strings with a null at its end.
private func withCStrings<Result>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
  let copies = texts.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return body(copies + [nil])
}
