import CSystem
import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// The user's terminal, if there is one.
enum Terminal {
  static var outputIsTerminal: Bool { isatty(1) == 1 }

  /// Colour only on a terminal that supports it (no-color.org; `TERM=dumb`).
  static var hasColour: Bool {
    guard outputIsTerminal, variable("NO_COLOR") ?? "" == "" else { return false }
    return variable("TERM") != "dumb"
  }

  /// Whether a user can be asked: there is a controlling terminal to open.
  static var canAsk: Bool {
    let descriptor = sys_open("/dev/tty", O_RDWR, 0)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }

  /// The columns of standard output; 80 if unknown.
  static var width: Int { width(of: 1) }

  static func width(of descriptor: Int32) -> Int { columns(of: descriptor) ?? 80 }

  /// The columns of the terminal behind a descriptor; nil if there is none, or it does not know.
  static func columns(of descriptor: Int32) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// The rows of standard output; nil if unknown.
  static var rows: Int? {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
    return Int(size.ws_row)
  }

  /// Asks on `/dev/tty`, so that standard input and output remain the program's own.
  ///
  /// - Parameter echo: whether the input is visible.
  /// - Returns: the line without its line end, in a buffer that wipes itself; nil if there is no terminal or input was ended
  ///   (Ctrl-D).
  static func ask(_ question: String, echo: Bool) -> WireBuffer? {
    let descriptor = sys_open("/dev/tty", O_RDWR, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var before = termios()
    guard tcgetattr(descriptor, &before) == 0 else { return nil }
    var during = before
    if !echo { during.c_lflag &= ~tcflag_t(ECHO) }
    // With echo off, Ctrl-C must not leave the terminal without echo: it ends the line as a character (VEOL) and takes effect after
    // the terminal has been restored.
    during.c_lflag &= ~tcflag_t(ISIG)
    withUnsafeMutableBytes(of: &during.c_cc) { $0[Int(VEOL)] = interrupt }
    tcsetattr(descriptor, TCSAFLUSH, &during)
    let lines = WrappedText.lines(question, width: width(of: descriptor) - 1)
    writeAll((lines.joined(separator: "\n") + " ").utf8.span.bytes, to: descriptor)
    let (line, interrupted) = readLine(descriptor)
    tcsetattr(descriptor, TCSAFLUSH, &before)
    if !echo || interrupted || line == nil { _ = write(descriptor, "\n", 1) }
    if interrupted {
      signal(SIGINT, SIG_DFL)
      raise(SIGINT)
    }
    return line
  }

  /// Ctrl-C as a terminal sends it.
  private static let interrupt: UInt8 = 3

  private static func readLine(_ descriptor: Int32) -> (line: WireBuffer?, interrupted: Bool) {
    let line = WireBuffer(capacity: 4_096)
    var byte: UInt8 = 0
    while true {
      let got = read(descriptor, &byte, 1)
      if got < 0, errno == EINTR { continue }
      guard got == 1 else { return (line.count > 0 ? line : nil, false) }
      if byte == interrupt { return (nil, true) }
      if byte == 10 || byte == 13 { return (line, false) }
      guard line.count < 4_096 else { return (nil, false) }
      line.append(byte)
    }
  }
}

/// A variable of this process's environment; nil if it is not set.
func variable(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}
