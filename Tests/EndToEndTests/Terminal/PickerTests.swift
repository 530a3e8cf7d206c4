import Foundation
import TestSupport
import Testing

/// The list that opens where a command names no profile, with real keys at a real terminal.
@Suite(.endToEnd, .sharesFixtures) struct PickerTests {
  private static let arrowDown = "\u{1B}[B"

  /// A vault with so many profiles, which nothing is asked of.
  private struct Profiles: SharedFixture {
    let vault = TestVault(environment: ["TERM": "xterm-256color"])

    init(_ count: Int) async throws {
      var config =
        "[profile base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = \(String(repeating: "x", count: 40))\n"
      for number in 0..<count {
        config +=
          "[profile team-\(["dev", "prod"][number % 2])-\(number)]\nrole_arn = arn:aws:iam::\(100_000_000_000 + number):role/team/role-\(number)\nsource_profile = base\n"
      }
      vault.config(config)
      try await vault.mustRun("import")
    }

    func state() async throws -> String { try await vault.mustRun("list", "--names") }

    static func shared(_ count: Int) async throws -> TestVault {
      try await shared("\(count)") { try await Profiles(count) }.vault
    }
  }

  private func pick(
    _ vault: TestVault, _ words: [String], _ steps: [PseudoTerminal.Step], columns: Int = 80, rows: Int = 24,
    _ environment: [String: String] = [:], captures: Bool = false
  ) async throws -> PseudoTerminal.Result {
    try await PseudoTerminal.run(
      [try Programs.vault] + words, steps, columns: columns, rows: rows,
      environment: vault.environment.merging(environment) { $1 }, capturesOutput: captures)
  }

