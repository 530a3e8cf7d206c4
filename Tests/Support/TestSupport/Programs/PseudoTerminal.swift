import Foundation

/// A program at a terminal of its own: it is typed to, step by step, as it shows what is waited for.
public enum PseudoTerminal {
  public enum Step: Sendable {
    /// Until the text is shown, after what the steps before have seen.
    case wait(String)
    case type(String)
    /// The bytes one by one, so many milliseconds apart, as over a slow line.
    case slowly(String, milliseconds: Int)
    case resize(columns: Int, rows: Int)
    /// To the program's group.
    case signal(Int32)
    /// Until the program is stopped.
    case stopped
    /// Waits for the text to be shown, and fails if it is; the milliseconds are how long it may take.
    case never(String, milliseconds: Int)

    fileprivate var words: [String] {
      switch self {
      case .wait(let text): ["wait", text]
      case .type(let text): ["type", text, "0"]
      case .slowly(let text, let milliseconds): ["type", text, String(milliseconds)]
      case .resize(let columns, let rows): ["resize", String(rows), String(columns)]
      case .signal(let signal): ["signal", String(signal)]
      case .stopped: ["stopped"]
      case .never(let text, let milliseconds): ["never", text, String(milliseconds)]
      }
    }
  }

  public struct Result: Sendable {
    /// The exit status; minus the number of the signal that ended it.
    public let status: Int32
    /// All that the terminal was sent.
    public let shown: String
    /// What went to its standard output, if that was captured.
    public let captured: String
    /// Whether the terminal's settings are those of before.
    public let isRestored: Bool

    /// What was drawn on the second screen, frame by frame: the lines of each, without attributes.
    public var frames: [[String]] {
      shown.components(separatedBy: "\u{1B}[H").dropFirst().map { frame in
        let end = frame.range(of: "\u{1B}[J")?.lowerBound ?? frame.endIndex
        return frame[..<end].replacing("\u{1B}[K", with: "").replacing("\u{1B}[7m", with: "").replacing("\u{1B}[0m", with: "")
          .unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0.filter { $0 != "\r" }) }
      }
    }
  }

  /// - Parameters:
  ///   - environment: all of it.
  ///   - capturesOutput: standard output is a pipe, as in `$(…)`.
  /// - Throws: ``Failed`` with what was shown, if a step's text never came.
  public static func run(
    _ words: [String], _ steps: [Step], columns: Int = 80, rows: Int = 24, environment: [String: String],
    directory: String? = nil, capturesOutput: Bool = false
  ) async throws -> Result {
    struct Script: Encodable {
      let words: [String], steps: [[String]], columns: Int, rows: Int, captures: Bool
    }
    struct Report: Decodable { let status: Int32, shown: String, captured: String, restored: Bool, failed: String? }
    let script = Script(words: words, steps: steps.map(\.words), columns: columns, rows: rows, captures: capturesOutput)
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.driver], environment: environment, directory: directory,
      input: Array(try JSONEncoder().encode(script)), timeout: 150)
    guard result.succeeded else { throw Failed(step: "the driver", shown: result.errors) }
    let report = try JSONDecoder().decode(Report.self, from: Data(result.outputBytes))
    if let failed = report.failed { throw Failed(step: failed, shown: report.shown) }
    return Result(status: report.status, shown: report.shown, captured: report.captured, isRestored: report.restored)
  }

  public struct Failed: Error {
    let step: String
    let shown: String
  }

  private static let driver = """
    import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time
    script = json.load(sys.stdin)
    master, slave = pty.openpty()
    def resize(rows, columns):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    resize(script["rows"], script["columns"])
    before = termios.tcgetattr(slave)
    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    program = subprocess.Popen(
        script["words"], stdin=slave, stderr=slave, preexec_fn=own_terminal,
        stdout=subprocess.PIPE if script["captures"] else slave)
    shown, seen, captured = b"", 0, b""
    sources = [master] + ([program.stdout.fileno()] if script["captures"] else [])
    def read(seconds):
        global shown, captured
        ready = select.select(sources, [], [], seconds)[0]
        for source in ready:
            piece = os.read(source, 65536)
            if source == master: shown += piece
            elif piece: captured += piece
            else: sources.remove(source)
        return bool(ready)
    def until(holds, seconds):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end: return False
            read(min(0.05, max(0, end - time.monotonic())))
        return True
    failed = None
    def show(text):
        global seen
        place = shown.find(text.encode(), seen)
        if place >= 0: seen = place + len(text.encode())
        return place >= 0
    for step in script["steps"]:
        kind, rest = step[0], step[1:]
        if kind == "wait":
            if not until(lambda: show(rest[0]), 60): failed = repr(step)
        elif kind == "never":
            if until(lambda: show(rest[0]), int(rest[1]) / 1000): failed = repr(step)
        elif kind == "type":
            pause = int(rest[1]) / 1000
            if pause == 0: os.write(master, rest[0].encode())
            for byte in rest[0].encode() if pause else b"":
                os.write(master, bytes([byte]))
                end = time.monotonic() + pause
                until(lambda: time.monotonic() >= end, pause)
        elif kind == "resize": resize(int(rest[0]), int(rest[1]))
        elif kind == "signal": os.killpg(program.pid, int(rest[0]))
        elif kind == "stopped":
            if not until(lambda: open(f"/proc/{program.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T", 60):
                failed = repr(step)
        if failed: break
    if not failed and not until(lambda: program.poll() is not None, 60): failed = "the end"
    if failed: os.killpg(program.pid, signal.SIGKILL)
    status = program.wait()
    while read(0) and (len(sources) > 1 or select.select([master], [], [], 0)[0]): pass
    json.dump({"status": status, "shown": shown.decode("utf-8", "replace"), "captured": captured.decode("utf-8", "replace"),
        "restored": termios.tcgetattr(slave) == before, "failed": failed}, sys.stdout)
    """
}
