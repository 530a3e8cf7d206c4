import CSystem
import Glibc
import Synchronization
import VaultBytes
import VaultConcurrency
import VaultModel
import VaultSecrets

/// Asks by GnuPG's pinentry, on the person's display only: it gets no terminal (pinentry manual, "Protocol").
struct PinentryApproval: ApprovalChannel {
  let name = "pinentry"
  private static let program = "pinentry"
  let place: ApprovalDesktop
  let clock: any WallClock

  var hasPlace: Bool { place.display != nil && ApprovalDesktop.program(Self.program) != nil }

  func ask(_ ask: ApprovalAsk, until end: Timestamp) async -> Bool? {
    guard let display = place.display else { return nil }
    let seconds = max(1, Int(end.since(clock.now()) / 1_000))
    let dialog = Dialog()
    return await withTaskCancellationHandler {
      await BlockingPool.shared.run { dialog.run(ask, seconds: seconds, in: display) }
    } onCancel: {
      dialog.end()
    }
  }

  /// A pinentry that runs.
  private final class Dialog: Sendable {
    private enum State {
      case new
      case running(pid_t)
      case ended
    }
    private let state = Mutex(State.new)

    /// Takes it away.
    func end() {
      state.withLock { state in
        // In a session of its own, with what it has started.
        if case .running(let pid) = state { kill(-pid, SIGKILL) } else { state = .ended }
      }
    }

    /// - Returns: nil if nobody was asked, or gave an answer.
    func run(_ ask: ApprovalAsk, seconds: Int, in environment: SecretBytes) -> Bool? {
      var toIt: [Int32] = [-1, -1]
      var fromIt: [Int32] = [-1, -1]
      defer { for end in toIt + fromIt where end >= 0 { close(end) } }
      guard sys_pipe(&toIt) == 0, sys_pipe(&fromIt) == 0 else { return nil }
      let pid = state.withLock { state -> pid_t? in
        guard case .new = state, case let pid = Self.spawn(in: environment, toIt[0], fromIt[1]), pid > 0 else { return nil }
        state = .running(pid)
        return pid
      }
      guard let pid else { return nil }
      close(toIt[0])
      close(fromIt[1])
      (toIt[0], fromIt[1]) = (-1, -1)
      let pinentry = AssuanConversation(to: toIt[1], from: fromIt[0])
      let answer = Self.converse(ask, seconds: seconds, with: pinentry)
      pinentry.say("BYE")
      // Waited for under the lock, so that its ID is nobody else's when it is killed.
      state.withLock { state in
        kill(-pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        state = .ended
      }
      return answer
    }

    private static func spawn(in environment: SecretBytes, _ input: Int32, _ output: Int32) -> pid_t {
      ProgramEnvironment.with(environment) { environment -> Int32 in
        guard let file = ApprovalDesktop.program(PinentryApproval.program) else { return -ENOENT }
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(PinentryApproval.program), nil]
        defer { arguments.forEach { free($0) } }
        return sys_spawn_to_talk(file, &arguments, &environment.entries, input, output)
      }
    }

    private static func converse(_ ask: ApprovalAsk, seconds: Int, with pinentry: AssuanConversation) -> Bool? {
      guard pinentry.isOK() else { return nil }
      // Older ones have no SETTIMEOUT; the process is ended in any case.
      _ = pinentry.command("SETTIMEOUT \(seconds)")
      let text = "\(ask.title)\n\n\(ask.text)"
      for command in [
        "SETTITLE vault", "SETDESC \(PinentryApproval.fitting(text))", "SETOK Allow", "SETCANCEL Deny",
      ] {
        guard pinentry.command(command) else { return nil }
      }
      pinentry.say("CONFIRM")
      while let line = pinentry.line() {
        if line.starts(with: "OK") { return true }
        if line.starts(with: "ERR") {
          return PinentryApproval.isDenied(line.withBytes { String(decoding: $0, as: UTF8.self) }) ? false : nil
        }
      }
      return nil
    }
  }

  /// Whether an error is the person's no: `GPG_ERR_CANCELED`, `GPG_ERR_NOT_CONFIRMED`, `GPG_ERR_FULLY_CANCELED` (gpg-error.h). Its
  /// code is the lower 16 bits; above them is the program that has it from the person or from a display that it could not open.
  static func isDenied(_ line: String) -> Bool {
    let code = line.split(separator: " ").dropFirst().first.flatMap { UInt32($0) }
    return code.map { [99, 114, 198].contains($0 & 0xFFFF) } ?? false
  }

  /// A text as the parameter of a command. In one that is too long for a line, the longest lines lose their middles.
  static func fitting(_ text: String) -> String {
    let room = AssuanConversation.maxLine - 40
    for length in [240, 160, 100, 60, 40] {
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        line.count <= length ? String(line) : "\(line.prefix(length / 2)) … \(line.suffix(length / 2))"
      }
      let escaped = AssuanConversation.escaped(lines.joined(separator: "\n"))
      if escaped.utf8.count <= room { return escaped }
    }
    // Whatever its characters take, not half of one, nor of an escape.
    var cut = ""
    for character in text {
      let next = AssuanConversation.escaped(String(character))
      guard cut.utf8.count + next.utf8.count <= room - 3 else { return cut + "…" }
      cut += next
    }
    return cut
  }
}
