import Foundation

/// A person's terminals: programs run in each of them as in the panes of a tmux server or the windows of a terminal emulator. No process
/// of the test is above them.
public actor TerminalServer {
  /// How a program at a terminal ended.
  public struct Result: Sendable, Decodable {
    /// The exit status; minus the number of the signal that ended it.
    public let status: Int32
    /// All that the terminal was sent.
    public let shown: String
  }

  private struct Request: Encodable {
    var words: [String]?
    var environment: [String: String]?
    var directory: String?
    var wait: Int32?
  }

  private let program: RunningProgram

  public init() async throws {
    program = try RunningProgram(try Programs.python, ["-c", Self.script], environment: ["PATH": "/usr/bin:/bin"])
    _ = try await program.readLine()
  }

  /// Starts a program at a new terminal.
  ///
  /// - Returns: its PID.
  public func start(_ words: [String], environment: [String: String], directory: String? = nil) async throws -> Int32 {
    try await ask(Request(words: words, environment: environment, directory: directory), for: Int32.self)
  }

  /// The end of a program that was started.
  public func wait(_ pid: Int32) async throws -> Result { try await ask(Request(wait: pid), for: Result.self) }

  /// Runs a program to its end at a new terminal.
  public func run(_ words: [String], environment: [String: String], directory: String? = nil) async throws -> Result {
    try await wait(start(words, environment: environment, directory: directory))
  }

  private func ask<Reply: Decodable>(_ request: Request, for reply: Reply.Type) async throws -> Reply {
    program.send(Array(try JSONEncoder().encode(request)) + [0x0A])
    return try JSONDecoder().decode(reply, from: Data(try await program.readLine(timeout: 90).utf8))
  }

  private static let script = """
    import fcntl, json, os, pty, subprocess, sys, termios, threading
    ours, theirs = os.pipe()
    if os.fork():
        os.close(ours)
        os.wait()
        # Its end of the pipe is open until the test is over.
        threading.Event().wait()
    os.close(theirs)
    os.setsid()
    parent = os.getpid()
    if os.fork(): os._exit(0)
    while os.getppid() == parent: pass
    def end():
        os.read(ours, 1)
        os._exit(0)
    threading.Thread(target=end, daemon=True).start()
    running = {}
    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    def start(request):
        master, slave = pty.openpty()
        program = subprocess.Popen(
            request["words"], stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal, env=request["environment"],
            cwd=request.get("directory"))
        os.close(slave)
        shown = []
        def read():
            while True:
                try: piece = os.read(master, 65536)
                except OSError: break
                if not piece: break
                shown.append(piece)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        running[program.pid] = (program, shown, reader, master)
        return program.pid
    def wait(pid):
        program, shown, reader, master = running.pop(pid)
        status = program.wait()
        reader.join(5)
        return {"status": status, "shown": b"".join(shown).decode("utf-8", "replace")}
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(wait(request["wait"]) if "wait" in request else start(request)), flush=True)
    """
}
