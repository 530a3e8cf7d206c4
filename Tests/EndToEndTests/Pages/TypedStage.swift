import Foundation
import TestSupport

/// Where a page is typed: a vault, an AWS and the programs that the page names.
struct TypedStage {
  private let name: String
  private let vault: TestVault
  private let simulator: STSSimulatorProcess
  private let environment: [String: String]
  private let team: TeamServer?

  init(_ name: String) async throws {
    self.name = name
    simulator = try await STSSimulatorProcess(Self.world)
    vault = TestVault(environment: simulator.environment)
    team = name == "docs/team-audit.md" ? try await TeamServer(laptops: 1) : nil
    let folder = vault.folder
    for directory in ["work", "work/trail", "bin", "run", "home/usb"] { mkdir(folder.file(directory), 0o700) }
    let python = try Programs.python
    for (program, text) in Self.programs {
      let text = text.replacing("AWS", with: try Programs.aws).replacing("PYTHON", with: python)
      folder.write("#!/bin/sh\n\(text)\n", to: "bin/" + program, mode: 0o755)
    }
    for program in ["run", "test", "deploy"] { folder.write("#!/bin/sh\nexit 0\n", to: "work/" + program, mode: 0o755) }
    for file in ["1", "2"] { folder.write("{\"Records\":[]}", to: "work/trail/\(file).json.gz") }
    vault.config(try Self.config(name))
    vault.credentials(Self.credentials(name))
    let programs = URL(fileURLWithPath: try Programs.vault).deletingLastPathComponent().path
    environment = vault.environment.merging([
      "PATH": "\(folder.file("bin")):\(programs):/usr/local/bin:/usr/bin:/bin", "XDG_RUNTIME_DIR": folder.file("run"),
      "BROWSER": folder.file("bin/browser"), "SHELL": "/bin/sh", "VAULT_PAGER": "", "PS1": "role> ", "TZ": "UTC",
      "PASSPHRASE": "correct horse battery staple", "id": STSWorld.bobAccessKeyId, "secret": STSWorld.bobSecretAccessKey,
      "SIMULATOR": simulator.url, "LAPTOP": team?.address(ofLaptop: 1) ?? "", "LEAD": team?.address ?? "",
    ]) { $1 }
  }

  /// Types commands at one terminal, one after the other.
  func type(_ steps: [TypedPage.Step]) async throws -> [(status: Int32, text: String)] {
    // What Ctrl-C ends is the command, not the script.
    var script = "trap : INT\n"
    if !["README.md", "docs/import.md", "docs/headless.md"].contains(name) {
      script += "vault import >/dev/null 2>&1 </dev/null\n"
    }
    var answers = Self.answers.map { Answer(step: nil, question: $0.question, answer: $0.answer) }
    for (number, step) in steps.enumerated() {
      let special = special(step)
      if let before = special?.before { script += "{ \(before)\n} >>'\(vault.folder.file("before"))' 2>&1 </dev/null\n" }
      answers += (special?.answers ?? []).map { Answer(step: number, question: $0.question, answer: $0.answer) }
      var command = special?.command ?? step.command
      for (word, value) in Self.placeholders { command = command.replacing(word, with: value) }
      script += "printf '\\036'\n\(command)\nprintf '\\035%s\\036' $?\n"
    }
    let file = vault.folder.write(script, to: "script")
    // Not on the command line: the answers hold secrets, and another suite looks through everybody's arguments.
    let result = try await Subprocess.run(
      try Programs.python, ["-c", Self.terminal, vault.folder.file("work"), file], environment: environment,
      input: Array(try JSONEncoder().encode(answers)), timeout: 150)
    return result.output.split(separator: "\u{1E}").compactMap { piece in
      let parts = piece.split(separator: "\u{1D}", omittingEmptySubsequences: false)
      guard parts.count == 2, let status = Int32(parts[1]) else { return nil }
      return (status, String(parts[0]))
    }
  }

  /// The exit status that a step ends with.
  func status(of step: TypedPage.Step) -> Int32 { special(step)?.status ?? 0 }

  /// What a step must show.
  func output(of step: TypedPage.Step) -> String? {
    let special = special(step)
    return special?.isOther == true ? nil : special?.command == nil ? step.output : step.command
  }

  private struct Answer: Codable {
    /// Nil for any.
    let step: Int?
    let question: String
    let answer: String
  }

  private func special(_ step: TypedPage.Step) -> Special? {
    Self.special.first { $0.page == name && step.command.hasPrefix($0.line) }
  }

  /// A terminal at which a shell runs a script; each question that stands at the end of what is shown is answered.
  private static let terminal = """
    import fcntl, json, os, pty, re, select, struct, sys, termios, time
    answers = json.load(sys.stdin)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(sys.argv[1])
        os.execv("/bin/bash", ["bash", "--norc", "--noprofile", sys.argv[2]])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 400, 0, 0))
    shown, mark, quiet = b"", 0, 0
    while quiet < 30:
        quiet += 1
        if not select.select([terminal], [], [], 1)[0]: continue
        try: piece = os.read(terminal, 65536)
        except OSError: break
        if not piece: break
        shown, quiet = shown + piece, 0
        count = shown.count(b"\\x1e")
        mark = max(mark, shown.rfind(b"\\x1e") + 1)
        for answer in answers:
            step = answer.get("step")
            if step is not None and (count % 2 == 0 or step != count // 2): continue
            if re.search(answer["question"], shown[mark:].decode("utf-8", "replace")):
                os.write(terminal, answer["answer"].encode())
                mark = len(shown)
                if step is not None: answer["step"] = -1
                break
    sys.stdout.buffer.write(shown)
    """
}
