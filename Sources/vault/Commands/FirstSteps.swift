import AWSConfig
import Glibc
import VaultDatabase
import VaultModel

/// `vault` alone at a terminal, in a home without a vault: asks where to begin, and ends with the command to type next.
enum FirstSteps {
  /// - Returns: false if there is a vault, or nobody to ask.
  static func begin(_ paths: VaultPaths) throws -> Bool {
    guard Dialogue.isPossible, (try? VaultReader(path: paths.database).keyRecords().isEmpty) == true else { return false }
    Diagnostics.notice("there is no vault here yet. Where do you want to begin?")
    var choices: [(text: String, run: () throws -> Void)] = []
    if let files = profiles() {
      choices.append(("take over \(files), as they are", { try run("import") }))
    }
    choices.append(("sign in to IAM Identity Center with your start URL", signIn))
    choices.append(("add an access key", { try addKey() }))
    for (index, choice) in choices.enumerated() { Diagnostics.write("  \(index + 1)  \(choice.text)\n") }
    for _ in 0..<3 {
      guard let answer = Dialogue.ask("Number, or q to leave [1]:"), answer != "q" else { return true }
      if let number = Int(answer.isEmpty ? "1" : answer), choices.indices.contains(number - 1) {
        try choices[number - 1].run()
        return true
      }
      Diagnostics.notice("a number from 1 to \(choices.count)")
    }
    throw unanswered
  }

  /// The AWS files in words; nil if they have no profiles.
  private static func profiles() -> String? {
    guard let home = variable("HOME"), home.hasPrefix("/") else { return nil }
    let files = [("AWS_CONFIG_FILE", "/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials")].map { name, usual in
      variable(name).flatMap { $0.isEmpty ? nil : $0 } ?? home + usual
    }.map { $0 != "/dev/null" && access($0, R_OK) == 0 ? $0 : nil }
    guard files.contains(where: { $0 != nil }) else { return nil }
    // A file that cannot be read is offered too: the import names the line.
    guard let config = try? SharedConfig.read(configFile: files[0], credentialsFile: files[1], home: home) else {
      return "your AWS files"
    }
    let count = config.sections.count { $0.kind == .profile }
    return count == 0 ? nil : "the \(count == 1 ? "profile" : "\(count) profiles") in your AWS files"
  }

  private static func signIn() throws {
    for _ in 0..<3 {
      guard let answer = Dialogue.ask("Start URL, such as https://corp.awsapps.com/start:") else { return }
      let url = answer.contains("://") ? answer : "https://" + answer
      // The agent parses it.
      let isPlain = url.utf8.allSatisfy { (33...126).contains($0) }
      if isPlain, URLSignIn.isURL(url), answer.contains(".") { return try run("login", url) }
      Diagnostics.notice("that is not a URL of the AWS access portal")
    }
    throw unanswered
  }

  private static var unanswered: Failure {
    Failure(
      "nothing was changed", hint: "`\(ProgramName.current)` asks again; `\(ProgramName.current) help` shows all commands",
      exitStatus: .usage)
  }

  private static func addKey() throws {
    guard let answer = Dialogue.ask("Name of its profile [default]:") else { return }
    let name = answer.isEmpty ? "default" : answer
    try run("access-key", "add", "--", name)
    NextStep.tell(NextStep.exec(name))
  }

  /// Runs a command as if it had been typed.
  private static func run(_ words: String...) throws {
    let line = [ProgramName.current] + words
    let (command, start) = try Commands.find(line)
    guard case .run(let run) = command.action, let paths = VaultPaths(environment: variable) else { return }
    try run(try Arguments(line, from: start, of: command), paths)
  }
}