  @Test("`vault exec` alone opens the list, and runs what was asked with the profile that Enter takes")
  func exec() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: ["TERM": "xterm-256color", "SHELL": "/usr/bin/env"])
    let shell = try await pick(vault, ["exec"], [.wait("profile:"), .type("app dev"), .wait("app dev"), .type("\r")])
    #expect(shell.status == 0 && shell.shown.contains("VAULT_PROFILE=app-dev") && shell.isRestored, "\(shell.shown)")
    // The first word after `--` that is a command and no profile is the command.
    let command = try await pick(
      vault, ["exec", "--", "printenv", "VAULT_PROFILE"], [.wait("profile:"), .type("chained"), .wait("chained"), .type("\r")])
    #expect(command.status == 0 && command.shown.hasSuffix("app-chained\r\n"), "\(command.shown)")
    let named = try await pick(vault, ["exec", "--", "app-dev", "printenv", "VAULT_PROFILE"], [])
    #expect(named.status == 0 && named.shown == "app-dev\r\n")
    // What was used is first from now on; most often before more lately.
    for _ in 0..<2 { try await vault.mustRun("exec", "app-dev", "--", "true") }
    let show = try await pick(vault, ["show"], [.wait("profile:"), .wait("Enter takes"), .type("\r")])
    let frame = try #require(show.frames.first)
    #expect(frame[1].hasPrefix("> app-dev ") && frame[2].hasPrefix("  app-chained "), "\(frame)")
    #expect(frame[1].contains("@ ") && frame[1].hasSuffix("left"), "\(frame)")
    #expect(show.status == 0 && show.shown.contains("app-dev") && show.isRestored)
  }

  @Test("where a profile is named, by a word or by AWS_PROFILE, or nobody is at a terminal, no list opens")
  func named() async throws {
    let vault = try await Profiles.shared(30)
    let variable = try await pick(vault, ["show"], [], ["AWS_PROFILE": "base"])
    #expect(variable.status == 0 && !variable.shown.contains("\u{1B}[?1049h"))
    for words in [["exec"], ["env"], ["console"], ["show"], ["rotate"], ["forget"], ["link"], ["exec", "--", "./run"]] {
      let pipe = try await vault.run(words: words)
      #expect(pipe.end == .exit(words.count > 1 ? 66 : 64) && pipe.output.isEmpty, "\(words) \(pipe.errors)")
    }
    let helper = try await pick(vault, ["credentials"], [])
    #expect(helper.status == 64)
    let mistyped = try await pick(vault, ["exec", "--", "team-dve-0", "true"], [])
    #expect(mistyped.status == 66 && mistyped.shown.contains("did you mean team-dev-0?"), "\(mistyped.shown)")
  }

  @Test("standard output may be captured: it has the result, and the list is at the terminal")
  func captured() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator, environment: ["TERM": "xterm-256color"])
    let result = try await pick(
      vault, ["env", "--format", "sh"], [.wait("profile:"), .type("app-d"), .wait("app-d"), .type("\r")], captures: true)
    #expect(result.status == 0 && result.captured.contains("export VAULT_PROFILE='app-dev'\n"), "\(result.shown)")
    #expect(!result.captured.contains("\u{1B}") && !result.shown.contains("AWS_SECRET_ACCESS_KEY"))
  }

  @Test(
    "leaving says nothing and ends with 130, as Ctrl-C does; the screen and the terminal are as they were",
    arguments: ["\u{3}", "\u{1B}", "\u{7}", "\u{4}"])
  func leaving(key: String) async throws {
    let vault = try await Profiles.shared(30)
    let left = try await pick(vault, ["exec"], [.wait("Enter takes"), .type(key)])
    #expect(left.status == 130 && left.isRestored, "\(left.shown)")
    // The second screen between the keypad's two modes (terminfo: smkx, rmkx), and nothing else.
    #expect(
      left.shown.hasPrefix("\u{1B}[?1h\u{1B}=\u{1B}[?1049h\u{1B}[H") && left.shown.hasSuffix("\u{1B}[?1049l\u{1B}[?1l\u{1B}>"))
  }

  @Test("an arrow key over a slow line, byte by byte, is an arrow key; Esc is Esc once nothing followed it")
  func slow() async throws {
    let vault = try await Profiles.shared(30)
    let slow = try await pick(
      vault, ["show"],
      [
        .wait("Enter takes"), .slowly(Self.arrowDown, milliseconds: 100), .wait("> team-dev-0 "),
        .slowly("\u{1B}OB", milliseconds: 100), .wait("> team-dev-10 "), .slowly("é", milliseconds: 100), .wait("profile: é"),
        .type("\u{7F}"), .wait("profile: \u{1B}[K"), .type("\u{1B}"), .never("\u{1B}[?1049l", milliseconds: 100),
      ])
    #expect(slow.status == 130)
  }

  @Test("keys move and narrow; a resized terminal is drawn anew, never wider or higher than it is")
  func keys() async throws {
    let vault = try await Profiles.shared(30)
    let result = try await pick(
      vault, ["show"],
      [
        .wait("Enter takes"), .type("\u{1B}[6~"), .wait("> team-dev-24 "), .type("\u{1B}[5~"), .wait("> base "),
        .type("\u{1B}[F"),
        .wait("> team-prod-9 "), .type("\u{1B}[H"), .wait("> base "), .type("\u{E}\u{E}\u{10}"), .wait("> team-dev-0 "),
        .resize(columns: 34, rows: 7), .wait("\u{1B}[H"), .wait("> team-dev-0"), .type("PROD 1"), .wait("> team-prod-1 "),
        .type("\u{17}"), .wait("profile: PROD "), .type("\u{15}"), .wait("profile: \u{1B}[K"), .resize(columns: 5, rows: 1),
        .wait("pro…"), .resize(columns: 60, rows: 12), .wait("of 31;"), .type("team-dev-28\r"),
      ], rows: 12)
    #expect(result.status == 0 && result.isRestored && result.shown.contains("role-28"))
    let narrow = result.frames.filter { $0[0].hasPrefix("profile: PROD") }
    #expect(!narrow.isEmpty && narrow.allSatisfy { $0.count <= 7 && $0.allSatisfy { $0.count < 34 } }, "\(narrow)")
    #expect(result.frames.contains { $0.count <= 2 && $0[0].count < 5 })
  }

  @Test("a signal has its effect after the terminal was put back", arguments: [SIGINT, SIGTERM, SIGHUP])
  func signals(signal: Int32) async throws {
    let vault = try await Profiles.shared(30)
    let ended = try await pick(vault, ["exec"], [.wait("Enter takes"), .signal(signal)])
    #expect(ended.status == -signal && ended.isRestored && ended.shown.contains("\u{1B}[?1049l"))
  }

  @Test("Ctrl-Z and SIGTSTP suspend the program with the terminal as it was, and fg goes on")
  func suspended() async throws {
    let vault = try await Profiles.shared(30)
    // The job of a shell: a session's own group is never stopped by its terminal.
    let result = try await PseudoTerminal.run(
      ["/bin/bash", "--norc", "--noprofile", "-i"],
      [
        .wait("$ "), .type("'\(try Programs.vault)' show\r"), .wait("Enter takes"), .type("\u{1A}"), .wait("\u{1B}[?1049l"),
        .wait("Stopped"), .type("stty -a | grep -c ' icanon'; fg\r"), .wait("1\r\n"), .wait("Enter takes"), .type("prod-7\r"),
        .wait("role-7"), .wait("$ "), .type("exit\r"),
      ], environment: vault.environment.merging(["PS1": "$ "]) { $1 })
    #expect(result.status == 0 && result.isRestored)
  }

  @Test(
    "a terminal that cannot move its cursor is asked for a number or a part of the name",
    arguments: ["dumb", "", "no-such-terminal"])
  func plain(terminal: String) async throws {
    let vault = try await Profiles.shared(30)
    let number = try await pick(vault, ["show"], [.wait("part of a name):"), .type("2\r")], ["TERM": terminal, "NO_COLOR": "1"])
    #expect(number.status == 0 && number.shown.contains("role-0") && !number.shown.contains("\u{1B}"), "\(number.shown)")
    let word = try await pick(
      vault, ["show"], [.wait("part of a name):"), .type("prod 1\r"), .wait("part of a name):"), .type("prod-13\r")],
      ["TERM": terminal, "NO_COLOR": "1"])
    #expect(word.status == 0 && word.shown.contains("role-13") && !word.shown.contains("\u{1B}"))
    let nothing = try await pick(vault, ["show"], [.wait("part of a name):"), .type("\r")], ["TERM": terminal, "NO_COLOR": "1"])
    #expect(nothing.status == 130)
  }

  @Test("`vault link` takes several")
  func several() async throws {
    let vault = try await Profiles(4).vault
    let linked = try await pick(vault, ["link"], [.wait("Enter takes"), .type("prod\u{1}"), .wait("*"), .type("\r")])
    let config = try String(contentsOfFile: vault.home + "/.aws/config", encoding: .utf8)
    #expect(
      linked.status == 0 && config.contains("[profile vault-team-prod-1]") && config.contains("[profile vault-team-prod-3]"))
    #expect(!config.contains("vault-team-dev"))
  }

  @Test("names that attack a terminal are shown escaped")
  func hostile() async throws {
    let log = try await GeneratedLog.shared(rows: 2_000, hostile: true)
    let left = try await pick(log.vault, ["show"], [.wait("Enter takes"), .type("\u{3}")], rows: 60, ["TERM": "xterm"])
    let frame = try #require(left.frames.first)
    #expect(frame.count > 5)
    for line in frame {
      #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && !$0.isBidirectionalControl })
    }
  }

  @Test("twenty thousand profiles are listed and narrowed")
  func many() async throws {
    let vault = try await Profiles.shared(20_000)
    let result = try await pick(
      vault, ["show"], [.wait("20001 of 20001"), .type("prod 19999"), .wait("1 of 20001"), .type("\r")])
    #expect(result.status == 0 && result.shown.contains("role-19999"))
  }
}

extension Unicode.Scalar {
  fileprivate var isBidirectionalControl: Bool { (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value) }
}
