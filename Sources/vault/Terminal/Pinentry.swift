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
    let pinentry = AssuanConversation(to: toIt[1], from: fromIt[0])
    let answer = converse(question, with: pinentry)
    pinentry.say("BYE")
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

  private static func converse(_ question: String, with pinentry: AssuanConversation) -> WireBuffer? {
    guard pinentry.isOK() else { return nil }
    for command in ["SETTITLE vault", "SETDESC \(AssuanConversation.escaped(safeText(question)))", "SETPROMPT >"] {
      guard pinentry.command(command) else { return nil }
    }
    pinentry.say("GETPIN")
    var typed: WireBuffer?
    while let line = pinentry.line() {
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

  private static func unescaped(_ line: borrowing ByteBuffer) -> WireBuffer {
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
