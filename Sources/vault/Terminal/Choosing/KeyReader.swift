import CSystem
import CTermKey
import Glibc

// The only file that calls libtermkey and unibilium.

/// A key, by its effect on a list.
enum Key: Equatable {
  case character(Character)
  case backspace, eraseWord, eraseAll
  case up, down, pageUp, pageDown, first, last
  case mark, markAll
  case take, leave
  case suspend, redraw
  /// A key without effect.
  case other
}

/// Reads keys and signals while a list is on the terminal; the terminal is as it was before afterwards.
///
/// libtermkey knows each terminal's keys from terminfo, and joins the bytes of a key that arrive one by one, as over a slow line.
final class KeyReader {
  enum Event: Equatable {
    case key(Key)
    /// A signal, which had no effect yet.
    case signal(Int32)
    /// The terminal is gone.
    case ended
  }

  /// How long the rest of a key may take, in milliseconds; afterwards an Esc is the Esc key. As long as a slow line needs, and short
  /// enough for a key that leaves.
  private static let patience: Int32 = 300
  private static let watched = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH]

  let terminal: Int32
  private let handle: OpaquePointer
  private let signals: Int32
  private var mask = sigset_t()
  private var isPartial = false

  /// Whether terminfo says that the terminal obeys the sequences with which a list is drawn (ECMA-48: CUU, CUF, EL, ED), and whether
  /// it has a second screen, which leaves the first one as it is (xterm's control sequences, 1049).
  static var drawing: (isPossible: Bool, hasSecondScreen: Bool) {
    guard let name = variable("TERM"), !name.isEmpty, name != "dumb", let entry = unibi_from_term(name) else {
      return (false, false)
    }
    defer { unibi_destroy(entry) }
    func has(_ capability: unibi_string, _ sequence: String) -> Bool {
      // A time to wait may follow (terminfo(5), "Delays").
      unibi_get_str(entry, capability).map { String(cString: $0).hasPrefix(sequence) } ?? false
    }
    let isPossible =
      has(unibi_clr_eos, "\u{1B}[J") && has(unibi_clr_eol, "\u{1B}[K") && has(unibi_parm_up_cursor, "\u{1B}[%p1%dA")
      && has(unibi_parm_right_cursor, "\u{1B}[%p1%dC")
    return (isPossible, has(unibi_cursor_home, "\u{1B}[H") && has(unibi_enter_ca_mode, "\u{1B}[?1049h"))
  }

  /// - Returns: nil if the terminal cannot be set up.
  init?(_ terminal: Int32) {
    self.terminal = terminal
    // The locale is not read: every terminal of today sends UTF-8.
    let flags = TERMKEY_FLAG_UTF8 | TERMKEY_FLAG_CTRLC | TERMKEY_FLAG_CONVERTKP | TERMKEY_FLAG_NOSTART
    guard let handle = termkey_new(terminal, Int32(flags)) else { return nil }
    self.handle = handle
    termkey_set_canonflags(handle, Int32(TERMKEY_CANON_DELBS))
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for signal in Self.watched { sigaddset(&blocked, signal) }
    // The program has one thread.
    pthread_sigmask(SIG_BLOCK, &blocked, &mask)
    signals = sys_signals_open(Self.watched, Int32(Self.watched.count))
    guard signals >= 0, termkey_start(handle) != 0 else {
      restore()
      return nil
    }
  }

  deinit { restore() }

  private func restore() {
    termkey_stop(handle)
    termkey_destroy(handle)
    if signals >= 0 { close(signals) }
    pthread_sigmask(SIG_SETMASK, &mask, nil)
  }

  /// Lets a signal have its effect, with the terminal as it was before; returns if the program continues.
  ///
  /// - Parameter process: this process, or 0 for all of its job.
  func raise(_ signal: Int32, to process: pid_t) {
    termkey_stop(handle)
    var blocked = sigset_t()
    pthread_sigmask(SIG_SETMASK, &mask, &blocked)
    kill(process, signal)
    pthread_sigmask(SIG_SETMASK, &blocked, nil)
    termkey_start(handle)
  }

  /// Sets the terminal again: another program had it meanwhile.
  func resume() {
    termkey_stop(handle)
    termkey_start(handle)
  }

  /// Waits for what comes next; several events if they came together.
  func next() -> [Event] {
    while true {
      var sources = [
        pollfd(fd: terminal, events: Int16(POLLIN), revents: 0), pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
      ]
      let count = poll(&sources, 2, isPartial ? Self.patience : -1)
      if count < 0 {
        if errno == EINTR { continue }
        return [.ended]
      }
      var events: [Event] = []
      if sources[1].revents != 0 {
        while case let signal = sys_signal_next(signals), signal != 0 { events.append(.signal(signal)) }
      }
      if sources[0].revents != 0 {
        if termkey_advisereadable(handle) != TERMKEY_RES_AGAIN { return events + [.ended] }
        take(&events, termkey_getkey)
      } else if count == 0 {
        take(&events, termkey_getkey_force)
      }
      if !events.isEmpty { return events }
    }
  }

  private func take(_ events: inout [Event], _ get: (OpaquePointer?, UnsafeMutablePointer<TermKeyKey>?) -> TermKeyResult) {
    var key = TermKeyKey()
    var result = get(handle, &key)
    while result == TERMKEY_RES_KEY {
      events.append(.key(Self.key(key)))
      result = get(handle, &key)
    }
    isPartial = result == TERMKEY_RES_AGAIN
    if result == TERMKEY_RES_EOF || result == TERMKEY_RES_ERROR { events.append(.ended) }
  }

  private static func key(_ key: TermKeyKey) -> Key {
    switch key.type {
    case TERMKEY_TYPE_UNICODE where key.modifiers == 0:
      let scalar = UInt32(exactly: key.code.codepoint).flatMap { Unicode.Scalar($0) }
      return scalar.map { $0.isUnsafeToShow ? .other : .character(Character($0)) } ?? .other
    case TERMKEY_TYPE_UNICODE where key.modifiers == Int32(TERMKEY_KEYMOD_CTRL):
      return UInt32(exactly: key.code.codepoint).flatMap { Unicode.Scalar($0) }.flatMap { controls[$0] } ?? .other
    case TERMKEY_TYPE_KEYSYM where key.modifiers == 0: return symbols[key.code.sym.rawValue] ?? .other
    default: return .other
    }
  }

  private static let controls: [Unicode.Scalar: Key] = [
    "a": .markAll, "c": .leave, "d": .leave, "g": .leave, "h": .backspace, "j": .take, "l": .redraw, "n": .down, "p": .up,
    "u": .eraseAll, "w": .eraseWord, "z": .suspend,
  ]
  private static let symbols: [TermKeySym.RawValue: Key] = [
    TERMKEY_SYM_BACKSPACE.rawValue: .backspace, TERMKEY_SYM_DELETE.rawValue: .backspace, TERMKEY_SYM_TAB.rawValue: .mark,
    TERMKEY_SYM_ENTER.rawValue: .take, TERMKEY_SYM_ESCAPE.rawValue: .leave, TERMKEY_SYM_UP.rawValue: .up,
    TERMKEY_SYM_DOWN.rawValue: .down, TERMKEY_SYM_PAGEUP.rawValue: .pageUp, TERMKEY_SYM_PAGEDOWN.rawValue: .pageDown,
    TERMKEY_SYM_HOME.rawValue: .first, TERMKEY_SYM_FIND.rawValue: .first, TERMKEY_SYM_END.rawValue: .last,
    TERMKEY_SYM_SELECT.rawValue: .last,
  ]
}
