import Glibc
import VaultBytes
import VaultModel

/// Questions that lead a person from one step to the next. Scripts are never asked.
enum Dialogue {
  /// Whether a person sees the question and types the answer.
  static var isPossible: Bool { isatty(0) == 1 && isatty(2) == 1 && Terminal.canAsk }

  /// - Returns: the answer without blanks around it; nil if the person left (Ctrl-D).
  static func ask(_ question: String) -> String? {
    guard let line = Terminal.ask(question, echo: true) else { return nil }
    let text = line.withBytes { String(decoding: $0, as: UTF8.self) }
    return String(text.trimmingPrefix { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }

  /// A question with the answer no unless the person says yes.
  static func agrees(_ question: String) -> Bool {
    guard isPossible, let answer = ask(question + " [y/N]") else { return false }
    return ["y", "yes"].contains(answer.lowercased())
  }
}

/// The command to type next.
enum NextStep {
  /// A first command with a profile's credentials: without the AWS CLI, a shell.
  static func exec(_ profile: String) -> String {
    let folders = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":")
    let hasCLI = folders.contains { access("\($0)/aws", X_OK) == 0 }
    return "vault exec \(ShellText.word(profile))" + (hasCLI ? " -- aws sts get-caller-identity" : "")
  }

  static func tell(_ command: String, when word: String = "next") {
    Diagnostics.notice("\(word): \(ProgramName.renaming(command))")
  }
}
