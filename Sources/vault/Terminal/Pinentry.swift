import CSystem
import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// Asks on the desktop if there is no terminal (for example, when started by an editor), through GnuPG's pinentry and its Assuan
/// protocol (pinentry manual, "Protocol").
enum Pinentry {
  /// - Returns: the input; nil if there is no desktop or no pinentry, or the user closed it.
  static func ask(_ question: String) -> WireBuffer? {
    guard variable("DISPLAY")?.isEmpty == false || variable("WAYLAND_DISPLAY")?.isEmpty == false else { return nil }
    var toIt: [Int32] = [0, 0]
    var fromIt: [Int32] = [0, 0]
    guard sys_pipe(&toIt) == 0 else { return nil }
    guard sys_pipe(&fromIt) == 0 else {
      toIt.forEach { close($0) }
      return nil
    }
    let child = spawn(input: toIt[0], output: fromIt[1])
    close(toIt[0])
    close(fromIt[1])
    defer {
      close(toIt[1])
      close(fromIt[0])
    }
    guard child > 0 else { return nil }
    signal(SIGPIPE, SIG_IGN)
    defer {
      signal(SIGPIPE, SIG_DFL)
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0, errno == EINTR {}
    }
    let answer = converse(question, to: toIt[1], from: fromIt[0])
    say("BYE", to: toIt[1])
    return answer
  }

  private static func spawn(input: Int32, output: Int32) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("pinentry"), nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    return posix_spawnp(&child, "pinentry", &actions, nil, &arguments, sys_environment()) == 0 ? child : -1
  }

  private static func converse(_ question: String, to: Int32, from: Int32) -> WireBuffer? {
    guard ok(from) else { return nil }
    for command in ["SETTITLE vault", "SETDESC \(escaped(question))", "SETPROMPT >"] {
      say(command, to: to)
      guard ok(from) else { return nil }
    }
    say("GETPIN", to: to)
    var typed: WireBuffer?
    while let line = line(from) {
      if line.starts(with: "D ") {
        typed = unescaped(line)
      } else if line.starts(with: "OK") {
        return typed
      } else if line.starts(with: "ERR") {
        return nil
      }
    }
    return nil
  }

  private static func ok(_ from: Int32) -> Bool {
    while let line = line(from) {
      if line.starts(with: "OK") { return true }
      if line.starts(with: "ERR") { return false }
    }
    return false
  }

  private static func say(_ command: String, to descriptor: Int32) { writeAll((command + "\n").utf8.span.bytes, to: descriptor) }

  /// One line of its output, in a buffer that is wiped.
  private static func line(_ descriptor: Int32) -> WireBuffer? {
    let line = WireBuffer(capacity: 4_096)
    var byte: UInt8 = 0
    while true {
      let got = read(descriptor, &byte, 1)
      if got < 0, errno == EINTR { continue }
      guard got == 1, line.count < 4_095 else { return nil }
      if byte == 10 { return line }
      line.append(byte)
    }
  }

  /// Escapes percent, carriage return and line feed, as Assuan requires.
  private static func escaped(_ text: String) -> String {
    safeText(text).replacing("%", with: "%25")
  }

  private static func unescaped(_ line: WireBuffer) -> WireBuffer {
    let text = WireBuffer(capacity: line.count)
    var index = 2
    while index < line.count {
      if line[index] == UInt8(ascii: "%"), index + 2 < line.count, let byte = Hexadecimal.byte(line[index + 1], line[index + 2]) {
        text.append(byte)
        index += 3
      } else {
        text.append(line[index])
        index += 1
      }
    }
    return text
  }
}

extension WireBuffer {
  fileprivate func starts(with text: String) -> Bool { withBytes { $0.starts(with: text.utf8) } }
}
